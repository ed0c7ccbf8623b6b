"""Each way in which a set-up is broken is named, with what to do; a sound one is left alone."""

import json
import shutil
import socket
import sqlite3
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from advanced_mm.doctor import exit_code
from advanced_mm.doctor.strategy import attributes_of
from advanced_mm.journal import JOURNAL_FOLDER
from advanced_mm.marketdata.upkeep.retention import Retention
from advanced_mm.parameter_files import ParameterFiles
from advanced_mm.parameter_files.history import HISTORY_FOLDER
from tests.doctor.conftest import NOW_S, ROOT
from tests.performance.journals import freqtrade_database, session

SECRET = "9" + "ab" * 31 + "c"
ADDRESS = "0x" + "12" * 20
PREFIX = "FREQTRADE__EXCHANGE__"
KEY = f"{PREFIX}PRIVATE_KEY"
ON_LOOPBACK = {"ccxt_config": {"urls": {"api": {"public": "http://127.0.0.1:8792"}}}}


def live(setup, key=SECRET, address=ADDRESS):
    setup.configs.append("config.live.json")
    keys = {"WALLET_ADDRESS": address, "PRIVATE_KEY": key}
    setup.on(environment={f"{PREFIX}{n}": v for n, v in keys.items() if v})
    setup.overlay(db_url=f"sqlite:///{setup.user_data}/live.sqlite")


def test_nothing_is_found_where_nothing_is_wrong(setup):
    lines = setup.lines()
    assert setup.found() == []
    assert exit_code(lines) == 0
    assert {line.check for line in lines if line.level == "ok"} >= {
        "Python", "packages", "configuration", "strategy", "keys", "settings", "unit", "ports",
        "disk", "recordings", "parameters", "journal", "database",
    }  # fmt: skip
    assert [line.check for line in lines if line.level == "unchecked"] == [
        "clock", "coins", "keys, account and requests"
    ]  # fmt: skip


# ---- recordings and parameters


def test_no_data(setup):
    shutil.rmtree(setup.data_dir)
    line = setup.one()
    assert (line.check, line.level) == ("recordings", "fault")
    assert str(setup.data_dir) in line.text
    assert "hyperliquid_data_collector.py --crypto ETH --data-dir" in line.remedy
    setup.overlay(exchange=ON_LOOPBACK)
    line = setup.one()
    assert "--crypto ETH --url ws://127.0.0.1:8792/ws --data-dir" in line.remedy


def test_a_recording_that_has_ended(setup):
    setup.on(now=lambda: NOW_S + 7200)
    recordings, parameters = setup.found()
    assert "newest row 2 hours old" in recordings.text
    assert "is the collector running?" in recordings.remedy
    assert "published 7210 s ago" in parameters.text


def test_a_recording_of_an_old_schema(setup):
    path = next((setup.data_dir / "ETH" / "prices").glob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["side"]), path)
    unreadable = setup.one()
    assert unreadable.level == "fault"
    assert "1 files cannot be read" in unreadable.text
    assert str(path) in unreadable.text
    assert "column 'side' is missing" in unreadable.text
    assert "import_recordings.py" in unreadable.remedy


def test_files_of_the_version_before_are_read_and_those_of_a_later_one_refused(setup):
    files = list((setup.data_dir / "ETH").rglob("*.parquet"))
    for path in files:
        table = pq.read_table(path)
        pq.write_table(
            table.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"1"}), path
        )
    assert setup.found() == []
    (told,) = [line for line in setup.lines() if "older version" in line.text]
    assert f"{len(files)} files of an older version, which are read as well" in told.text
    pq.write_table(
        table.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"99"}), path
    )
    assert any("'schema_version' is 99" in line.text for line in setup.found())


def test_stale_parameters(setup):
    ParameterFiles(setup.user_data).publish(
        {"ETH": stale(ParameterFiles(setup.user_data).read("ETH"), NOW_S - 300)}
    )
    line = setup.one()
    assert (line.check, line.level) == ("parameters", "fault")
    assert "ETH: ok: published 300 s ago" in line.text
    assert "allowed" in line.text
    assert "periodic_test_runner.py --crypto ETH --output-dir" in line.remedy
    files = " ".join(str(file) for file in setup.asked().config_files)
    assert f"--data-dir {setup.data_dir} --config {files}" in line.remedy


