"""A new set-up: what is written passes the doctor, holds no secret and replaces nothing."""

import io
import json
import runpy
import shutil

import pytest
import rapidjson
from freqtrade.configuration.load_config import load_from_files

from advanced_mm.doctor.draft import LEAST_CAPITAL
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import load_config
from tests.doctor.conftest import ROOT

KEYS = {
    "FREQTRADE__EXCHANGE__WALLET_ADDRESS": "0x" + "12" * 20,
    "FREQTRADE__EXCHANGE__PRIVATE_KEY": "0x" + "ab" * 32,
}


@pytest.fixture
def init(setup, monkeypatch):
    """Run the script in the set-up's folder; returns the overlays it has written."""
    monkeypatch.chdir(setup.folder)
    main = runpy.run_path(str(ROOT / "scripts" / "init_config.py"))["main"]

    def run(*words, typed=""):
        before = {path: path.read_text() for path in setup.user_data.glob("config*.json")}
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert main(list(words)) == 0
        return sorted(
            path.name
            for path in setup.user_data.glob("config*.json")
            if before.get(path) != path.read_text()
        )

    return run


@pytest.mark.parametrize("mode", ["paper", "dry", "live"])
@pytest.mark.parametrize("sides", ["one", "both"])
def test_it_passes_the_doctor(setup, init, mode, sides):
    written = init("--defaults", "--mode", mode, "--sides", sides)
    assert len(written) == (1 if sides == "one" else 2)
    folder = setup.user_data / "paper"
    shutil.copytree(setup.user_data, folder, ignore=shutil.ignore_patterns("paper", "config*"))
    if mode == "live":
        setup.on(environment=KEYS)
    for name in written:
        text = (setup.user_data / name).read_text()
        assert not any(secret in text for secret in ("PRIVATE", "private_key", "password"))
        setup.configs = ["config.json", name]
        assert setup.found() == []
        (unit,) = [line for line in setup.lines() if line.check == "unit"] or [None]
        if mode != "live":
            assert unit.text.startswith(f"a unit is {950 if sides == 'one' else 475}.00 USDC")


def test_freqtrade_reads_it_as_we_do(setup, init):
    (name,) = init("--defaults", "--mode", "live", "--capital", "500")
    files = [setup.user_data / "config.json", setup.user_data / name]
    ours = load_config(files, {})
    theirs = load_from_files([str(file) for file in files])
    theirs.pop("config_files")
    assert ours == theirs
    assert ours["available_capital"] == 500
    assert ours["unfilledtimeout"]["entry"] == 600  # of config.live.json
    assert ours["db_url"] == "sqlite:///user_data/trades.eth_live.sqlite"


def test_the_questions_can_be_typed(setup, init, capsys):
    (name,) = init(typed=f"xyz?\nxyz:XYZ100\ndry\none\n{LEAST_CAPITAL - 1}\n800\nmy bot\nmine\n")
    assert name == "config.mine.json"
    shown = capsys.readouterr().out
    assert "'xyz?' is no coin" in shown
    assert "The name 'my bot' must be of letters" in shown
    found = rapidjson.loads((setup.user_data / name).read_text(), parse_mode=rapidjson.PM_COMMENTS)
    assert found["exchange"] == {
        "pair_whitelist": ["XYZ-XYZ100/USDC:USDC"], "hip3_dexes": ["xyz"]
    }  # fmt: skip
    assert found["dry_run_wallet"] == 800
    assert f"at least {LEAST_CAPITAL}" in shown
    assert "--config user_data/config.json user_data/config.mine.json" in shown


def test_options_answer_in_advance(init, capsys):
    words = ("--coin", "kPEPE", "--capital", "2000", "--mode", "live", "--sides", "both")
    assert init(*words, "--name", "pepe") == ["config.pepe.long.json", "config.pepe.short.json"]
    shown = capsys.readouterr().out
    assert "FREQTRADE__EXCHANGE__PRIVATE_KEY" in shown
    assert shown.count("freqtrade trade") == 2
    assert "--logfile user_data/logs/pepe.short.log" in shown
    assert "an account or a sub-account each" in shown


def test_nothing_is_replaced_unless_asked_to(setup, init):
    (name,) = init("--defaults")
    with pytest.raises(InputError, match=f"{name} is there already: give another --name"):
        init("--defaults")
    assert init("--defaults", "--force", "--capital", "700") == [name]
    assert json.loads((setup.user_data / name).read_text().partition("\n")[2])[
        "dry_run_wallet"
    ] == 700  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--capital", "50"], f"must be at least {LEAST_CAPITAL}"),
        (["--capital", "nan"], f"must be at least {LEAST_CAPITAL}"),
        (["--name", "../x"], "must be of letters"),
        (["--coin", "E T/H"], "is no coin"),
    ],
)
def test_answers_that_cannot_be_used_are_named(init, words, said):
    with pytest.raises(InputError, match=said):
        init("--defaults", *words)


def test_answers_that_end_too_early_are_named(init):
    with pytest.raises(InputError, match="The answers end at 'Capital, USDC'"):
        init(typed="ETH\ndry\none\n")
