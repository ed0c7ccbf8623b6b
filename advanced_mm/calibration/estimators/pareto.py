"""Pareto tail of the jumps: a diagnostic of how heavy the tail of the moves is.

A jump is twice an order's reach, in half ticks. Reach is discrete, so the Hill estimator uses the
continuity-corrected threshold u - 1/2 (Clauset, Shalizi & Newman 2009, eq. 3.7).
"""

from dataclasses import dataclass

import numpy as np

from advanced_mm.calibration.windows.blocks import clustered_estimate, with_blocks
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.estimate import Estimate, Sides, insufficient
from advanced_mm.calibration.windows.window import MarketOrders, Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Int1D

__all__ = ["ParetoEstimator", "ParetoFit", "hill_alpha", "truncated_pareto_mean"]


@dataclass(frozen=True)
class ParetoFit:
    """Tail of one side's jumps.

    ``alpha`` is the tail index; ``threshold`` u and ``mean`` (of jumps of at least u) are in quote
    currency; the mean's error is propagated from that of alpha. ``truncated`` is true if the mean
    is that on [u, largest jump seen], because alpha does not exceed 1 by two standard errors and
    the full mean may not exist; its error ignores the randomness of that largest jump, so
    ``sample_mean``, the plain mean of the same jumps, is given as well. ``by_threshold`` lists (u
    in half ticks, alpha) at other thresholds; for a Pareto tail, alpha is the same at each.
    """

    alpha: Estimate
    threshold: float
    mean: Estimate
    truncated: bool
    by_threshold: tuple[tuple[int, float], ...]
    sample_mean: float = np.nan


@dataclass(frozen=True)
class ParetoEstimator:
    """Maximum likelihood on jumps of at least ``threshold_half_ticks``.

    ``min_jumps`` is the gate; a mean of more than ``max_bp`` of the mid is rejected. Estimates at
    ``other_thresholds`` (half ticks) are reported as well. The error is clustered by time block, at
    least alpha / sqrt(n); with a ``bootstrap`` it comes from its draws.

    Raises
    ------
    InputError
        If a threshold is below 1 half tick.
    """

    threshold_half_ticks: int = 2
    min_jumps: int = 30
    max_bp: float = 20.0
    other_thresholds: tuple[int, ...] = (2, 4, 6)
    bootstrap: BlockBootstrap | None = None

    def __post_init__(self) -> None:
        least = min(self.threshold_half_ticks, *self.other_thresholds)
        if least < 1:
            raise InputError(f"the Pareto threshold is {least}, must be at least 1 half tick")

    def fit(self, window: Window) -> Sides[ParetoFit]:
        """Return the tails of buy (+) and sell (-) market orders."""
        return window.sides.map(lambda orders: self._side(window, orders))

    def _side(self, window: Window, orders: MarketOrders) -> ParetoFit:
        u, half_tick = self.threshold_half_ticks, window.tick / 2
        least = min(u, *self.other_thresholds)
        walked = np.flatnonzero(2 * orders.reach >= least)  # the few that any threshold needs
        jumps, time_ms = 2 * orders.reach[walked], orders.time_ms[walked]
        others = tuple((u, hill_alpha(jumps, u)) for u in self.other_thresholds)
        tail = jumps >= u
        n = int(tail.sum())
        if n < self.min_jumps:
            absent = insufficient(n, f"{n} jumps beyond the threshold, {self.min_jumps} needed")
            return ParetoFit(absent, u * half_tick, absent, True, others)
        alpha = self._alpha(window, time_ms[tail], jumps[tail])
        truncated = bool(alpha.value - 2 * alpha.se <= 1)
        mean = _mean(alpha, u - 0.5, float(jumps.max()) if truncated else np.inf, half_tick)
        if mean.value >= self.max_bp * 1e-4 * window.path.last:
            mean = mean.rejected(f"{mean.value:.4g} is more than {self.max_bp:g} bp of the mid")
        sample_mean = float(jumps[tail].mean()) * half_tick
        return ParetoFit(alpha, u * half_tick, mean, truncated, others, sample_mean)

    def _alpha(self, window: Window, time_ms: Int1D, jumps: Int1D) -> Estimate:
        """Return the tail index of jumps, all of which must reach the threshold."""
        n = len(jumps)
        value = hill_alpha(jumps, self.threshold_half_ticks)
        logs = np.log(jumps / (self.threshold_half_ticks - 0.5))
        sums = window.blocks.sums(time_ms, np.column_stack((np.ones(n), logs)))
        parts = value * (sums[:, 0] - value * sums[:, 1]) / n
        if self.bootstrap is not None:
            drawn = self.bootstrap.sums(window.blocks, sums)
            known = drawn[drawn[:, 1] > 0]
            return self.bootstrap.estimate(value, known[:, 0] / known[:, 1], parts, n)
        least_se = float(value / np.sqrt(n))
        return clustered_estimate(value, parts, n, least_se=least_se, positive=True)


def _mean(alpha: Estimate, low: float, high: float, unit: float) -> Estimate:
    """Return the mean of the tail on [low, high], which falls as alpha grows."""

    def at(index: float) -> float:
        if high < np.inf:
            return unit * truncated_pareto_mean(index, low, high)
        return unit * index * low / (index - 1) if index > 1 else np.nan

    step = 1e-4 * alpha.value
    slope = (at(alpha.value + step) - at(alpha.value - step)) / (2 * step)
    mean = Estimate(at(alpha.value), -slope * alpha.se, at(alpha.high), at(alpha.low), alpha.n)
    return with_blocks(mean, slope * alpha.by_block)


def hill_alpha(jumps: Int1D, threshold: int) -> float:
    """Return n / sum ln(x / (u - 1/2)) over jumps x >= u, NaN if there are none."""
    tail = jumps[jumps >= threshold]
    if not len(tail):
        return float("nan")
    return float(len(tail) / np.log(tail / (threshold - 0.5)).sum())


def truncated_pareto_mean(alpha: float, low: float, high: float) -> float:
    """Return the mean of a Pareto law of index ``alpha`` and scale ``low``, cut at ``high``."""
    if high <= low:
        return low
    span = np.log(high / low)
    if abs(alpha - 1) * span < 1e-9:  # the limit alpha -> 1
        return float(low * span / -np.expm1(-span))
    numerator = np.expm1((1 - alpha) * span) / (1 - alpha)
    return float(alpha * low * numerator / -np.expm1(-alpha * span))
