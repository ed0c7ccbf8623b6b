"""Candles of a recording, made to be backtested with orders that rest.

A candle tells a backtest two things: where the market was, and which resting orders it reached. So
``open`` and ``close`` are the mid at the candle's start and end, known at those moments, and
``low`` and ``high`` are how far resting orders were reached. How far that is depends on their
places in the queues, which nobody knows. The two kinds are the two ends: in ``touch`` a print at an
order's price filled it, in ``through`` only one at least a tick beyond.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from advanced_mm.calibration.windows import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D, Recording
from advanced_mm.marketdata.store import ShardStore

__all__ = ["KINDS", "Bars", "CandleArrays", "Kind", "bars_of", "left_out", "read_bars"]

Kind = Literal["touch", "through"]
KINDS: Final[tuple[Kind, ...]] = ("touch", "through")

_CHUNK_MS: Final = 3 * 3_600_000
_BEFORE_MS: Final = 600_000
"""Read before a chunk, for the mid at its start: a quiet coin's quote may be this old."""
_AFTER_MS: Final = 20_000
"""Read after a chunk, so that its end is not taken for the end of the data."""
_DIGITS: Final = 12
"""Decimals that prices are rounded to: a mid has one more than the grid, a float's error many."""

Track = Callable[[Sequence[int], str], Iterable[int]]


@dataclass(frozen=True)
class CandleArrays:
    """Candles in time order, shapes (n,): prices in the quote currency, volume in base units."""

    open_ms: Int1D
    open: Float1D
    high: Float1D
    low: Float1D
    close: Float1D
    volume: Float1D

    def __len__(self) -> int:
        return len(self.open_ms)


