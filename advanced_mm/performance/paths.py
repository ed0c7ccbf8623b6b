"""Position and equity through time, and the round trips between."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.attribution import PART_NAMES, FillParts
from advanced_mm.performance.mids import MINUTE_MS, Marks
from advanced_mm.performance.records import Fills, Record

__all__ = ["EquityPath", "RoundTrips", "equity_path", "position_after", "round_trips"]

_NOTHING = 1e-9
"""A position this small beside the largest one is rounding."""


@dataclass(frozen=True)
class EquityPath:
    """What was earned until each time of the grid, quote currency; shapes (n,).

    ``parts`` has the five parts, each fill's adverse selection at the fill; ``position`` is signed,
    base currency.
    """

    time_ms: Int1D
    equity: Float1D
    position: Float1D
    parts: dict[str, Float1D]

    @property
    def minutes(self) -> Int1D:
        """Places of whole minutes and of both ends."""
        whole = self.time_ms % MINUTE_MS == 0
        whole[[0, -1]] = True
        return np.flatnonzero(whole)

    @property
    def minute_profit(self) -> Float1D:
        """What each whole minute earned, quote currency."""
        whole = np.flatnonzero(self.time_ms % MINUTE_MS == 0)
        return np.diff(self.equity[whole])

    def drawdown(self) -> tuple[float, float]:
        """Return the largest fall below a high (quote currency, not negative) and the longest time
        spent below one (seconds)."""
        high = np.maximum.accumulate(self.equity)
        at_high = self.equity >= high
        since = np.maximum.accumulate(np.where(at_high, self.time_ms, self.time_ms[0]))
        return float((high - self.equity).max()), float((self.time_ms - since).max()) / 1000


def position_after(fills: Fills, opening: float) -> Float1D:
    """Position after each fill; what is rounding is zero."""
    position = opening + np.cumsum(fills.signed_size)
    largest = max(float(np.abs(position).max(initial=0.0)), abs(opening))
    position[np.abs(position) <= _NOTHING * largest] = 0.0
    return position


def equity_path(record: Record, marks: Marks, by_fill: FillParts) -> EquityPath:
    """Follow the account along the grid of the marks."""
    fills, grid, mid = record.fills, marks.grid_ms, marks.grid_mid
    opening = sum(bot.opening for bot in record.bots)
    worth = sum(_worth_at_start(bot.opening, bot.start_mark, mid[0]) for bot in record.bots)
    done = np.searchsorted(fills.time_ms, grid, side="right")
    paid = np.searchsorted(record.funding_ms, grid, side="right")

    def until(values: Float1D, counts: Int1D = done) -> Float1D:
        return np.asarray(np.concatenate([[0.0], np.cumsum(values)])[counts])

    position = np.concatenate([[opening], position_after(fills, opening)])[done]
    funding = until(record.funding, paid)
    cash = until(-fills.signed_size * fills.price - fills.fee) + funding
    equity = cash + position * np.nan_to_num(mid) - worth
    equity[-1] += _revalued(record, float(mid[-1]))
    told = [until(by_fill.spread), until(by_fill.adverse), until(by_fill.fees), funding]
    spread, adverse, fees, _ = told
    columns = (spread, adverse, equity - sum(told), fees, funding)
    return EquityPath(grid, equity, position, dict(zip(PART_NAMES, columns, strict=True)))


def _revalued(record: Record, mid: float) -> float:
    """What the positions left at the end are worth at the accounts' own marks, beyond the mid."""
    more = 0.0
    for number, bot in enumerate(record.bots):
        if np.isfinite(bot.end_mark):
            own = record.fills.rows(record.fills.bot == number)
            closing = position_after(own, bot.opening)[-1] if len(own) else bot.opening
            more += closing * (bot.end_mark - mid) if closing else 0.0
    return more


def _worth_at_start(opening: float, mark: float, mid: float) -> float:
    if opening == 0:
        return 0.0
    return opening * (mark if np.isfinite(mark) else mid)


@dataclass(frozen=True)
class RoundTrips:
    """From flat to flat, or to the other side; shapes (n,).

    ``profit`` is after fees, without funding; ``seconds`` from the first fill to the last.
    """

    start_ms: Int1D
    profit: Float1D
    seconds: Float1D

    def __len__(self) -> int:
        return len(self.profit)


def round_trips(fills: Fills, opening: float = 0.0) -> RoundTrips:
    """Cut the fills where the position is flat; one that flips it is cut in two.

    What brings an opening position home is no round trip: its price is not known. Nor is what is
    still open.
    """
    if not len(fills):
        return RoundTrips(np.empty(0, np.int64), np.empty(0), np.empty(0))
    after = position_after(fills, opening)
    before = np.concatenate([[opening], after[:-1]])
    flips = before * after < 0
    share = np.where(flips, np.abs(before) / np.where(fills.size > 0, fills.size, 1.0), 1.0)
    # Each fill once, and the rest of one that flips once more behind it.
    row = np.repeat(np.arange(len(fills)), 1 + flips)
    second = np.concatenate([[False], row[1:] == row[:-1]])
    part = np.where(second, 1 - share[row], share[row])
    cash = part * (-fills.signed_size * fills.price - fills.fee)[row]
    time_ms = fills.time_ms[row]
    ends = ~second & ((after == 0) | flips)[row] & (before != 0)[row]
    trip = np.cumsum(ends) - ends
    first = np.flatnonzero(np.diff(trip, prepend=-1))
    last = np.append(first[1:], len(trip)) - 1
    profit = np.add.reduceat(cash, first)
    whole = ends[last] & ((trip[first] > 0) | (opening == 0))
    seconds = (time_ms[last] - time_ms[first]) / 1000
    return RoundTrips(time_ms[first][whole], profit[whole], seconds[whole])


def held_seconds(times: Sequence[int] | Int1D, start_ms: int, end_ms: int) -> Float1D:
    """How long each state lasted, the first from ``start_ms``, the last until ``end_ms``."""
    edges = np.clip(np.concatenate([[start_ms], times, [end_ms]]), start_ms, end_ms)
    return np.asarray(np.maximum(np.diff(edges), 0) / 1000)