def stale(parameters, at_s):
    at = datetime.fromtimestamp(at_s, UTC)
    changed = {
        name: getattr(parameters, name).model_copy(update={"published_at": at, "fitted_at": at})
        for name in ("kappa", "epsilon", "lambda_")
    }
    return type(parameters)(parameters.coin, *changed.values(), parameters.value_functions)


def test_parameters_of_an_old_form(setup):
    path = setup.user_data / "kappa.json"
    path.write_text(json.dumps({"ETH": {"kappa+": 2.0, "kappa-": 2.1}}))
    line = setup.one()
    assert line.level == "fault"
    assert str(path) in line.text


def test_parameters_and_a_journal_of_a_later_version(setup):
    path = setup.user_data / "kappa.json"
    good = path.read_text()
    found = json.loads(good)
    path.write_text(json.dumps({"ETH": found["ETH"] | {"version": 99}}))
    line = setup.one()
    assert (line.check, line.level) == ("parameters", "fault")
    assert f"{path}: ETH: the entry is of version 99" in line.text
    assert line.remedy == "update the program, or move the file away"
    path.write_text(good)
    day = datetime.fromtimestamp(NOW_S, UTC).date()
    lines = setup.user_data / "journal" / "ETH" / f"{day}.jsonl"
    lines.parent.mkdir(parents=True)
    lines.write_text(json.dumps({"row": 1, "version": 99, "time_ms": 1000 * NOW_S}) + "\n")
    line = setup.one()
    assert (line.check, line.level) == ("journal", "fault")
    assert f"{str(lines)!r} is of version 99" in line.text
    assert line.remedy == "update the program, or move the file away"


# ---- machine


def test_a_port_in_use(setup):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = {
            "enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": port,
            "username": "me", "password": SECRET, "jwt_secret_key": SECRET,
        }  # fmt: skip
        setup.overlay(api_server=server)
        line = setup.one()
    assert (line.check, line.level) == ("ports", "fault")
    assert f"{port} is in use by process" in line.text
    assert "api_server.listen_port" in line.remedy
    assert setup.found() == []  # once it is free