@dataclass(frozen=True)
class Bars:
    """What happened in each wholly observed bar, in time order; shapes (n,).

    ``start_mid`` and ``end_mid`` are the mids at its two ends, ``lowest`` and ``highest`` the
    extremes of its prints (NaN without any), all in the quote currency; ``volume`` is in base
    units; ``tick`` is the price step.
    """

    width_ms: int
    tick: float
    open_ms: Int1D
    start_mid: Float1D
    end_mid: Float1D
    lowest: Float1D
    highest: Float1D
    volume: Float1D

    def __len__(self) -> int:
        return len(self.open_ms)

    def candles(self, kind: Kind) -> CandleArrays:
        """Return the candles of a kind.

        ``touch`` spans the prints and both mids: an order at a print's price was reached, and so
        was one that the mid has passed. ``through`` spans the mid at the start, which an order is
        placed around, and the prints less a tick on either side.
        """
        start, end = self.start_mid, self.end_mid
        if kind == "touch":
            low, high = np.minimum(start, end), np.maximum(start, end)
            low, high = np.fmin(low, self.lowest), np.fmax(high, self.highest)
        else:
            low = np.fmin(start, self.lowest + self.tick)
            high = np.fmax(start, self.highest - self.tick)
        opened, highest, lowest, closed = np.round((start, high, low, end), _DIGITS)
        return CandleArrays(self.open_ms, opened, highest, lowest, closed, self.volume)

    def merged(self, width_ms: int) -> "Bars":
        """Return longer bars made of those there are: a longer one may lack some of its parts."""
        bin_, first = np.unique(self.open_ms // width_ms, return_index=True)
        if not len(self):
            return Bars(width_ms, *list(vars(self).values())[1:])
        last = np.append(first[1:], len(self)) - 1
        return Bars(
            width_ms,
            self.tick,
            bin_ * width_ms,
            self.start_mid[first],
            self.end_mid[last],
            np.fmin.reduceat(self.lowest, first),
            np.fmax.reduceat(self.highest, first),
            np.add.reduceat(self.volume, first),
        )

    def between(self, start_ms: int, end_ms: int) -> "Bars":
        """Return the bars that start in ``[start_ms, end_ms)``."""
        inside = slice(*np.searchsorted(self.open_ms, [start_ms, end_ms]))
        width, tick, *columns = vars(self).values()
        return Bars(width, tick, *(column[inside] for column in columns))

    @staticmethod
    def joined(parts: "Sequence[Bars]") -> "Bars":
        """Return bars of one width, given in time order and at least one, as one."""
        width, tick, *_ = vars(parts[-1]).values()
        columns = zip(*(list(vars(part).values())[2:] for part in parts), strict=True)
        return Bars(width, tick, *map(np.concatenate, columns))


def bars_of(recording: Recording, width_ms: int) -> Bars:
    """Return the bars that the recording observed from end to end and whose mids are known.

    Raises
    ------
    InputError
        If the recording's tick is not a positive number.
    """
    window = Window.of(recording)
    numbers, _ = window.stretches.bins_inside(width_ms)
    open_ms = numbers * width_ms
    start_mid, end_mid = window.path.at(open_ms), window.path.at(open_ms + width_ms)
    known = np.isfinite(start_mid) & np.isfinite(end_mid)
    open_ms, start_mid, end_mid = open_ms[known], start_mid[known], end_mid[known]
    trades = recording.trades
    edges = np.searchsorted(trades.time_ms, np.stack([open_ms, open_ms + width_ms]))
    traded = edges[0] < edges[1]
    lowest, highest = np.full((2, len(open_ms)), np.nan)
    volume = np.zeros(len(open_ms))
    if traded.any():
        # Between two of these ranges lie the prints outside of any bar, which reduceat reduces too.
        ranges = edges[:, traded].T.ravel()
        pad = np.append(trades.price, trades.price[-1])  # a range may end at the last print
        lowest[traded] = np.minimum.reduceat(pad, ranges)[::2]
        highest[traded] = np.maximum.reduceat(pad, ranges)[::2]
        volume[traded] = np.add.reduceat(np.append(trades.size, 0.0), ranges)[::2]
    return Bars(width_ms, recording.tick, open_ms, start_mid, end_mid, lowest, highest, volume)


def read_bars(
    store: ShardStore,
    coin: str,
    widths_ms: Sequence[int],
    since_ms: int | None = None,
    track: Track = lambda steps, _: steps,
) -> list[Bars]:
    """Read a recording a few hours at a time and return its bars of each width.

    Parameters
    ----------
    store, coin
        Where it lies; ``coin`` by its name at the venue.
    widths_ms
        Lengths of the bars, ms.
    since_ms
        Only bars that start then or later; None takes the whole recording.
    track
        Shows progress over the steps.

    Raises
    ------
    InputError
        The coin is not recorded, or its recording has no rows.
    """
    newest = store.newest_ms(coin)
    if newest is None:
        raise InputError(
            f"{coin}: the recording in {str(store.data_dir)!r} has no rows; record first with "
            "scripts/hyperliquid_data_collector.py."
        )
    oldest = since_ms if since_ms is not None else store.oldest_ms(coin)
    if oldest is None:
        oldest = newest
    first = oldest - oldest % _CHUNK_MS
    starts = list(range(first, max(newest, first) + 1, _CHUNK_MS))
    found: list[list[Bars]] = [[] for _ in widths_ms]
    for start in track(starts, f"candles of {coin}"):
        end = start + _CHUNK_MS
        recording = store.read(coin, start - _BEFORE_MS, end + _AFTER_MS)
        for bars, width in zip(found, widths_ms, strict=True):
            bars.append(bars_of(recording, width).between(max(start, oldest), end))
    return [Bars.joined(bars) for bars in found]


def left_out(open_ms: Int1D, width_ms: int) -> list[tuple[int, int]]:
    """Return the spans ``[start, end)`` in ms between the first and the last bar that have none."""
    holes = np.flatnonzero(np.diff(open_ms) > width_ms)
    return [(int(open_ms[k]) + width_ms, int(open_ms[k + 1])) for k in holes]
