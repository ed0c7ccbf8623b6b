"""Depths as policies: their tables, their exact values, and what the well-known mistakes cost."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from advanced_mm.errors import InputError
from advanced_mm.model import (
    DepthPolicy,
    ModelParameters,
    averaged_kappa,
    fee_outside,
    optimal_policy,
    phantom_fill,
    policy_income,
    policy_value,
    solve,
    wrong_bounds,
)

CASE_A = ModelParameters(
    lambda_plus=1,
    lambda_minus=1,
    kappa_plus=100,
    kappa_minus=100,
    phi=1e-5,
    alpha=1e-4,
    q_min=-3,
    q_max=3,
    horizon_seconds=30,
)
ASYMMETRIC = ModelParameters(
    lambda_plus=1.2,
    lambda_minus=0.7,
    kappa_plus=100,
    kappa_minus=60,
    epsilon_plus=0.004,
    epsilon_minus=0.006,
    phi=2e-5,
    alpha=1e-4,
    fee=0.001,
    terminal_cost=0.003,
    q_min=-3,
    q_max=3,
    horizon_seconds=60,
    compensate_drift=False,
    impact_slope_plus=0.3,
)


def endless(problem: ModelParameters, **changes: object) -> ModelParameters:
    return replace(problem, horizon_seconds=None, **changes)


def random_policy(problem: ModelParameters, seed: int, rows: int = 1) -> DepthPolicy:
    rng = np.random.default_rng(seed)
    q = np.arange(problem.q_min, problem.q_max + 1)
    ask, bid = rng.uniform(0, 0.04, (2, rows, q.size))
    ask[:, 0] = bid[:, -1] = np.inf
    ask[rng.random(ask.shape) < 0.1] = np.inf
    times = np.concatenate([[0.0], np.sort(rng.uniform(0, 40, rows - 1))])
    return DepthPolicy(q, times, ask, bid, f"random {seed}")


def fill_rates(p: ModelParameters, ask: np.ndarray, bid: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fills per second and income per second, written out for the oracles."""
    q = np.arange(p.q_min, p.q_max + 1)
    income = q * p.mu - p.phi * q**2
    asks, bids = np.zeros(q.size), np.zeros(q.size)
    for i in range(q.size):
        if i > 0 and math.isfinite(ask[i]):
            asks[i] = p.lambda_plus * math.exp(-p.kappa_plus * ask[i])
            move = p.epsilon_plus + p.impact_slope_plus * ask[i]
            income[i] += asks[i] * (ask[i] - move - p.fee)
        if i < q.size - 1 and math.isfinite(bid[i]):
            bids[i] = p.lambda_minus * math.exp(-p.kappa_minus * bid[i])
            move = p.epsilon_minus + p.impact_slope_minus * bid[i]
            income[i] += bids[i] * (bid[i] - move - p.fee)
    return asks, bids, income


def test_depths_are_those_of_the_row_in_force() -> None:
    policy = DepthPolicy(
        q=np.array([0, 1]),
        times=np.array([0.0, 10.0]),
        ask_depth=np.array([[np.inf, 0.1], [np.inf, 0.2]]),
        bid_depth=np.array([[0.3, np.inf], [0.4, np.inf]]),
        name="by hand",
    )
    assert policy.depths(0) == (math.inf, 0.3)
    assert policy.depths(1, 9.999) == (0.1, math.inf)
    assert policy.depths(1, 10.0) == policy.depths(1, 1e9) == (0.2, math.inf)
    for q, t, message in ((2, 0.0, "q = 2"), (-1, 0.0, "q = -1"), (0, -1.0, "t = -1")):
        with pytest.raises(InputError, match=message):
            policy.depths(q, t)
    with pytest.raises(ValueError, match="read-only"):
        policy.ask_depth[0, 1] = 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": [0, 2]}, "consecutive"),
        ({"q": []}, "consecutive"),
        ({"times": [1.0]}, "start with 0"),
        ({"times": [0.0, 0.0]}, "ascend"),
        ({"ask_depth": [[0.1]]}, r"shape \(1, 2\)"),
        ({"ask_depth": [[np.inf, np.nan]]}, "ask_depth"),
        ({"bid_depth": [[-np.inf, np.inf]]}, "bid_depth"),
        ({"ask_depth": [[0.1, 0.1]]}, "quotes beyond its inventories 0 … 1"),
        ({"bid_depth": [[0.1, 0.1]]}, "quotes beyond its inventories 0 … 1"),
    ],
)
def test_tables_that_are_no_policy_are_refused(changes: dict, message: str) -> None:
    table = {
        "q": [0, 1],
        "times": [0.0],
        "ask_depth": [[np.inf, 0.1]],
        "bid_depth": [[0.1, np.inf]],
        "name": "by hand",
    }
    with pytest.raises(InputError, match=message):
        DepthPolicy(**(table | changes))


