"""Parameters as of a moment: the newest published by then, and never a newer one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from advanced_mm.parameter_files import MissingParametersError
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.quoting.history_feed import HistoryFeed

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def feed(tmp_path, make_set):
    """Refits a minute apart around midnight, and one each at noon before and after."""
    midnight = NOON + timedelta(hours=12)
    times = [NOON, *(midnight + timedelta(minutes=k) for k in (-1, 0, 1)), NOON + timedelta(days=1)]
    history = CalibrationHistory(tmp_path)
    history.extend(
        [make_set(published_at=t, fitted_at=t, calibration_id=f"c{k}") for k, t in enumerate(times)]
    )
    return HistoryFeed(history, "ETH"), times


def at(feed, moment):
    feed.move_to(moment)
    return feed.latest().calibration_id


def test_each_moment_has_the_newest_refit_published_by_then(feed):
    source, times = feed
    for k, published in enumerate(times):
        assert at(source, published) == f"c{k}"
        if k:
            assert at(source, published - MICROSECOND) == f"c{k - 1}"
    assert at(source, times[1] + timedelta(seconds=30)) == "c1"  # back in time


def test_before_the_first_and_days_after_the_last_there_is_none(feed):
    source, times = feed
    for moment in (times[0] - MICROSECOND, times[-1] + timedelta(days=2)):
        source.move_to(moment)
        with pytest.raises(MissingParametersError, match="no parameters had been published"):
            source.latest()


def test_a_refit_added_later_to_the_same_day_changes_no_moment_before_it(feed, make_set):
    source, times = feed
    later = times[0] + timedelta(hours=1)
    before = at(source, later - MICROSECOND)
    source._history.extend([make_set(published_at=later, fitted_at=later, calibration_id="later")])
    again = HistoryFeed(source._history, "ETH")
    assert at(again, later - MICROSECOND) == before == "c0"
    assert at(again, later) == "later"


def test_freshness_counts_the_age_to_the_end(feed):
    source, times = feed
    age = timedelta(seconds=60)
    asked = [times[0] - MICROSECOND, times[0], times[0] + age, times[0] + age + MICROSECOND]
    starts = np.array([moment.replace(tzinfo=None) for moment in asked], "datetime64[us]")
    assert source.fresh(starts, 60.0).tolist() == [False, True, True, False]
    assert source.fresh(starts[:0], 60.0).tolist() == []
