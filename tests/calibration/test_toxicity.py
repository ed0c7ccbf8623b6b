"""Toxicity, edge and income against brute force, the solved problem and simulated truth."""

from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.calibration.calibrate import CalibrationOptions, calibrate
from advanced_mm.calibration.toxicity import Regime, economics, regime_of, toxicity
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.errors import InputError
from advanced_mm.model import ModelParameters, solve

FEE_RATE = 0.00015


@pytest.fixture(scope="module")
def fitted(simulated):
    market = simulated.Market(realistic=True, sigma=0.45, with_hash=True)
    return calibrate(simulated.simulate(market, seed=2), window_minutes=30)


@pytest.fixture(scope="module")
def eth(recorded):
    return calibrate(recorded("ETH"), window_minutes=60, options=CalibrationOptions.bootstrapped())


def with_line(calibration, intercept, slope):
    """The same fit with another line of the move by depth, on both sides."""

    def moved(estimate, value):
        return replace(estimate, value=value)

    fill = calibration.fill_impact
    profile = fill.profile.map(
        lambda p: replace(p, intercept=moved(p.intercept, intercept), slope=moved(p.slope, slope))
    )
    return replace(calibration, fill_impact=replace(fill, profile=profile))


@pytest.mark.parametrize(
    ("value", "regime"),
    [
        (0.0, Regime.PROFITABLE),
        (0.999, Regime.PROFITABLE),
        (1.0, Regime.COMPETITIVE),
        (1.999, Regime.COMPETITIVE),
        (2.0, Regime.TOXIC),
        (9.0, Regime.TOXIC),
    ],
)
def test_regimes(value, regime):
    assert regime_of(value) is regime


def test_from_one_and_a_half_on_a_side_is_unprofitable(fitted):
    side = economics(fitted, fee_rate=0.0).sides.plus
    for value, unprofitable in ((1.49, False), (1.5, True), (2.5, True)):
        changed = replace(side, kappa_epsilon_fill=replace(side.kappa_epsilon_fill, value=value))
        assert changed.unprofitable is unprofitable


def test_toxicity_is_the_product_with_both_errors(fitted):
    of_order, of_fill = toxicity(fitted)
    for curve, order, fill, epsilon, epsilon_fill in zip(
        fitted.fill_curve,
        of_order,
        of_fill,
        fitted.impact.epsilon,
        fitted.fill_impact.epsilon_fill,
        strict=True,
    ):
        kappa = curve.kappa
        assert order.value == kappa.value * epsilon.value
        assert fill.value == kappa.value * epsilon_fill.value
        parts = kappa.se / kappa.value, epsilon_fill.se / epsilon_fill.value
        assert fill.se < fill.value * sum(parts)
        assert fill.se > fill.value * abs(parts[0] - parts[1])


@pytest.mark.parametrize("slope", [-0.3, 0.0, 0.6])
def test_optimal_depth_is_the_best_of_a_grid(fitted, slope):
    changed = with_line(fitted, 0.05, slope)
    found = economics(changed, fee_rate=FEE_RATE)
    assert (found.sides.plus.side, found.sides.minus.side) == ("ask", "bid")
    depth = np.linspace(0, 4, 400_001)
    for side, curve in zip(found.sides, fitted.fill_curve, strict=True):
        edge = depth * (1 - slope) - 0.05 - found.fee
        rate = curve.lambda0.value * np.exp(-curve.kappa.value * depth) * edge
        assert side.optimal_depth == pytest.approx(depth[rate.argmax()], abs=2e-5)
        at = np.searchsorted(depth, side.depth)
        assert side.depth == min(side.optimal_depth, side.measured_depth)
        assert side.expected_edge.value == pytest.approx(edge[at], abs=2e-5)
        assert side.income_per_hour.value == pytest.approx(3600 * rate[at], rel=1e-3)


def test_bot_s_income_is_the_value_rate_of_the_solved_problem(fitted):
    """Its closed form, a renewal of two waiting times, against the HJB solution."""
    calibration = with_line(fitted, 0.04, 0.2)
    found = economics(calibration, fee_rate=0.0)
    curve = fitted.fill_curve
    solution = solve(
        ModelParameters(
            lambda_plus=curve.plus.lambda0.value,
            lambda_minus=curve.minus.lambda0.value,
            kappa_plus=curve.plus.kappa.value,
            kappa_minus=curve.minus.kappa.value,
            epsilon_plus=0.04,
            epsilon_minus=0.04,
            impact_slope_plus=0.2,
            impact_slope_minus=0.2,
            q_min=0,
            q_max=1,
        )
    )
    assert (found.bot.ask_depth, found.bot.bid_depth) == (
        solution.ask_depth[1],
        solution.bid_depth[0],
    )
    assert found.income_per_hour.value == pytest.approx(3600 * solution.value_rate)
    assert found.bot.income_bp_per_hour.value == pytest.approx(
        1e4 * found.income_per_hour.value / fitted.mid
    )
    assert not found.no_depth_pays


