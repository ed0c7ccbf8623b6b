"""Makers' set-ups, broken in one thing each, and the exchanges they trade on."""

import asyncio
import json
import re
import runpy
import shutil
import socket
from datetime import UTC, datetime

import pytest

from advanced_mm.doctor.maker_exchanges import examine_exchanges
from advanced_mm.doctor.makers import ExaminedMaker
from advanced_mm.maker.config import read_config
from advanced_mm.venue.binance.local import spot_venue
from tests.doctor.conftest import NOW_S, ROOT
from tests.venue.conftest import ScriptedMarket, serving

SPOT, PERPETUAL, ETHER = "sui_spot_auto", "sui_perpetual_auto", "eth_cartea_jaimungal"
SECRET = "1f" * 32
HYPERLIQUID = {
    "HYPERLIQUID_WALLET_ADDRESS": "0x" + "ab" * 20,
    "HYPERLIQUID_PRIVATE_KEY": SECRET,
}


class Makers:
    """The set-up with the examples in it, examined in its own folder."""

    def __init__(self, setup):
        self.setup = setup
        self.folder = setup.user_data / "makers"
        shutil.copytree(ROOT / "user_data" / "makers", self.folder)

    def path(self, name):
        return self.folder / f"{name}.yaml"

    def lines(self, *names, **values):
        return self.setup.lines(makers=tuple(map(self.path, names)), **values)

    def one(self, *names, **values):
        """The only thing that is wrong."""
        lines = self.lines(*names, **values)
        (line,) = [line for line in lines if line.level in ("warning", "fault")]
        assert line.remedy
        return line


@pytest.fixture
def makers(setup, monkeypatch):
    monkeypatch.chdir(setup.folder)
    return Makers(setup)


def test_nothing_is_found_of_a_sound_maker_and_nothing_said_of_examples_nobody_ran(makers):
    assert makers.setup.found() == []
    assert "maker" not in {line.check for line in makers.lines()}
    lines = makers.lines(SPOT)
    assert {line.level for line in lines} == {"ok", "unchecked"}
    (maker,) = [line.text for line in lines if line.check == "maker"]
    assert maker == (
        f"{SPOT}: {makers.path(SPOT)} is sound, and trades SUI/USDC at binance_spot, "
        "SUI/USDC:USDC at hyperliquid"
    )
    dry = [line.text for line in lines if line.check == "keys" and SPOT in line.text]
    assert dry == [
        f"{SPOT}: {names} are not set: it can only be run without --live"
        for names in (
            "BINANCE_API_KEY and BINANCE_API_SECRET",
            "HYPERLIQUID_WALLET_ADDRESS and HYPERLIQUID_PRIVATE_KEY",
        )
    ]


def test_a_file_that_is_not_sound_is_named_with_its_lines(makers):
    path = makers.path(ETHER)
    path.write_text(path.read_text() + "colour: red\nmetrics_port: 0\n")
    lines = [line for line in makers.lines(ETHER) if line.level == "fault"]
    assert [line.check for line in lines] == ["maker", "maker"]
    assert any(f"{path}, line " in line.text and "colour" in line.text for line in lines)
    (found,) = {line.level for line in makers.lines() if line.check == "maker"}
    assert found == "warning"  # it may be one that nobody runs


def test_keys_that_are_missing_where_it_ran_live_or_are_none(makers):
    journal = makers.setup.folder / "user_data" / "journal" / ETHER
    journal.mkdir(parents=True)
    assert makers.one().level == "warning"  # found, as it has run
    line = makers.one(ETHER)
    assert (line.check, line.level) == ("keys", "warning")
    assert "HYPERLIQUID_PRIVATE_KEY are not set" in line.text
    makers.setup.on(environment=HYPERLIQUID)
    assert makers.setup.found() == []
    for broken in ({"HYPERLIQUID_PRIVATE_KEY": SECRET[:-1]}, {"HYPERLIQUID_PRIVATE_KEY": ""}):
        makers.setup.on(environment=HYPERLIQUID | broken)
        line = makers.one(ETHER)
        assert (line.check, line.level) == ("keys", "fault")
        assert "HYPERLIQUID_PRIVATE_KEY" in line.text
    told = [f"{line.text} {line.remedy}" for line in makers.lines(ETHER)]
    assert SECRET[:-1] not in " ".join(told)


