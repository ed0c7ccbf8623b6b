"""Known truth is found again: bias and spread on simulated half hours.

The bounds are the published recovery figures (bias and RMSE over 200 half hours), widened by what
12 half hours with two sides each leave to chance.
"""

import numpy as np
import pytest

from advanced_mm.calibration.calibrate import calibrate
from advanced_mm.calibration.estimate import Status

SEEDS = range(12)

# market, (bias, RMSE) in % of kappa, lambda0, epsilon
MARKETS = {
    "one order a second": ({}, (-2, 4), (-4, 5), (6, 12)),
    "thin": ({"rate": 0.3}, (0, 5), (-1, 5), (1, 17)),
    "busy, orders of a block merged": ({"rate": 5}, (-8, 8), (-18, 18), (24, 25)),
    "busy, separated by hash": ({"rate": 5, "with_hash": True}, (0, 2), (0, 2), (0, 7)),
    "heavy jumps": (
        {"kappa": 5, "jump_probability": 0.8, "jump_alpha": 1.5},
        (-2, 4),
        (-2, 5),
        (7, 33),
    ),
    "a hole of 360 s": ({"hole": (600, 960)}, (-2, 4), (-4, 5), (6, 13)),
    "realistic": ({"realistic": True, "sigma": 0.45}, (-1, 6), (-1, 7), (8, 13)),
}


@pytest.mark.parametrize("name", MARKETS)
def test_known_truth_is_found_again(simulated, name):
    options, *published = MARKETS[name]
    market = simulated.Market(**options)
    fits = [calibrate(simulated.simulate(market, seed), window_minutes=30) for seed in SEEDS]
    errors = (
        [s.kappa.value / market.kappa - 1 for f in fits for s in f.fill_curve],
        [s.lambda0.value / market.lambda0 - 1 for f in fits for s in f.fill_curve],
        [s.value / market.epsilon - 1 for f in fits for s in f.impact.raw],
    )
    for error, (bias, rmse) in zip(errors, published, strict=True):
        percent = 100 * np.array(error)
        spread = np.sqrt(max(rmse**2 - bias**2, 1))
        assert percent.mean() == pytest.approx(bias, abs=3.5 * spread / np.sqrt(len(percent)) + 1)
        assert np.sqrt((percent**2).mean()) < 1.7 * rmse + 1


def test_intervals_cover_the_truth(simulated):
    """20 half hours of a busy market whose orders are told apart: 40 intervals of each kind."""
    market = simulated.Market(rate=2, with_hash=True)
    fits = [calibrate(simulated.simulate(market, seed), window_minutes=30) for seed in range(20)]
    for truth, estimates in (
        (market.printed_rate, [s.rate for f in fits for s in f.arrivals]),
        (market.kappa, [s.kappa for f in fits for s in f.fill_curve]),
        (market.lambda0, [s.lambda0 for f in fits for s in f.fill_curve]),
        (market.epsilon, [s for f in fits for s in f.impact.raw]),
    ):
        assert sum(e.low <= truth <= e.high for e in estimates) >= 32


def test_covered_time_leaves_out_the_hole(simulated):
    whole, holed = (
        calibrate(simulated.simulate(simulated.Market(hole=h), seed=4), window_minutes=30)
        for h in (None, (600, 960))
    )
    assert whole.observed_seconds - holed.observed_seconds == pytest.approx(360, abs=1.1)
    assert holed.arrivals.plus.rate.value == pytest.approx(whole.arrivals.plus.rate.value, rel=0.1)


def test_jumpless_market_is_quoted_with_a_cautious_bound(simulated):
    market = simulated.Market(jump_probability=0.0, with_hash=True)
    fit = calibrate(simulated.simulate(market, seed=6), window_minutes=30)
    for side in fit.impact.epsilon:
        assert side.status in (Status.BOUND, Status.POOLED)
        assert 0 < side.value < 0.05
