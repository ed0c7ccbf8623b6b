"""The simple models: their formulas, published tables, and that they are worth less."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.model import (
    DepthPolicy,
    ModelParameters,
    avellaneda_stoikov,
    fixed_spread,
    gueant_lehalle_fernandez_tapia,
    policy_income,
    solve,
)

MARKET = ModelParameters(
    lambda_plus=1.2,
    lambda_minus=0.8,
    kappa_plus=110,
    kappa_minus=90,
    epsilon_plus=0.002,
    epsilon_minus=0.003,
    phi=1e-5,
    fee=0.001,
    q_min=-3,
    q_max=3,
)

MODELS: dict[str, Callable[[ModelParameters], DepthPolicy]] = {
    "fixed spread": lambda p: fixed_spread(p, half_spread_bp=1.2, mid=100.0, skew_bp_per_unit=0.1),
    "Avellaneda–Stoikov": lambda p: avellaneda_stoikov(
        p, gamma=1.0, sigma=0.005, seconds_left=60.0
    ),
    "Guéant–Lehalle–Fernandez-Tapia": lambda p: gueant_lehalle_fernandez_tapia(
        p, gamma=1.0, sigma=0.005
    ),
}


def test_fixed_spread_in_basis_points_of_the_mid() -> None:
    policy = fixed_spread(MARKET, half_spread_bp=2.0, mid=50.0, skew_bp_per_unit=0.5)
    assert policy.depths(0) == pytest.approx((0.01, 0.01), rel=1e-13)
    assert policy.depths(2) == pytest.approx((0.005, 0.015), rel=1e-13)
    assert policy.depths(-3) == (math.inf, pytest.approx(0.0025, rel=1e-13))
    assert policy.depths(3, 1e6) == (pytest.approx(0.0025, rel=1e-13), math.inf)


def test_quotes_do_not_go_through_the_floor() -> None:
    policy = fixed_spread(MARKET, half_spread_bp=1.0, mid=100.0, skew_bp_per_unit=0.6)
    assert policy.depths(2) == (0.0, pytest.approx(0.022))


def test_avellaneda_stoikov_depths_are_the_indifference_price_and_the_spread() -> None:
    """r = s − qγσ²τ and a spread of γσ²τ + (2/γ) ln(1 + γ/k)."""
    gamma, sigma, k, horizon, s = 0.1, 2.0, 1.5, 1.0, 100.0
    market = replace(
        MARKET, kappa_plus=k, kappa_minus=k, horizon_seconds=horizon, min_depth=-math.inf
    )
    policy = avellaneda_stoikov(market, gamma=gamma, sigma=sigma, steps=50)
    ends = np.append(policy.times[1:], horizon)
    for start, end in zip(policy.times, ends, strict=True):
        tau = horizon - (start + end) / 2
        spread = gamma * sigma**2 * tau + 2 / gamma * math.log(1 + gamma / k)
        for q in (-2, 0, 1):
            indifference = s - q * gamma * sigma**2 * tau
            ask, bid = policy.depths(q, start)
            assert s + ask == pytest.approx(indifference + spread / 2, rel=1e-13)
            assert s - bid == pytest.approx(indifference - spread / 2, rel=1e-13)


def test_avellaneda_stoikov_with_a_constant_time_left() -> None:
    market = replace(MARKET, horizon_seconds=90.0)
    endless = avellaneda_stoikov(MARKET, gamma=0.5, sigma=0.01, seconds_left=30.0)
    steady = avellaneda_stoikov(market, gamma=0.5, sigma=0.01, seconds_left=30.0)
    np.testing.assert_array_equal(endless.ask_depth, steady.ask_depth)
    np.testing.assert_array_equal(endless.times, [0.0])
    skew = 0.5 * 0.01**2 * 30.0
    ask, bid = endless.depths(1)
    assert bid - ask == pytest.approx(2 * skew, rel=1e-12)
    with pytest.raises(InputError, match="seconds_left must be given"):
        avellaneda_stoikov(MARKET, gamma=0.5, sigma=0.01)


def published_market(**changes: object) -> ModelParameters:
    """The parameters of Guéant, Lehalle & Fernandez-Tapia (2013), σ = .3 and γ = .01."""
    flow = {"lambda_plus": 0.9, "lambda_minus": 0.9, "kappa_plus": 0.3, "kappa_minus": 0.3}
    return ModelParameters(**(flow | {"q_min": -30, "q_max": 30} | changes))


def test_gueant_lehalle_fernandez_tapia_closed_form_to_its_printed_digits() -> None:
    policy = gueant_lehalle_fernandez_tapia(published_market(), gamma=0.01, sigma=0.3)
    printed = [3.2450493660, 3.3129151986, 3.3807810311, 3.4486468636]
    np.testing.assert_allclose(policy.bid_depth[0, 29:33], printed, rtol=0, atol=6e-11)
    np.testing.assert_allclose(policy.ask_depth[0, ::-1][29:33], printed, rtol=0, atol=6e-11)


def test_closed_form_is_near_the_solved_depths() -> None:
    """Their own approximation: within 7e-4 of the depths solved with their map near q = 0."""
    eta = 0.9 * (1 + 0.01 / 0.3) ** -(1 + 0.3 / 0.01)
    market = published_market(lambda_plus=eta * math.e, lambda_minus=eta * math.e, phi=0.00045)
    xi = math.log(1 + 0.01 / 0.3) / 0.01
    solved = solve(market).bid_depth[29:33] - 1 / 0.3 + xi
    policy = gueant_lehalle_fernandez_tapia(published_market(), gamma=0.01, sigma=0.3)
    np.testing.assert_allclose(policy.bid_depth[0, 29:33], solved, rtol=0, atol=7e-4)


def avellaneda_stoikov_world(
    paths: int, seed: int, symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    """P&L and final inventory of the paper's own simulation, its table 1.

    Time goes in steps of .005: in each a quote at depth δ fills with probability A·exp(−kδ)·dt,
    then the price moves by ±σ√dt. The symmetric strategy quotes the average spread at all times.
    """
    steps, dt, sigma, gamma, k, intensity = 200, 0.005, 2.0, 0.1, 1.5, 140.0
    rng = np.random.default_rng(seed)
    price, cash, q = np.full(paths, 100.0), np.zeros(paths), np.zeros(paths)
    constant = 2 / gamma * math.log(1 + gamma / k)
    for step in range(steps):
        tau = 1.0 - step * dt
        if symmetric:
            ask = bid = np.full(paths, 1.49 / 2)
        else:
            half, skew = (gamma * sigma**2 * tau + constant) / 2, gamma * sigma**2 * tau
            ask, bid = half - skew * q, half + skew * q
        sold = rng.random(paths) < intensity * dt * np.exp(-k * ask)
        bought = rng.random(paths) < intensity * dt * np.exp(-k * bid)
        cash += sold * (price + ask) - bought * (price - bid)
        q += bought.astype(float) - sold
        price += sigma * math.sqrt(dt) * (2 * rng.integers(0, 2, paths) - 1)
    return cash + q * price, q


def deviation_error(values: np.ndarray) -> float:
    """Standard error of a sample's standard deviation, by its fourth moment."""
    centred = values - values.mean()
    variance = (centred**2).mean()
    return float(
        math.sqrt(((centred**4).mean() - variance**2) / values.size) / (2 * math.sqrt(variance))
    )