def test_keys_in_files(makers, tmp_path):
    key, address = "HYPERLIQUID_PRIVATE_KEY", "HYPERLIQUID_WALLET_ADDRESS"
    file = tmp_path / "hyperliquid"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    environment = {address: HYPERLIQUID[address], f"{key}_FILE": str(file)}
    makers.setup.on(environment=environment)
    lines = makers.lines(ETHER)
    assert {line.level for line in lines} == {"ok", "unchecked"}
    (told,) = [line.text for line in lines if line.check == "keys" and ETHER in line.text]
    assert told == (
        f"{ETHER}: those of hyperliquid are present, in {file} where not everybody can read"
    )
    file.chmod(0o644)
    line = makers.one(ETHER)
    assert (line.check, line.level) == ("keys", "fault")
    assert line.text == f"{ETHER}: {key}_FILE: everybody can read {file}"
    assert line.remedy == f"make it yours alone: chmod 600 {file}"
    file.chmod(0o600)
    file.write_text("")
    assert f"{file} is empty" in makers.one(ETHER).text
    file.unlink()
    assert f"{file} cannot be read" in makers.one(ETHER).text
    makers.setup.on(environment=environment | {f"{key}_FILE": SECRET})
    assert "seems to be the key itself" in makers.one(ETHER).text
    assert SECRET not in str(makers.lines(ETHER))


def test_a_kill_file_left_behind(makers):
    left = makers.setup.folder / "user_data" / "makers" / f"{ETHER}.stop"
    left.touch()
    line = makers.one()  # nobody named it: it may be meant to rest
    assert (line.check, line.level) == ("kill file", "warning")
    line = makers.one(ETHER)
    assert (line.check, line.level) == ("kill file", "fault")
    assert line.remedy == f"rm user_data/makers/{ETHER}.stop"
    left.unlink()
    assert makers.setup.found() == []


def test_a_journal_of_a_later_version_and_a_full_disk(makers):
    journal = makers.setup.folder / "user_data" / "journal" / f"{ETHER}_dry"
    journal.mkdir(parents=True)
    assert makers.setup.found() == []
    day = datetime.fromtimestamp(NOW_S, UTC).date().isoformat()
    (journal / "ETH").mkdir()
    (journal / "ETH" / f"{day}.jsonl").write_text(json.dumps({"row": 1, "version": 99}) + "\n")
    line = makers.one(ETHER)
    assert (line.check, line.level) == ("journal", "fault")
    assert "is of version 99" in line.text
    makers.setup.on(free_bytes=lambda path: 1e6 if ETHER in str(path) else 1e11)
    levels = [(one.check, one.level) for one in makers.lines(ETHER) if one.level == "fault"]
    assert levels == [("disk", "fault"), ("journal", "fault")]


def test_two_makers_in_one_market_of_one_account(makers):
    line = makers.one(SPOT, PERPETUAL)  # the one hedges where the other quotes
    assert (line.check, line.level) == ("two makers", "fault")
    assert f"{SPOT} ({SPOT}.yaml) and {PERPETUAL} ({PERPETUAL}.yaml) trade" in line.text
    assert "SUI/USDC:USDC at hyperliquid on one account" in line.text
    for name in (SPOT, PERPETUAL):
        path = makers.path(name)
        before = path.read_text()
        path.write_text(before.replace("    limits:", "    other_makers: true\n    limits:"))
        assert path.read_text() != before
        told = [x.check for x in makers.lines(SPOT, PERPETUAL)]
        assert ("two makers" in told) == (name == SPOT)  # both files must say so
    path.write_text(before)
    (makers.setup.folder / "user_data" / "journal" / f"{PERPETUAL}_dry").mkdir(parents=True)
    assert makers.one(SPOT).level == "warning"  # perhaps it no longer runs
    path = makers.path(PERPETUAL)
    path.write_text(
        path.read_text().replace("kind: hyper", "url: http://127.0.0.1:1\n    kind: hyper")
    )
    assert not [line for line in makers.lines(SPOT, PERPETUAL) if line.check == "two makers"]
    assert not [line for line in makers.lines(SPOT, ETHER, ETHER) if line.check == "two makers"]


def test_a_spot_account_without_a_bound(makers):
    path = makers.path(SPOT)
    text = path.read_text()
    path.write_text("".join(x for x in text.splitlines(True) if "   capital: 1000 " not in x))
    line = makers.one(SPOT)
    assert (line.check, line.level) == ("maker", "warning")
    assert "would trade all coins of the account" in line.text
    assert line.remedy == "set one of them before --live"


