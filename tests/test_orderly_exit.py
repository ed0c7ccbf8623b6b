"""Freqtrade's own worker, loop, clean-up and database, and signals at the worst moments."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from advanced_mm.orderly_exit import OrderlyExit

BOT = Path(__file__).with_name("signalled_bot.py")


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """How the bot ended in each case; all in one process, since Freqtrade takes long to load."""
    folder = tmp_path_factory.mktemp("ends")
    run = subprocess.run(
        [sys.executable, str(BOT), str(folder)], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_plain_freqtrade_leaves_its_order_when_a_commit_is_interrupted(ends):
    """What all this is for; if this fails, Freqtrade has mended it."""
    plain = ends["plain"]
    assert plain["cancelled"] == []
    assert "Exception during cleanup" in plain["log"]
    assert "prepared" in plain["log"]
    assert plain["rolled_back_trades"] == 1  # what the strategy's own clean-up relies on


@pytest.mark.parametrize("case", ["commit", "commit_terminated", "flush"])
def test_a_commit_is_finished_before_the_bot_ends(ends, case):
    assert ends[case]["loops"] == 1
    assert_in_order(ends[case])


@pytest.mark.parametrize("case", ["again", "at_once_again"])
def test_a_second_signal_does_not_break_off_the_clean_up(ends, case):
    assert_in_order(ends[case])


def test_the_clean_up_before_a_reload_is_finished_too(ends):
    assert ends["reloading"]["cancelled"] == ["o1", "o1"]  # by the reload, and by the end
    assert ends["reloading"]["log"] == ""
    assert ends["reloading"]["interrupted"]


def test_a_loop_that_hangs_is_broken_off(ends):
    assert_in_order(ends["hanging"], broke_off=True)
    assert 0.3 <= ends["hanging"]["seconds"] < 20


def test_a_commit_that_hangs_is_not(ends):
    end = ends["slow_commit"]
    # The rest of that loop is overdue then, and broken off where the timer finds the bot in it.
    assert_in_order(end, broke_off=end["broke_off"])
    assert 0.6 <= end["seconds"] < 20
    assert end["loops"] == 1


def test_a_wait_within_the_loop_is_ended_at_once(ends):
    assert_in_order(ends["waiting"])
    assert ends["waiting"]["seconds"] < 20


def test_it_is_installed_once_and_leaves_signals_that_are_ignored(ends):
    assert ends["installed"] == {"same": True, "kept": True, "thread": True}


def assert_in_order(end, *, broke_off=False):
    assert end["log"] == ""
    assert end["cancelled"] == ["o1"]
    assert end["interrupted"]
    assert end["broke_off"] is broke_off


def test_nothing_is_installed_where_a_signal_has_the_systems_own_effect():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        OrderlyExit.install()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)