def test_a_full_disk(setup):
    setup.on(free_bytes=lambda path: 2e8 if path == setup.data_dir else 1e11)
    line = setup.one()
    assert (line.check, line.level) == ("disk", "fault")
    assert "0.20 GB free" in line.text
    assert "--keep-gigabytes" in line.remedy


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        (Retention(), "full in 9."),
        (Retention(gigabytes=12), None),
        (Retention(days=5), None),
        (Retention(days=30), "--keep-days 30 would need"),
        (Retention(gigabytes=40), "--keep-gigabytes 40 is more than fits"),
    ],
)
def test_a_month_on_a_small_disk_takes_retention(setup, retention, said):
    """2 GB a day, in files of an hour, on a disk with 18 GB free; the newest hour is not merged."""
    folder = setup.data_dir / "BTC" / "trades"
    folder.mkdir(parents=True)
    hourly = {NOW_S - 3600 * hour: 2_000_000_000 // 24 for hour in range(2, 25)}
    fresh = dict.fromkeys(range(NOW_S - 3600, NOW_S, 60), 8_000_000)
    for at_s, size in (hourly | fresh).items():
        with (folder / f"trades_{1000 * at_s}.parquet").open("wb") as file:
            file.truncate(size)
    setup.on(free_bytes=lambda _: 18_000_000_000)
    lines = setup.lines(retention=retention)
    (disk,) = [line for line in lines if line.check == "disk"]
    assert disk.level == ("ok" if said is None else "warning")
    if said is not None:
        assert said in disk.text
        assert "--keep-gigabytes 16.3 or less" in disk.remedy


def test_what_the_bot_writes_counts_as_well(setup):
    for day in ("2026-11-17", "2026-11-18"):
        path = setup.user_data / HISTORY_FOLDER / "ETH" / f"{day}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(1_000_000_000)
    setup.on(free_bytes=lambda _: 38_000_000_000)
    lines = setup.lines(retention=Retention(gigabytes=12))
    (disk,) = [line for line in lines if line.check == "disk"]
    assert disk.level == "warning"
    assert "--keep-gigabytes 6.4 or less" in disk.remedy


def test_the_retention_of_the_container_is_known(setup):
    setup.on(
        environment={"MM_COLLECTOR_OPTIONS": "--keep-days 90 --keep-gigabytes=500"},
        free_bytes=lambda _: 19_000_000_000,
    )
    assert "--keep-gigabytes 500 is more than fits" in setup.one().text


def test_another_python_and_other_packages(setup):
    versions = {"numba": "0.1", "duckdb": None}
    real = setup.machine.installed
    setup.on(python=(3, 9, 1), installed=lambda name: versions.get(name, real(name)))
    python, packages = setup.found()
    assert python.text == "3.9.1, needed is >=3.11"
    assert "numba 0.68.1 (0.1)" in packages.text
    assert "duckdb 2.0.1 (not installed)" in packages.text
    assert "make install" in packages.remedy


# ---- configuration


def test_a_tiny_stake(setup):
    setup.overlay(stake_amount=12)
    line = next(line for line in setup.found() if line.check == "settings")
    assert line.level == "fault"
    assert "stake_amount = 12" in line.text
    setup.overlay(stake_amount=60)
    line = setup.one()
    assert (line.check, line.level) == ("unit", "warning")
    assert "60.00 USDC, 6.0 times the venue's minimum" in line.text


def test_leftovers_of_a_hyperopt(setup):
    path = setup.user_data / "strategies" / "Market_Making.json"
    found = {"strategy_name": "Market_Making", "params": {"quoting": {"min_depth_bp": 3.5}}}
    path.write_text(json.dumps(found))
    line = setup.one()
    assert (line.check, line.level) == ("strategy", "warning")
    assert "{'min_depth_bp': 3.5}" in line.text
    assert line.remedy.startswith(f"rm {path}")


def test_each_field_is_looked_at(setup):
    setup.overlay(
        max_open_trade=3,
        stake_currency=5,
        order_types={"entry": "market"},
        market_making={"toxicity_limit": -1},
    )
    typo, kind, settings = sorted(setup.found(), key=lambda line: line.text)[:3]
    assert "did you mean 'max_open_trades'?" in typo.text
    told = " ".join(line.text for line in (kind, settings, *setup.found()))
    assert "stake_currency: 5 is not of type 'string'" in told
    assert "market_making.toxicity_limit = -1" in told
    assert setup.lines()[-1].level == "unchecked"


def test_the_strategys_own_attributes_are_read():
    found = attributes_of(ROOT / "user_data" / "strategies")
    assert found["stoploss"] == -0.05
    assert found["order_types"]["stoploss"] == "market"
    assert found["minimal_roi"] == {"0": 100}


def test_freqtrades_own_settings_are_judged_with_what_the_strategy_adds(setup):
    setup.overlay(stoploss=-0.001)
    line = next(line for line in setup.found() if line.level == "fault")
    assert line.text.startswith("stoploss = ")


def test_what_the_strategy_refuses_is_named_before_it_does(setup):
    setup.overlay(market_making={"inventory_mode": "two_legs"})
    assert 'set leg to "long" for one' in setup.one().remedy
    pair = "XYZ-XYZ100/USDC:USDC"
    setup.overlay(
        market_making={"leg": "long"}, exchange={"pair_whitelist": [pair, "ETH/USDC:USDC"]}
    )
    told = [line for line in setup.found() if line.check == "settings"]
    assert '"hip3_dexes": ["xyz"]' in told[0].remedy


def test_a_missing_configuration_is_named_and_the_rest_left(setup):
    setup.configs.append("config.none.json")
    line = setup.one()
    assert "config.none.json does not exist" in line.text


def test_a_pair_that_is_none(setup):
    setup.overlay(exchange={"pair_whitelist": ["ETH/USDT"]})
    assert setup.one().remedy == "write it ETH/USDC:USDC"
    setup.overlay(exchange={"pair_whitelist": ["ETH"]})
    assert "'ETH' is not a pair" in setup.one().text
    setup.overlay(exchange={"pair_whitelist": []})
    assert "pair_whitelist is empty" in setup.one().text


# ---- keys


def test_missing_keys(setup):
    live(setup, key=None, address=None)
    address, key = setup.found()
    assert "export FREQTRADE__EXCHANGE__WALLET_ADDRESS=…" in address.remedy
    assert "export FREQTRADE__EXCHANGE__PRIVATE_KEY=…" in key.remedy


def test_a_bad_key_is_named_but_never_shown(setup):
    live(setup, key=SECRET[:-1], address="0x12")
    address, key = setup.found()
    assert "no address (4 characters)" in address.text
    assert "no key (63 characters)" in key.text
    live(setup)
    assert setup.found() == []
    setup.overlay(exchange={"private_key": SECRET})
    assert "stands in a configuration file" in setup.one().text
    setup.overlay(exchange={"pair_whitelist": [SECRET]})
    assert SECRET[:40] not in str(setup.lines())


def test_a_key_in_a_file(setup, tmp_path):
    file = tmp_path / "hyperliquid"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    live(setup, key=None)
    address = dict(setup.machine.environment)
    named = address | {f"{KEY}_FILE": str(file)}
    setup.on(environment=named)
    lines = setup.lines()
    assert {line.level for line in lines} == {"ok", "unchecked"}
    told = [line.text for line in lines if line.check == "keys"]
    assert f"{KEY} is in {file}, where not everybody can read it" in told
    assert any(text.startswith("present, for the account 0x1212") for text in told)
    file.chmod(0o644)
    line = setup.one()
    assert (line.check, line.level) == ("keys", "fault")
    assert line.text == f"{KEY}_FILE: everybody can read {file}"
    assert line.remedy == f"make it yours alone: chmod 600 {file}"
    file.chmod(0o600)
    file.write_text(" \n")
    assert f"{file} is empty" in setup.one().text
    file.write_text(SECRET[:-1])
    assert "no key (63 characters)" in setup.one().text
    file.unlink()
    assert f"{file} cannot be read (No such file" in setup.one().text
    setup.on(environment=address | {f"{KEY}_FILE": SECRET})
    assert "seems to be the key itself" in setup.one().text
    assert SECRET[:40] not in str(setup.lines())


def test_the_variables_of_a_container_are_taken_from_its_file(setup, tmp_path):
    secrets = tmp_path / "secrets.env"
    lines = ["# the account", f"{PREFIX}WALLET_ADDRESS={ADDRESS}", f'{KEY}="{SECRET}"', ""]
    secrets.write_text("\n".join(lines))
    secrets.chmod(0o600)
    live(setup, key=None, address=None)
    assert setup.found(env_files=(secrets,)) == []
    told = [line.text for line in setup.lines(env_files=(secrets,)) if line.check == "environment"]
    assert told == [f"{secrets} sets {KEY}, {PREFIX}WALLET_ADDRESS"]
    secrets.chmod(0o644)
    line = setup.one(env_files=(secrets,))
    assert (line.level, line.remedy) == ("warning", f"chmod 600 {secrets}")
    assert line.text == f"everybody can read {KEY} in {secrets} (mode 644)"
    assert SECRET not in str(setup.lines(env_files=(secrets,)))
    secrets.write_text(f"{KEY}_FILE=docker/secrets/hyperliquid\n")  # a name is no secret
    assert "everybody" not in str(setup.found(env_files=(secrets,))[0])
    secrets.write_text("")
    assert f"{secrets} sets no variable" in str(setup.found(env_files=(secrets,)))
    secrets.unlink()
    assert f"{secrets} cannot be read (No such file" in str(setup.found(env_files=(secrets,)))


def test_a_containers_file_that_nobody_named_is_kept_from_others_eyes(setup, tmp_path):
    found = tmp_path / "secrets.env"
    found.write_text(f"{KEY}={SECRET}\n")
    found.chmod(0o644)
    assert setup.one(other_env_files=(found,)).remedy == f"chmod 600 {found}"
    assert setup.one(env_files=(found,), other_env_files=(found,)).level == "warning"  # only once
    found.chmod(0o600)
    assert setup.found(other_env_files=(found,)) == []


# ---- what the bot writes


def test_a_damaged_journal(setup):
    session(setup.user_data, "bot")
    setup.on(now=lambda: 1_764_000_060)
    folder = setup.user_data / JOURNAL_FOLDER / "ETH"
    damaged = folder / "2025-11-24.parquet"
    damaged.write_bytes(b"no parquet")
    (line,) = [line for line in setup.found() if line.check == "journal"]
    assert "Skipped a damaged day file" in line.text
    damaged.unlink()
    assert not [line for line in setup.found() if line.check == "journal"]


def test_a_database_that_is_damaged_old_or_nowhere(setup):
    path = setup.user_data / "trades.dryrun.sqlite"
    freqtrade_database(path, [], [])
    assert setup.found() == []
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE trades DROP COLUMN funding_fees")
    connection.close()
    line = setup.one()
    assert line.level == "warning"
    assert "lacks trades.funding_fees" in line.text
    path.write_bytes(b"no database at all" * 100)
    assert "file is not a database" in setup.one().text
    setup.overlay(db_url=f"sqlite:///{setup.folder}/none/trades.sqlite")
    assert f"mkdir -p {setup.folder}/none" in setup.one().remedy
