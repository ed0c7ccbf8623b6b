"""How much of the time a quote rested, and what kept it away otherwise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Int1D
from advanced_mm.performance.records import Record

__all__ = ["Presence", "presence"]

BETWEEN_QUOTES = "between two quotes"


@dataclass(frozen=True)
class Presence:
    """Shares of the time, 0 to 1: with any quote, a bid or an ask resting; without, by reason."""

    any_quote: float
    bid: float
    ask: float
    without: dict[str, float]


def presence(record: Record) -> Presence:
    """Measure when quotes rested; refused ones never did."""
    quotes = record.quotes
    total = max(record.end_ms - record.start_ms, 1)
    rested = ~quotes.refused
    whole = _merged(record, rested)
    sides = [_merged(record, rested & (quotes.sign == sign)) for sign in (1, -1)]
    share = [_length(one) / total for one in (whole, *sides)]
    return Presence(share[0], share[1], share[2], _without(record, whole, total))


def _merged(record: Record, chosen: NDArray[np.bool_]) -> Int1D:
    """Return the times covered by quotes as rows of start and end, without overlaps."""
    start = np.clip(record.quotes.time_ms[chosen], record.start_ms, record.end_ms)
    end = np.clip(record.quotes.end_ms[chosen], record.start_ms, record.end_ms)
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order]) if len(end) else end
    if not len(start):
        return np.empty((0, 2), np.int64)
    opens = np.concatenate([[True], start[1:] > end[:-1]])
    first = np.flatnonzero(opens)
    return np.column_stack([start[first], end[np.append(first[1:], len(start)) - 1]])


def _length(stretches: Int1D) -> int:
    return int((stretches[:, 1] - stretches[:, 0]).sum())


def _without(record: Record, covered: Int1D, total: int) -> dict[str, float]:
    """Split the uncovered time by the reason that was in force."""
    times = np.clip(record.refusals.time_ms, record.start_ms, record.end_ms)
    edges = np.concatenate([[record.start_ms], times, [record.end_ms]])
    kinds = ["", *record.refusals.kind]
    gone = np.diff(edges) - np.diff(_covered_until(covered, edges))
    shares: dict[str, float] = {}
    for kind, length in zip(kinds, gone, strict=True):
        if length > 0:
            name = kind or BETWEEN_QUOTES
            shares[name] = shares.get(name, 0.0) + float(length) / total
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _covered_until(covered: Int1D, times: Int1D) -> Int1D:
    """How much is covered before each time, ms."""
    if not len(covered):
        return np.zeros(len(times), np.int64)
    lengths = np.concatenate([[0], np.cumsum(covered[:, 1] - covered[:, 0])])
    place = np.searchsorted(covered[:, 0], times, side="right")
    inside = np.maximum(place - 1, 0)
    running = np.minimum(times, covered[inside, 1]) - covered[inside, 0]
    return np.asarray(np.where(place > 0, lengths[inside] + running, 0))
