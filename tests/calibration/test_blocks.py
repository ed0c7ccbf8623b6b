"""Errors by block of time: the quick ones against drawing, dropping blocks, and loops."""

from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator
from advanced_mm.calibration.estimators.fill_curve import FillCurveEstimator
from advanced_mm.calibration.estimators.fill_impact import FillImpactEstimator
from advanced_mm.calibration.estimators.impact import ImpactEstimator
from advanced_mm.calibration.windows.blocks import (
    TimeBlocks,
    block_covariance,
    block_error,
    clustered_estimate,
    derived_estimate,
)
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.calibration.windows.estimate import Estimate, Status
from advanced_mm.calibration.windows.window import Window

TIMES = np.array([6_000, 31_000, 119_999, 130_000])
VALUES = np.arange(8.0).reshape(4, 2)


@pytest.fixture(scope="module")
def blocks():
    stretches = Stretches(np.array([5_000, 70_000]), np.array([40_000, 130_000]))
    return TimeBlocks.of(stretches, 30_000)


@pytest.fixture(scope="module")
def bursty(simulated):
    """An hour whose orders come in bursts."""
    market = simulated.Market(realistic=True, sigma=0.45, with_hash=True, seconds=3600)
    return Window.of(simulated.simulate(market, seed=5))


def test_block_sums_agree_with_a_loop(blocks):
    assert blocks.numbers.tolist() == [0, 1, 2, 3, 4]
    assert blocks.seconds.tolist() == [25, 10, 20, 30, 10]
    found = blocks.sums(TIMES, VALUES)
    for number, row in zip(blocks.numbers, found, strict=True):
        inside = [v for t, v in zip(TIMES, VALUES, strict=True) if t // 30_000 == number]
        assert row == pytest.approx(sum(inside, start=np.zeros(2)))


def test_draws_agree_with_a_loop(blocks):
    bootstrap = BlockBootstrap(draws=50)
    counts = bootstrap.counts(blocks)
    assert (counts.sum(axis=1) == 5).all()
    found = bootstrap.sums(blocks, blocks.sums(TIMES, VALUES))
    for d, drawn in enumerate(counts):
        expected = sum(drawn[t // 30_000] * v for t, v in zip(TIMES, VALUES, strict=True))
        assert found[d] == pytest.approx(expected)


def test_error_of_a_mean_of_blocks_is_the_textbook_one():
    rng = np.random.default_rng(3)
    x = rng.normal(5.0, 2.0, 40)
    parts = (x - x.mean()) / 40
    assert block_error(parts) == pytest.approx(x.std(ddof=1) / np.sqrt(40))
    mean = clustered_estimate(x.mean(), parts, 40)
    assert mean.high - mean.value == pytest.approx(2.0227 * mean.se, rel=1e-4)  # Student, 39 df
    doubled = derived_estimate(2 * mean.value, 2 * mean.by_block, 40)
    assert (doubled.se, doubled.low) == pytest.approx((2 * mean.se, 2 * mean.low))
    positive = clustered_estimate(x.mean(), parts, 40, positive=True)
    assert positive.low * positive.high == pytest.approx(x.mean() ** 2)


def test_clustering_only_adds_to_the_error_of_independent_orders():
    parts = np.array([0.01, -0.01, 0.0, 0.0])
    assert clustered_estimate(1.0, parts, 4, least_se=0.3).se == 0.3
    assert clustered_estimate(1.0, parts, 4).se == pytest.approx(np.sqrt(2e-4 * 4 / 3))
    assert np.isnan(clustered_estimate(1.0, parts[:1], 1, least_se=0.3).se)


def test_covariance_needs_parts_of_every_estimate():
    whole = derived_estimate(1.0, np.array([0.1, -0.1]), 2)
    assert block_covariance(whole, whole) == pytest.approx(np.full((2, 2), whole.se**2))
    bare = Estimate(1.0, 0.1, 0.8, 1.2, 5)
    assert np.isnan(block_covariance(whole, bare)).all()


def test_quick_errors_are_those_of_drawing(bursty):
    """Delta method by block against the spread over 4000 draws of the blocks."""
    bootstrap = BlockBootstrap()
    quick, drawn = (
        {
            "rate": [s.rate for s in ArrivalEstimator(bootstrap=b).fit(bursty)],
            "curve": [
                e for s in FillCurveEstimator(bootstrap=b).fit(bursty) for e in (s.kappa, s.lambda0)
            ],
            "epsilon": list(ImpactEstimator(bootstrap=b).fit(bursty).raw),
            "fill": list(FillImpactEstimator(bootstrap=b).fit(bursty).raw),
            "line": [
                e
                for p in FillImpactEstimator(bootstrap=b).fit(bursty).profile
                for e in (p.intercept, p.slope)
            ],
        }
        for b in (None, bootstrap)
    )
    for name, estimates in quick.items():
        for a, b in zip(estimates, drawn[name], strict=True):
            assert a.value == b.value
            assert 0.85 < a.se / b.se < 1.25, name
            assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=0.5 * b.se)


@pytest.mark.parametrize("weighted", [False, True])
def test_covariances_are_those_of_dropping_each_block_in_turn(bursty, weighted):
    """The jackknife refits without each block: nothing of the differentials is used."""
    orders = bursty.orders
    if weighted:
        weight = np.random.default_rng(7).uniform(0.6, 1.5, len(orders))
        orders = replace(orders, weight=weight)
        bursty = replace(bursty, orders=orders)
    block = orders.time_ms // bursty.block_ms
    curve, fill = FillCurveEstimator(), FillImpactEstimator()

    def fitted(window):
        return curve.fit(window).plus.kappa, fill.fit(window).raw.plus

    dropped = []
    for number in bursty.blocks.numbers:
        rest = orders._chosen(block != number)
        dropped.append([e.value for e in fitted(replace(bursty, orders=rest))])
    blocks = len(dropped)
    jackknife = np.cov(np.array(dropped).T, ddof=0) * (blocks - 1)
    assert block_covariance(*fitted(bursty)) == pytest.approx(jackknife, rel=0.15)


def test_one_block_is_too_few_to_judge_errors_by(simulated):
    recording = simulated.simulate(simulated.Market(seconds=200), seed=1)
    window = replace(Window.of(recording), block_ms=10**9)
    for side in FillCurveEstimator().fit(window):
        assert side.kappa.status is Status.INSUFFICIENT
        assert "blocks" in side.kappa.reason
