"""Spreads that foretell volatility, and the least spread."""

import numpy as np
import pytest

from advanced_mm.research.statistics.spread import least_spread, spread_bursts
from tests.research.statistics.simulated import candles_of


def market(count, louder, seed=0):
    """A spread of 1 bp, 4 bp for a second each 500, after which volatility is `louder` for 60."""
    rng = np.random.default_rng(seed)
    wide = np.arange(count) % 500 == 499
    after = np.convolve(wide, np.ones(60))[:count]
    change = rng.normal(size=count) * np.where(np.roll(after, 1) > 0, louder, 1.0)
    mid = 100 * np.exp(1e-4 * np.cumsum(change))
    spread = mid * np.where(wide, 4e-4, 1e-4)
    return candles_of(mid, bid=mid - spread / 2, ask=mid + spread / 2, spread=spread, tick=0.01)


def test_bursts_are_counted_and_what_follows_is_measured():
    found = spread_bursts(market(40_000, 2.0))
    assert found.bursts == 80
    assert found.share == pytest.approx(1 / 500, rel=0.02)
    assert found.median_bp == pytest.approx(1.0)
    assert found.mean_bp == pytest.approx(1 + 3 / 500, rel=1e-3)
    assert found.volatility_after_bp == pytest.approx(2.0, rel=0.05)
    # The minute before a burst's end overlaps with some of what comes after.
    assert 1.0 < found.volatility_otherwise_bp < 1.3
    assert found.t > 5
    assert found.wide_now
    assert found.last_bp == pytest.approx(4.0)
    assert found.average_bp == pytest.approx(1.0)  # of the time before it


def test_a_spread_that_foretells_nothing():
    found = spread_bursts(market(40_000, 1.0, seed=1))
    assert found.volatility_after_bp == pytest.approx(1.0, rel=0.05)
    assert abs(found.t) < 3


def test_few_bursts_tell_nothing_and_a_source_without_spread_neither():
    found = spread_bursts(market(3000, 2.0))
    assert found.bursts == 6
    assert np.isnan(found.t) and np.isnan(found.volatility_after_bp)
    assert spread_bursts(candles_of(np.ones(1000))) is None


def test_holes_are_no_spread():
    candles = market(5000, 1.0)
    candles.frame.iloc[2000:2400] = np.nan
    found = spread_bursts(candles)
    assert found.mean_bp == pytest.approx(1.0, rel=0.02)
    assert found.bursts == 9 - 0  # the one at 2499 has half a window behind it, 2499 - 2400 < 150
    assert np.isfinite(found.volatility_otherwise_bp)


def test_the_least_spread_is_the_tick_in_bp():
    named = least_spread(market(1000, 1.0))
    assert named.bp == pytest.approx(1e4 * 0.01 / 100, rel=0.05)
    assert named.ticks == pytest.approx(1.0, rel=0.05)
    assert not named.inferred
    prices = np.round(0.27 + 0.0001 * np.random.default_rng(0).integers(0, 9, 200), 4)
    guessed = least_spread(candles_of(prices))
    assert (guessed.inferred, guessed.ticks) == (True, None)
    assert guessed.tick == pytest.approx(1e-4)
    assert guessed.bp == pytest.approx(1 / prices[-1])
    assert least_spread(candles_of(np.full(10, 5.0))) is None
    assert least_spread(candles_of(np.full(10, np.nan))) is None
