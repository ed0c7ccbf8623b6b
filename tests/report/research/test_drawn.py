"""What is drawn of a long series is what pandas says of its bins."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.report.research.drawn import Bins

INDEX = pd.date_range("2026-11-27T16:08:29Z", periods=7321, freq="1s")


@pytest.fixture
def values():
    found = pd.Series(np.random.default_rng(1).normal(size=len(INDEX)), INDEX)
    found[found > 1.5] = np.nan
    found["2026-11-27T17:10":"2026-11-27T17:12"] = np.nan
    return found


def test_bins_are_minutes_of_the_clock_and_hold_what_pandas_says(values):
    bins = Bins(INDEX, 1, 200)
    assert (bins.seconds, bins.words) == (60, "minute")
    expected = values.resample("60s")
    assert list(pd.to_datetime(bins.times, utc=True)) == list(expected.mean().index)
    np.testing.assert_allclose(bins.mean(values), expected.mean())
    np.testing.assert_allclose(bins.total(values), expected.sum(min_count=1))
    np.testing.assert_allclose(bins.first(values), expected.first())
    np.testing.assert_allclose(bins.last(values), expected.last())
    low, middle, high = bins.quantiles(values, 0.0, 0.5, 1.0)
    np.testing.assert_allclose(low, expected.min())
    np.testing.assert_allclose(middle, expected.quantile(0.5, interpolation="nearest"), atol=0.2)
    np.testing.assert_allclose(high, expected.max())
    assert np.isnan(middle).sum() == 3


@pytest.mark.parametrize(
    ("count", "step", "most", "seconds", "words"),
    [
        (1200, 1, 1440, 1, "second"),
        (86_400, 1, 1440, 60, "minute"),
        (86_400, 1, 300, 300, "5 minutes"),
        (30 * 86_400, 1, 1440, 1800, "30 minutes"),
        (3 * 1440, 60, 1440, 300, "5 minutes"),
        (1000, 7, 500, 14, "14 seconds"),
        (500, 86_400, 400, 172_800, "2 days"),
    ],
)
def test_a_bin_is_as_short_as_the_picture_allows(count, step, most, seconds, words):
    index = pd.date_range("2026-11-01", periods=count, freq=f"{step}s", tz="UTC")
    bins = Bins(index, step, most)
    assert (bins.seconds, bins.words) == (seconds, words)
    assert len(bins.times) <= most + 1
