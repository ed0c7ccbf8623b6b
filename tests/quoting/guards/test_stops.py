"""Stops at a loss, counted over a day."""

from datetime import UTC, datetime, timedelta

from advanced_mm.quoting.guards.stops import StopsGuard

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_entries_pause_after_the_last_of_so_many_stops_within_a_day():
    guard = StopsGuard(2, timedelta(minutes=60))
    guard.stopped([NOON - timedelta(hours=23)])
    assert guard.verdict(NOON) is None
    guard.stopped([NOON])
    found = guard.verdict(NOON)
    assert (found.guard, found.severity) == ("stops", "pause")
    assert found.reason == (
        "stops: 2 with a loss within a day, 2 pause entries; quoting resumes at 13:00 UTC"
    )
    assert guard.verdict(NOON + timedelta(minutes=59)) is not None
    assert guard.verdict(NOON + timedelta(minutes=60)) is None


def test_a_stop_is_forgotten_after_a_day():
    guard = StopsGuard(2, timedelta(days=3))
    guard.stopped([NOON, NOON - timedelta(hours=23)])  # in any order
    assert guard.verdict(NOON + timedelta(minutes=59)) is not None
    assert guard.verdict(NOON + timedelta(minutes=60)) is None


def test_any_number_may_happen():
    guard = StopsGuard(None, timedelta(minutes=60))
    guard.stopped([NOON] * 9)
    assert guard.verdict(NOON) is None
