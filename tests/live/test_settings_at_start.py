"""An unmodified Freqtrade with a setting that contradicts quoting does not start: dry, backtest,
hyperopt."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_TURN = """
import json, sys
from freqtrade.main import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        print(f"\\nended {end.code}", file=sys.stderr, flush=True)
"""
"""Runs Freqtrade's commands in one process: starting it takes longer than they do."""
ENDED = re.compile(r"^ended (\S+)$", re.M)


@pytest.fixture
def venue() -> Iterator[dict[str, str]]:
    script = ROOT / "scripts" / "paper_exchange.py"
    process = subprocess.Popen(
        [sys.executable, script, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=60)


def overlay(folder: Path, addresses: dict[str, str]) -> Path:
    api = {
        "public": addresses["rest"],
        "private": addresses["rest"],
        "ws": {"public": addresses["ws"]},
    }
    changes = {
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "exchange": {
            "_ft_has_params": {"ohlcv_has_history": True},
            "ccxt_config": {"enableRateLimit": False, "urls": {"api": api}},
        },
        "market_making": {"parameter_dir": str(folder)},
        "minimal_roi": {"0": 0.04, "60": 0},
        "use_exit_signal": False,
    }
    path = folder / "overlay.json"
    path.write_text(json.dumps(changes))
    return path


@pytest.mark.bot
def test_freqtrade_ends_at_start_with_one_message(tmp_path, venue):
    configs = [ROOT / "user_data" / "config.json", overlay(tmp_path, venue)]
    (tmp_path / "user_data" / "data").mkdir(parents=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FREQTRADE__")}
    environment["FREQTRADE__UNFILLEDTIMEOUT__EXIT_TIMEOUT_COUNT"] = "1"
    strategies = ROOT / "user_data" / "strategies"
    strategy = ["--strategy", "Market_Making", "--strategy-path", str(strategies)]

    config = [word for path in configs for word in ("--config", str(path))]
    everywhere = ["--userdir", str(tmp_path / "user_data"), *config]
    backtest = ["--timeframe", "1m", "--fee", "0.00015", *strategy]
    loss = ["--hyperopt-loss", "OnlyProfitHyperOptLoss", "-e", "1", "-j", "1"]
    commands = [
        ["download-data", "--timeframes", "1m", "--days", "1"],
        ["trade", "--dry-run", *strategy],
        ["backtesting", "--eps", *backtest],
        ["hyperopt", "--spaces", "buy", *loss, *backtest],
    ]
    ended = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps([[*words, *everywhere] for words in commands])],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    logs, codes = re.split(r"^ended \S+$", ended.stderr, flags=re.M), ENDED.findall(ended.stderr)
    assert codes == ["None", "2", "2", "2"]
    for command, log in zip(commands[1:], logs[1:4], strict=True):
        said = " ".join(log.split())  # its log breaks lines at the terminal's width
        assert said.count("conflict with quoting; the bot does not start") == 1
        for setting in ("unfilledtimeout.exit_timeout_count = 1", "minimal_roi", "use_exit_signal"):
            assert f" - {setting}" in said
        assert (" - position_stacking = true" in said) == ("--eps" in command)