@pytest.mark.parametrize(
    ("symmetric", "found", "printed"),
    [
        (False, (64.87, 6.55, 2.93), (65.0, 6.6, 0.08, 2.9)),
        (True, (68.21, 13.46, 8.40), (68.4, 12.7, 0.26, 8.4)),
    ],
)
def test_avellaneda_stoikov_table_1(
    symmetric: bool, found: tuple[float, ...], printed: tuple[float, ...]
) -> None:
    """Printed from 1 000 paths, found elsewhere from 200 000; rounding of the digits included."""
    pnl, q = avellaneda_stoikov_world(60_000, seed=1, symmetric=symmetric)
    values = (pnl.mean(), pnl.std(), q.mean(), q.std())
    errors = (
        pnl.std() / math.sqrt(pnl.size),
        deviation_error(pnl),
        q.std() / math.sqrt(q.size),
        deviation_error(q),
    )
    for value, error, other in zip(
        [values[i] for i in (0, 1, 3)], [errors[i] for i in (0, 1, 3)], found, strict=True
    ):
        assert abs(value - other) < 3 * error * math.sqrt(1 + 60_000 / 200_000) + 0.005
    for value, error, other in zip(values, errors, printed, strict=True):
        assert abs(value - other) < 3 * error * math.sqrt(1 + 60_000 / 1_000) + 0.05


