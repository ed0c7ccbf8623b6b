"""Volatility against a random walk of known deviation."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.research.columns import columns
from advanced_mm.research.volatility import VOLATILITY_WINDOWS, volatility_percentiles
from tests.research.random_candles import candles_of

SIGMA = 1e-4


@pytest.fixture(scope="module")
def walk():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, SIGMA, 40_000)))
    return columns(candles_of(close=close, volume=1.0))


@pytest.mark.parametrize("seconds", VOLATILITY_WINDOWS)
def test_the_volatility_is_that_of_the_whole_window(walk, seconds):
    known = walk[f"volatility_{seconds}s"]
    assert known.mean() == pytest.approx(SIGMA * seconds**0.5, rel=0.02)


def test_the_summary_is_by_window(walk):
    table = volatility_percentiles(walk)
    assert list(table.index) == list(VOLATILITY_WINDOWS)
    assert list(table) == ["mean", "median", "p75", "p90", "p95", "max"]
    ordered = np.sort(walk["volatility_900s"].dropna())
    for name, share in (("median", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("max", 1.0)):
        at = share * (len(ordered) - 1)
        expected = np.interp(at, np.arange(len(ordered)), ordered)
        assert table.loc[900, name] == pytest.approx(expected)
    assert table.loc[900, "mean"] == pytest.approx(ordered.mean())


def test_a_window_longer_than_the_data_has_no_summary():
    short = columns(candles_of(close=100 + np.arange(100.0), volume=1.0))
    table = volatility_percentiles(short)
    assert table.loc[60].notna().all()
    assert table.loc[3600].isna().all()


def test_a_price_of_many_digits_keeps_its_small_deviation():
    """The mean of the squares less the square of the mean would lose it."""
    rng = np.random.default_rng(2)
    close = 123_456.0 + np.round(rng.normal(0, 0.02, 2_000), 3)
    done = columns(candles_of(close=close, volume=1.0), ["bb_width_300s"])["bb_width_300s"]
    part = pd.Series(close[-300:])
    expected = 4 * (part - part.mean()).std() / part.mean()
    assert done.iloc[-1] == pytest.approx(expected, rel=1e-6)
