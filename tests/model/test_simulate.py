"""The simulated market: its accounting, its moments, and its mean against the solved value."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.model import (
    DepthPolicy,
    ModelParameters,
    averaged_kappa,
    fee_outside,
    fixed_spread,
    optimal_policy,
    phantom_fill,
    policy_value,
    simulate,
    solve,
    wrong_bounds,
)
from advanced_mm.model import _simulation_kernels as kernels

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
    q_min=-3,
    q_max=3,
    horizon_seconds=60,
    compensate_drift=False,
)
PROBLEMS = {
    "case A": CASE_A,
    "fees": replace(CASE_A, fee=0.005, terminal_cost=0.002),
    "long-only, one unit": replace(ASYMMETRIC, q_min=0, q_max=1, compensate_drift=True),
    "long-only, five units, drift": replace(ASYMMETRIC, q_min=0, q_max=5, fee=0.001),
    "short-only": replace(CASE_A, q_min=-3, q_max=0, epsilon_plus=0.003, epsilon_minus=0.002),
    "one order at a time, drift": replace(ASYMMETRIC, sides="one", fee=0.001),
    "one order at a time, long-only": replace(
        ASYMMETRIC, sides="one", compensate_drift=True, q_min=0, phi=1e-3, terminal_cost=0.003
    ),
    "asymmetric, jumps compensated": replace(ASYMMETRIC, compensate_drift=True),
    "asymmetric, drift, fee, taker cost, floor at the end": replace(
        ASYMMETRIC, alpha=0.02, fee=0.001, terminal_cost=0.003
    ),
    "floor that binds, rebate": replace(CASE_A, fee=-0.008),
    "impact grows with depth": replace(
        ASYMMETRIC, impact_slope_plus=0.8, impact_slope_minus=0.5, compensate_drift=True
    ),
    "impact grows with depth, one side never pays": replace(
        ASYMMETRIC, impact_slope_plus=1.1, epsilon_minus=0.0
    ),
    "drift given": replace(ASYMMETRIC, drift=-0.0004, impact_slope_minus=0.3),
}
PATHS = 50_000


@pytest.mark.parametrize("name", PROBLEMS)
def test_optimal_policy_earns_the_value_that_was_solved_for(name: str) -> None:
    problem = PROBLEMS[name]
    run = simulate(problem, optimal_policy(problem), paths=PATHS, seed=1)
    solution = solve(problem)
    expected = solution.h[-problem.q_min]
    assert run.standard_error < 0.01 * expected
    assert abs(run.mean_objective - expected) < 3 * run.standard_error


@pytest.mark.parametrize("start", [-3, 2])
def test_value_holds_from_any_inventory_and_whatever_the_volatility(start: int) -> None:
    run = simulate(
        ASYMMETRIC,
        optimal_policy(ASYMMETRIC),
        paths=PATHS,
        seed=2,
        initial_inventory=start,
        sigma=0.002,
    )
    expected = solve(ASYMMETRIC).h[start + 3]
    assert abs(run.mean_objective - expected) < 3 * run.standard_error


def test_depths_that_depend_on_time_earn_their_exact_value() -> None:
    policy = DepthPolicy(
        q=np.arange(-1, 2),
        times=np.array([0.0, 4.0, 11.0]),
        ask_depth=np.array([[np.inf, 0.02, 0.0], [np.inf, np.inf, 0.01], [np.inf, 0.005, 0.001]]),
        bid_depth=np.array([[0.0, 0.01, np.inf], [0.0, 0.015, np.inf], [np.inf, 0.03, np.inf]]),
        name="by hand",
    )
    run = simulate(ASYMMETRIC, policy, paths=PATHS, seconds=20.0)
    expected = policy_value(ASYMMETRIC, policy, seconds=20.0)[3]
    assert abs(run.mean_objective - expected) < 3 * run.standard_error


ONE_UNIT = replace(CASE_A, q_min=0, q_max=1)
MISTAKES: list[tuple[str, ModelParameters, Callable[[ModelParameters], DepthPolicy]]] = [
    ("phantom fill", CASE_A, phantom_fill),
    ("phantom fill", PROBLEMS["fees"], phantom_fill),
    ("fee outside", PROBLEMS["fees"], fee_outside),
    ("fee ignored", PROBLEMS["fees"], lambda p: fee_outside(p, times=0)),
    ("averaged κ", ASYMMETRIC, averaged_kappa),
    ("wrong bounds", ONE_UNIT, lambda p: wrong_bounds(p, -1, 1)),
    ("wrong bounds", CASE_A, lambda p: wrong_bounds(p, -10, 10)),
]


@pytest.mark.parametrize(("name", "problem", "mistaken"), MISTAKES)
def test_mistakes_earn_measurably_less_on_the_same_market_orders(
    name: str, problem: ModelParameters, mistaken: Callable[[ModelParameters], DepthPolicy]
) -> None:
    policy = mistaken(problem)
    best = simulate(problem, optimal_policy(problem), paths=20_000, seed=3)
    run = simulate(problem, policy, paths=20_000, seed=3)
    lost, error = best.gain_over(run)
    start = -problem.q_min
    exact = solve(problem).h[start] - policy_value(problem, policy)[start]
    assert run.name == name
    assert lost > 5 * error
    assert abs(lost - exact) < 3 * error


def test_simulated_value_of_case_a_and_what_the_phantom_fill_earns() -> None:
    """400 000 paths elsewhere: 0.205341 ± 7e-5, and 0.19443 for the phantom fill."""
    best = simulate(CASE_A, optimal_policy(CASE_A), paths=PATHS)
    assert best.mean_objective == pytest.approx(
        0.205341, abs=3 * math.hypot(best.standard_error, 7e-5)
    )
    run = simulate(CASE_A, phantom_fill(CASE_A), paths=PATHS)
    assert run.mean_objective == pytest.approx(0.19443, abs=3 * run.standard_error)


def test_cash_is_what_the_fills_pay() -> None:
    """The mid stands still, so each fill earns the half spread and pays the fee."""
    problem = replace(CASE_A, fee=0.002, terminal_cost=0.001)
    policy = fixed_spread(problem, half_spread_bp=1.0, mid=100.0)
    run = simulate(problem, policy, paths=2_000, seed=4, initial_inventory=2)
    fills = run.ask_fills + run.bid_fills
    np.testing.assert_array_equal(run.inventory, 2 + run.bid_fills - run.ask_fills)
    np.testing.assert_array_equal(run.mid, 0.0)
    np.testing.assert_allclose(run.cash, (0.01 - 0.002) * fills, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(run.pnl, run.cash)
    terminal = 1e-4 * run.inventory**2 + 0.001 * np.abs(run.inventory)
    running = run.pnl - terminal - run.objective
    assert running.min() >= -1e-15
    assert running.max() <= 1e-5 * 9 * 30 + 1e-15


def test_fills_are_poisson_where_the_bounds_are_far() -> None:
    problem = replace(ASYMMETRIC, q_min=-300, q_max=300)
    policy = fixed_spread(problem, half_spread_bp=1.0, mid=100.0)
    run = simulate(problem, policy, paths=40_000, seed=5)
    for fills, intensity in (
        (run.ask_fills, 1.2 * math.exp(-100 * 0.01)),
        (run.bid_fills, 0.7 * math.exp(-60 * 0.01)),
    ):
        mean = 60 * intensity
        assert fills.mean() == pytest.approx(mean, abs=3 * math.sqrt(mean / 40_000))
        spread = math.sqrt((mean + 2 * mean**2) / 40_000)  # of a Poisson sample's variance
        assert fills.var() == pytest.approx(mean, abs=3 * spread)


@pytest.mark.parametrize("compensate", [True, False])
def test_mid_has_the_drift_and_the_variance_of_its_jumps(compensate: bool) -> None:
    problem = replace(
        ASYMMETRIC, compensate_drift=compensate, impact_slope_plus=0.8, impact_slope_minus=0.4
    )
    nothing = np.full((1, 7), np.inf)
    policy = DepthPolicy(np.arange(-3, 4), np.zeros(1), nothing, nothing, "nothing")
    run = simulate(problem, policy, paths=40_000, seed=6, initial_inventory=2, sigma=0.003)
    plus = 1.2 * (0.004**2 + (0.8 / 100) ** 2)
    minus = 0.7 * (0.006**2 + (0.4 / 60) ** 2)
    variance = 60 * (plus + minus + 0.003**2)
    drift = 0.0 if compensate else 1.2 * 0.004 - 0.7 * 0.006
    error = math.sqrt(variance / 40_000)
    assert run.mid.mean() == pytest.approx(60 * drift, abs=3 * error)
    assert run.mid.var() == pytest.approx(variance, rel=0.025)
    np.testing.assert_array_equal(run.pnl, 2 * run.mid)
    penalty = 2e-5 * 4 * 60 + 1e-4 * 4
    np.testing.assert_allclose(run.objective, run.pnl - penalty, rtol=0, atol=1e-13)


def test_move_of_the_mid_given_a_fill_grows_with_the_depth() -> None:
    """A first fill at δ is followed by a mid that has moved by ε + bδ on average."""
    problem = ModelParameters(
        lambda_plus=2,
        lambda_minus=1e-9,
        kappa_plus=100,
        kappa_minus=100,
        epsilon_plus=0.004,
        impact_slope_plus=0.8,
        q_min=-1,
        q_max=0,
        compensate_drift=False,
    )
    depth = 0.02
    policy = DepthPolicy(
        np.array([-1, 0]), np.zeros(1), [[np.inf, depth]], [[np.inf, np.inf]], "ask"
    )
    run = simulate(problem, policy, paths=400_000, seconds=0.02, seed=7)
    sold = run.ask_fills == 1
    # Another order in the same session moves the mid too, 0.02 of them on average.
    after = run.mid[sold] - 0.02 * 2 * 0.004
    error = after.std() / math.sqrt(sold.sum())
    assert after.mean() == pytest.approx(0.004 + 0.8 * depth, abs=3 * error + 1e-4)
    np.testing.assert_array_equal(run.ask_fills, -run.inventory)


def test_same_seed_same_sessions_and_another_seed_others() -> None:
    policy = optimal_policy(ASYMMETRIC)
    one, again, other = (
        simulate(ASYMMETRIC, policy, paths=500, seed=seed, sigma=0.001) for seed in (8, 8, 9)
    )
    for name in ("cash", "inventory", "mid", "pnl", "objective", "ask_fills", "bid_fills"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.objective, other.objective)


def test_every_policy_meets_the_same_market_orders() -> None:
    one, other = (
        simulate(ASYMMETRIC, policy, paths=500, seed=10, sigma=0.001)
        for policy in (optimal_policy(ASYMMETRIC), averaged_kappa(ASYMMETRIC))
    )
    np.testing.assert_array_equal(one.mid, other.mid)
    assert not np.array_equal(one.cash, other.cash)
    gain, error = one.gain_over(other)
    difference = one.objective - other.objective
    assert gain == difference.mean()
    assert error == difference.std(ddof=1) / math.sqrt(500)


def test_sessions_on_other_orders_are_not_compared() -> None:
    policy = optimal_policy(CASE_A)
    run = simulate(CASE_A, policy, paths=10)
    for other in (
        simulate(CASE_A, policy, paths=10, seed=1),
        simulate(CASE_A, policy, paths=20),
        simulate(CASE_A, policy, paths=10, seconds=10),
    ):
        with pytest.raises(InputError, match="different market orders"):
            run.gain_over(other)


def test_compiled_loop_is_its_plain_python_twin() -> None:
    problem = PROBLEMS["drift given"]
    policy = optimal_policy(problem, steps=20)
    run = simulate(problem, policy, paths=20, seed=11, sigma=0.002)
    market = kernels.Market(
        arrivals=1.2 + 0.7,
        buy_share=1.2 / 1.9,
        reach=np.array([1 / 100, 1 / 60]),
        move=np.array([0.004, 0.006]),
        slope=np.array([0.0, 0.3]),
        drift=-0.0004 - (1.2 * 0.004 - 0.7 * 0.006),
        sigma=0.002,
        fee=0.0,
        seconds=60.0,
    )
    amounts, counts = np.empty((20, 3)), np.empty((20, 3), dtype=np.int64)
    kernels.run_paths.py_func(
        np.random.Generator(np.random.PCG64(11)),
        market,
        policy.times,
        policy.ask_depth,
        policy.bid_depth,
        -3,
        3,
        amounts,
        counts,
    )
    np.testing.assert_array_equal(run.inventory, counts[:, kernels.INVENTORY])
    np.testing.assert_array_equal(run.ask_fills, counts[:, kernels.ASK_FILLS])
    np.testing.assert_array_equal(run.bid_fills, counts[:, kernels.BID_FILLS])
    np.testing.assert_allclose(run.cash, amounts[:, kernels.CASH], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(run.mid, amounts[:, kernels.MID], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("sides", ["both", "one"])
def test_no_fill_leads_over_the_bounds_of_the_bot(sides: str) -> None:
    bot = replace(ASYMMETRIC, q_min=-1, q_max=2, sides=sides)
    run = simulate(bot, wrong_bounds(bot, -6, 6), paths=2_000)
    assert set(run.inventory.tolist()) <= {-1, 0, 1, 2}
    assert run.inventory.max() == 2 or sides == "one"


def test_a_hundred_thousand_sessions_of_300_seconds_take_below_ten_seconds() -> None:
    """A tenth of them, in processor time, so that a busy machine does not matter."""
    problem = replace(CASE_A, horizon_seconds=300)
    policy = optimal_policy(problem)
    simulate(problem, policy, paths=1)
    start = time.process_time()
    simulate(problem, policy, paths=10_000)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paths": 0}, "paths = 0"),
        ({"seconds": 0.0}, "seconds = 0.0"),
        ({"seconds": math.inf}, "seconds = inf"),
        ({"initial_inventory": 4}, r"initial_inventory = 4 must be within the bounds -3 … 3"),
        ({"sigma": -1.0}, "sigma = -1.0"),
        ({"sigma": math.nan}, "sigma = nan"),
    ],
)
def test_arguments_out_of_range_are_named(changes: dict, message: str) -> None:
    arguments = {"paths": 10} | changes
    with pytest.raises(InputError, match=message):
        simulate(CASE_A, optimal_policy(CASE_A, steps=1), **arguments)


def test_a_market_without_a_close_needs_a_length() -> None:
    endless = replace(CASE_A, horizon_seconds=None)
    with pytest.raises(InputError, match="seconds must be given"):
        simulate(endless, optimal_policy(endless), paths=10)
    assert simulate(endless, optimal_policy(endless), paths=10, seconds=5.0).seconds == 5.0


def test_policies_that_cannot_rest_are_refused() -> None:
    one = replace(CASE_A, sides="one")
    with pytest.raises(InputError, match="quotes both sides at once"):
        simulate(one, optimal_policy(CASE_A, steps=1), paths=10)
    free = replace(CASE_A, fee=-0.03, min_depth=-math.inf)
    with pytest.raises(InputError, match="depths below 0"):
        simulate(free, optimal_policy(free, steps=1), paths=10)
    with pytest.raises(InputError, match="of policy 'wrong bounds'"):
        simulate(CASE_A, wrong_bounds(CASE_A, 1, 3), paths=10)
