"""What it costs that a quote rests while the mid moves.

A quote is decided at depth delta from the mid and rests until the bot looks again. Meanwhile the
mid moves by X towards it, a Brownian motion with volatility sigma, and market orders reach it at
rate lambda exp(-kappa (delta - X)). Fills are thus exp(kappa X) times as frequent where the mid has
come nearer. For a quote of age t, deep enough for X to stay below delta and filled seldom, with
s^2 = sigma^2 t:

- E exp(kappa X) = exp(kappa^2 s^2 / 2): it is filled that many times as often;
- under the measure tilted by exp(kappa X) / E exp(kappa X), X is normal with variance s^2 and mean
  kappa s^2: a fill earns kappa sigma^2 t less than the depth it was decided at.

Together they cost: the best depth grows by kappa sigma^2 t, and the
best income, lambda / kappa exp(-1 - kappa (epsilon + c)), is exp(-kappa^2 sigma^2 t / 2) times that
of an instant maker.

Quotes that the mid reaches are filled for sure and earn no depth, and a quote that is filled is
gone, so that early fills take from late ones. `AgedFills` counts both, from the backward equation
of u(y, t), the probability that a quote y from the mid is filled within t:

    u_t = sigma^2/2 u_yy + lambda exp(-kappa y) (1 - u),    u(0, t) = 1,    u(y, 0) = 0.

The depth earned is the same with the payoff y in place of 1, and 0 at the mid. What is solved for
is w = u exp(kappa y), which is constant in y far from the mid, where the formulas above hold.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, inf, isfinite, log, sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from advanced_mm.errors import InputError
from advanced_mm.model._layout import Float1D
from advanced_mm.model.parameters import ModelParameters

__all__ = [
    "AgedFills",
    "QuoteAge",
    "SideProblem",
    "aged_fills",
    "lost_depth",
    "mean_age",
    "more_fills",
    "oldest_age",
    "problem_of",
]

_GREATEST_VARIANCE: Final = 100.0
"""kappa^2 sigma^2 T beyond which the age is taken to be less: no depth of a quote pays there."""
_STEP: Final = 0.05
_MOST_POINTS: Final = 1500
_TIME_STEPS: Final = 64
_KEPT: Final = 256
_SMALL: Final = 1e-4


def lost_depth(kappa: float, sigma: float, age_s: float) -> float:
    """Return kappa sigma^2 t: what a fill at age t has lost of its depth, quote currency."""
    return kappa * sigma**2 * age_s


def more_fills(kappa: float, sigma: float, age_s: float) -> float:
    """Return exp(kappa^2 sigma^2 t / 2): how many times as often a quote of age t is filled."""
    return exp((kappa * sigma) ** 2 * age_s / 2)


def mean_age(kappa: float, sigma: float, oldest_s: float) -> float:
    """Return the mean age at which quotes are filled that are replaced at ``oldest_s``, seconds.

    At age t they are filled exp(kappa^2 sigma^2 t / 2) times as often as new ones, so that with
    u = kappa^2 sigma^2 T / 2 the mean is T (e^u / (e^u - 1) - 1/u), T/2 for small u: kappa sigma^2
    times it is what their fills have lost of the depth.
    """
    u = (kappa * sigma) ** 2 * oldest_s / 2
    if u < _SMALL:
        return oldest_s * (0.5 + u / 12)
    return oldest_s * (1 / -expm1(-u) - 1 / u)


def oldest_age(kappa: float, sigma: float, mean_s: float) -> float:
    """Return the age at which quotes are replaced whose fills have the mean age ``mean_s``.

    The inverse of `mean_age`, between one and two times the mean.
    """
    from scipy.optimize import brentq  # slow to import, and only refits need it

    if mean_s <= 0:
        return 0.0
    return float(brentq(lambda t: mean_age(kappa, sigma, t) - mean_s, mean_s, 2 * mean_s))


class SideProblem(NamedTuple):
    """One side of the control problem: lambda exp(-kappa delta) (delta - (a + b delta) - c).

    ``intensity`` is lambda, fills per second at depth 0; ``kappa`` per quote currency; ``cost`` a
    and ``slope`` b the move that comes with a fill at delta.
    """

    intensity: float
    kappa: float
    cost: float
    slope: float = 0.0


def problem_of(ask: SideProblem, bid: SideProblem, **others: Any) -> ModelParameters:
    """Return the control problem of two sides; ``others`` are its other parameters."""
    return ModelParameters(
        lambda_plus=ask.intensity,
        lambda_minus=bid.intensity,
        kappa_plus=ask.kappa,
        kappa_minus=bid.kappa,
        epsilon_plus=ask.cost,
        epsilon_minus=bid.cost,
        impact_slope_plus=ask.slope,
        impact_slope_minus=bid.slope,
        **others,
    )


@dataclass(frozen=True)
class AgedFills:
    """Fills of quotes that are decided anew every ``seconds``, against the depth they began with.

    Ages are uniform from 0 to ``seconds``. On the grid of ``depth`` (quote currency, shape (n,)):
    ``factor`` is the rate of fills over lambda exp(-kappa delta); ``earned`` the mean distance from
    the mid at the fill, quote currency; ``by_order`` the share of fills by a market order, the
    others are of quotes that the mid reached.
    """

    intensity: float
    kappa: float
    seconds: float
    depth: Float1D
    factor: Float1D
    earned: Float1D
    by_order: Float1D

    def rate(self, depth: float) -> float:
        """Return fills per second at a depth."""
        return self.intensity * exp(-self.kappa * depth) * self._at(self.factor, depth)

    def decided_at(self, distance: float) -> float:
        """Return the depth decided on whose fills by orders come, on average, at ``distance``.

        At least ``distance``: quotes so near that most are reached by the mid are those it has left
        when an order comes.
        """
        orders = np.where(self.by_order > 0, self.by_order, 1.0)
        at = np.maximum.accumulate(self.earned / orders)
        depth = float(np.interp(distance, at, self.depth)) + max(0.0, distance - float(at[-1]))
        return max(distance, depth)

    def edge(self, depth: float, cost: float, slope: float) -> float:
        """Return what a fill earns before the fee, quote currency.

        A market order that fills at the distance y moves the mid by ``cost`` + ``slope`` y; a mid
        that reaches the quote is not moved by that.
        """
        return self._earned(depth) * (1 - slope) - self._at(self.by_order, depth) * cost

    def effective(self, cost: float, slope: float, depth: float) -> SideProblem:
        """Return the instant maker's problem that is this one near ``depth``.

        It has the same rate of fills and the same edge there, and the same derivatives of both, so
        that a depth that is optimal in one is so in the other.
        """
        if depth >= self.depth[-1]:  # far from the mid, the formulas of small ages hold
            lost = float(self.depth[-1] - self.earned[-1])
            return SideProblem(
                intensity=self.intensity * float(self.factor[-1]),
                kappa=self.kappa,
                cost=float(self.by_order[-1]) * cost + (1 - slope) * lost,
                slope=slope,
            )
        h = float(self.depth[1]) / 2
        low, high = max(depth - h, 0.0), depth + h
        rates = [self.rate(at) for at in (low, depth, high)]
        edges = [self.edge(at, cost, slope) for at in (low, depth, high)]
        kappa = -log(rates[2] / rates[0]) / (high - low)
        steepness = (edges[2] - edges[0]) / (high - low)
        return SideProblem(
            intensity=rates[1] * exp(kappa * depth),
            kappa=kappa,
            cost=depth * steepness - edges[1],
            slope=1 - steepness,
        )

    def best_depth(self, cost: float, slope: float, fee: float) -> float:
        """Return the depth at which rate times edge after the fee is greatest; inf if none pays.

        Not less than an instant maker's: with a rebate, quotes that the mid reaches at once would
        earn it without limit.
        """
        if slope >= 1:
            return inf
        least = max(0.0, 1 / self.kappa + (cost + fee) / (1 - slope))
        far = float(self.depth[-1])
        beyond = least + far - float(self.earned[-1])
        if beyond >= far:
            return beyond
        edges = self.earned * (1 - slope) - self.by_order * cost - fee
        with np.errstate(divide="ignore", invalid="ignore"):
            income = np.where(
                (edges > 0) & (self.depth >= least),
                np.log(edges) + np.log(self.factor) - self.kappa * self.depth,
                -inf,
            )
        best = int(np.argmax(income))
        if not 0 < best < len(income) - 1 or not isfinite(income[best - 1]):
            return max(least, float(self.depth[best]))
        left, here, right = income[best - 1 : best + 2]
        shift = (left - right) / (2 * (left - 2 * here + right))
        return max(least, float(self.depth[best] + shift * self.depth[1]))

    def _at(self, values: Float1D, depth: float) -> float:
        return float(np.interp(depth, self.depth, values))

    def _earned(self, depth: float) -> float:
        beyond = max(0.0, depth - float(self.depth[-1]))
        return self._at(self.earned, depth) + beyond


@dataclass(frozen=True)
class QuoteAge:
    """How old quotes become, and how far the mid moves meanwhile.

    ``seconds`` is the age at which they are replaced, ``sigma`` the volatility of the mid (quote
    currency per square root of a second). Where either is 0 every problem is the instant maker's.
    """

    seconds: float = 0.0
    sigma: float = 0.0

    def fills(self, side: SideProblem) -> AgedFills | None:
        """Return the fills of quotes of this age; None if they are the instant maker's."""
        if not (self.seconds > 0 and self.sigma > 0):
            return None
        return aged_fills(side.intensity, side.kappa, self.sigma, self.seconds)

    def effective(
        self, side: SideProblem, fee: float, least_depth: float = 0.0, most_depth: float = inf
    ) -> SideProblem:
        """Return the instant maker's problem with the same rate, edge and best depth.

        They are equal near the depth that is best without inventory, or the bound nearest to it.
        A side that no depth pays for is returned as it is.
        """
        fills = self.fills(side)
        if fills is None or side.slope >= 1:
            return side
        best = fills.best_depth(side.cost, side.slope, fee)
        return fills.effective(side.cost, side.slope, min(max(best, least_depth), most_depth))

    def cost(self, side: SideProblem, fee: float) -> float:
        """Return how much less a fill at the best depth earns than one of an instant maker there.

        About kappa sigma^2 t, t the mean age; 0 for a side that no depth pays for.
        """
        fills = self.fills(side)
        if fills is None or side.slope >= 1:
            return 0.0
        best = fills.best_depth(side.cost, side.slope, fee)
        return QuoteAge().edge(side, best) - self.edge(side, best)

    def edge(self, side: SideProblem, depth: float) -> float:
        """Return what a fill of a quote decided at ``depth`` earns before the fee."""
        fills = self.fills(side)
        if fills is None:
            return depth - (side.cost + side.slope * depth)
        return fills.edge(depth, side.cost, side.slope)


