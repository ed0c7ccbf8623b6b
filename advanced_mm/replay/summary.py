"""What a replay says in three numbers, each with the interval that chance leaves it."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from advanced_mm.calibration.windows import Stretches
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance import Figure
from advanced_mm.performance.intervals import TimeDraws
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.result import ReplayResult

__all__ = ["SUMMARY_NAMES", "ReplaySummary", "covered_between", "profit_by_piece", "summarize"]

SUMMARY_NAMES: Final = ("fills_per_hour", "net_bp_per_fill", "net_per_hour")
_PIECE_MS: Final = 60_000
_HORIZON_S: Final = 40.0
"""Blocks are three times as long: a position held for longer earns increments that hardly
depend on each other, while fills of one burst fall into one block."""
_NONE_SEEN: Final = 3.69
"""Upper 95% bound (two-sided) of a Poisson mean of which nothing was seen."""


@dataclass(frozen=True)
class ReplaySummary:
    """Rates of one replay, over the time with data.

    Attributes
    ----------
    hours
        Time with data, hours.
    fills_per_hour
        Orders filled, at least in part, per hour.
    net_bp_per_fill
        Change of equity by the value of all fills, bp.
    net_per_hour
        Change of equity per hour, quote currency.
    """

    hours: float
    fills_per_hour: Figure
    net_bp_per_fill: Figure
    net_per_hour: Figure

    def to_json(self) -> dict[str, float | None]:
        """Return each figure with its ``_low`` and ``_high``; what is not known is null."""
        told: dict[str, float | None] = {"hours_covered": self.hours}
        for name in SUMMARY_NAMES:
            numbers = getattr(self, name).to_json()
            told |= {
                name: numbers["value"],
                f"{name}_low": numbers["low"],
                f"{name}_high": numbers["high"],
            }
        return told


def summarize(result: ReplayResult) -> ReplaySummary:
    """Return the rates of a replay with 95% intervals from a block bootstrap.

    The time with data is cut into pieces of up to a minute, each with its change of equity at the
    mid; what a position gains over a hole belongs to the piece after it. Blocks of at least two
    minutes are drawn.
    """
    start, hours, profit = profit_by_piece(result)
    first = np.unique(result.fills["quote"], return_index=True)[1]
    orders = _by_piece(start, result.time_ms[first], np.ones(len(first)))
    turnover = _by_piece(start, result.time_ms, result.price * result.size)
    draws = TimeDraws(start, _HORIZON_S)
    filled = draws.ratio(orders, hours, "orders per hour")
    net = draws.ratio(profit, hours, "USDC per hour")
    if not orders.any():
        filled = replace(filled, low=0.0, high=_NONE_SEEN / float(hours.sum()))
        net = replace(net, low=np.nan, high=np.nan)
    by_fill = draws.ratio(profit, turnover, "").times(1e4, "bp")
    return ReplaySummary(float(hours.sum()), filled, by_fill, net)


def profit_by_piece(result: ReplayResult) -> tuple[Int1D, Float1D, Float1D]:
    """Return starts (exchange ms), lengths (hours) and changes of equity of pieces of a minute.

    The time with data is cut into pieces of up to a minute; equity is taken at the mid, and what a
    position gains over a hole belongs to the piece after it.
    """
    start, end = _pieces(covered_between(result.data, result.start_ms, result.end_ms))
    hours = (end - start) / 3_600_000
    equity = _equity(result, np.append(end, result.end_ms))
    profit = np.diff(equity, prepend=0.0)
    profit[-2] += profit[-1]  # after the last piece there are no data, but maybe a payment
    profit = profit[:-1]
    return start, hours, profit


def covered_between(data: ReplayData, start_ms: int, end_ms: int) -> Stretches:
    """Return the stretches with data between two times, exchange ms."""
    start = np.clip(data.covered.start_ms, start_ms, end_ms)
    end = np.clip(data.covered.end_ms, start_ms, end_ms)
    some = end > start
    return Stretches(start[some], end[some])


def _pieces(covered: Stretches) -> tuple[Int1D, Int1D]:
    """Return starts and ends of pieces of up to a minute; none is shorter than half of one unless
    its stretch is."""
    starts: list[Any] = []
    ends: list[Any] = []
    for start, end in zip(covered.start_ms.tolist(), covered.end_ms.tolist(), strict=True):
        count = max(1, round((end - start) / _PIECE_MS))
        edges = np.linspace(start, end, count + 1).astype(np.int64)
        starts.append(edges[:-1])
        ends.append(edges[1:])
    return np.concatenate(starts), np.concatenate(ends)


def _by_piece(start: Int1D, time_ms: Int1D, values: Float1D) -> Float1D:
    place = np.maximum(np.searchsorted(start, time_ms, "right") - 1, 0)
    return np.asarray(np.bincount(place, values, minlength=len(start)), dtype=np.float64)


def _equity(result: ReplayResult, times_ms: Int1D) -> Float1D:
    """Return the change of equity since the start, at the mid, at each time."""
    done = np.searchsorted(result.time_ms, times_ms, "right")
    cash = np.concatenate([[0.0], result.cash_after()])[done]
    position = np.concatenate([[0.0], result.position_after])[done]
    mid, _ = result.mids.at(times_ms)
    paid_ms, paid, _ = result.funding_paid
    funding = np.concatenate([[0.0], np.cumsum(paid)])[np.searchsorted(paid_ms, times_ms, "right")]
    return np.asarray(cash + np.where(position == 0, 0.0, position * mid) + funding)
