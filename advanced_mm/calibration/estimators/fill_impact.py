"""Adverse move after a fill: the mid's move after an order that walked beyond the touch.

Orders that reach a resting quote move the mid more than the average order does, and the more so the
deeper they reach. ``epsilon_fill`` is their mean move; its growth with depth, a + b delta,
determines whether any depth pays (none does if b >= 1).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.windows.blocks import clustered_estimate, derived_estimate
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.estimate import Estimate, Sides, insufficient, settle_pair
from advanced_mm.calibration.windows.window import MarketOrders, Window, effective_number
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["DepthProfile", "FillImpactEstimator", "FillImpactFit", "line_from_sums"]

Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class DepthProfile:
    """Mean move (quote currency) over the orders of one side that reached beyond each depth.

    ``depth``, ``mean_move`` and ``count`` have shape (k,), for depths with enough orders;
    ``intercept`` a (quote currency) and ``slope`` b (dimensionless) are those of the weighted line.
    """

    depth: Float1D
    mean_move: Float1D
    count: Int1D
    intercept: Estimate
    slope: Estimate

    @property
    def no_depth_pays(self) -> bool:
        """Whether the slope's lower 95% bound is 1 or more, in which case the side is withdrawn."""
        return self.slope.usable and self.slope.low >= 1.0


@dataclass(frozen=True)
class FillImpactFit:
    """Moves given a fill: raw estimates, those that may be published, and growth with depth."""

    epsilon_fill: Sides[Estimate]
    raw: Sides[Estimate]
    profile: Sides[DepthProfile]


@dataclass(frozen=True)
class _Moves:
    """Orders of one side whose move over the horizon is known.

    ``half_spread`` and ``mid`` are means over all orders with a quote.
    """

    time_ms: Int1D
    walk: Float1D
    reach: Int1D
    move: Float1D
    half_spread: float
    mid: float
    weight: Float1D | None = None
    ahead: Float1D | None = None