@lru_cache(maxsize=_KEPT)
def aged_fills(intensity: float, kappa: float, sigma: float, seconds: float) -> AgedFills:
    """Solve the backward equation of quotes that are decided anew every ``seconds``.

    Parameters
    ----------
    intensity, kappa
        Market orders that reach y: ``intensity`` exp(-``kappa`` y), per second.
    sigma
        Volatility of the mid, quote currency per square root of a second, > 0.
    seconds
        Age at which a quote is replaced, > 0. Where the mid moves by more than ten mean reaches
        (1/kappa) within it, it is taken to be the age at which it moves by ten.

    Raises
    ------
    InputError
        An argument is not a finite number above 0.
    """
    from advanced_mm.model._age_kernels import advance  # numba: 60 MB few processes need

    given = {"intensity": intensity, "kappa": kappa, "sigma": sigma, "seconds": seconds}
    for name, value in given.items():
        if not 0 < value < inf:
            raise InputError(f"{name} = {value!r} must be a finite number above 0.")
    seconds = min(seconds, _GREATEST_VARIANCE / (kappa * sigma) ** 2)
    variance, orders = (kappa * sigma) ** 2 * seconds, intensity * seconds
    length = max(12.0, 2 * variance + 8 * sqrt(variance) + 4)
    points = min(_MOST_POINTS, round(length / _STEP) + 1)
    z = np.linspace(0.0, length, points)
    payoff = orders * np.stack((np.ones(points), np.ones(points), z))
    filled, by_order, earned = advance(
        orders * np.exp(-z), payoff, np.array([1.0, 0.0, 0.0]), float(z[1]), variance, _TIME_STEPS
    )
    return AgedFills(
        intensity=intensity,
        kappa=kappa,
        seconds=seconds,
        depth=z / kappa,
        factor=filled / orders,
        earned=earned / filled / kappa,
        by_order=by_order / filled,
    )
