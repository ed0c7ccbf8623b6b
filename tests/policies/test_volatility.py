"""Volatility: its unit, the same figures price by price and at once, irregular times, warm-up."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.policies.volatility import (
    UNKNOWN,
    VolatilityEstimator,
    VolatilitySettings,
    volatility_path,
)

SIGMA = 1e-4


def streamed(times_ms, prices, settings=None):
    estimator = VolatilityEstimator(settings)
    rows = [estimator.update(int(t), float(p)) for t, p in zip(times_ms, prices, strict=True)]
    return {
        name: np.array([getattr(row, name) for row in rows])
        for name in ("short", "long", "ewma", "effective")
    }


def walk(times_ms, seed=1, sigma=SIGMA):
    """Prices of a Brownian motion seen at the times given."""
    steps = np.sqrt(np.diff(times_ms, prepend=times_ms[0]) / 1000) * sigma
    return 100 * np.exp(np.cumsum(steps * np.random.default_rng(seed).normal(size=len(times_ms))))


def test_for_prices_a_second_apart_it_is_the_seeds_without_the_root_of_an_hour():
    times = np.arange(1000) * 1000
    prices = walk(times)
    figures = volatility_path(times, prices)
    returns = np.diff(np.log(prices))
    assert figures.short[-1] == pytest.approx(np.std(returns[-60:]), rel=1e-9)
    assert figures.long[-1] == pytest.approx(np.std(returns[-600:]), rel=1e-9)
    squares = 0.0
    for move in returns:
        squares = 0.94 * squares + 0.06 * move**2
    assert figures.ewma[-1] == pytest.approx(math.sqrt(squares), rel=1e-9)
    assert figures.effective[-1] == pytest.approx(
        0.3 * figures.short[-1] + 0.4 * figures.ewma[-1] + 0.3 * figures.long[-1]
    )


@pytest.mark.parametrize("spacing", ["second", "ten seconds", "irregular", "bursts"])
def test_the_unit_does_not_depend_on_when_prices_come(spacing):
    rng = np.random.default_rng(7)
    gaps = {
        "second": np.full(20_000, 1000),
        "ten seconds": np.full(20_000, 10_000),
        "irregular": 1 + rng.exponential(3000, 20_000),
        "bursts": rng.choice([1, 40, 20_000], 20_000),
    }[spacing]
    times = np.cumsum(gaps).astype(np.int64)
    settings = VolatilitySettings(short=2000, long=5000, ewma_lambda=0.9999)
    figures = volatility_path(times, walk(times, seed=3), settings)
    for name in ("short", "long", "ewma", "effective"):
        # Of 2000 returns the standard error is 1.6%, more where few long gaps carry most of it.
        assert getattr(figures, name)[-1] == pytest.approx(SIGMA, rel=0.1), name


def test_price_by_price_and_at_once_agree_through_a_crash_and_a_standstill():
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.integers(1, 4000, 6000))
    prices = walk(times, seed=6)
    prices[2000:] *= 0.9
    prices[4000:] = prices[4000]
    settings = VolatilitySettings(short=20, long=200)
    batch, stream = volatility_path(times, prices, settings), streamed(times, prices, settings)
    for name, figures in stream.items():
        np.testing.assert_allclose(getattr(batch, name), figures, rtol=1e-7, atol=1e-13)
    assert batch.short[-1] == stream["short"][-1] == 0.0


@given(
    steps=st.lists(
        st.tuples(st.integers(-500, 5000), st.floats(50.0, 200.0)), min_size=1, max_size=60
    ),
    short=st.integers(2, 5),
    long=st.integers(5, 20),
)
def test_price_by_price_and_at_once_agree_whatever_comes(steps, short, long):
    times = np.cumsum([gap for gap, _ in steps])
    prices = np.array([price for _, price in steps])
    settings = VolatilitySettings(short=short, long=long, warm_up=3)
    batch, stream = volatility_path(times, prices, settings), streamed(times, prices, settings)
    for name, figures in stream.items():
        np.testing.assert_allclose(getattr(batch, name), figures, rtol=1e-6, atol=1e-7)


def test_only_the_first_price_of_a_second_counts_and_none_from_the_past():
    estimator = VolatilityEstimator(VolatilitySettings(warm_up=2))
    for time_ms, price in [(0, 100.0), (1000, 100.1), (2000, 100.0)]:
        figures = estimator.update(time_ms, price)
    assert estimator.update(2999, 500.0) == estimator.update(1500, 3.0) == figures
    assert estimator.update(3000, 100.1) != figures


def test_nothing_is_known_during_the_warm_up():
    times = np.arange(12) * 1000
    figures = volatility_path(times, walk(times))
    assert np.isnan(figures.effective[:10]).all() and np.isfinite(figures.effective[10:]).all()
    estimator = VolatilityEstimator()
    assert estimator.update(0, 100.0) is estimator.current is UNKNOWN


def test_the_weighted_figure_does_not_begin_at_zero():
    times = np.arange(40) * 1000
    prices = 100 * np.exp(1e-4 * (np.arange(40) % 2))  # each return is one in ten thousand
    figures = volatility_path(times, prices)
    np.testing.assert_allclose(figures.ewma[10:], 1e-4, rtol=1e-9)


def test_a_day_of_prices_needs_no_loop_over_them():
    times = np.arange(0, 86_400_000, 250)
    path = volatility_path(times, walk(times))
    assert np.isfinite(path.effective[-1]) and path.effective.size == times.size


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_price_without_a_logarithm_is_refused(price):
    with pytest.raises(InputError, match="must be a positive number"):
        VolatilityEstimator().update(0, price)
    with pytest.raises(InputError, match="must be a positive number"):
        volatility_path([0, 1000], [100.0, price])


def test_settings_out_of_order_are_refused():
    with pytest.raises(InputError, match="volatility: short = 700 must not be above long = 600"):
        VolatilitySettings.read({"short": 700}, "volatility")
    with pytest.raises(InputError, match=r"must be arrays of one length"):
        volatility_path([0, 1], [1.0])
