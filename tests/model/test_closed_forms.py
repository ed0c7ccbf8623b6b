"""Solutions that have a formula."""

import math

import numpy as np
import pytest

from advanced_mm.model import ModelParameters, ValueFunction, solve

KAPPA = 100.0


def symmetric(q_min: int, q_max: int, **changes: object) -> ValueFunction:
    flow = {"lambda_plus": 1.0, "lambda_minus": 1.0, "kappa_plus": KAPPA, "kappa_minus": KAPPA}
    return solve(ModelParameters(**(flow | {"q_min": q_min, "q_max": q_max} | changes)))


@pytest.mark.parametrize(
    ("q_min", "q_max"), [(0, 1), (-1, 1), (0, 3), (-3, 3), (0, 10), (-10, 10), (2, 6), (-100, 100)]
)
def test_income_without_penalties_depends_on_the_number_of_inventories(
    q_min: int, q_max: int
) -> None:
    """κγ = 2/e·cos(π/(n + 1)): the largest eigenvalue of a chain of n inventories."""
    n = q_max - q_min + 1
    expected = 2 / math.e * math.cos(math.pi / (n + 1))
    assert KAPPA * symmetric(q_min, q_max).value_rate == pytest.approx(expected, rel=1e-12)


def test_printed_income_without_penalties() -> None:
    assert KAPPA * symmetric(-1, 1).value_rate == pytest.approx(0.520260095022889, abs=6e-16)
    assert KAPPA * symmetric(-3, 3).value_rate == pytest.approx(0.679752572259971, abs=6e-16)


def test_inventory_skew_comes_from_the_bounds_alone() -> None:
    """No fill is booked where no quote can rest: κδ⁺ = 1 + ln[cos(πq/8)/cos(π(q−1)/8)]."""
    solution = symmetric(-3, 3)
    q = np.arange(-2, 4)
    expected = 1 + np.log(np.cos(np.pi * q / 8) / np.cos(np.pi * (q - 1) / 8))
    np.testing.assert_allclose(KAPPA * solution.ask_depth[1:], expected, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(
        np.round(KAPPA * solution.ask_depth[1:], 3), [1.614, 1.267, 1.079, 0.921, 0.733, 0.386]
    )
    np.testing.assert_allclose(solution.bid_depth, solution.ask_depth[::-1], rtol=1e-13)


@pytest.mark.parametrize("sides", ["both", "one"])
@pytest.mark.parametrize("horizon_seconds", [None, 45.0])
def test_no_ask_rests_at_the_lower_bound_and_no_bid_at_the_upper(
    sides: str, horizon_seconds: float | None
) -> None:
    solution = symmetric(-2, 2, phi=1e-5, sides=sides, horizon_seconds=horizon_seconds)
    assert solution.ask_depth[0] == solution.bid_depth[-1] == math.inf
    assert solution.ask_intensity[0] == solution.bid_intensity[-1] == 0.0
    assert np.isfinite(solution.ask_depth[-1])
    assert np.isfinite(solution.bid_depth[0])


def test_long_only_bot_of_one_unit_buys_flat_and_sells_long() -> None:
    solution = symmetric(0, 1, phi=1e-4, epsilon_plus=0.002, epsilon_minus=0.002)
    h_long = solution.h[1]
    ask, bid = 0.012 + h_long, 0.012 - h_long
    assert solution.depths(1) == (pytest.approx(ask, rel=1e-13), math.inf)
    assert solution.depths(0) == (math.inf, pytest.approx(bid, rel=1e-13))
    income = math.exp(-KAPPA * bid) / KAPPA
    assert solution.value_rate == pytest.approx(income, rel=1e-12)
    assert math.exp(-KAPPA * ask) / KAPPA - 1e-4 == pytest.approx(income, rel=1e-12)


@pytest.mark.parametrize(("phi", "epsilon", "fee"), [(0.0, 0.0, 0.0), (1e-4, 0.005, 0.001)])
@pytest.mark.parametrize(("q_min", "q_max"), [(-1, 1), (-3, 3), (0, 5)])
def test_one_order_at_a_time_swings_between_two_inventories(
    phi: float, epsilon: float, fee: float, q_min: int, q_max: int
) -> None:
    solution = symmetric(
        q_min, q_max, phi=phi, epsilon_plus=epsilon, epsilon_minus=epsilon, fee=fee, sides="one"
    )
    pace = math.exp(-1 - KAPPA * (epsilon + fee))
    half = KAPPA * phi / 2
    expected = (-half + math.sqrt(half**2 + pace**2)) / KAPPA
    assert solution.value_rate == pytest.approx(expected, rel=1e-12)
    assert np.count_nonzero(solution.stationary_distribution > 1e-9) == 2
    quoted = np.isfinite(solution.ask_depth).astype(int) + np.isfinite(solution.bid_depth)
    np.testing.assert_array_equal(quoted, 1)


@pytest.mark.parametrize(("bound", "loss"), [(1, 0.29), (3, 0.46), (10, 0.50)])
def test_a_second_bot_would_add_what_the_notes_say(bound: int, loss: float) -> None:
    one = symmetric(-bound, bound, sides="one").value_rate
    both = symmetric(-bound, bound).value_rate
    assert 1 - one / both == pytest.approx(loss, abs=0.006)


def test_optimal_depth_under_growing_impact() -> None:
    """δ* = 1/κ + (ε + c − Δ)/(1 − b), found again by maximising on a grid."""
    slope, epsilon, fee = 0.6, 0.002, 0.0005
    solution = symmetric(
        -2,
        2,
        phi=1e-4,
        fee=fee,
        epsilon_plus=epsilon,
        epsilon_minus=epsilon,
        impact_slope_plus=slope,
        impact_slope_minus=slope,
    )
    depth = np.linspace(0, 0.08, 400_001)
    for i in range(1, 5):
        gain = solution.h[i - 1] - solution.h[i]
        worth = np.exp(-KAPPA * depth) * (depth * (1 - slope) + gain - epsilon - fee)
        assert solution.ask_depth[i] == pytest.approx(depth[np.argmax(worth)], abs=3e-7)


@pytest.mark.parametrize("slope", [1.0, 1.3])
def test_side_whose_impact_outgrows_its_depth_is_not_quoted(slope: float) -> None:
    solution = symmetric(0, 3, phi=1e-4, impact_slope_minus=slope)
    assert np.isinf(solution.bid_depth).all()
    assert np.isfinite(solution.ask_depth[1:]).all()
    assert solution.value_rate == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_array_equal(solution.stationary_distribution, [1, 0, 0, 0])


def test_selling_out_when_no_bid_pays() -> None:
    """With asks alone and q ≥ 0, κh(1) = −1 − ln(κφ) … solves F⁺(h(0) − h(1)) = φ."""
    phi = 1e-4
    solution = symmetric(0, 1, phi=phi, impact_slope_minus=1.0)
    assert math.exp(-KAPPA * solution.ask_depth[1]) / KAPPA == pytest.approx(phi, rel=1e-12)


def test_quotes_on_two_withdrawn_sides() -> None:
    solution = symmetric(-1, 1, phi=1e-4, impact_slope_minus=1.0, impact_slope_plus=2.0)
    assert np.isinf(solution.ask_depth).all()
    assert np.isinf(solution.bid_depth).all()
    np.testing.assert_array_equal(solution.stationary_distribution, [0, 1, 0])