def test_move_that_grows_as_fast_as_the_depth_leaves_none_that_pays(fitted):
    found = economics(with_line(fitted, 0.1, 1.1), fee_rate=0.0)
    for side in found.sides:
        assert side.optimal_depth == np.inf
        assert side.depth == side.measured_depth
        assert side.no_depth_pays
    assert found.bot.no_depth_pays
    assert found.no_depth_pays
    assert found.income_per_hour.value < 0


def test_a_depth_nobody_reached_is_not_believed(fitted):
    """With a fee of 40 bp the line pays only far beyond what was measured."""
    found = economics(with_line(fitted, 0.1, 0.5), fee_rate=0.004)
    for side in found.sides:
        assert side.optimal_depth > 5 * side.measured_depth
        assert side.expected_edge.value < 0
        assert side.no_depth_pays


def test_too_few_depths_for_a_line_mean_the_same_move_at_each(fitted):
    fill = fitted.fill_impact
    flat = replace(
        fill,
        profile=fill.profile.map(
            lambda p: replace(
                p, intercept=p.intercept.rejected("few"), slope=p.slope.rejected("few")
            )
        ),
    )
    found = economics(replace(fitted, fill_impact=flat), fee_rate=0.0)
    for side, curve, mean in zip(found.sides, fitted.fill_curve, fill.epsilon_fill, strict=True):
        assert side.optimal_depth == pytest.approx(1 / curve.kappa.value + mean.value)


def test_what_is_not_fitted_is_not_weighed(fitted):
    found = economics(fitted.rejected("too thin"), fee_rate=0.0)
    for estimate in (
        found.income_per_hour,
        *(e for s in found.sides for e in (s.kappa_epsilon_fill, s.expected_edge)),
    ):
        assert estimate.status is Status.INSUFFICIENT
        assert estimate.reason == "too thin"
    assert [side.regime for side in found.sides] == [None, None]


@pytest.mark.parametrize("fee_rate", [np.nan, 1.0, -3.0])
def test_impossible_fee_is_refused(fitted, fee_rate):
    with pytest.raises(InputError, match="fee_rate"):
        economics(fitted, fee_rate=fee_rate)


def test_intervals_cover_the_truth(simulated):
    """In the exact market a fill moves the mid by epsilon at every depth: a = epsilon, b = 0."""
    market = simulated.Market(with_hash=True)
    truth, covered = market.kappa * market.epsilon, {"order": 0, "fill": 0, "edge": 0, "income": 0}
    for seed in range(16):
        fit = calibrate(simulated.simulate(market, seed), window_minutes=30)
        found = economics(fit, fee_rate=0.00005)
        for side in found.sides:
            edge = side.depth - market.epsilon - found.fee
            income = 3600 * market.lambda0 * np.exp(-market.kappa * side.depth) * edge
            for name, estimate, true in (
                ("order", side.kappa_epsilon, truth),
                ("fill", side.kappa_epsilon_fill, truth),
                ("edge", side.expected_edge, edge),
                ("income", side.income_per_hour, income),
            ):
                covered[name] += estimate.low <= true <= estimate.high
    assert min(covered.values()) >= 27  # of 32


def test_quotes_that_age_are_worth_less(fitted):
    at_once = economics(fitted, fee_rate=0.0)
    assert economics(fitted, fee_rate=0.0, quote_age_seconds=0.0) == at_once
    aged = [economics(fitted, fee_rate=0.0, quote_age_seconds=age) for age in (0.1, 1.0, 5.0)]
    incomes = [found.income_per_hour.value for found in (at_once, *aged)]
    assert np.all(np.diff(incomes) < 0)
    side, first = at_once.sides.plus, aged[0].sides.plus
    assert first.optimal_depth > side.optimal_depth
    assert first.expected_edge.se > 0 and first.income_per_hour.low < first.income_per_hour.high


@pytest.mark.recorded
def test_eth_is_competitive_near_toxic_and_no_measured_depth_pays(eth):
    found = economics(eth, fee_rate=FEE_RATE)
    for side, reference in zip(found.sides, (1.907, 1.824), strict=True):
        assert side.kappa_epsilon_fill.value == pytest.approx(reference, rel=0.03)
        assert side.kappa_epsilon_fill.low < reference < side.kappa_epsilon_fill.high
        assert side.regime is Regime.COMPETITIVE
        assert side.unprofitable
        assert side.expected_edge.high < 0
        assert side.no_depth_pays
    assert found.income_per_hour.high < 0
    assert found.no_depth_pays
