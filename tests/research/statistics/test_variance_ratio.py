"""Variance ratios of walks whose ratio is known in closed form."""

import numpy as np
import pytest

from advanced_mm.research.statistics.series import PriceSeries
from advanced_mm.research.statistics.variance_ratio import variance_ratios


def test_a_random_walks_interval_holds_one():
    held = np.zeros(3)
    p = []
    for seed in range(100):
        walk = np.cumsum(np.random.default_rng(seed).normal(size=1000))
        found = variance_ratios(PriceSeries(1e-4 * walk, 1, "mid"))
        held += [one.random_walk for one in found]
        p.append(found[0].p_value)
    assert (held >= 90).all()
    assert np.mean(p) == pytest.approx(0.5, abs=0.1)


def bounced(count, half_spread, seed):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=count))
    return 1e-4 * (walk + half_spread * rng.choice([-1, 1], count))


def truth(steps, half_spread):
    """Changes of a walk of variance 1 a step, seen with independent errors of +- half a spread."""
    return (steps + 2 * half_spread**2) / (1 + 2 * half_spread**2) / steps


def test_the_bounce_between_bid_and_ask_gives_its_known_ratio():
    found = variance_ratios(PriceSeries(bounced(50_000, 1.0, 4), 1, "close"))
    assert [one.steps for one in found] == [2, 5, 10]
    for one in found:
        assert one.ratio == pytest.approx(truth(one.steps, 1.0), abs=0.02)
        assert one.high < 1
        assert one.p_value < 1e-6
        assert one.low < truth(one.steps, 1.0) < one.high


def test_stretches_are_averaged_by_length_and_short_ones_left_out():
    log_price = bounced(4000, 1.0, 5)
    log_price[1000] = np.nan
    log_price[1030] = np.nan
    first, second = log_price[:1000], log_price[1031:]
    parts = [variance_ratios(PriceSeries(one, 60, "mid"), [2])[0] for one in (first, second)]
    whole = variance_ratios(PriceSeries(log_price, 60, "mid"), [2])[0]
    weight = [one.observations / whole.observations for one in parts]
    assert (whole.seconds, whole.observations) == (120, 999 + 2968)
    assert whole.ratio == pytest.approx(np.dot(weight, [one.ratio for one in parts]))
    assert whole.high - whole.low < min(one.high - one.low for one in parts)


def test_a_price_that_hardly_moves_tells_nothing():
    still = np.zeros(1000)
    assert variance_ratios(PriceSeries(still, 1, "close")) == ()
    still[500:] = 1e-4
    assert variance_ratios(PriceSeries(still, 1, "close")) == ()
    assert variance_ratios(PriceSeries(bounced(50, 1.0, 0), 1, "mid"), [10]) == ()
