"""What a filled quote pays: the mid's move after an order that walked beyond the touch.

The orders that reach a resting quote are not the average order: they move the mid further, and the
more so the deeper they reach. ``epsilon_fill`` is their mean move; its growth with depth, a + b
delta, decides whether any depth pays at all (b >= 1: none does).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.bootstrap import BlockBootstrap, BlockDraws, percentile_interval
from advanced_mm.calibration.estimate import Estimate, Sides, insufficient, settle_pair
from advanced_mm.calibration.window import MarketOrders, Window
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["DepthProfile", "FillImpactEstimator", "FillImpactFit", "weighted_line"]

Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class DepthProfile:
    """Mean move (quote currency) over orders that reached beyond each depth, one side.

    ``depth``, ``mean_move`` and ``count`` have shape (k,), for depths with enough orders;
    ``intercept`` a (quote currency) and ``slope`` b (a pure number) are of the weighted line.
    """

    depth: Float1D
    mean_move: Float1D
    count: Int1D
    intercept: Estimate
    slope: Estimate

    @property
    def no_depth_pays(self) -> bool:
        """Whether the slope's lower 95% bound is 1 or more, so that the side is withdrawn."""
        return self.slope.usable and self.slope.low >= 1.0


@dataclass(frozen=True)
class FillImpactFit:
    """Jumps given a fill: each side's own, what may be published, and the growth with depth."""

    epsilon_fill: Sides[Estimate]
    raw: Sides[Estimate]
    profile: Sides[DepthProfile]


@dataclass(frozen=True)
class _Moves:
    """Orders of one side whose move over the horizon is known, all inside one stretch each."""

    time_ms: Int1D
    walk: Float1D
    reach: Int1D
    move: Float1D
    half_spread: float


@dataclass(frozen=True)
class FillImpactEstimator:
    """Mean of s (mid(t + horizon) - pre-trade mid) over orders that walked at least one tick.

    The mid is the last one at or before t + ``horizon_ms``; an order counts when that instant lies
    in its own covered stretch. Standard errors and intervals are from the block bootstrap. A side
    needs ``min_fills`` of its own, a bound ``min_fills`` on both sides.

    The profile takes every depth of the half-tick lattice beyond the mean half-spread that at least
    ``min_fills`` orders reached beyond, and lays a line through the means, weighted by count. The
    points share orders, so its errors come from the bootstrap too, never from its residuals.
    """

    horizon_ms: int = 1000
    min_fills: int = 30
    max_bp: float = 20.0
    bootstrap: BlockBootstrap = field(default_factory=BlockBootstrap)

    def fit(self, window: Window) -> FillImpactFit:
        """Return the moves given a fill on the ask (+) and on the bid (-)."""
        draws = self.bootstrap.draw(window.stretches)
        plus, minus = self._moves(window, 1), self._moves(window, -1)
        raw = Sides(self._mean(plus, draws), self._mean(minus, draws))
        settled = settle_pair(raw, min_n=self.min_fills, min_n_bound=self.min_fills)
        limit = self.max_bp * 1e-4 * window.path.last
        profile = Sides(
            self._profile(plus, window.tick, draws), self._profile(minus, window.tick, draws)
        )
        return FillImpactFit(Sides(*(self._believed(e, limit) for e in settled)), raw, profile)

    def _moves(self, window: Window, side: int) -> _Moves:
        orders: MarketOrders = window.orders.of_side(side).with_quote()
        later = orders.time_ms + self.horizon_ms
        move = side * (window.path.at(later) - orders.mid)
        known = (window.stretches.index(later) == orders.stretch) & np.isfinite(move)
        half_spread = float(orders.half_spread.mean()) if len(orders) else np.nan
        return _Moves(
            orders.time_ms[known], orders.walk[known], orders.reach[known], move[known], half_spread
        )

    def _mean(self, moves: _Moves, draws: BlockDraws) -> Estimate:
        walked = moves.reach >= 1
        n = int(walked.sum())
        if n == 0:
            return insufficient(0, "no order beyond the touch")
        value = float(moves.move[walked].mean())
        columns = np.column_stack((moves.move, np.ones(len(moves.move)))) * walked[:, None]
        sums = draws.sums(moves.time_ms, columns)
        return Estimate(value, *percentile_interval(_ratio(sums[:, 0], sums[:, 1])), n)

    def _profile(self, moves: _Moves, tick: float, draws: BlockDraws) -> DepthProfile:
        depth = self._depths(moves, tick)
        beyond = moves.walk[:, None] > depth + 1e-6 * tick
        count = beyond.sum(axis=0)
        if len(depth) < 3:
            absent = insufficient(len(depth), f"{len(depth)} depths with enough orders, 3 needed")
            means = _ratio(moves.move @ beyond, count)
            return DepthProfile(depth, means, count, absent, absent)
        k = len(depth)
        sums = draws.sums(moves.time_ms, np.hstack((beyond * moves.move[:, None], beyond)))
        drawn = weighted_line(depth, _ratio(sums[:, :k], sums[:, k:], 0.0), sums[:, k:])
        means = moves.move @ beyond / count
        line = weighted_line(depth, means[None, :], count[None, :].astype(np.float64))
        intercept, slope = (
            Estimate(float(value[0]), *percentile_interval(sample), k)
            for value, sample in zip(line, drawn, strict=True)
        )
        return DepthProfile(depth, means, count, intercept, slope)

    def _depths(self, moves: _Moves, tick: float) -> Float1D:
        """Return the half-tick depths beyond the mean half-spread reached by enough orders."""
        if len(moves.walk) < self.min_fills:
            return np.empty(0)
        deepest = float(np.sort(moves.walk)[-self.min_fills])
        first = np.floor(moves.half_spread / tick - 0.5 + 1e-6) + 1.5
        depth = tick * np.arange(first, max(deepest / tick, first) + 1.0)
        return np.asarray(depth[depth + 1e-6 * tick < deepest])

    def _believed(self, estimate: Estimate, limit: float) -> Estimate:
        if np.isfinite(limit) and abs(estimate.value) >= limit:
            reason = f"{estimate.value:.4g} is more than {self.max_bp:g} bp of the mid"
            return estimate.rejected(reason)
        return estimate


def weighted_line(x: Float1D, y: Float2D, weight: Float2D) -> tuple[Float1D, Float1D]:
    """Return intercept and slope of a weighted least-squares line for each row of ``y``.

    Parameters
    ----------
    x
        Shape (k,).
    y, weight
        Shape (rows, k); a point of weight 0 does not count.

    Returns
    -------
    intercept, slope
        Shape (rows,), NaN where fewer than two points count.
    """
    total = weight.sum(axis=1)
    x_mean, y_mean = _ratio(weight @ x, total), _ratio((weight * y).sum(axis=1), total)
    dx = x - x_mean[:, None]
    slope = _ratio((weight * dx * y).sum(axis=1), (weight * dx**2).sum(axis=1))
    return y_mean - slope * x_mean, slope


def _ratio(top: NDArray[np.float64], bottom: NDArray[Any], empty: float = np.nan) -> Float2D:
    """Divide, with ``empty`` where there is nothing to divide by."""
    out = np.full(np.shape(top), empty)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out
