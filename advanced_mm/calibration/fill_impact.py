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

__all__ = ["DepthProfile", "FillImpactEstimator", "FillImpactFit", "line_from_sums"]

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
    """Orders of one side whose move over the horizon is known; means over all with a quote."""

    time_ms: Int1D
    walk: Float1D
    reach: Int1D
    move: Float1D
    half_spread: float
    mid: float


@dataclass(frozen=True)
class FillImpactEstimator:
    """Mean of s (mid(t + horizon) - pre-trade mid) over orders that walked at least one tick.

    The mid is the last one at or before t + ``horizon_ms``; an order counts when that instant lies
    in its own covered stretch. Standard errors and intervals are from the block bootstrap. A side
    needs ``min_fills`` of its own, a bound ``min_fills`` on both sides.

    The profile takes every depth of the half-tick lattice beyond the mean half-spread, up to
    ``max_depth_bp`` of the mid, that at least ``min_fills`` orders reached beyond, and lays a line
    through the means, weighted by count. The points share orders, so its errors come from the
    bootstrap too, never from its residuals.
    """

    horizon_ms: int = 1000
    min_fills: int = 30
    max_bp: float = 20.0
    max_depth_bp: float = 10.0
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
        some = len(orders) > 0
        return _Moves(
            time_ms=orders.time_ms[known],
            walk=orders.walk[known],
            reach=orders.reach[known],
            move=move[known],
            half_spread=float(orders.half_spread.mean()) if some else np.nan,
            mid=float(orders.mid.mean()) if some else np.nan,
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
        # The line needs five sums over depths; each order adds its own part to them.
        centre = float(depth.mean())
        powers = (depth - centre) ** np.arange(3)[:, None]
        by_power = beyond @ powers.T
        columns = np.hstack((by_power, by_power[:, :2] * moves.move[:, None]))
        drawn = line_from_sums(draws.sums(moves.time_ms, columns), centre)
        line = line_from_sums(columns.sum(axis=0, keepdims=True), centre)
        intercept, slope = (
            Estimate(float(value[0]), *percentile_interval(sample), len(depth))
            for value, sample in zip(line, drawn, strict=True)
        )
        return DepthProfile(depth, moves.move @ beyond / count, count, intercept, slope)

    def _depths(self, moves: _Moves, tick: float) -> Float1D:
        """Return the half-tick depths beyond the mean half-spread reached by enough orders."""
        if len(moves.walk) < self.min_fills:
            return np.empty(0)
        deepest = min(np.sort(moves.walk)[-self.min_fills], moves.mid * self.max_depth_bp * 1e-4)
        first = np.floor(moves.half_spread / tick - 0.5 + 1e-6) + 1.5
        depth = tick * np.arange(first, max(deepest / tick, first) + 1.0)
        return np.asarray(depth[depth + 1e-6 * tick < deepest])

    def _believed(self, estimate: Estimate, limit: float) -> Estimate:
        if np.isfinite(limit) and abs(estimate.value) >= limit:
            reason = f"{estimate.value:.4g} is more than {self.max_bp:g} bp of the mid"
            return estimate.rejected(reason)
        return estimate


def line_from_sums(sums: Float2D, centre: float) -> tuple[Float1D, Float1D]:
    """Return intercept and slope of weighted least-squares lines y = a + b x.

    Parameters
    ----------
    sums
        Shape (rows, 5): sums of w, w u, w u^2, w y and w u y with u = x - ``centre``.
    centre
        A value among x, so that the sums do not cancel.

    Returns
    -------
    intercept, slope
        Shape (rows,), NaN where fewer than two points count.
    """
    w, wu, wuu, wy, wuy = sums.T
    slope = _ratio(w * wuy - wu * wy, w * wuu - wu**2)
    return _ratio(wy - slope * wu, w) - slope * centre, slope


def _ratio(top: Float1D, bottom: NDArray[Any]) -> Float1D:
    """Divide, with NaN where there is nothing to divide by."""
    out = np.full(len(top), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