def test_optimal_policy_without_a_horizon_is_one_row_of_the_solution() -> None:
    problem = endless(ASYMMETRIC)
    policy, solution = optimal_policy(problem), solve(problem)
    np.testing.assert_array_equal(policy.times, [0.0])
    np.testing.assert_array_equal(policy.ask_depth, [solution.ask_depth])
    np.testing.assert_array_equal(policy.bid_depth, [solution.bid_depth])


def test_rows_of_the_optimal_policy_hold_the_depths_of_their_middle() -> None:
    policy = optimal_policy(ASYMMETRIC, steps=7)
    ends = np.append(policy.times[1:], 60.0)
    for row, middle in enumerate((policy.times + ends) / 2):
        solution = solve(replace(ASYMMETRIC, horizon_seconds=60.0 - middle))
        np.testing.assert_allclose(policy.ask_depth[row], solution.ask_depth, atol=1e-12)
    with pytest.raises(InputError, match="steps = 0"):
        optimal_policy(ASYMMETRIC, steps=0)


def rows_lose(problem: ModelParameters, steps: int) -> float:
    return float(solve(problem).h[3] - policy_value(problem, optimal_policy(problem, steps))[3])


@pytest.mark.parametrize("problem", [CASE_A, ASYMMETRIC])
def test_optimal_policy_loses_to_its_rows_by_their_square(problem: ModelParameters) -> None:
    assert rows_lose(problem, 50) / rows_lose(problem, 100) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("sides", ["both", "one"])
@pytest.mark.parametrize("horizon", [30.0, 3_600.0])
def test_optimal_policy_is_worth_the_solution_but_for_its_rows(sides: str, horizon: float) -> None:
    problem = replace(ASYMMETRIC, sides=sides, horizon_seconds=horizon)
    assert 0 < rows_lose(problem, 300) < 3e-6 * solve(problem).h[3]


@pytest.mark.parametrize("seed", range(4))
def test_value_of_a_policy_solves_its_linear_equation(seed: int) -> None:
    """The oracle integrates ∂h/∂τ = Gh + r by DOP853, row by row."""
    policy = random_policy(ASYMMETRIC, seed, rows=5)
    q = policy.q
    value = -1e-4 * q**2 - 0.003 * np.abs(q)
    ends = np.append(policy.times[1:], 60.0)
    for row in range(4, -1, -1):
        asks, bids, income = fill_rates(ASYMMETRIC, policy.ask_depth[row], policy.bid_depth[row])

        def slope(_: float, h: np.ndarray, asks=asks, bids=bids, income=income) -> np.ndarray:
            change = income - (asks + bids) * h
            change[1:] += asks[1:] * h[:-1]
            change[:-1] += bids[:-1] * h[1:]
            return change

        span = (0.0, ends[row] - policy.times[row])
        run = solve_ivp(slope, span, value, method="DOP853", rtol=1e-12, atol=1e-14)
        value = run.y[:, -1]
    np.testing.assert_allclose(policy_value(ASYMMETRIC, policy), value, rtol=0, atol=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_income_of_a_policy_is_that_of_its_stationary_law(seed: int) -> None:
    """The oracle solves πG = 0, Σπ = 1 as dense linear equations."""
    problem = endless(ASYMMETRIC)
    policy = random_policy(problem, seed)
    asks, bids, income = fill_rates(problem, policy.ask_depth[0], policy.bid_depth[0])
    generator = np.diag(asks[1:], -1) + np.diag(bids[:-1], 1) - np.diag(asks + bids)
    equations = np.vstack([generator.T, np.ones(7)])
    law = np.linalg.lstsq(equations, np.append(np.zeros(7), 1.0))[0]
    assert policy_income(problem, policy) == pytest.approx(law @ income, rel=1e-10)


def test_value_grows_by_the_income_in_the_long_run_and_keeps_its_digits_over_a_day() -> None:
    problem = endless(ASYMMETRIC, lambda_plus=20.0)
    policy = averaged_kappa(problem)
    value, later = (policy_value(problem, policy, seconds) for seconds in (43_200.0, 86_400.0))
    income = policy_income(problem, policy)
    np.testing.assert_allclose((later - value) / 43_200.0, income, rtol=1e-12)
    with pytest.raises(InputError, match="depends on time"):
        policy_income(problem, optimal_policy(ASYMMETRIC, steps=2))
    with pytest.raises(InputError, match="seconds must be given"):
        policy_value(problem, policy)


ENDLESS = {
    "case A": endless(CASE_A),
    "asymmetric": endless(ASYMMETRIC),
    "one order at a time": endless(ASYMMETRIC, sides="one"),
    "long-only": endless(ASYMMETRIC, q_min=0, q_max=1),
    "floor that binds": endless(CASE_A, fee=-0.008),
    "no floor": endless(CASE_A, fee=-0.008, min_depth=-math.inf),
    "wide": endless(CASE_A, q_min=-100, q_max=100),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_optimal_depths_earn_the_income_that_was_solved_for(name: str) -> None:
    problem = ENDLESS[name]
    income = policy_income(problem, optimal_policy(problem))
    assert income == pytest.approx(solve(problem).value_rate, rel=1e-11)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 4))
