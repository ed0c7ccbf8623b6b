"""Result of every estimator: a value, its uncertainty and whether it may be published."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

import numpy as np

from advanced_mm.marketdata.records import Float1D

__all__ = [
    "NORMAL_95",
    "Estimate",
    "Sides",
    "Status",
    "insufficient",
    "settle_pair",
    "worse",
    "worst_status",
]

NORMAL_95 = 1.959963984540054  # two-sided 95% quantile of the standard normal

T = TypeVar("T")
U = TypeVar("U")


class Status(StrEnum):
    """How far a published number can be trusted, best first."""

    OK = "ok"  # fitted on this side alone
    POOLED = "pooled"  # too weak on this side alone: both sides, weighted by precision
    BOUND = "bound"  # not significantly above zero: the upper 95% bound, to be cautious
    MISFIT = "misfit"  # fitted, but the fit fails its goodness-of-fit test
    STALE = "stale"  # last good fit: of an earlier window, or up to when a channel fell silent
    INSUFFICIENT = "insufficient"  # must not be used


@dataclass(frozen=True)
class Sides(Generic[T]):
    """A quantity for buy (+) and sell (-) market orders."""

    plus: T
    minus: T

    def __iter__(self) -> Iterator[T]:
        return iter((self.plus, self.minus))

    def map(self, function: Callable[[T], U]) -> "Sides[U]":
        """Apply a function to each side."""
        return Sides(function(self.plus), function(self.minus))


@dataclass(frozen=True)
class Estimate:
    """One number with its uncertainty.

    ``value``, ``se``, ``low`` and ``high`` (the 95% interval) are in the unit of the estimator;
    each is NaN if it could not be computed. ``n`` is the number of observations and ``reason`` says
    why the status is not ``ok``. ``by_block`` holds each time block's part of the error, shape
    (blocks,) or empty: the sum of squares is the squared standard error, and products with another
    estimate's parts give the covariance (``blocks.block_covariance``).
    """

    value: float
    se: float
    low: float
    high: float
    n: int
    status: Status = Status.OK
    reason: str = ""
    by_block: Float1D = field(default_factory=lambda: np.empty(0), compare=False, repr=False)

    @property
    def usable(self) -> bool:
        """Whether the value may be published."""
        return self.status is not Status.INSUFFICIENT

    def rejected(self, reason: str) -> "Estimate":
        """Return the same numbers marked insufficient; an earlier reason is kept."""
        if not self.usable:
            return self
        return replace(self, status=Status.INSUFFICIENT, reason=reason)

    def scaled(self, factor: float) -> "Estimate":
        """Return the estimate of this quantity times ``factor``, which is positive."""
        return replace(
            self,
            value=self.value * factor,
            se=self.se * factor,
            low=self.low * factor,
            high=self.high * factor,
            by_block=self.by_block * factor,
        )

    def with_parts(self, by_block: Float1D) -> "Estimate":
        """Return the same numbers with the error's parts by time block."""
        return Estimate(
            self.value, self.se, self.low, self.high, self.n, self.status, self.reason, by_block
        )


def insufficient(n: int, reason: str) -> Estimate:
    """Return an estimate without a value."""
    return Estimate(np.nan, np.nan, np.nan, np.nan, n, Status.INSUFFICIENT, reason)


def worst_status(estimates: Iterable[Estimate]) -> Status:
    """Return the least trusted status among the estimates."""
    return worse(*(e.status for e in estimates))


def worse(*statuses: Status) -> Status:
    """Return the least trusted of the statuses."""
    return max(statuses, key=list(Status).index)


def settle_pair(raw: Sides[Estimate], *, min_n: int, min_n_bound: int) -> Sides[Estimate]:
    """Choose the number each side publishes for a mean that may not differ from zero.

    A side uses its own estimate if that has ``min_n`` observations and exceeds 1.96 standard
    errors. Otherwise it uses both sides, weighted by precision, under the same two conditions.
    Failing that, it uses the upper 95% bound of the pooled estimate, which requires ``min_n_bound``
    observations on both sides together, so that a market without adverse selection can be quoted.

    Parameters
    ----------
    raw
        The two sides' own estimates. NaN values are not pooled.
    min_n
        Observations needed for an estimate of its own.
    min_n_bound
        Observations on both sides together needed for a bound.
    """
    fallback = _pooled_or_bound(raw, min_n, min_n_bound)
    plus, minus = (
        side if _significant(side, min_n) else replace(fallback, n=side.n) for side in raw
    )
    return Sides(plus, minus)


def _significant(e: Estimate, min_n: int) -> bool:
    return e.n >= min_n and bool(e.se >= 0 and e.value > NORMAL_95 * e.se)


def _pooled_or_bound(raw: Sides[Estimate], min_n: int, min_n_bound: int) -> Estimate:
    pool = _precision_mean(raw)
    if not np.isfinite(pool.value) or pool.n < min_n_bound:
        reason = f"{pool.n} usable observations on both sides, {min_n_bound} needed"
        return replace(pool, status=Status.INSUFFICIENT, reason=reason)
    if _significant(pool, min_n):
        return replace(pool, status=Status.POOLED, reason="one side alone is too weak: both pooled")
    if pool.high > 0:
        reason = "not significantly above zero: upper 95% bound of both sides"
        return replace(pool, value=pool.high, status=Status.BOUND, reason=reason)
    return replace(pool, status=Status.INSUFFICIENT, reason="significantly negative on both sides")


def _precision_mean(raw: Sides[Estimate]) -> Estimate:
    """Return the precision-weighted mean of the sides that have a value and a standard error."""
    usable = [e for e in raw if np.isfinite(e.value) and e.se > 0]
    if not usable:
        return insufficient(sum(e.n for e in raw), "")
    least = min(e.se for e in usable)  # precisions relative to the best side cannot overflow
    precision = np.array([(least / e.se) ** 2 for e in usable])
    value = float(precision @ np.array([e.value for e in usable]) / precision.sum())
    se = float(least / np.sqrt(precision.sum()))
    n = sum(e.n for e in usable)
    pool = Estimate(value, se, value - NORMAL_95 * se, value + NORMAL_95 * se, n)
    if all(len(e.by_block) == len(usable[0].by_block) for e in usable):
        parts = np.array([e.by_block for e in usable])
        pool = pool.with_parts(np.asarray(precision @ parts / precision.sum()))
    return pool
