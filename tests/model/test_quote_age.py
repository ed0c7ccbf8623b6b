"""Quotes that rest while the mid moves: the limits, simulations, and the best depth at looks.

- small moves: kappa sigma^2 t, and exp(kappa^2 sigma^2 t / 2) times the fills;
- the mean age of fills against those formulas' integral, and back;
- rate, edge and share of orders against a simulation that knows none of the formulas;
- the effective problem has the optimum of the true one, found by brute force, and its income;
- a maker that looks every so often earns what the problem promises, and more than one that
  ignores its age;
- no age or no volatility changes nothing; more of it is never worth more.
"""

from math import exp, inf, log

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.model import (
    ModelParameters,
    QuoteAge,
    SideProblem,
    lost_depth,
    mean_age,
    more_fills,
    oldest_age,
    solve,
)
from advanced_mm.model.quote_age import aged_fills

MARKETS = {
    "as ETH": (SideProblem(0.25, 2.65, 0.30), 0.4, 1.0, 0.0),
    "lively": (SideProblem(1.0, 2.0, 0.18), 1.0, 1.0, 0.45),
    "old": (SideProblem(0.25, 2.65, 0.30), 0.4, 5.0, 0.45),
    "sloped": (SideProblem(0.5, 2.0, 0.10, 0.4), 0.5, 2.0, 0.2),
    "rebate": (SideProblem(2.0, 4.0, 0.05), 0.2, 0.5, -0.03),
}


def two_sided(side, fee=0.0, **others):
    return ModelParameters(
        lambda_plus=side.intensity,
        lambda_minus=side.intensity,
        kappa_plus=side.kappa,
        kappa_minus=side.kappa,
        epsilon_plus=side.cost,
        epsilon_minus=side.cost,
        impact_slope_plus=side.slope,
        impact_slope_minus=side.slope,
        fee=fee,
        q_min=0,
        q_max=1,
        **others,
    )


def test_a_seldom_filled_deep_quote_follows_the_formulas():
    """Ages uniform from 0 to T: the means of the two formulas over them."""
    kappa, sigma, seconds = 2.0, 0.3, 1.0
    fills = aged_fills(1e-4, kappa, sigma, seconds)
    ages = np.linspace(0, seconds, 2001)
    more = np.array([more_fills(kappa, sigma, t) for t in ages])
    lost = np.array([lost_depth(kappa, sigma, t) for t in ages])
    depth = 4.0
    factor = fills.rate(depth) / (1e-4 * exp(-kappa * depth))
    assert factor == pytest.approx(np.mean(more), rel=1e-4)
    edge = fills.edge(depth, 0.0, 0.0)
    assert depth - edge == pytest.approx((more * lost).mean() / more.mean(), rel=2e-3)
    assert more_fills(kappa, sigma, 0.0) == 1 and lost_depth(kappa, sigma, 0.0) == 0


@pytest.mark.parametrize("age", [1e-3, 1e-2])
def test_a_young_quotes_fill_loses_kappa_sigma_squared_t(age):
    """The mean age is half the greatest."""
    side, sigma = SideProblem(0.3, 2.5, 0.2), 0.4
    aged = QuoteAge(age, sigma).effective(side, 0.45)
    expected = lost_depth(side.kappa, sigma, age / 2)
    depth = 1 / 2.5 + 0.2 + 0.45
    cost = aged.cost + aged.slope * depth - side.cost
    # Of a depth away from the best, the rest of what a quote lives through is of second order.
    assert cost == pytest.approx(expected, rel=0.05)
    rate = aged.intensity * exp(-aged.kappa * depth) / (0.3 * exp(-2.5 * depth))
    assert log(rate) == pytest.approx((2.5 * sigma) ** 2 * age / 4, rel=0.1, abs=2e-5)


@pytest.mark.parametrize("name", MARKETS)
def test_rate_and_edge_are_those_of_a_simulation(name):
    side, sigma, seconds, fee = MARKETS[name]
    fills = aged_fills(side.intensity, side.kappa, sigma, seconds)
    depth = fills.best_depth(side.cost, side.slope, fee) * 0.8
    filled, by_order, earned = simulated(side, sigma, seconds, depth, paths=150_000)
    n = filled.sum()
    assert fills.rate(depth) * seconds == pytest.approx(
        filled.mean(), abs=4 * np.sqrt(filled.mean() / len(filled)) + 0.01 * filled.mean()
    )
    edges = (earned * (1 - side.slope) - side.cost * by_order)[filled]
    error = edges.std() / np.sqrt(n)
    assert fills.edge(depth, side.cost, side.slope) == pytest.approx(
        edges.mean(), abs=4 * error + 0.005 / side.kappa
    )


