"""Ergodic problems with one way to go: one order at a time, or a side withdrawn."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from advanced_mm.model import ModelParameters, _kernels, solve
from advanced_mm.model.ergodic import POLICY_ITERATION, SEULEX_ONE_DAY
from advanced_mm.model.one_way import CLOSED_FORM
from advanced_mm.model.scaled import scale

KAPPA = 2.0
CASE = {"lambda_plus": 1.0, "lambda_minus": 0.6, "kappa_plus": KAPPA, "kappa_minus": 1.5}
NO_ASK, NO_BID = {"impact_slope_plus": 1.0}, {"impact_slope_minus": 1.2}


def market(**changes: object) -> ModelParameters:
    return ModelParameters(**(CASE | {"phi": 1e-2, "q_min": -4, "q_max": 4} | changes))


@pytest.mark.parametrize("sides", ["both", "one"])
@pytest.mark.parametrize("withdrawn", [NO_ASK, NO_BID])
@pytest.mark.parametrize("drift", [0.0, 0.057, -0.031, 0.5])
@pytest.mark.parametrize("bounds", [(-4, 4), (0, 3), (-5, 0), (1, 6)])
def test_with_a_side_withdrawn_depths_are_the_limit_of_long_sessions(
    bounds: tuple[int, int], drift: float, withdrawn: dict, sides: str
) -> None:
    """Finite depths agree with a long session's; infinite ones grow with the session's length."""
    case = withdrawn | {"q_min": bounds[0], "q_max": bounds[1], "drift": drift, "sides": sides}
    ergodic = solve(market(**case))
    long, longer = (solve(market(**case, horizon_seconds=t)) for t in (1e5, 2e5))
    assert ergodic.method == CLOSED_FORM
    assert long.value_rate == pytest.approx(ergodic.value_rate, rel=1e-9, abs=1e-12)
    for name in ("ask_depth", "bid_depth"):
        limit, first, second = (getattr(s, name) for s in (ergodic, long, longer))
        settled = np.isfinite(limit)
        np.testing.assert_allclose(first[settled], limit[settled], rtol=1e-9, atol=1e-9)
        quoted = np.isfinite(first) & ~settled
        assert (first[quoted] > 50.0).all()
        np.testing.assert_allclose(second[quoted] / first[quoted], 2.0, rtol=0.05)


def test_inventory_rests_where_it_costs_least_within_reach() -> None:
    """Asks alone, φ > 0: longs are sold down to 0, and nothing is sold short."""
    solution = solve(market(**NO_BID))
    np.testing.assert_array_equal(np.isfinite(solution.ask_depth), solution.q > 0)
    assert np.isinf(solution.bid_depth).all()
    assert solution.value_rate == 0.0
    np.testing.assert_array_equal(solution.h[solution.q <= 0], 0.0)
    fills = np.exp(-KAPPA * solution.ask_depth[5:])
    np.testing.assert_allclose(fills / KAPPA, 1e-2 * solution.q[5:] ** 2, rtol=1e-13)
    np.testing.assert_array_equal(solution.stationary_distribution, solution.q == 0)


def test_nothing_is_quoted_where_no_side_pays() -> None:
    solution = solve(market(**NO_ASK, **NO_BID))
    assert np.isinf(solution.ask_depth).all()
    assert np.isinf(solution.bid_depth).all()
    assert not solution.h.any()


def test_patience_without_a_price_takes_one_day() -> None:
    """φ = μ = 0 and no bid: depths grow with the logarithm of the session, so one day is taken."""
    solution = solve(market(**NO_BID, phi=0.0, q_min=0, q_max=1))
    day = solve(market(**NO_BID, phi=0.0, q_min=0, q_max=1, horizon_seconds=86_400.0))
    assert solution.method == SEULEX_ONE_DAY
    assert solution.ask_depth[1] == pytest.approx(day.ask_depth[1], rel=1e-10)
    expected = (1 + math.log(1 + 86_400 / math.e)) / KAPPA  # κh(1) = ln(1 + λT/e)
    assert day.ask_depth[1] == pytest.approx(expected, rel=1e-10)


def test_two_equally_good_inventories_take_one_day_too() -> None:
    """The source's top lies halfway between 2 and 3, where the sums round differently."""
    assert solve(market(**NO_BID, drift=0.05)).method == SEULEX_ONE_DAY


def bisected(function: Callable[[float], float]) -> float:
    low, high = -1e4, 1e4
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return low


def worth(rate: float, kappa: float, cost: float, gain: float) -> float:
    depth = max(0.0, 1 / kappa + cost - gain)
    return rate * math.exp(-kappa * depth) * (depth + gain - cost)


@pytest.mark.parametrize("phi", [0.0, 1e-3, 0.05, 3.0])
@pytest.mark.parametrize("drift", [0.0, 0.021, -0.05, 1.0])
@pytest.mark.parametrize("cost", [-0.4, 0.0, 0.3])
def test_one_order_earns_what_the_best_pair_of_neighbours_does(
    phi: float, drift: float, cost: float
) -> None:
    """Every pair solved by bisection; the depths' own balance is tested with the oracles."""
    solution = solve(market(phi=phi, drift=drift, fee=cost, sides="one"))
    source = solution.q * drift - phi * solution.q**2.0
    incomes = []
    for left, right in pairwise(source):

        def surplus(gain: float, left: float = left, right: float = right) -> float:
            bid, ask = worth(0.6, 1.5, cost, gain), worth(1.0, KAPPA, cost, -gain)
            return left + bid - right - ask

        incomes.append(left + worth(0.6, 1.5, cost, bisected(surplus)))
    assert solution.method == CLOSED_FORM
    assert solution.value_rate == pytest.approx(max(incomes), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("phi", [0.0, 1e-3, 3.0])
@pytest.mark.parametrize("drift", [0.0, 0.021, -1.0])
@pytest.mark.parametrize("cost", [-3.0, 0.0, 0.3])
@pytest.mark.parametrize("q_min", [-1, 0, 1])
@pytest.mark.parametrize("min_depth", [-math.inf, 0.0])
def test_two_inventories_come_out_as_policy_iteration_has_them(
    phi: float, drift: float, cost: float, q_min: int, min_depth: float
) -> None:
    bounds = {"q_min": q_min, "q_max": q_min + 1, "min_depth": min_depth}
    problem = market(phi=phi, drift=drift, fee=cost, **bounds)
    solution, scaled = solve(problem), scale(problem)
    gaps = np.zeros(3)
    assert _kernels.newton_ergodic(scaled.equation, gaps)
    assert solution.method == CLOSED_FORM
    gap = (solution.h[0] - solution.h[1]) * scaled.price_scale
    assert gap == pytest.approx(gaps[1], rel=1e-12, abs=1e-12)


def test_fills_too_dear_for_the_formula_are_left_to_policy_iteration() -> None:
    assert solve(market(fee=-100.0, q_min=0, q_max=1)).method == POLICY_ITERATION


@pytest.mark.parametrize("sides", ["both", "one"])
@pytest.mark.parametrize("epsilon", [1e10, 1e18, 1e300])
def test_an_absurd_cost_is_not_lost_in_rounding(sides, epsilon):
    """Nobody sells for less than what the sale costs him."""
    value = solve(
        ModelParameters(
            lambda_plus=0.28, lambda_minus=0.19, kappa_plus=2.6, kappa_minus=2.7,
            epsilon_plus=epsilon, epsilon_minus=0.67, fee=0.45, phi=0.001,
            q_min=0, q_max=1, sides=sides,
        )
    )  # fmt: skip
    assert value.ask_depth[1] >= 0.9 * epsilon
