"""Every script takes a coin by the venue's name, by ccxt's code or as a pair, and answers a wrong
name with the right one; what it writes is under the venue's name.

The coins are two whose spellings differ, recorded from the loopback venue.
"""

import json
import runpy
import time
from pathlib import Path

import pytest

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.session.session import session_coin
from advanced_mm.venue.conditions.opening import (
    VenueOptions,
    market_recipes,
    open_venue,
    venue_coins,
)

SCRIPTS = Path(__file__).parents[1] / "scripts"
COINS = ("kPEPE", "xyz:XYZ100")
SPELLINGS = [
    ("kPEPE", "kPEPE"),
    ("KPEPE", "kPEPE"),
    ("KPEPE/USDC:USDC", "kPEPE"),
    ("xyz:XYZ100", "xyz:XYZ100"),
    ("XYZ-XYZ100", "xyz:XYZ100"),
    ("XYZ-XYZ100/USDC:USDC", "xyz:XYZ100"),
]
WRONG = [("PEPE", "kPEPE"), ("PEPE/USDC:USDC", "kPEPE"), ("XYZ100", "xyz:XYZ100")]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Ten minutes of both coins as the collector would have recorded them."""
    folder = tmp_path_factory.mktemp("recording")
    options = VenueOptions(coins=COINS, history_minutes=10, history_dir=folder)
    now_ms = int(time.time() * 1000)
    open_venue(market_recipes(options, now_ms), now_ms, None, folder)
    return folder


@pytest.fixture(scope="module")
def parameters(tmp_path_factory, data_dir):
    """What the runner publishes of the two configured pairs."""
    folder = tmp_path_factory.mktemp("parameters")
    config = folder / "config.json"
    pairs = ["KPEPE/USDC:USDC", "XYZ-XYZ100/USDC:USDC"]
    config.write_text(json.dumps({"exchange": {"pair_whitelist": pairs}}))
    options = ["--data-dir", data_dir, "--output-dir", folder, "--config", config]
    assert call("periodic_test_runner", "--once", "--market-clock", *options) == 0
    return folder


def call(script: str, *options: object) -> int:
    """Run a script's main() as its last lines do."""
    main = runpy.run_path(str(SCRIPTS / f"{script}.py"))["main"]
    return run(lambda _: main([str(option) for option in options]))


def test_folders_carry_no_colon_and_parameters_the_venue_s_names(data_dir, parameters):
    assert sorted(path.name for path in data_dir.iterdir()) == ["kPEPE", "xyz-XYZ100"]
    assert ShardStore(data_dir).coins() == list(COINS)
    for name in ("kappa", "epsilon", "lambda", "value_function"):
        assert sorted(json.loads((parameters / f"{name}.json").read_text())) == list(COINS)
    folders = sorted(path.name for path in (parameters / "calibration_history").iterdir())
    assert folders == ["kPEPE", "xyz-XYZ100"]


@pytest.mark.parametrize(("spelling", "coin"), SPELLINGS)
def test_each_spelling_is_the_coin(data_dir, parameters, capsys, spelling, coin):
    source = ["--data-dir", data_dir]
    for script in ("test_kappa", "test_epsilon"):
        assert call(script, "--crypto", spelling, "--json", *source) == 0
        assert set(json.loads(capsys.readouterr().out)) == {coin}
    assert call("compact_recordings", "--crypto", f"{spelling},{coin}", *source) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{coin}: ")
    options = ["--output-dir", parameters, "--max-age", 3600]
    assert call("health_check", "--crypto", spelling, *options) == 0
    assert capsys.readouterr().out == f"{spelling}: fresh\n"
    assert venue_coins([spelling]) == venue_coins([spelling], data_dir) == (coin,)
    assert session_coin(spelling) == session_coin(spelling, data_dir) == coin


@pytest.mark.parametrize(("name", "meant"), WRONG)
def test_a_wrong_name_gets_the_right_one_in_the_answer(
    data_dir, parameters, tmp_path, capsys, name, meant
):
    source = ["--crypto", name, "--data-dir", data_dir]
    for script, options in {
        "test_kappa": [],
        "test_epsilon": [],
        "calibration_report": [],
        "compact_recordings": [],
        "periodic_test_runner": ["--once", "--output-dir", tmp_path],
    }.items():
        assert call(script, *source, *options) == 2
        answer = capsys.readouterr().err.splitlines()[-1]
        assert f"{name!r} has no recording" in answer
        assert f"did you mean {meant}" in answer
    assert call("health_check", "--crypto", name, "--output-dir", parameters) == 1
    assert f"did you mean {meant}" in capsys.readouterr().out
    folder = tmp_path / "session"
    for script, options in {
        "paper_exchange": ["--port", 0],
        "paper_trading": ["--folder", folder],
    }.items():
        assert call(script, "--coin", name, *options) == 2
        assert f"did you mean {meant}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_the_report_is_named_by_the_folder(data_dir, parameters, capsys, monkeypatch):
    monkeypatch.chdir(parameters)
    options = ["--crypto", "XYZ-XYZ100/USDC:USDC", "--data-dir", data_dir, "--time-range", 5]
    assert call("calibration_report", *options, "--config", parameters / "config.json") == 0
    page = parameters / "user_data" / "plot" / "calibration_xyz-XYZ100.html"
    assert "Calibration of xyz:XYZ100" in page.read_text()
    assert page.name in capsys.readouterr().out


def test_the_screener_ranks_coins_by_the_venue_s_names(data_dir, capsys):
    assert call("market_screener", "--json", "--data-dir", data_dir) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["coin"] for row in rows} == set(COINS)


def test_a_scenario_s_coin_is_one_of_its_markets():
    scenario = Path(__file__).parent / "scenarios" / "several_coins.yaml"
    assert session_coin("BTC/USDC:USDC", scenario=scenario) == "BTC"
    with pytest.raises(InputError, match=r"several_coins\.yaml has no coin 'kPEPE'; it has BTC"):
        session_coin("kPEPE", scenario=scenario)