def test_a_hedges_state_that_cannot_be_restored(makers):
    makers.setup.on(environment=HYPERLIQUID)
    journal = makers.setup.folder / "user_data" / "journal" / ETHER
    journal.mkdir(parents=True)
    state = journal / f"hedge.{ETHER}.hyperliquid.ETH.json"
    earlier = "before_versions/hedge.maker.hyperliquid.SIM.json"
    shutil.copy(ROOT / "tests" / "earlier_versions" / earlier, state)
    assert [line.level for line in makers.lines() if line.check == "hedge"] == ["ok"]
    state.write_text(json.dumps({"version": 99}))
    line = makers.one()
    assert (line.check, line.level) == ("hedge", "fault")
    assert "is of version 99" in line.text
    assert "update the program" in line.remedy
    state.write_text("{}")
    assert "move the file away" in f"{makers.one().text} {makers.one().remedy}"


def test_a_port_that_two_want_or_another_holds(makers):
    for name in (ETHER, PERPETUAL):
        path = makers.path(name)
        path.write_text(f"metrics_port: 1\n{path.read_text()}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in (ETHER, PERPETUAL):
            path = makers.path(name)
            path.write_text(path.read_text().replace("port: 1\n", f"port: {port}\n"))
        lines = makers.lines(ETHER, PERPETUAL)
        held, both = [x for x in lines if x.level == "fault"]
        assert f"{port} is in use by process" in held.text
        assert f"the metrics of {ETHER} cannot listen there" in held.text
        makers.setup.on(environment={"MM_DASHBOARD_PORT": str(port)})
        assert f"{port} is in use" in makers.one().text
    assert f"the metrics of {PERPETUAL} and the metrics of {ETHER} both want" in both.text
    makers.setup.overlay(market_making={"metrics_port": port})
    options = f"--keep-days 9 --metrics-port {port}"
    makers.setup.on(environment={"MM_COLLECTOR_OPTIONS": options, "MM_DASHBOARD_PORT": "0"})
    line = makers.one()
    assert line.text == f"the collector's metrics and the bot's metrics both want port {port}"
    assert line.remedy == "set --metrics-port in MM_COLLECTOR_OPTIONS to another port"


def examined(makers, name, changes):
    path = makers.path(name)
    text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    maker = ExaminedMaker(path, read_config(path).settings, given=True)
    return list(examine_exchanges([maker], offline=False))


async def test_an_exchange_is_asked_for_the_markets(makers):
    async with serving(ScriptedMarket("ETH")) as server:
        there = {"kind: hyperliquid": f"kind: hyperliquid\n    url: {server.rest_url}"}
        (line,) = await asyncio.to_thread(examined, makers, ETHER, there)
        assert (line.check, line.level) == ("exchanges", "ok")
        (line,) = await asyncio.to_thread(examined, makers, ETHER, {"ETH/USDC": "ETHH/USDC"})
    assert line.level == "fault"
    assert "did you mean ETH" in line.text
    (line,) = await asyncio.to_thread(examined, makers, ETHER, {})
    assert line.level == "warning"
    assert "does not answer" in line.text


async def test_binance_is_asked_for_the_markets(makers):
    async with spot_venue(ScriptedMarket("SUI"), amounts={}) as local:
        there = {
            "kind: binance_spot": f"kind: binance_spot\n    url: {local.server.rest_url}",
            "kind: hyperliquid": "kind: hyperliquid\n    url: http://127.0.0.1:1",
        }
        spot, perpetual = await asyncio.to_thread(examined, makers, SPOT, there)
        assert (spot.level, perpetual.level) == ("ok", "warning")
        changes = {"symbol: SUI/USDC\n": "symbol: SOL/USDC\n"}
        spot, _ = await asyncio.to_thread(examined, makers, SPOT, changes)
    assert spot.level == "fault"
    assert "has no market SOL/USDC" in spot.text
    spot, _ = await asyncio.to_thread(examined, makers, SPOT, {})
    assert (spot.level, "does not answer" in spot.text) == ("warning", True)


def test_the_script_takes_makers_with_and_without_a_bots_configuration(makers, capsys):
    doctor = runpy.run_path(str(ROOT / "scripts" / "doctor.py"))["main"]
    (makers.setup.folder / "user_data" / "makers" / f"{ETHER}.stop").touch()
    assert doctor(["--offline", "--json", "--config", str(makers.path(ETHER))]) == 2
    told = json.loads(capsys.readouterr().out)
    checks = {line["check"] for line in told["lines"]}
    assert {"maker", "kill file", "ports", "packages"} <= checks
    assert not checks & {"configuration", "recordings"}
    data = ["--data-dir", "HL_data", "--offline"]
    both = ["--config", "user_data/config.json", str(makers.path(ETHER))]
    assert doctor([*both, *data]) == 2
    shown = capsys.readouterr().out
    for check in ("kill file", "recordings"):
        assert re.search(rf"^FAULT +{check} ", shown, re.MULTILINE)