def test_the_table_is_quoted_with_the_depths_of_the_policy() -> None:
    """The average spread of the inventory strategy is 1.49, and the policy quotes it."""
    market = published_market(
        lambda_plus=140, lambda_minus=140, kappa_plus=1.5, kappa_minus=1.5, horizon_seconds=1.0
    )
    policy = avellaneda_stoikov(market, gamma=0.1, sigma=2.0, steps=200)
    lengths = np.diff(np.append(policy.times, 1.0))
    spreads = (policy.ask_depth + policy.bid_depth)[:, 30]
    assert spreads @ lengths == pytest.approx(1.49, abs=0.005)


@pytest.mark.parametrize("name", MODELS)
def test_simple_models_know_neither_fee_nor_adverse_selection(name: str) -> None:
    free = replace(MARKET, fee=0.0, epsilon_plus=0.0, epsilon_minus=0.0, impact_slope_plus=0.5)
    np.testing.assert_array_equal(MODELS[name](MARKET).ask_depth, MODELS[name](free).ask_depth)
    assert MODELS[name](MARKET).name == name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sides", ["both", "one"])
def test_simple_models_keep_the_bounds_and_earn_less_than_the_solution(
    name: str, sides: str
) -> None:
    market = replace(MARKET, sides=sides)
    policy = MODELS[name](market)
    assert policy.ask_depth[0, 0] == policy.bid_depth[0, -1] == math.inf
    best = solve(market).value_rate
    assert 0.2 * best < policy_income(market, policy) < 0.999 * best


def test_with_one_order_at_a_time_the_nearer_quote_rests() -> None:
    market = replace(MARKET, sides="one")
    for skew in (0.0, 0.1):
        policy = fixed_spread(market, half_spread_bp=1.0, mid=100.0, skew_bp_per_unit=skew)
        np.testing.assert_array_equal(np.isfinite(policy.ask_depth[0]), [False] * 4 + [True] * 3)
        np.testing.assert_array_equal(np.isfinite(policy.bid_depth[0]), [True] * 4 + [False] * 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fixed_spread(MARKET, half_spread_bp=-1, mid=100), "half_spread_bp = -1"),
        (lambda: fixed_spread(MARKET, half_spread_bp=1, mid=0), "mid = 0"),
        (
            lambda: fixed_spread(MARKET, half_spread_bp=1, mid=100, skew_bp_per_unit=math.nan),
            "skew_bp_per_unit = nan",
        ),
        (lambda: gueant_lehalle_fernandez_tapia(MARKET, gamma=0, sigma=1), "gamma = 0"),
        (lambda: gueant_lehalle_fernandez_tapia(MARKET, gamma=1, sigma=-1), "sigma = -1"),
        (
            lambda: avellaneda_stoikov(MARKET, gamma=1, sigma=1, seconds_left=-1),
            "seconds_left = -1",
        ),
    ],
)
def test_arguments_out_of_range_are_named(make: Callable[[], DepthPolicy], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