def simulated(side, sigma, seconds, depth, paths, steps=100, seed=1):
    """Return whether each quote was filled, whether by an order, and at which distance.

    A step's crossing of the mid is decided by the Brownian bridge between its ends.
    """
    random = np.random.default_rng(seed)
    dt = seconds / steps
    y = np.full(paths, depth)
    filled, by_order, earned = np.zeros(paths, bool), np.zeros(paths, bool), np.zeros(paths)
    for _ in range(steps):
        live = np.flatnonzero(~filled)
        old, new = y[live], y[live] + sigma * np.sqrt(dt) * random.standard_normal(len(live))
        bridge = np.exp(np.minimum(-2 * old * new / (sigma**2 * dt), 0.0))
        reached = (new <= 0) | (random.random(len(live)) < bridge)
        where = np.maximum(0.5 * (old + new), 0.0)
        chance = side.intensity * np.exp(-side.kappa * where) * dt
        order = (random.random(len(live)) < chance) & ~(reached & (random.random(len(live)) < 0.5))
        y[live] = new
        done = order | reached
        filled[live[done]] = True
        by_order[live[order]] = True
        earned[live[order]] = where[order]
    return filled, by_order, earned


@pytest.mark.parametrize("name", MARKETS)
def test_the_effective_problem_has_the_optimum_of_the_true_one(name):
    """Against all depths: a unit is bought and sold at exact rates and edges."""
    side, sigma, seconds, fee = MARKETS[name]
    aged = QuoteAge(seconds, sigma)
    solution = solve(two_sided(aged.effective(side, fee), fee))
    fills = aged.fills(side)
    depths = np.linspace(0.02, 12, 2000) / side.kappa
    rates = np.array([fills.rate(d) for d in depths])
    edges = np.array([fills.edge(d, side.cost, side.slope) - fee for d in depths])
    best = (rates * edges).max()  # both sides at the same depth, half of the time each
    assert solution.value_rate == pytest.approx(best, rel=2e-3)
    chosen = float(solution.bid_depth[0])
    assert chosen == pytest.approx(float(depths[np.argmax(rates * edges)]), abs=0.02 / side.kappa)


def test_a_maker_that_looks_earns_what_the_problem_promises():
    """On {0, 1}, a quote at each look: with its age in the price it earns more than without."""
    side, sigma, seconds, fee = MARKETS["lively"]
    aged = solve(two_sided(QuoteAge(seconds, sigma).effective(side, fee), fee))
    naive = solve(two_sided(side, fee))
    income, error = looking(side, sigma, seconds, fee, float(aged.bid_depth[0]))
    assert income == pytest.approx(aged.value_rate, abs=4 * error)
    assert income > 5 * error
    without, its_error = looking(side, sigma, seconds, fee, float(naive.bid_depth[0]))
    assert without < income - 4 * (error + its_error)
    assert naive.value_rate > income  # an instant maker's promise


def looking(side, sigma, look, fee, depth, makers=4000, looks=100, seed=5):
    """Income per second of makers that quote ``depth`` at each look, and its standard error."""
    filled, by_order, earned = simulated(side, sigma, look, depth, makers * looks, 50, seed)
    gain = np.where(filled, earned * (1 - side.slope) - side.cost * by_order - fee, 0.0)
    # Both sides are alike and the mid has no drift: every fill earns its edge, whatever is held.
    money = gain.reshape(makers, looks).sum(axis=1) / (looks * look)
    return money.mean(), money.std() / np.sqrt(makers)


