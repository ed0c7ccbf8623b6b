"""Stops at a loss, counted over a day."""

from datetime import UTC, datetime, timedelta

import pytest

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
    guard = StopsGuard(2, timedelta(minutes=60))
    guard.stopped([NOON, NOON - timedelta(hours=24)])
    assert guard.verdict(NOON) is None
    guard.stopped([NOON + timedelta(hours=24)])
    assert guard.verdict(NOON + timedelta(hours=24)) is None


@pytest.mark.parametrize(
    "pause", [timedelta(hours=1), timedelta(days=7)], ids=["an hour", "a week"]
)
def test_a_pause_lasts_its_time_though_the_first_stop_is_soon_a_day_old(pause):
    guard = StopsGuard(2, pause)
    guard.stopped([NOON, NOON - timedelta(hours=23, minutes=30)])  # in any order
    ends = NOON + pause
    found = guard.verdict(ends - timedelta(minutes=1))
    assert found.reason == (
        f"stops: 2 with a loss within a day, 2 pause entries; quoting resumes at {ends:%H:%M} UTC"
    )
    assert guard.verdict(ends) is None


def test_a_later_stop_alone_does_not_lengthen_a_pause_and_the_day_is_told():
    guard = StopsGuard(2, timedelta(days=3))
    guard.stopped([NOON - timedelta(hours=1), NOON, NOON + timedelta(days=2)])
    now = NOON + timedelta(days=1)
    assert guard.verdict(now).reason.endswith("resumes at 2026-11-26 12:00 UTC")
    assert guard.verdict(NOON + timedelta(days=3)) is None


def test_any_number_may_happen():
    guard = StopsGuard(None, timedelta(minutes=60))
    guard.stopped([NOON] * 9)
    assert guard.verdict(NOON) is None
