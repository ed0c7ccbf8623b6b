"""The health check of the bot's container tells a bot that loops from one that hangs."""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from advanced_mm.errors import InputError
from advanced_mm.journal import AccountMarked, JournalWriter, last_loop_ms
from advanced_mm.journal.events import BadRowsCounted

ROOT = Path(__file__).parents[1]
MINUTE_MS = 60_000


def mark(bot, time_ms):
    return AccountMarked(
        time_ms=time_ms, coin="", bot=bot, profit=0.0, peak=0.0, day_start=0.0, paused_ms=None
    )


def write(journal, bot, *ages_s, kind=mark):
    """Record events that are so old, seconds."""
    for age in ages_s:
        now_ms = round(1000 * (time.time() - age))
        with contextlib.closing(
            JournalWriter(journal, bot, clock_ms=lambda at=now_ms: at, monotonic_ms=lambda: 0)
        ) as writer:
            writer.record(kind(bot, now_ms))


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """The script for the bot of a configuration; its exit code and what it said."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"bot_name": "mine"}))
    main = runpy.run_path(str(ROOT / "scripts" / "health_check.py"))["main"]
    monkeypatch.delenv("FREQTRADE__BOT_NAME", raising=False)

    def checked(*options):
        words = ["--bot", "--config", str(config), "--output-dir", str(tmp_path), *options]
        return main(words), capsys.readouterr().out.strip()

    return checked


def test_a_bot_is_healthy_while_its_loop_tells_the_journal_something(check, tmp_path):
    journal = tmp_path / "journal"
    code, said = check()
    assert code == 1
    assert said.startswith("mine: its loop has written nothing to")
    write(journal, "mine", 300, 70)
    assert check() == (0, "mine: its loop goes on")
    assert check("--max-age", "60")[0] == 1


def test_a_bot_that_stands_still_is_unhealthy_whatever_others_write(check, tmp_path):
    journal = tmp_path / "journal"
    write(journal, "mine", 300)
    write(journal, "another", 1)
    write(
        journal,
        "mine",
        1,
        kind=lambda bot, now_ms: BadRowsCounted(time_ms=now_ms, coin="", bot=bot, told="one"),
    )
    code, said = check()
    assert code == 1
    assert "300 s ago: it stands still, or the bot was told to stop" in said


def test_yesterdays_last_word_counts_just_after_midnight_and_older_ones_do_not(tmp_path):
    day_ms = 1440 * MINUTE_MS
    midnight_ms = 20_000 * day_ms
    last_ms = midnight_ms - MINUTE_MS
    for now_ms in (last_ms, midnight_ms):
        with contextlib.closing(
            JournalWriter(tmp_path, "mine", clock_ms=lambda at=now_ms: at, monotonic_ms=lambda: 0)
        ) as writer:
            writer.record(mark("mine" if now_ms == last_ms else "another", now_ms))
    assert last_loop_ms(tmp_path, "mine") == last_ms
    assert last_loop_ms(tmp_path, "another") == midnight_ms
    assert last_loop_ms(tmp_path, "nobody") is None
    assert last_loop_ms(tmp_path / "nowhere", "mine") is None


LOOPS = """
import sys, time
from pathlib import Path
from advanced_mm.journal import AccountMarked, JournalWriter
writer = JournalWriter(Path(sys.argv[1]), "mine")
while True:
    writer.record(AccountMarked(time_ms=time.time_ns() // 1_000_000, coin="", bot="mine",
        profit=0.0, peak=0.0, day_start=0.0, paused_ms=None))
    time.sleep(0.1)
"""


def test_a_process_that_is_frozen_and_goes_on(check, tmp_path):
    def wait_for(code):
        deadline = time.monotonic() + 60
        while check("--max-age", "3")[0] != code:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    command = [sys.executable, "-c", LOOPS, str(tmp_path / "journal")]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        try:
            wait_for(0)
            process.send_signal(signal.SIGSTOP)
            wait_for(1)
            process.send_signal(signal.SIGCONT)
            wait_for(0)
        finally:
            process.kill()


def test_a_wrong_setting_is_named(check, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"market_making": {"min_edge": 1}}))
    with pytest.raises(InputError, match="min_edge"):
        check()
