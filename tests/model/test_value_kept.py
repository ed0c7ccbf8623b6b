"""What a quote off its best depth is worth: against the exact income, and with bounds."""

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.model import ModelParameters, QuoteAge, SideProblem, from_best, kept, solve

KAPPA, COST, SLOPE, GAIN = 3.0, 0.3, 0.25, 0.05
BEST = 1 / KAPPA + (COST - GAIN) / (1 - SLOPE)


def income(depth: float) -> float:
    return exp(-KAPPA * depth) * (depth - COST - SLOPE * depth + GAIN)


@given(st.floats(-1.2, 4.0))
def test_off_the_best_depth_it_keeps_what_the_income_says(reaches):
    exact = income(BEST + reaches / KAPPA) / income(BEST)
    assert kept(reaches, 0.0) == pytest.approx(exact, rel=1e-9, abs=1e-12)
    assert kept(reaches, 0.0) == pytest.approx((1 + reaches) * exp(-reaches))


@given(st.floats(0.01, 3.0), st.floats(0.0, 3.0))
def test_deeper_than_a_bound_it_loses_from_what_the_bound_leaves(beyond, reaches):
    at = BEST + beyond / KAPPA
    exact = income(at + reaches / KAPPA) / income(at)
    assert kept(reaches, from_best(at, KAPPA, COST, SLOPE, GAIN)) == pytest.approx(exact)


@given(st.floats(-3.0, 3.0), st.floats(0.01, 1.0))
def test_what_is_beyond_a_bound_is_worth_less_than_what_is_at_it(bound, over):
    """On the side of the bound that would be better without it."""
    assert kept(-over if bound > 0 else over, bound) < 1


@pytest.mark.parametrize(("reaches", "tolerance"), [(0.355, 0.05), (-0.287, 0.05), (0.148, 0.01)])
def test_tolerances_in_mean_reaches(reaches, tolerance):
    assert 1 - kept(reaches, 0.0) == pytest.approx(tolerance, rel=0.01)


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("fee", [-0.05, 0.2])
def test_an_unbounded_solution_is_at_its_best(slope, fee):
    p = ModelParameters(
        lambda_plus=0.4, lambda_minus=0.6, kappa_plus=2.0, kappa_minus=3.0,
        epsilon_plus=0.1, epsilon_minus=0.2, impact_slope_plus=slope, impact_slope_minus=slope,
        phi=0.01, alpha=0.0, fee=fee, q_min=0, q_max=1, min_depth=0.0,
    )  # fmt: skip
    solved = solve(p)
    gain = float(solved.h[1] - solved.h[0])
    entry, offer = float(solved.bid_depth[0]), float(solved.ask_depth[1])
    assert from_best(entry, 3.0, 0.2 + fee, slope, gain) == pytest.approx(0.0, abs=1e-6)
    assert from_best(offer, 2.0, 0.1 + fee, slope, -gain) == pytest.approx(0.0, abs=1e-6)


def test_of_quotes_that_grow_old_it_is_the_effective_kappa_that_counts():
    """Their income over the best, near the best depth, from the aged fills themselves."""
    side, fee = SideProblem(0.5, 2.0, 0.2), 0.1
    age = QuoteAge(1.0, 0.3)
    fills = age.fills(side)
    best = fills.best_depth(side.cost, side.slope, fee)
    there = age.effective(side, fee)

    def aged(depth):
        return fills.rate(depth) * (fills.edge(depth, side.cost, side.slope) - fee)

    for off in (-0.1, -0.05, 0.05, 0.1):
        reaches = there.kappa * off
        lost = 1 - aged(best + off) / aged(best)
        # third-order terms differ
        assert 1 - kept(reaches, 0.0) == pytest.approx(lost, rel=0.3, abs=1e-4)


def test_fills_of_kept_quotes_lose_depth_for_the_time_since_the_look_that_kept_them():
    """Quotes with kappa = 1 that are looked at every 0.2 s and replaced once 5% of value is lost.

    Their offsets cost nothing on average, so that the age which tells the loss, sigma^2 times it,
    counts from the last look; counted from the decision, it would be more than thrice as much.
    """
    rng = np.random.default_rng(1)
    sigma, step_s, steps, quotes = 0.5, 0.04, 5, 2000
    nearer, decided = np.zeros(quotes), np.zeros(quotes)
    fills = lost = since_look = since_decision = 0.0
    for look in range(600):
        for number in range(1, steps + 1):
            nearer += sigma * np.sqrt(step_s) * rng.normal(size=quotes)
            if look >= 100:
                filled = np.exp(nearer)
                fills += filled.sum()
                lost += (filled * nearer).sum()
                since_look += number * step_s * filled.sum()
                since_decision += (filled * (decided + number * step_s)).sum()
        decided += steps * step_s
        gone = (1 - nearer) * np.exp(nearer) < 0.95  # `kept` of a quote that much too near
        nearer[gone] = decided[gone] = 0.0
    assert kept(-0.3, 0.0) == pytest.approx(0.7 * np.exp(0.3))
    assert lost / fills == pytest.approx(sigma**2 * since_look / fills, abs=0.006)
    assert sigma**2 * since_decision / fills > 3 * lost / fills