def test_no_policy_is_worth_more_than_the_optimal_one(seed: int, rows: int) -> None:
    policy = random_policy(ASYMMETRIC, seed, rows)
    assert (policy_value(ASYMMETRIC, policy) <= solve(ASYMMETRIC).h + 1e-12).all()
    steady = random_policy(ASYMMETRIC, seed)
    assert policy_income(ASYMMETRIC, steady) <= solve(endless(ASYMMETRIC)).value_rate + 1e-15


def phantom_oracle(p: ModelParameters) -> np.ndarray:
    """h of the clamped equation without a floor, by Radau."""

    def worth(gain: np.ndarray, intensity: float, kappa: float, cost: float) -> np.ndarray:
        return intensity / kappa * np.exp(-1 - kappa * (cost - gain))

    def slope(_: float, h: np.ndarray) -> np.ndarray:
        padded = np.concatenate([h[:1], h, h[-1:]])
        q = np.arange(p.q_min, p.q_max + 1)
        asks = worth(padded[:-2] - h, p.lambda_plus, p.kappa_plus, p.epsilon_plus + p.fee)
        bids = worth(padded[2:] - h, p.lambda_minus, p.kappa_minus, p.epsilon_minus + p.fee)
        return q * p.mu - p.phi * q**2 + asks + bids

    start = -p.alpha * np.arange(p.q_min, p.q_max + 1) ** 2
    run = solve_ivp(slope, (0.0, p.horizon_seconds), start, method="Radau", rtol=1e-11, atol=1e-13)
    return run.y[:, -1]


def test_phantom_fill_claims_more_than_there_is_and_earns_less() -> None:
    """Case A of the design notes: it claims .2193 and earns .19443, 5.3% less than .20535."""
    assert phantom_oracle(CASE_A)[3] == pytest.approx(0.2193, abs=6e-5)
    earned = policy_value(CASE_A, phantom_fill(CASE_A))[3]
    assert earned == pytest.approx(0.19443, abs=6e-6)
    assert 1 - earned / solve(CASE_A).h[3] == pytest.approx(0.053, abs=6e-4)


def test_phantom_depths_are_those_of_the_clamped_equation() -> None:
    problem = replace(ASYMMETRIC, impact_slope_plus=0.0, terminal_cost=0.0, min_depth=-math.inf)
    row = optimal_policy(problem, steps=1)
    mistaken = phantom_fill(problem, steps=1)
    h = phantom_oracle(replace(problem, horizon_seconds=30.0))
    ask = 1 / 100 + 0.004 + 0.001 - (h[:-1] - h[1:])
    bid = 1 / 60 + 0.006 + 0.001 - (h[1:] - h[:-1])
    np.testing.assert_allclose(mistaken.ask_depth[0, 1:], ask, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mistaken.bid_depth[0, :-1], bid, rtol=0, atol=1e-10)
    assert np.abs(mistaken.ask_depth[0, 1:] - row.ask_depth[0, 1:]).max() > 1e-3


