"""A dry run's account is new, and so is its journal."""

from advanced_mm.journal import ClockJumped, JournalWriter, read_journal
from advanced_mm.maker.running.earlier_runs import set_aside


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