@pytest.mark.parametrize(
    ("kappa", "sigma", "oldest"),
    [(2.0, 0.5, 1.2), (2.0, 3.0, 5.0), (1e-3, 0.1, 2.0), (2.0, 0.0, 1)],
)
def test_the_mean_age_of_fills_tells_at_which_age_quotes_are_replaced(kappa, sigma, oldest):
    ages = np.linspace(0, oldest, 20001)
    more = np.exp((kappa * sigma) ** 2 / 2 * (ages - oldest))
    mean = mean_age(kappa, sigma, oldest)
    assert mean == pytest.approx(np.average(ages, weights=more), rel=1e-3)
    assert oldest / 2 <= mean < oldest
    assert oldest_age(kappa, sigma, mean) == pytest.approx(oldest, rel=1e-6)
    assert oldest_age(kappa, sigma, 0.0) == 0


@pytest.mark.parametrize("age", [QuoteAge(0.0, 0.4), QuoteAge(2.0, 0.0), QuoteAge()])
def test_no_age_or_no_volatility_changes_nothing(age):
    side = SideProblem(0.3, 2.5, 0.2, 0.1)
    assert age.effective(side, 0.45) == side
    assert age.edge(side, 1.3) == pytest.approx(1.3 * 0.9 - 0.2, abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_a_greater_age_or_volatility_is_never_worth_more(seed):
    random = np.random.default_rng(seed)
    side = SideProblem(10 ** random.uniform(-2, 1), 10 ** random.uniform(-1, 2), 0.0)
    side = side._replace(cost=random.uniform(0, 2) / side.kappa, slope=random.uniform(-0.2, 0.6))
    fee, sigma = random.uniform(-0.2, 2) / side.kappa, 10 ** random.uniform(-1, 0.3) / side.kappa
    values = [
        solve(two_sided(QuoteAge(age, sigma).effective(side, fee), fee)).value_rate
        for age in (0.0, 0.01, 0.1, 0.3, 1.0, 2.0, 5.0, 15.0)
    ]
    assert np.all(np.diff(values) <= 1e-4 * values[0])
    assert values[-1] < 0.98 * values[0] and values[-1] > 0


def test_a_bound_on_the_depth_is_where_the_problems_agree():
    side, sigma, seconds, fee = MARKETS["as ETH"]
    age = QuoteAge(seconds, sigma)
    deep = age.effective(side, fee, least_depth=4.0)
    fills = age.fills(side)
    assert deep.intensity * exp(-deep.kappa * 4.0) == pytest.approx(fills.rate(4.0))
    assert 4.0 - deep.cost - deep.slope * 4.0 == pytest.approx(fills.edge(4.0, side.cost, 0.0))
    far = age.effective(side, fee, least_depth=1e4)
    assert np.isfinite(far).all() and far.kappa == side.kappa


@pytest.mark.parametrize("name", MARKETS)
def test_a_depth_is_decided_on_so_that_orders_come_at_a_distance(name):
    side, sigma, seconds, _ = MARKETS[name]
    fills = aged_fills(side.intensity, side.kappa, sigma, seconds)
    assert fills.decided_at(0.01 / side.kappa) >= 0.01 / side.kappa
    for distance in (1.5 / side.kappa, 3 / side.kappa, 50 / side.kappa):
        depth = fills.decided_at(distance)
        assert depth > distance
        # With no cost and the slope of a single order, what is left is the share of orders.
        share = -fills.edge(depth, 1.0, 1.0)
        assert fills.edge(depth, 0.0, 0.0) / share == pytest.approx(distance, rel=0.02)


def test_a_side_that_no_depth_pays_for_stays_as_it_is():
    side = SideProblem(0.3, 2.5, 0.2, 1.0)
    assert QuoteAge(1.0, 0.4).effective(side, 0.45) == side
    assert aged_fills(0.3, 2.5, 0.4, 1.0).best_depth(0.2, 1.0, 0.45) == inf


def test_extremes_stay_finite():
    for sigma, seconds in ((100.0, 600.0), (1e-6, 1e-6), (1e-3, 600.0)):
        found = QuoteAge(seconds, sigma).effective(SideProblem(20.0, 1.0, 0.5), 0.4)
        assert np.isfinite(found).all() and found.kappa > 0


@pytest.mark.parametrize("name", ["intensity", "kappa", "sigma", "seconds"])
def test_bad_arguments_are_named(name):
    given = {"intensity": 1.0, "kappa": 1.0, "sigma": 1.0, "seconds": 1.0, name: -1.0}
    with pytest.raises(InputError, match=f"{name} = -1.0"):
        aged_fills(**given)
