"""Mids from a recording if there is one, else from the bot's own looks.

A mid counts only if it was seen recently: at a fill it may be five seconds old, after a horizon
half of that, but at most five seconds and for long horizons a minute. A recording has every
change: its last price holds if it received anything from the exchange in the last five seconds.
Otherwise the mid the bot recorded with the fill is used, a minute old at most.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.records import Observations, Record

__all__ = [
    "HORIZONS_S",
    "HORIZON_S",
    "MINUTE_MS",
    "Marks",
    "MidSource",
    "RecordedMids",
    "SeenMids",
    "find_marks",
    "newest_of",
]

HORIZON_S: Final = 10.0
"""What the mid moves in so many seconds after a fill is its adverse selection, by default."""
HORIZONS_S: Final = (1.0, HORIZON_S, 60.0, 300.0)
"""The markouts that are always taken, seconds after a fill."""
MINUTE_MS: Final = 60_000
_FINE_GRID_MS: Final = 5_000
_FINE_UP_TO_MS: Final = 2 * 3_600_000
_OLDEST_AT_FILL_MS: Final = 5_000
_CHUNK_MS: Final = 3 * 3_600_000
_BEFORE_MS: Final = 300_000
_NEVER: Final = np.iinfo(np.int64).min // 2

Track = Callable[[Sequence[int], str], Iterable[int]]


class MidSource(Protocol):
    """A source of mids."""

    @property
    def name(self) -> str:
        """Its name in the report."""

    @property
    def holds_ms(self) -> int:
        """How long a mid holds after the source last heard anything, ms."""

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """Return the newest mid at or before each time (NaN before the first), and when the source
        last saw that it was so."""


@dataclass(frozen=True)
class SeenMids:
    """Single looks, recorded by the program that traded."""

    seen: Observations
    name: str = "journal"
    holds_ms: int = 0

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """See `MidSource.at`."""
        return newest_of(self.seen.time_ms, self.seen.mid, self.seen.time_ms, times_ms)


class RecordedMids:
    """The recording of the market, read a few hours at a time.

    Parameters
    ----------
    store, coin
        Where it lies; ``coin`` by its name at the venue.
    track
        Shows progress over the steps.
    """

    name = "recording"
    holds_ms = 5_000

    def __init__(self, store: ShardStore, coin: str, track: Track = lambda steps, _: steps) -> None:
        self._store, self._coin, self._track = store, coin, track
        self.skipped: list[str] = []

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """See `MidSource.at`."""
        mid = np.full(len(times_ms), np.nan)
        seen = np.full(len(times_ms), _NEVER)
        chunk = times_ms // _CHUNK_MS
        for number in self._track(np.unique(chunk).tolist(), f"mids of {self._coin}"):
            chosen = np.flatnonzero(chunk == number)
            asked = times_ms[chosen]
            start, end = int(asked.min()) - _BEFORE_MS, int(asked.max())
            recording = self._store.read(self._coin, start, end)
            self.skipped += recording.skipped_files
            quotes = recording.quotes
            heard = np.sort(np.concatenate([quotes.time_ms, recording.book_time_ms]))
            mids = (quotes.bid + quotes.ask) / 2
            mid[chosen], seen[chosen] = newest_of(quotes.time_ms, mids, heard, asked)
        return mid, seen


@dataclass(frozen=True)
class Marks:
    """The mids that a record is judged by.

    Attributes
    ----------
    mid : array, shape (n,)
        Just before each fill; NaN if unknown.
    after : dict of array, shape (n,)
        By horizon, seconds.
    source, source_after : array of str, shape (n,)
        Source of the mid before the fill and after the chosen horizon, empty if unknown.
    horizon_s : float
        The chosen horizon; a key of ``after``.
    grid_ms, grid_mid : array
        Whole minutes (up to two hours: every five seconds) and both ends of the window, with the
        newest mid of any age; where there is none yet the price of the newest fill.
    end_mid : float
        The last of ``grid_mid``.
    """

    mid: Float1D
    after: dict[float, Float1D]
    source: NDArray[np.object_]
    source_after: NDArray[np.object_]
    horizon_s: float
    grid_ms: Int1D
    grid_mid: Float1D

    @property
    def end_mid(self) -> float:
        """The newest mid (or price) there is, NaN without any."""
        return float(self.grid_mid[-1])


def find_marks(record: Record, sources: Sequence[MidSource], horizon_s: float = HORIZON_S) -> Marks:
    """Look up the mids of a record's fills, of their markouts and of each minute.

    Parameters
    ----------
    record
        Fills and window.
    sources
        The best first: each answers what those before it did not see.
    horizon_s
        The horizon of the adverse selection, seconds.

    Raises
    ------
    InputError
        The horizon is not above zero.
    """
    if not 0 < horizon_s < np.inf:
        raise InputError(f"a horizon of {horizon_s:g} s: it must be a number above 0")
    fills = record.fills
    horizons = sorted({*HORIZONS_S, horizon_s})
    grid = _grid(record.start_ms, record.end_ms)
    offsets = [-1, *(round(1000 * h) for h in horizons)]  # -1: just before the fill
    oldest = [_OLDEST_AT_FILL_MS, *(_oldest_after(h) for h in horizons)]
    asked = [fills.time_ms + offset for offset in offsets]
    limits = [np.full(len(fills), age) for age in oldest]
    times = np.concatenate([*asked, grid])
    limit = np.concatenate([*limits, np.full(len(grid), -_NEVER)])
    mid, name = _from_the_best(times, limit, sources)
    *columns, grid_mid = np.split(mid, np.cumsum([len(fills)] * len(offsets)))
    names = np.split(name, np.cumsum([len(fills)] * len(offsets)))
    at_fill, names_at_fill = columns[0], names[0]
    own = ~np.isfinite(at_fill) & np.isfinite(fills.own_mid)
    at_fill = np.where(own, fills.own_mid, at_fill)
    return Marks(
        mid=at_fill,
        after=dict(zip(horizons, columns[1:], strict=True)),
        source=np.where(own, "journal", names_at_fill).astype(object),
        source_after=names[1 + horizons.index(horizon_s)],
        horizon_s=horizon_s,
        grid_ms=grid,
        grid_mid=_with_prices(grid, grid_mid, record),
    )


def _from_the_best(
    times: Int1D, limit: Int1D, sources: Sequence[MidSource]
) -> tuple[Float1D, NDArray[np.object_]]:
    """Ask each source for what the better ones did not see within the limit."""
    mid = np.full(len(times), np.nan)
    name = np.full(len(times), "", dtype=object)
    for source in sources:
        missing = np.flatnonzero(~np.isfinite(mid))
        if not len(missing):
            break
        found, seen = source.at(times[missing])
        oldest = np.maximum(limit[missing], source.holds_ms)
        good = np.isfinite(found) & (times[missing] - seen <= oldest)
        mid[missing[good]] = found[good]
        name[missing[good]] = source.name
    return mid, name


def _oldest_after(horizon_s: float) -> int:
    """How old a mid may be at a markout, ms."""
    half = 500 * horizon_s
    return round(min(half, max(_OLDEST_AT_FILL_MS, half / 5), 60_000))


def _grid(start_ms: int, end_ms: int) -> Int1D:
    step = _FINE_GRID_MS if end_ms - start_ms <= _FINE_UP_TO_MS else MINUTE_MS
    inside = np.arange(-(-start_ms // step) * step, end_ms + 1, step, dtype=np.int64)
    return np.unique(np.concatenate([[start_ms], inside, [max(end_ms, start_ms)]]))


def _with_prices(grid: Int1D, mid: Float1D, record: Record) -> Float1D:
    """Fill gaps with the newest mid or fill price, at the start with the first."""
    fills = record.fills
    prices, _ = newest_of(fills.time_ms, fills.price, fills.time_ms, grid)
    mid = np.where(np.isfinite(mid), mid, prices)
    known = np.flatnonzero(np.isfinite(mid))
    if not len(known):
        first = fills.price[:1] if len(fills) else np.array([np.nan])
        return np.full(len(grid), first[0])
    place = np.searchsorted(known, np.arange(len(grid)), side="right") - 1
    return np.asarray(mid[known[np.maximum(place, 0)]])


def newest_of(times: Int1D, values: Float1D, heard: Int1D, asked: Int1D) -> tuple[Float1D, Int1D]:
    """The newest value at or before each time asked for, and when that was last heard to be so."""
    if not len(times):
        return np.full(len(asked), np.nan), np.full(len(asked), _NEVER)
    place = np.searchsorted(times, asked, side="right") - 1
    last = np.searchsorted(heard, asked, side="right") - 1
    known = place >= 0
    value = np.where(known, values[np.maximum(place, 0)], np.nan)
    seen = np.where(known, heard[np.maximum(last, 0)], _NEVER)
    return value, seen
