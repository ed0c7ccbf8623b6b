"""Arrival rate of market orders, lambda = n / T."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from advanced_mm.calibration.estimators.merging import (
    check_block_seconds,
    merged_within,
    unmerged_counts,
)
from advanced_mm.calibration.windows.blocks import clustered_estimate, with_blocks
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.calibration.windows.estimate import Estimate, Sides, insufficient
from advanced_mm.calibration.windows.window import MarketOrders, Window
from advanced_mm.marketdata.records import Int1D

__all__ = ["ArrivalEstimator", "ArrivalFit", "dispersion", "garwood_interval"]


@dataclass(frozen=True)
class ArrivalFit:
    """Rate of one side per second, and phi = variance / mean of its counts (1 for Poisson)."""

    rate: Estimate
    dispersion: float


@dataclass(frozen=True)
class ArrivalEstimator:
    """Counts over covered time, with the Poisson interval widened for bursts.

    The interval is Garwood's (chi-square) with its half-widths multiplied by sqrt(phi); phi is
    computed from whole bins of ``dispersion_bin_ms``, counted from the start of each stretch.

    ``min_orders`` is the gate. ``block_seconds`` corrects a feed without transaction codes, in
    which the orders of one block of that length merge into one (``merging.unmerged_counts``); the
    error is then computed from time blocks and includes the correction's own noise, and the
    interval is log-normal. It is off by default, so that the published rate is the plain n/T, and
    ignored if orders are separated. With a ``bootstrap``, error and interval come from its draws.

    Raises
    ------
    InputError
        If ``block_seconds`` is not above 0 and at most 1.
    """

    min_orders: int = 30
    dispersion_bin_ms: int = 30_000
    block_seconds: float | None = None
    bootstrap: BlockBootstrap | None = None

    def __post_init__(self) -> None:
        check_block_seconds(self.block_seconds)

    def fit(self, window: Window) -> Sides[ArrivalFit]:
        """Return the rates of buy and sell market orders."""
        return window.sides.map(lambda orders: self._side(window, orders))

    def _side(self, window: Window, orders: MarketOrders) -> ArrivalFit:
        n, seconds = len(orders), window.observed_seconds
        phi = dispersion(orders.time_ms, window.stretches, self.dispersion_bin_ms)
        if n == 0 or seconds <= 0:
            return ArrivalFit(insufficient(n, "no market orders in the covered time"), phi)
        rate = self._rate(window, orders, phi)
        if n < self.min_orders:
            rate = rate.rejected(f"{n} market orders, {self.min_orders} needed")
        elif not np.isfinite(rate.value):
            rate = rate.rejected("an order in nearly every block: the rate cannot be estimated")
        elif not rate.se > 0:
            rate = rate.rejected("too few blocks of time to estimate the error")
        return ArrivalFit(rate, phi)

    def _rate(self, window: Window, orders: MarketOrders, phi: float) -> Estimate:
        n, seconds, blocks = len(orders), window.observed_seconds, window.blocks
        block_seconds = merged_within(self.block_seconds, window)
        if block_seconds is None:
            counts = blocks.counts(orders.time_ms)
        else:
            counts = unmerged_counts(orders.time_ms, blocks, block_seconds)
        rate = float(counts.sum() / seconds)
        parts = (counts - rate * blocks.seconds) / seconds
        if self.bootstrap is not None:
            sums = self.bootstrap.sums(blocks, np.column_stack((counts, blocks.seconds)))
            return self.bootstrap.estimate(rate, sums[:, 0] / sums[:, 1], parts, n)
        if block_seconds is not None:
            seen = float(np.sqrt(rate / seconds))  # error of independent, fully visible orders
            return clustered_estimate(rate, parts, n, least_se=seen, positive=True)
        low, high = garwood_interval(n)
        widen = np.sqrt(phi)
        ends = max(n - widen * (n - low), 0.0), n + widen * (high - n)
        low, high = (float(end / seconds) for end in ends)
        return with_blocks(Estimate(rate, float(widen * np.sqrt(n) / seconds), low, high, n), parts)


def garwood_interval(n: int) -> tuple[float, float]:
    """Return the exact 95% interval of a Poisson mean from one count n (Garwood 1936).

    Half the chi-square quantiles with 2n and 2n + 2 degrees of freedom, written with the inverse
    incomplete gamma function because importing scipy.stats takes a second.
    """
    low = float(gammaincinv(n, 0.025)) if n > 0 else 0.0
    return low, float(gammaincinv(n + 1, 0.975))


def dispersion(time_ms: Int1D, stretches: Stretches, bin_ms: int) -> float:
    """Return variance over mean (ddof 1, at least 1) of counts in whole bins of the stretches.

    1 if there are fewer than two whole bins or no counts.
    """
    bins = (stretches.end_ms - stretches.start_ms) // bin_ms
    first = np.cumsum(bins) - bins
    stretch = stretches.index(time_ms)
    held = stretch >= 0
    stretch = stretch[held]
    place = (time_ms[held] - stretches.start_ms[stretch]) // bin_ms
    whole = place < bins[stretch]
    total = int(bins.sum())
    counts = np.bincount((first[stretch] + place)[whole], minlength=total)
    if total < 2 or counts.sum() == 0:
        return 1.0
    return max(1.0, float(counts.var(ddof=1) / counts.mean()))
