"""The whole system as a user runs it: an unmodified Freqtrade quoting on the loopback venue."""

import contextlib
import json
import math
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from scipy.optimize import brentq

from advanced_mm.errors import InputError
from advanced_mm.journal import JOURNAL_FOLDER, QuoteSent, read_journal
from advanced_mm.session.quote_audit import QuoteAudit

ROOT = Path(__file__).parents[1]
SEVERAL_COINS = ROOT / "tests" / "scenarios" / "several_coins.yaml"
SCRIPT = ROOT / "scripts" / "paper_trading.py"

pytestmark = pytest.mark.bot


def start(folder: Path, *options: str) -> subprocess.Popen:
    """Start a session whose bot quotes as if it followed the mid, so that it is filled often."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "--folder", str(folder), *options],
        env=os.environ | {"FREQTRADE__MARKET_MAKING__QUOTE_AGE_SECONDS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Children of the session: each names the session's folder on its command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


def wait_for_parts(folder: Path, session: subprocess.Popen, seconds: float = 150) -> dict[str, int]:
    """Wait until the bot has sent a quote; return process ids by script."""
    deadline = time.monotonic() + seconds
    audit = QuoteAudit(folder / JOURNAL_FOLDER)
    while not audit.quotes:
        audit.read_journal()
        assert session.poll() is None, session.stdout.read()
        assert time.monotonic() < deadline, "no quote was sent"
        time.sleep(0.2)
    found = {}
    for process in processes_of(folder):
        with contextlib.suppress(psutil.Error):  # it has just ended
            found |= {
                Path(word).name: process.pid for word in process.cmdline() if word.endswith(".py")
            }
    return found


def assert_nothing_left(folder: Path) -> None:
    assert processes_of(folder) == []
    assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []
    for name in ("kappa.json", "epsilon.json", "lambda.json", "value_function.json"):
        json.loads((folder / name).read_text())


def depths_on_zero_one(folder: Path) -> tuple[str, float, float]:
    """Solve the ergodic problem on {0, 1} from the published parameters by root finding.

    With D = h(1) - h(0): income when flat F-(D) equals income when long -phi + F+(-D), where
    F(D) = (lambda/kappa) exp(-1 - kappa (epsilon + fee - D)); depths 1/kappa + epsilon + fee -+ D.
    """
    kappa = json.loads((folder / "kappa.json").read_text())["ETH"]
    epsilon = json.loads((folder / "epsilon.json").read_text())["ETH"]
    arrivals = json.loads((folder / "lambda.json").read_text())["ETH"]
    fee = 0.00015 * kappa["mid"]
    k = {side: kappa[f"kappa{side}"] for side in "+-"}
    cost = {side: epsilon[f"epsilon_fill{side}"] + fee for side in "+-"}
    rate = {side: arrivals[f"lambda0{side}"] for side in "+-"}
    phi = 0.01 * (rate["+"] + rate["-"]) / (k["+"] + k["-"])

    def income(side: str, gain: float) -> float:
        return rate[side] / k[side] * math.exp(-1 - k[side] * (cost[side] - gain))

    d = brentq(lambda d: income("-", d) + phi - income("+", -d), -5, 5, xtol=1e-14)
    return kappa["calibration_id"], 1 / k["-"] + cost["-"] - d, 1 / k["+"] + cost["+"] + d


def test_a_minute_of_trading_on_the_loopback_venue(tmp_path):
    folder, summary_file = tmp_path / "session", tmp_path / "summary.json"
    session = start(folder, "--minutes", "1", "--summary", str(summary_file))
    output, _ = session.communicate(timeout=240)
    assert session.returncode == 0, output
    summary = json.loads(summary_file.read_text())
    assert summary["refits"] >= 3
    assert summary["quotes"] >= 10
    assert summary["requotes"] >= 1
    assert summary["fills"] >= 1
    assert summary["unmatched_quotes"] == summary["touch_quotes"] == 0
    assert 0 < summary["max_distance_ticks"] <= 1
    # The collector's upkeep, a process of its own for a second or two, is seen on some runs only.
    assert sum(summary["peak_rss_mb"][part] for part in ("venue", "collector", "runner")) <= 750
    assert_nothing_left(folder)
    assert summary["performance"]["venue_agrees"]
    assert f"with {summary['performance']['fills']} fill" in " ".join(output.split())
    assert f"the performance report is {folder / 'performance.html'}" in output
    assert "spread captured" in (folder / "performance.html").read_text()

    quotes = read_journal(folder / JOURNAL_FOLDER).table(QuoteSent).to_pylist()
    assert {quote["side"] for quote in quotes} == {"bid", "ask"}
    refit, bid_depth, ask_depth = depths_on_zero_one(folder)
    of_last_refit = [quote for quote in quotes if quote["calibration_id"] == refit]
    for quote in of_last_refit:
        depth = bid_depth if quote["side"] == "bid" else -ask_depth
        exact = quote["mid"] - depth
        rounded = math.floor(exact * 10 + 1e-6) if depth > 0 else math.ceil(exact * 10 - 1e-6)
        assert quote["price"] == pytest.approx(rounded / 10, abs=1e-9)

    log = (folder / "logs" / "bot.log").read_text()
    assert " - ERROR - " not in log
    assert "Traceback" not in log
    placed = log.replace("\n", " ")
    for quote in quotes[:3]:
        assert f"{quote['price']:g}" in placed


def test_an_interrupt_ends_every_part(tmp_path):
    folder = tmp_path / "session"
    session = start(folder, "--dry")
    try:
        wait_for_parts(folder, session)
        session.send_signal(signal.SIGINT)
        output, _ = session.communicate(timeout=150)
    finally:
        session.kill()
    assert session.returncode == 0, output
    assert '"refits"' in output
    assert '"live"' not in output
    assert "dry run: Freqtrade fills an order only once the touch has passed it" in " ".join(
        output.split()
    )
    assert_nothing_left(folder)


def test_a_part_that_dies_ends_the_session_with_its_last_words(tmp_path):
    folder = tmp_path / "session"
    session = start(folder)
    try:
        parts = wait_for_parts(folder, session)
        os.kill(parts["hyperliquid_data_collector.py"], signal.SIGKILL)
        output, _ = session.communicate(timeout=150)
    finally:
        session.kill()
    assert session.returncode == 1
    assert "the collector ended with exit code -9" in output
    assert processes_of(folder) == []


def test_a_session_that_is_killed_outright_takes_its_parts_with_it(tmp_path):
    folder = tmp_path / "session"
    session = start(folder)
    wait_for_parts(folder, session)
    session.kill()
    session.communicate(timeout=150)
    deadline = time.monotonic() + 150
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(folder) == []


def test_a_mistake_in_the_options_is_one_sentence(tmp_path):
    session = start(tmp_path / "session", "--minutes", "0")
    output, _ = session.communicate(timeout=150)
    assert session.returncode == 2
    assert "--minutes 0" in output
    assert "Traceback" not in output
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--coin", "PEPE"], "kPEPE"),
        (["--scenario", str(SEVERAL_COINS), "--coin", "BTCC"], "did you mean BTC"),
        (["--replay", "/nowhere"], "/nowhere"),
        (["--summary", "/nowhere/summary.json"], "/nowhere"),
    ],
)
def test_what_cannot_be_traded_is_refused_before_anything_is_started(tmp_path, options, complaint):
    main = runpy.run_path(str(SCRIPT))["main"]
    with pytest.raises(InputError, match=complaint):
        main(["--folder", str(tmp_path / "session"), *options])
    assert processes_of(tmp_path) == []