@dataclass(frozen=True)
class FillImpactEstimator:
    """Mean of s (mid(t + horizon) - pre-trade mid) over orders that walked at least one tick.

    The mid is the last one at or before t + ``horizon_ms``; an order is used if that time lies in
    its own covered stretch. An estimate of one side needs ``min_fills`` on that side, a bound
    ``min_fills`` on both sides; more than ``max_bp`` of the mid is rejected.

    The profile uses every depth of the half-tick lattice beyond the mean half-spread, up to
    ``max_depth_bp`` of the mid, that at least ``min_fills`` orders reached beyond, and fits a line
    to the means, weighted by count. The points share orders, so the line's errors are not computed
    from its residuals but, like those of the mean, clustered by time block. With a ``bootstrap``,
    errors and intervals come from its draws.

    Around a fair price (`Window.around`), a move is from the fair price before the order to the one
    after the horizon, so that what the sizes had foretold is no cost of the fill. With the fair
    price ``ahead`` of the mid, both an order's depth and its move are less by that, so the line's
    slope b is that of the mid. An order with the first tick beyond the touch at half-spread + tick
    - ahead tells of fills at half-spread + tick as often as its weight says, and those come with a
    move greater by b * ahead: ``epsilon_fill`` is the weighted mean of move + b * ahead, and the
    line goes through it at half-spread + tick.
    """

    horizon_ms: int = 1000
    min_fills: int = 30
    max_bp: float = 20.0
    max_depth_bp: float = 10.0
    bootstrap: BlockBootstrap | None = None

    def fit(self, window: Window) -> FillImpactFit:
        """Return the moves given a fill on the ask (+) and on the bid (-)."""
        moves = self._both(window)
        raw = moves.map(lambda m: self._mean(window, m))
        believed = self._settled(window, raw)
        return FillImpactFit(believed, raw, moves.map(lambda m: self._profile(window, m)))

    def fit_around(self, around: Window, of_mid: FillImpactFit) -> FillImpactFit:
        """Return the same of a window around a fair price, without the means of single depths.

        Parameters
        ----------
        around
            From `Window.around`.
        of_mid
            The moves around the mid.
        """
        moves = self._both(around)
        lines = of_mid.profile
        raw = Sides(*(self._tilted(around, *one) for one in zip(moves, lines, strict=True)))
        believed = self._settled(around, raw)
        sides = zip(moves, lines, believed, strict=True)
        return FillImpactFit(believed, raw, Sides(*(_moved(around.tick, *one) for one in sides)))

    def _both(self, window: Window) -> Sides[_Moves]:
        sides = zip((1, -1), window.sides, strict=True)
        return Sides(*(self._moves(window, side, orders) for side, orders in sides))

    def _settled(self, window: Window, raw: Sides[Estimate]) -> Sides[Estimate]:
        settled = settle_pair(raw, min_n=self.min_fills, min_n_bound=self.min_fills)
        limit = self.max_bp * 1e-4 * window.path.last
        return settled.map(lambda e: self._believed(e, limit))

    def _moves(self, window: Window, side: int, every: MarketOrders) -> _Moves:
        orders = every.with_quote()
        later = orders.time_ms + self.horizon_ms
        move = side * (window.path.at(later) - orders.mid)
        known = np.flatnonzero(
            (window.stretches.index(later) == orders.stretch) & np.isfinite(move)
        )
        some = len(orders) > 0
        return _Moves(
            time_ms=orders.time_ms[known],
            walk=orders.walk[known],
            reach=orders.reach[known],
            move=move[known],
            half_spread=float(orders.half_spread.mean()) if some else np.nan,
            mid=float(orders.mid.mean()) if some else np.nan,
            weight=None if orders.weight is None else orders.weight[known],
            ahead=None if orders.ahead is None else orders.ahead[known],
        )

    def _mean(self, window: Window, moves: _Moves) -> Estimate:
        walked = moves.reach >= 1
        n = int(walked.sum())
        if n == 0:
            return insufficient(0, "no order beyond the touch")
        move = moves.move[walked]
        value = float(move.mean())
        time_ms = moves.time_ms[walked]
        total = window.blocks.sums(time_ms, move[:, None])[:, 0]
        count = window.blocks.counts(time_ms)
        parts = (total - value * count) / n
        if self.bootstrap is not None:
            sums = np.column_stack((total, count))
            drawn = _ratio(*self.bootstrap.sums(window.blocks, sums).T)
            return self.bootstrap.estimate(value, drawn, parts, n)
        return clustered_estimate(value, parts, n, least_se=float(move.std() / np.sqrt(n)))

    def _tilted(self, window: Window, moves: _Moves, line: DepthProfile) -> Estimate:
        """Return the weighted mean of move + b * ahead over the orders that walked."""
        walked = moves.reach >= 1
        if not walked.any() or moves.weight is None or moves.ahead is None:
            return insufficient(0, "no order beyond the touch")
        b = line.slope.value if line.slope.usable else 0.0
        weight, ahead, time_ms = moves.weight[walked], moves.ahead[walked], moves.time_ms[walked]
        n = round(effective_number(weight))  # a few may outweigh all others
        move = moves.move[walked] + b * ahead
        whole = float(weight.sum())
        value, mean_ahead = float(weight @ move) / whole, float(weight @ ahead) / whole
        columns = np.column_stack((weight * move, weight))
        total, count = window.blocks.sums(time_ms, columns).T
        parts = (total - value * count) / whole
        if line.slope.usable and len(line.slope.by_block) == len(parts):
            parts = parts + mean_ahead * line.slope.by_block
        if self.bootstrap is not None:
            drawn = _ratio(*self.bootstrap.sums(window.blocks, np.column_stack((total, count))).T)
            return self.bootstrap.estimate(value, drawn, parts, n)
        least_se = float(np.linalg.norm(weight * (move - value))) / whole
        return clustered_estimate(value, parts, n, least_se=least_se)

    def _profile(self, window: Window, moves: _Moves) -> DepthProfile:
        depth = self._depths(moves, window.tick)
        # Number of depths that each order reached beyond.
        beyond = np.searchsorted(depth, moves.walk - 1e-6 * window.tick, side="left")
        count = _beaten(beyond, np.ones(len(beyond)), len(depth)).astype(np.int64)
        means = _ratio(_beaten(beyond, moves.move, len(depth)), count)
        if len(depth) < 3:
            absent = insufficient(len(depth), f"{len(depth)} depths with enough orders, 3 needed")
            return DepthProfile(depth, means, count, absent, absent)
        # The line needs five sums over depths, to each of which every order contributes.
        centre = float(depth.mean())
        powers = np.vstack((np.zeros(3), np.cumsum((depth[:, None] - centre) ** [0, 1, 2], axis=0)))
        reached = np.flatnonzero(beyond)
        columns = np.empty((len(reached), 5))
        columns[:, :3] = powers[beyond[reached]]
        np.multiply(columns[:, :2], moves.move[reached, None], out=columns[:, 3:])
        sums = window.blocks.sums(moves.time_ms[reached], columns)
        intercept, slope = self._line(window, sums, centre, len(depth))
        return DepthProfile(depth, means, count, intercept, slope)

    def _line(self, window: Window, sums: Float2D, centre: float, n: int) -> list[Estimate]:
        """Return intercept and slope from the line's sums by block."""
        values = [float(value[0]) for value in line_from_sums(sums.sum(0, keepdims=True), centre)]
        parts = _line_parts(sums, values[0], values[1], centre)
        if self.bootstrap is not None:
            drawn = line_from_sums(self.bootstrap.sums(window.blocks, sums), centre)
            of = zip(values, drawn, parts, strict=True)
            return [self.bootstrap.estimate(*each, n) for each in of]
        return [clustered_estimate(v, p, n) for v, p in zip(values, parts, strict=True)]

    def _depths(self, moves: _Moves, tick: float) -> Float1D:
        """Return the half-tick depths beyond the mean half-spread that enough orders reached."""
        if len(moves.walk) < self.min_fills:
            return np.empty(0)
        kth = np.partition(moves.walk, -self.min_fills)[-self.min_fills]
        deepest = min(kth, moves.mid * self.max_depth_bp * 1e-4)
        first = np.floor(moves.half_spread / tick - 0.5 + 1e-6) + 1.5
        depth = tick * np.arange(first, max(deepest / tick, first) + 1.0)
        return np.asarray(depth[depth + 1e-6 * tick < deepest])

    def _believed(self, estimate: Estimate, limit: float) -> Estimate:
        if np.isfinite(limit) and abs(estimate.value) >= limit:
            reason = f"{estimate.value:.4g} is more than {self.max_bp:g} bp of the mid"
            return estimate.rejected(reason)
        return estimate


