"""Pareto tail of the jumps: a diagnostic of how heavy the far moves are.

A jump is twice an order's reach, in half ticks. Reach lives on a lattice, so the Hill estimator is
taken with the continuity-corrected threshold u - 1/2 (Clauset, Shalizi & Newman 2009, eq. 3.7).
"""

from dataclasses import dataclass

import numpy as np

from advanced_mm.calibration.estimate import NORMAL_95, Estimate, Sides, insufficient
from advanced_mm.calibration.window import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Int1D

__all__ = ["ParetoEstimator", "ParetoFit", "hill_alpha", "truncated_pareto_mean"]


@dataclass(frozen=True)
class ParetoFit:
    """Tail of one side's jumps.

    ``alpha`` is the tail index; ``threshold`` u and ``mean`` (of a jump of at least u) are in quote
    currency. ``truncated`` tells that the mean is that on [u, largest jump seen], because alpha
    does not exceed 1 by two standard errors and the full mean may not exist. ``by_threshold`` lists
    (u in half ticks, alpha) at other thresholds: a Pareto tail shows the same alpha at each.
    """

    alpha: Estimate
    threshold: float
    mean: float
    truncated: bool
    by_threshold: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class ParetoEstimator:
    """Maximum likelihood on jumps of at least ``threshold_half_ticks``.

    ``min_jumps`` is the gate; ``other_thresholds`` (half ticks) are reported beside it.

    Raises
    ------
    InputError
        If a threshold is below 1 half tick.
    """

    threshold_half_ticks: int = 2
    min_jumps: int = 30
    other_thresholds: tuple[int, ...] = (2, 4, 6)

    def __post_init__(self) -> None:
        if min(self.threshold_half_ticks, *self.other_thresholds) < 1:
            raise InputError("a Pareto threshold must be at least 1 half tick")

    def fit(self, window: Window) -> Sides[ParetoFit]:
        """Return the tails of buy (+) and sell (-) market orders."""
        return Sides(self._side(window, 1), self._side(window, -1))

    def _side(self, window: Window, side: int) -> ParetoFit:
        jumps = 2 * window.orders.of_side(side).reach
        others = tuple((u, hill_alpha(jumps, u)) for u in self.other_thresholds)
        u, half_tick = self.threshold_half_ticks, window.tick / 2
        n = int((jumps >= u).sum())
        if n < self.min_jumps:
            alpha = insufficient(n, f"{n} jumps beyond the threshold, {self.min_jumps} needed")
            return ParetoFit(alpha, u * half_tick, np.nan, True, others)
        value = hill_alpha(jumps, u)
        se = float(value / np.sqrt(n))
        alpha = Estimate(value, se, value - NORMAL_95 * se, value + NORMAL_95 * se, n)
        truncated = bool(value - 2 * se <= 1)
        scale = u - 0.5
        mean = (
            truncated_pareto_mean(value, scale, float(jumps.max()))
            if truncated
            else value * scale / (value - 1)
        )
        return ParetoFit(alpha, u * half_tick, mean * half_tick, truncated, others)


def hill_alpha(jumps: Int1D, threshold: int) -> float:
    """Return n / sum ln(x / (u - 1/2)) over jumps x >= u; NaN without any."""
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
