"""A dry run's account is new, and so is its journal."""

import asyncio
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from advanced_mm.errors import InputError
from advanced_mm.journal import ClockJumped, JournalWriter, read_journal
from advanced_mm.maker.running.earlier_runs import set_aside

SCRIPT = Path(__file__).parents[3] / "scripts" / "market_maker.py"


def write(folder, seconds):
    journal = JournalWriter(folder, "m")
    journal.record(ClockJumped(time_ms=journal.now_ms(), coin="ETH", bot="m", seconds=seconds))
    journal.close()


def events(folder):
    return [one.seconds for one in read_journal(folder).events(ClockJumped)]


def test_an_earlier_run_s_events_are_kept_apart(tmp_path):
    folder = tmp_path / "journal" / "m_dry"
    assert set_aside(folder) is None
    write(folder, 1.0)
    (folder / "hedge.m.x.ETH.json").touch()
    earlier = set_aside(folder)
    assert events(earlier) == [1.0]
    assert earlier.parent == tmp_path / "journal" / "earlier"
    write(folder, 2.0)
    assert events(folder) == [2.0]
    assert not list(folder.glob("hedge.*"))


def test_a_start_that_the_kill_file_forbids_leaves_the_journal_there(tmp_path, monkeypatch):
    make_markets = runpy.run_path(str(SCRIPT))["make_markets"]

    def refused(*_, **__):
        raise InputError("no exchange")

    monkeypatch.setitem(make_markets.__globals__, "exchanges_of", refused)
    folder, stop = tmp_path / "m_dry", tmp_path / "m.stop"
    config = SimpleNamespace(settings=SimpleNamespace(name="m", kill_path=stop))

    def start():
        with pytest.raises(InputError, match="no exchange"):
            asyncio.run(make_markets(config, folder, None, SimpleNamespace(live=False)))

    write(folder, 1.0)
    stop.touch()
    start()
    assert events(folder) == [1.0]
    stop.unlink()
    start()
    assert not (tmp_path / "m_dry" / "ETH").exists()
