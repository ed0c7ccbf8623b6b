"""Formulas for ergodic problems in which each inventory can only change in one direction.

Inverting F in the balance γ = source + F(gain) of such an inventory gives its gain.
"""

import math
from typing import NamedTuple

import numpy as np

from advanced_mm.model._layout import INTENSITY
from advanced_mm.model.scaled import ScaledProblem, Solution

__all__ = ["CLOSED_FORM", "solve_one_order", "solve_run_off"]

CLOSED_FORM = "closed form"

_NOTHING = 1e-12  # relative to the largest source: smaller differences are rounding errors
_MOST_STEPS, _STEP = 200, 1e-15  # limits of the search for a gain


class _Side(NamedTuple):
    """One row of ``ScaledProblem.sides``, as plain numbers."""

    intensity: float
    cost: float
    kept: float
    floor_depth: float
    steepness: float
    unit_worth: float
    floor_rate: float

    def worth(self, gain: float) -> float:
        """Return F(gain)."""
        net = gain - self.cost
        at_floor = self.floor_depth * self.kept + net
        if at_floor * self.steepness > 1.0:
            return self.floor_rate * at_floor
        return self.intensity * self.unit_worth * math.exp(net * self.steepness - 1.0)

    def fills(self, gain: float) -> float:
        """Return F′(gain), the fill intensity."""
        net = gain - self.cost
        if (self.floor_depth * self.kept + net) * self.steepness > 1.0:
            return self.floor_rate
        return self.intensity * math.exp(net * self.steepness - 1.0)

    def gain(self, worth: float) -> float:
        """Invert F; return minus infinity for a worth of 0."""
        if not worth > 0.0:
            return -math.inf
        if worth > self.floor_rate * self.unit_worth:
            at_floor = worth / self.floor_rate if self.floor_rate > 0.0 else math.inf
            return at_floor - self.floor_depth * self.kept + self.cost
        fills = worth / self.unit_worth / self.intensity
        return self.unit_worth * (1.0 + math.log(fills)) + self.cost


def solve_one_order(problem: ScaledProblem) -> Solution | None:
    """Solve one order at a time with both sides: inventory ends up alternating between neighbours.

    A pair (m, m + 1) earns γₘ, the solution of source(m) + F⁻(Δ) = γₘ = source(m + 1) + F⁺(−Δ),
    and γ is that of the best pair. Below the pair the bid rests and above it the ask, with the
    gains that earn γ; the other side is worth less there, because its pair earns less.

    The best pair encloses the maximum μ/2φ of the source: γₘ is the pair's mean source plus a
    convex function, of slope within ±1, of half their difference, so it decreases as the pair moves
    away from the maximum.

    Returns None if fills are too rare for floating point.
    """
    source = problem.source.tolist()
    ask, bid = (_Side(*row) for row in problem.sides.tolist())
    n, top = len(source), int(np.argmax(problem.source))
    pairs = []
    for m in range(max(top - 1, 0), min(top + 1, n - 1)):
        gain = _balanced_gain(ask, bid, source[m + 1] - source[m])
        if gain is None:
            return None
        pairs.append((source[m] + bid.worth(gain), m, gain))
    income, m, gain = max(pairs)
    below = [-bid.gain(income - x) for x in source[:m]]
    above = [ask.gain(income - x) for x in source[m + 2 :]]
    return _checked(Solution(np.array([0.0, *below, -gain, *above, 0.0]), 0.0, CLOSED_FORM))


def solve_run_off(problem: ScaledProblem) -> Solution | None:
    """Solve with a withdrawn side: inventory moves in one direction and rests where it costs least.

    An inventory without a reachable one of larger source is kept forever: a fill would cost income
    indefinitely, and over a horizon T its depth grows like T, so no side is quoted there. From the
    others, inventory moves to the best reachable one, at the gains whose F compensates the
    difference in source. The long-run income depends on the start; h is 0 at each resting
    inventory, or shifted with its neighbours to be 0 at the reference.

    Returns None if a fill neither gains nor costs income (φ = μ = 0, or a maximum of the source
    halfway between two inventories): its depth grows with the logarithm of the horizon.
    """
    n = problem.q.size
    gaps, withdrawn = np.zeros(n + 1), np.ones((2, n), dtype=np.bool_)
    working = np.flatnonzero(problem.sides[:, INTENSITY] > 0.0)
    if working.size == 0:
        return Solution(gaps, 0.0, CLOSED_FORM, withdrawn)
    index = int(working[0])
    onward = 1 if index == 0 else -1  # fills lead towards the first of these inventories
    source = problem.source[::onward]
    forgone = np.maximum.accumulate(source)[:-1] - source[1:]  # income lost by staying
    if (np.abs(forgone) <= _NOTHING * np.abs(source).max()).any():
        return None
    side = _Side(*problem.sides[index].tolist())
    gains = np.array([side.gain(x) if x > 0.0 else 0.0 for x in forgone.tolist()])
    gaps[1:-1] = onward * gains[::onward]
    withdrawn[index, ::onward][1:] = forgone <= 0.0
    return _checked(Solution(gaps, 0.0, CLOSED_FORM, withdrawn))


def _checked(solution: Solution) -> Solution | None:
    return solution if np.isfinite(solution.gaps).all() else None


def _balanced_gain(ask: _Side, bid: _Side, difference: float) -> float | None:
    """Solve F⁻(Δ) = difference + F⁺(−Δ) for the bid's gain Δ; None if fills underflow.

    Uses Newton steps, or bisection where one would leave the bracket.
    """
    if difference < 0.0:
        mirrored = _balanced_gain(bid, ask, -difference)
        return None if mirrored is None else -mirrored

    def answer(gain: float) -> float:
        """Return the bid's gain that balances the ask's worth at −gain; decreasing in the gain."""
        return bid.gain(difference + ask.worth(-gain))

    other = answer(0.0)
    if not math.isfinite(other):
        return None
    if other == 0.0:
        return 0.0
    low, high = sorted((0.0, other))
    gain = 0.5 * (low + high)
    for _ in range(_MOST_STEPS):
        reply = answer(gain)
        if reply < gain:
            high = gain
        else:
            low = gain
        fills = bid.fills(reply)
        slope = 1.0 + ask.fills(-gain) / fills if fills > 0.0 else math.nan
        last, gain = gain, gain + (reply - gain) / slope
        if not low <= gain <= high:
            gain = 0.5 * (low + high)
        if abs(gain - last) <= _STEP * (1.0 + abs(gain)):
            break
    return gain