def _moved(tick: float, moves: _Moves, line: DepthProfile, epsilon: Estimate) -> DepthProfile:
    """Return the line of the mid's slope through ``epsilon``, and the means beside it."""
    profile = replace(line, mean_move=np.full(len(line.depth), np.nan))
    if not (line.slope.usable and epsilon.usable):
        return profile
    at = moves.half_spread + tick
    value = epsilon.value - line.slope.value * at
    if len(epsilon.by_block) != len(line.slope.by_block):
        return replace(profile, intercept=Estimate(value, np.nan, np.nan, np.nan, epsilon.n))
    parts = epsilon.by_block - at * line.slope.by_block
    return replace(profile, intercept=derived_estimate(value, parts, epsilon.n))


def line_from_sums(sums: Float2D, centre: float) -> tuple[Float1D, Float1D]:
    """Return intercept and slope of weighted least-squares lines y = a + b x.

    Parameters
    ----------
    sums
        Shape (rows, 5): sums of w, w u, w u^2, w y and w u y with u = x - ``centre``.
    centre
        A value within the range of x, which avoids cancellation in the sums.

    Returns
    -------
    intercept, slope
        Shape (rows,), NaN with fewer than two points.
    """
    w, wu, wuu, wy, wuy = sums.T
    slope = _ratio(w * wuy - wu * wy, w * wuu - wu**2)
    return _ratio(wy - slope * wu, w) - slope * centre, slope


def _line_parts(
    sums: Float2D, intercept: float, slope: float, centre: float
) -> tuple[Float1D, Float1D]:
    """Return each block's part of the errors of intercept and slope, from its residuals."""
    w, wu, wuu, wy, wuy = sums.T
    level = intercept + slope * centre
    off, off_u = wy - level * w - slope * wu, wuy - level * wu - slope * wuu
    determinant = w.sum() * wuu.sum() - wu.sum() ** 2
    of_slope = (w.sum() * off_u - wu.sum() * off) / determinant
    of_level = (wuu.sum() * off - wu.sum() * off_u) / determinant
    return of_level - centre * of_slope, of_slope


def _beaten(beyond: Int1D, values: Float1D, depths: int) -> Float1D:
    """Sum values over the orders that reached beyond each of the depths."""
    by_number = np.bincount(beyond, weights=values, minlength=depths + 1)
    return np.asarray(np.cumsum(by_number[::-1])[::-1][1:])


def _ratio(top: Float1D, bottom: NDArray[Any]) -> Float1D:
    """Divide; return NaN if the divisor is not positive."""
    out = np.full(len(top), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
