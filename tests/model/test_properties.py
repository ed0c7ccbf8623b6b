"""Laws that hold for every market, over the whole range the solver is meant for."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.model import ModelParameters, ValueFunction, solve

checked = settings(deadline=None, max_examples=60, derandomize=True)


def logarithmic(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


@st.composite
def nasty_markets(draw: st.DrawFn, largest_bound: int = 100) -> ModelParameters:
    """κ 0.01 … 1e5, λ 0.01 … 20 /s, φ 0 … 1, T 60 s … a day or none, ε 0 … 3/κ, ±100."""
    kappa = draw(logarithmic(0.01, 1e5))
    bound = draw(st.sampled_from([1, 2, 3, 10, largest_bound]))
    return ModelParameters(
        lambda_plus=draw(logarithmic(0.01, 20)),
        lambda_minus=draw(logarithmic(0.01, 20)),
        kappa_plus=kappa,
        kappa_minus=kappa * draw(st.sampled_from([1.0, 0.4, 2.5])),
        epsilon_plus=draw(st.floats(0, 3)) / kappa,
        epsilon_minus=draw(st.floats(0, 3)) / kappa,
        phi=draw(st.one_of(st.just(0.0), logarithmic(1e-9, 1))),
        alpha=draw(st.one_of(st.just(0.0), logarithmic(1e-9, 1))),
        fee=draw(st.floats(-1, 1)) / kappa,
        terminal_cost=draw(st.floats(0, 2)) / kappa,
        q_min=draw(st.sampled_from([-bound, 0])),
        q_max=bound,
        horizon_seconds=draw(st.one_of(st.none(), logarithmic(60, 86_400))),
        sides=draw(st.sampled_from(["both", "one"])),
        compensate_drift=draw(st.booleans()),
        impact_slope_plus=draw(st.sampled_from([0.0, 0.0, 0.7])),
    )


@st.composite
def ordinary_markets(draw: st.DrawFn) -> ModelParameters:
    """Markets in which every fill matters, so that each law shows in the depths."""
    kappa = draw(logarithmic(0.1, 1e3))
    flow = draw(logarithmic(0.05, 5))
    return ModelParameters(
        lambda_plus=flow,
        lambda_minus=flow * draw(st.floats(0.5, 2)),
        kappa_plus=kappa,
        kappa_minus=kappa * draw(st.sampled_from([1.0, 0.7, 1.5])),
        epsilon_plus=draw(st.floats(0, 0.5)) / kappa,
        epsilon_minus=draw(st.floats(0, 0.5)) / kappa,
        phi=draw(st.floats(0, 0.05)) * flow / kappa,
        alpha=draw(st.floats(0, 0.1)) / kappa,
        fee=draw(st.floats(-0.2, 0.2)) / kappa,
        q_min=draw(st.integers(-4, 0)),
        q_max=draw(st.integers(1, 4)),
        horizon_seconds=draw(st.one_of(st.none(), st.floats(10, 100).map(lambda x: x / flow))),
        sides=draw(st.sampled_from(["both", "one"])),
    )


def assert_depths_equal(actual: np.ndarray, expected: np.ndarray, unit: float) -> None:
    np.testing.assert_array_equal(np.isinf(actual), np.isinf(expected))
    seen = np.isfinite(expected)
    np.testing.assert_allclose(actual[seen], expected[seen], rtol=1e-9, atol=1e-9 * unit)


@given(nasty_markets())
@checked
def test_nothing_overflows_and_every_depth_is_allowed(parameters: ModelParameters) -> None:
    solution = solve(parameters)
    for depth in (solution.ask_depth, solution.bid_depth):
        assert not np.isnan(depth).any()
        assert (depth >= 0.0).all()
    assert np.isfinite(solution.h).all()
    assert np.isfinite(solution.value_rate)
    assert np.isfinite(solution.inventory_drift).all()
    assert (solution.stationary_distribution >= 0.0).all()
    np.testing.assert_allclose(solution.stationary_distribution.sum(), 1.0, rtol=1e-12)
    quoted = np.isfinite(solution.ask_depth).astype(int) + np.isfinite(solution.bid_depth)
    if parameters.sides == "one":
        assert (quoted == 1).all()
    else:
        assert (quoted[1:-1] == 2).all()


def mirrored(p: ModelParameters) -> ModelParameters:
    return replace(
        p,
        lambda_plus=p.lambda_minus,
        lambda_minus=p.lambda_plus,
        kappa_plus=p.kappa_minus,
        kappa_minus=p.kappa_plus,
        epsilon_plus=p.epsilon_minus,
        epsilon_minus=p.epsilon_plus,
        q_min=-p.q_max,
        q_max=-p.q_min,
        drift=-p.mu,
    )


def side_is_a_toss_up(solution: ValueFunction) -> bool:
    """Whether some inventory is indifferent between its two sides, so that rounding decides."""
    p = solution.parameters
    if p.sides == "both":
        return False
    h, inner = solution.h, slice(1, -1)
    ask = (
        p.lambda_plus
        / p.kappa_plus
        * np.exp(-1 - p.kappa_plus * (p.epsilon_plus + p.fee + h[inner] - h[:-2]))
    )
    bid = (
        p.lambda_minus
        / p.kappa_minus
        * np.exp(-1 - p.kappa_minus * (p.epsilon_minus + p.fee + h[inner] - h[2:]))
    )
    return bool((np.abs(ask - bid) <= 1e-6 * np.maximum(ask, bid)).any())


@given(ordinary_markets())
@checked
def test_swapping_the_sides_mirrors_the_depths(parameters: ModelParameters) -> None:
    solution, mirror = solve(parameters), solve(mirrored(parameters))
    unit = 1 / parameters.kappa_plus
    np.testing.assert_allclose(mirror.h[::-1], solution.h, rtol=1e-9, atol=1e-9 * unit)
    if not side_is_a_toss_up(solution):
        assert_depths_equal(mirror.ask_depth[::-1], solution.bid_depth, unit)
        assert_depths_equal(mirror.bid_depth[::-1], solution.ask_depth, unit)


@given(ordinary_markets(), logarithmic(1e-4, 1e4))
@checked
def test_prices_in_another_unit_scale_the_depths(parameters: ModelParameters, unit: float) -> None:
    p = parameters
    scaled = replace(
        p,
        kappa_plus=p.kappa_plus / unit,
        kappa_minus=p.kappa_minus / unit,
        epsilon_plus=p.epsilon_plus * unit,
        epsilon_minus=p.epsilon_minus * unit,
        phi=p.phi * unit,
        alpha=p.alpha * unit,
        fee=p.fee * unit,
    )
    solution, other = solve(p), solve(scaled)
    price = 1 / p.kappa_plus
    np.testing.assert_allclose(other.h / unit, solution.h, rtol=1e-9, atol=1e-9 * price)
    if not side_is_a_toss_up(solution):
        assert_depths_equal(other.ask_depth / unit, solution.ask_depth, price)
        assert_depths_equal(other.bid_depth / unit, solution.bid_depth, price)


@given(ordinary_markets(), logarithmic(1e-3, 1e3))
@checked
def test_time_in_another_unit_leaves_the_depths(parameters: ModelParameters, unit: float) -> None:
    p = parameters
    horizon = p.horizon_seconds
    slower = replace(
        p,
        lambda_plus=p.lambda_plus / unit,
        lambda_minus=p.lambda_minus / unit,
        phi=p.phi / unit,
        horizon_seconds=None if horizon is None else horizon * unit,
    )
    solution, other = solve(p), solve(slower)
    price = 1 / p.kappa_plus
    np.testing.assert_allclose(other.h, solution.h, rtol=1e-9, atol=1e-9 * price)
    np.testing.assert_allclose(other.value_rate * unit, solution.value_rate, rtol=1e-8)


@given(ordinary_markets(), st.floats(0.01, 0.5), st.sampled_from(["epsilon", "fee"]))
@checked
def test_dearer_fills_lower_the_value_and_raise_the_depths(
    parameters: ModelParameters, extra: float, what: str
) -> None:
    p = replace(parameters, sides="both", drift=0.0)
    cost = extra / p.kappa_plus
    dearer = (
        replace(p, fee=p.fee + cost)
        if what == "fee"
        else replace(p, epsilon_plus=p.epsilon_plus + cost, epsilon_minus=p.epsilon_minus + cost)
    )
    before, after = solve(p), solve(dearer)
    assert after.value_rate <= before.value_rate + 1e-12 * cost
    assert (after.ask_depth >= before.ask_depth - 1e-9 * cost).all()
    assert (after.bid_depth >= before.bid_depth - 1e-9 * cost).all()


@given(ordinary_markets(), st.floats(0.01, 0.5))
@checked
def test_adverse_selection_and_fee_are_one_cost(parameters: ModelParameters, extra: float) -> None:
    """Where μ is fixed, only the sum of ε and the fee counts."""
    p = replace(parameters, drift=0.0)
    cost = extra / p.kappa_plus
    as_fee = solve(replace(p, fee=p.fee + cost))
    as_epsilon = solve(
        replace(p, epsilon_plus=p.epsilon_plus + cost, epsilon_minus=p.epsilon_minus + cost)
    )
    np.testing.assert_allclose(as_fee.h, as_epsilon.h, rtol=1e-9, atol=1e-9 / p.kappa_plus)


@given(ordinary_markets())
@checked
def test_more_inventory_never_widens_the_ask_nor_narrows_the_bid(
    parameters: ModelParameters,
) -> None:
    """With both sides and a concave penalty h is concave, so each depth is monotone in q."""
    solution = solve(replace(parameters, sides="both"))
    tolerance = 1e-9 / parameters.kappa_plus
    assert (np.diff(solution.ask_depth[1:]) <= tolerance).all()
    assert (np.diff(solution.bid_depth[:-1]) >= -tolerance).all()


@given(ordinary_markets())
@checked
def test_value_is_concave_in_inventory(parameters: ModelParameters) -> None:
    """With both sides quoted: the penalties are concave and fills only average neighbours."""
    solution = solve(replace(parameters, sides="both"))
    assert (np.diff(solution.h, 2) <= 1e-9 / parameters.kappa_plus).all()


@given(ordinary_markets(), st.floats(0.01, 0.5))
@checked
def test_with_the_drift_compensated_a_fee_is_a_shift_of_both_epsilons(
    parameters: ModelParameters, extra: float
) -> None:
    p = replace(parameters, compensate_drift=True)
    cost = extra / p.kappa_plus
    shifted = replace(p, epsilon_plus=p.epsilon_plus + cost, epsilon_minus=p.epsilon_minus + cost)
    with_fee, with_epsilon = solve(replace(p, fee=p.fee + cost)), solve(shifted)
    if not side_is_a_toss_up(with_fee):
        unit = 1 / p.kappa_plus
        assert_depths_equal(with_fee.ask_depth, with_epsilon.ask_depth, unit)
        assert_depths_equal(with_fee.bid_depth, with_epsilon.bid_depth, unit)


@given(ordinary_markets())
@checked
def test_ergodic_depths_are_those_of_a_long_horizon(parameters: ModelParameters) -> None:
    ergodic = solve(replace(parameters, horizon_seconds=None))
    long = solve(replace(parameters, horizon_seconds=20_000 / parameters.lambda_plus))
    unit = 1 / parameters.kappa_plus
    zero = parameters.reference_inventory - parameters.q_min
    np.testing.assert_allclose(long.h - long.h[zero], ergodic.h, rtol=1e-8, atol=1e-7 * unit)
    np.testing.assert_allclose(long.value_rate, ergodic.value_rate, rtol=1e-7)


@given(ordinary_markets())
@checked
def test_stationary_distribution_balances_its_flows(parameters: ModelParameters) -> None:
    solution = solve(replace(parameters, sides="both"))
    share = solution.stationary_distribution
    upward, downward = share * solution.bid_intensity, share * solution.ask_intensity
    np.testing.assert_allclose(upward[:-1], downward[1:], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(share @ solution.inventory_drift, 0.0, atol=1e-12)


@given(
    st.floats(3, 800),
    st.sampled_from(["both", "one"]),
    st.sampled_from([None, 300.0, 86_400.0]),
    st.sampled_from([1.0, 0.5]),
)
@checked
def test_a_market_too_toxic_to_quote_only_costs_nothing(
    toxicity: float, sides: str, horizon_seconds: float | None, ratio: float
) -> None:
    """κε far beyond any market: fills vanish, and the numbers stay numbers."""
    solution = solve(
        ModelParameters(
            lambda_plus=1.0,
            lambda_minus=0.8,
            kappa_plus=2.0,
            kappa_minus=2.0 * ratio,
            epsilon_plus=toxicity / 2,
            epsilon_minus=toxicity / 2,
            q_min=-3,
            q_max=3,
            sides=sides,
            horizon_seconds=horizon_seconds,
        )
    )
    assert np.isfinite(solution.h).all()
    assert 0.0 <= solution.value_rate <= 0.8 * math.exp(-toxicity * ratio)
    assert (solution.ask_depth + solution.bid_depth >= toxicity).all()