@pytest.mark.parametrize("bound", [1, 2, 3, 5])
def test_phantom_fill_without_penalties_has_no_skew(bound: int) -> None:
    """κδ = 1 everywhere, so all n inventories are equally likely and (n − 1)/n of fills happen."""
    n = 2 * bound + 1
    problem = endless(CASE_A, phi=0.0, alpha=0.0, q_min=-bound, q_max=bound)
    policy = phantom_fill(problem)
    np.testing.assert_allclose(100 * policy.ask_depth[0, 1:], 1.0, rtol=1e-12)
    np.testing.assert_allclose(100 * policy.bid_depth[0, :-1], 1.0, rtol=1e-12)
    income = policy_income(problem, policy)
    assert 100 * income == pytest.approx(2 / math.e * (n - 1) / n, rel=1e-12)
    lost = 1 - (n - 1) / n / math.cos(math.pi / (n + 1))
    assert 1 - income / solve(problem).value_rate == pytest.approx(lost, rel=1e-9)
    assert 0.057 <= lost <= 0.0765


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_fee_outside_costs_what_the_formula_says(times: int, share: float) -> None:
    """Without penalties, with x = κc: (1 + (times − 1)x) exp(−(times − 1)x) of the best income."""
    problem = endless(CASE_A, phi=0.0, alpha=0.0, fee=share / 100)
    policy = fee_outside(problem, times=times)
    extra = (times - 1) * share
    kept = (1 + extra) * math.exp(-extra)
    assert policy_income(problem, policy) == pytest.approx(
        kept * solve(problem).value_rate, rel=1e-11
    )


def test_fee_outside_keeps_the_floor_and_refuses_negative_times() -> None:
    problem = replace(CASE_A, fee=-0.02)
    assert fee_outside(problem, steps=2).ask_depth.min() == 0.0
    with pytest.raises(InputError, match="times = -1"):
        fee_outside(problem, times=-1)


Mistake = Callable[[ModelParameters], DepthPolicy]
WITH_FEE = replace(CASE_A, fee=0.005)
ONE_UNIT = replace(CASE_A, q_min=0, q_max=1)


@pytest.mark.parametrize(
    ("problem", "mistake", "cost"),
    [
        (CASE_A, phantom_fill, 0.0532),
        (CASE_A, lambda p: wrong_bounds(p, -10, 10), 0.0364),
        (CASE_A, lambda p: wrong_bounds(p, -1, 1), 0.2318),
        (WITH_FEE, phantom_fill, 0.0419),
        (WITH_FEE, fee_outside, 0.0896),
        (WITH_FEE, lambda p: fee_outside(p, times=0), 0.1736),
        (ONE_UNIT, lambda p: wrong_bounds(p, -1, 1), 0.0540),
        (replace(ONE_UNIT, q_max=2), phantom_fill, 0.0550),
    ],
)
def test_each_mistake_costs_its_share_of_the_value(
    problem: ModelParameters, mistake: Mistake, cost: float
) -> None:
    start = -problem.q_min
    best = solve(problem).h[start]
    assert 1 - policy_value(problem, mistake(problem))[start] / best == pytest.approx(
        cost, abs=6e-5
    )


def test_averaged_kappa_costs_where_the_sides_differ_and_nowhere_else() -> None:
    best, earned = solve(ASYMMETRIC).h, policy_value(ASYMMETRIC, averaged_kappa(ASYMMETRIC))
    assert ((best - earned) / best > 0.03).all()
    alike = endless(CASE_A)
    np.testing.assert_array_equal(averaged_kappa(alike).ask_depth, optimal_policy(alike).ask_depth)


def test_nothing_rests_where_other_bounds_leave_no_depth() -> None:
    """Solved on {0, 1}, a bot that could go from −3 to 3 never leaves {0, 1}."""
    problem = endless(CASE_A)
    policy = wrong_bounds(problem, 0, 1)
    ask, bid = policy.resting(problem)
    np.testing.assert_array_equal(np.isfinite(ask), [[False] * 4 + [True] + [False] * 2])
    np.testing.assert_array_equal(np.isfinite(bid), [[False] * 3 + [True] + [False] * 3])
    narrow = replace(problem, q_min=0, q_max=1)
    assert policy_income(problem, policy) == pytest.approx(solve(narrow).value_rate, rel=1e-12)
    with pytest.raises(InputError, match="must overlap with the bot"):
        wrong_bounds(problem, 4, 6)


@pytest.mark.parametrize(
    "mistake", [phantom_fill, fee_outside, averaged_kappa, lambda p: wrong_bounds(p, -1, 1)]
)
@pytest.mark.parametrize("horizon", [None, 20.0])
def test_mistakes_of_a_bot_with_one_order_quote_one_side(
    mistake: Mistake, horizon: float | None
) -> None:
    problem = replace(ASYMMETRIC, sides="one", horizon_seconds=horizon)
    policy = mistake(problem)
    quoted = np.isfinite(policy.ask_depth).astype(int) + np.isfinite(policy.bid_depth)
    np.testing.assert_array_equal(quoted, 1)


def test_of_two_equal_sides_the_one_that_leads_back_is_quoted() -> None:
    policy = phantom_fill(endless(CASE_A, phi=0.0, sides="one"))
    np.testing.assert_array_equal(np.isfinite(policy.ask_depth[0]), [False] * 4 + [True] * 3)
