"""The Hurst exponent of fractional Brownian motion, whose exponent is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from advanced_mm.research.statistics.hurst import _score_variance, hurst_exponent
from advanced_mm.research.statistics.series import PriceSeries
from tests.research.statistics.simulated import fractional_noise


def series(changes, step=1):
    return PriceSeries(1e-4 * np.cumsum(changes), step, "mid")


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7])
def test_the_interval_holds_the_truth_and_is_no_wider_than_needed(hurst):
    found = [
        hurst_exponent(series(fractional_noise(2048, hurst, np.random.default_rng(seed))))
        for seed in range(100)
    ]
    held = sum(one.low <= hurst <= one.high for one in found)
    assert held >= 90
    estimates = np.array([one.exponent for one in found])
    assert estimates.mean() == pytest.approx(hurst, abs=0.015)
    error = (found[0].high - found[0].low) / (2 * 1.96)
    assert estimates.std() == pytest.approx(error, rel=0.25)


@pytest.mark.parametrize(
    ("hurst", "verdict"), [(0.3, "mean reverting"), (0.5, "random"), (0.7, "trending")]
)
def test_the_verdict(hurst, verdict):
    found = hurst_exponent(series(fractional_noise(8192, hurst, np.random.default_rng(3))))
    assert found.verdict == verdict


def test_the_bounce_between_bid_and_ask_is_not_taken_for_mean_reversion():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=86_400))
    bounced = PriceSeries(1e-4 * (walk + 0.5 * rng.choice([-1, 1], len(walk))), 1, "close")
    found = hurst_exponent(bounced)
    assert found.low < 0.5 < found.high
    assert found.shortest_seconds == pytest.approx(53.4, abs=0.1)


def loud_hours(count, rng):
    """Seven times as loud in the busy half of the day as in the quiet one."""
    return rng.normal(size=count) * np.exp(np.sin(2 * np.pi * np.arange(count) / count))


def clusters(count, rng):
    """Stochastic volatility whose logarithm has a standard deviation of 0.7 and memory of 200."""
    log = 0.7 * lfilter([np.sqrt(1 - 0.995**2)], [1, -0.995], rng.normal(size=count))
    return rng.normal(size=count) * np.exp(log)


@pytest.mark.parametrize("uneven", [loud_hours, clusters])
def test_uneven_volatility_makes_the_interval_wider_not_wrong(uneven):
    found = [
        hurst_exponent(series(uneven(4096, np.random.default_rng(seed)))) for seed in range(60)
    ]
    even = hurst_exponent(series(np.random.default_rng(0).normal(size=4096)))
    assert sum(one.low < 0.5 < one.high for one in found) >= 54
    width = np.array([one.high - one.low for one in found])
    estimates = np.array([one.exponent for one in found])
    assert width.mean() > 1.2 * (even.high - even.low)
    assert np.sqrt(np.mean(width**2)) / (2 * 1.96) == pytest.approx(estimates.std(), rel=0.35)


def test_the_variance_of_the_score_is_that_of_random_signs():
    rng = np.random.default_rng(7)
    white = rng.standard_t(4, 400) * np.linspace(0.3, 2, 400)
    places = np.arange(1, 41)
    weight = np.log(places) - 2.0
    signs = rng.choice([-1, 1], (4000, 400))
    power = np.abs(np.fft.rfft(signs * white)[:, places]) ** 2 / (white @ white)
    drawn = (power @ weight).var()
    assert _score_variance(white, places, weight) == pytest.approx(drawn, rel=0.1)


def test_stretches_between_holes_count_together():
    changes = fractional_noise(6000, 0.7, np.random.default_rng(1))
    whole = series(changes)
    log_price = whole.log_price.copy()
    log_price[2000:2100] = np.nan
    log_price[2100:] += 0.5  # the market moved while nobody looked
    found = hurst_exponent(PriceSeries(log_price, 1, "mid"))
    assert found.observations == 1999 + 3899
    assert found.low < 0.7 < found.high
    alone = hurst_exponent(PriceSeries(whole.log_price[:2000], 1, "mid"))
    assert found.high - found.low < alone.high - alone.low


def test_seconds_follow_the_step_and_the_limit():
    changes = fractional_noise(2048, 0.5, np.random.default_rng(2))
    minute = hurst_exponent(series(changes, 60))
    second = hurst_exponent(series(changes))
    assert minute.exponent == second.exponent
    assert minute.shortest_seconds == pytest.approx(60 * second.shortest_seconds)
    longer = hurst_exponent(series(changes), shortest_seconds=50)
    assert longer.high - longer.low > second.high - second.low


def test_too_little_or_no_movement_tells_nothing():
    assert hurst_exponent(series(np.ones(40))) is None
    assert hurst_exponent(PriceSeries(np.zeros(1000), 1, "mid")) is None
    assert hurst_exponent(PriceSeries(np.full(1000, np.nan), 1, "mid")) is None
    wide = series(fractional_noise(200, 0.5, np.random.default_rng(0)))
    assert hurst_exponent(wide, shortest_seconds=100) is None
