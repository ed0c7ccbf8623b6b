"""A coin's recording in memory, cut at any moment to the rows that had been received by then."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.bad_rows import BadRows
from advanced_mm.marketdata.merging import merge_shards
from advanced_mm.marketdata.packing import Packed
from advanced_mm.marketdata.records import Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.shards import PRICE_UNITS
from advanced_mm.marketdata.silence_log import SilenceLog
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS, NamedShard

__all__ = ["RecordedRows", "RowsAsOf"]

_REPLAY_MARGIN_MS: Final = 3_600_000
_NEVER: Final = -sys.maxsize


@dataclass(frozen=True)
class _Known:
    """When the rows of one kind became known. Shapes (n,).

    ``time_ms`` are their exchange times, sorted; ``known_ms`` when each had been received, never
    before its exchange time. ``arrived_ms`` is the sorted copy of ``known_ms`` and ``newest_ms``
    the newest exchange time among the rows that had arrived by then.
    """

    time_ms: Int1D
    known_ms: Int1D
    arrived_ms: Int1D
    newest_ms: Int1D

    @classmethod
    def of(cls, time_ms: Int1D, received_ms: Int1D) -> "_Known":
        known_ms = np.maximum(time_ms, received_ms)
        order = np.argsort(known_ms, kind="stable")
        return cls(time_ms, known_ms, known_ms[order], np.maximum.accumulate(time_ms[order]))

    def newest_by(self, now_ms: int) -> int:
        """Return the newest exchange time known by then, a very early one if there is none."""
        count = int(np.searchsorted(self.arrived_ms, now_ms, "right"))
        return int(self.newest_ms[count - 1]) if count else _NEVER

    def oldest_by(self, now_ms: int) -> int | None:
        """Return the oldest exchange time known by then, None if there is none."""
        known = np.flatnonzero(self.known_ms <= now_ms)[:1]
        return int(self.time_ms[known[0]]) if len(known) else None

    def rows(self, start_ms: int, now_ms: int) -> "slice | NDArray[np.int64]":
        """Return the rows from ``start_ms`` on that were known by ``now_ms``."""
        low = int(np.searchsorted(self.time_ms, start_ms, "left"))
        high = int(np.searchsorted(self.time_ms, now_ms, "right"))
        known = self.known_ms[low:high] <= now_ms
        return slice(low, high) if known.all() else low + np.flatnonzero(known)


@dataclass(frozen=True)
class _Ticks:
    """Price steps of the shards, and when they became known. Shapes (number of shards,).

    ``name_ms`` and ``newest_ms`` as in `TickNotes`; ``begun_ms`` is when the first row of a shard
    was known, from when on the step in its metadata was.
    """

    name_ms: Int1D
    begun_ms: Int1D
    newest_ms: Int1D
    tick: NDArray[np.float64]

    @classmethod
    def of(cls, shards: Sequence[NamedShard]) -> "_Ticks":
        dated = [named for named in shards if named.shard.tick is not None]
        return cls(
            np.array([named.name_ms for named in dated], dtype=np.int64),
            np.array([_begun_ms(named) for named in dated], dtype=np.int64),
            np.array([named.shard.newest_ms for named in dated], dtype=np.int64),
            np.array([named.shard.tick for named in dated], dtype=np.float64),
        )

    def as_of(self, low_ms: int, now_ms: int) -> float | None:
        """Return the newest step noted by then in the shards named at ``low_ms`` or later."""
        known = (self.name_ms >= low_ms) & (self.begun_ms <= now_ms)
        if not known.any():
            return None
        newest = np.minimum(self.newest_ms[known], now_ms)
        return float(self.tick[known][newest == newest.max()].max())


class RecordedRows:
    """All rows of one coin between two times.

    A row counts as known from the time it was received, or from its exchange time if that is later.
    Order book snapshots have none in memory: each counts as
    delayed as the quote before it.

    Parameters
    ----------
    store : ShardStore
        Where the recording is.
    coin : str
        The coin's name at the venue.
    start_ms, end_ms : int, optional
        Exchange times (ms) between which rows are kept, both included.
    market_clock : bool
        Whether a row counts as known from its exchange time, for a recording of a market that ran
        faster than the clock.

    Raises
    ------
    InputError
        If the data directory or the coin's folder does not exist.
    """

    def __init__(
        self,
        store: ShardStore,
        coin: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        *,
        market_clock: bool = False,
    ) -> None:
        self.coin = coin
        low = 0 if start_ms is None else start_ms - CLOCK_MARGIN_MS
        high = sys.maxsize if end_ms is None else end_ms + _REPLAY_MARGIN_MS
        shards: dict[str, list[NamedShard]] = {kind: [] for kind in DATA_KINDS}
        for part in store.tail(coin).start(low):
            for kind, group in part.by_kind.items():
                shards[kind] += [named for named in group if named.name_ms <= high]
        parsed = {kind: [named.shard for named in group] for kind, group in shards.items()}
        self.recording = merge_shards(coin, parsed, start_ms, end_ms, ())
        self._ticks = _Ticks.of([named for group in shards.values() for named in group])
        self._silences = SilenceLog(store.folder(coin))
        self._market_clock = market_clock
        quotes, trades = self.recording.quotes, self.recording.trades
        self._quotes = _Known.of(quotes.time_ms, self._received_ms(quotes))
        self._trades = _Known.of(trades.time_ms, self._received_ms(trades))
        books = self.recording.book_time_ms
        self._books = _Known.of(books, books + self._delay_ms(books))

    @property
    def first_ms(self) -> int | None:
        """When the first row was known, None if there are no rows."""
        first = (int(one.arrived_ms[0]) for one in self._kinds if len(one.time_ms))
        return min(first, default=None)

    @property
    def last_ms(self) -> int | None:
        """When the last row was known, None if there are no rows."""
        last = (int(one.arrived_ms[-1]) for one in self._kinds if len(one.time_ms))
        return max(last, default=None)

    def newest_by(self, now_ms: int) -> int | None:
        """Return the newest exchange time (ms) known by then, None if nothing was."""
        newest = max(one.newest_by(now_ms) for one in self._kinds)
        return None if newest == _NEVER else newest

    def oldest_by(self, now_ms: int) -> int | None:
        """Return the oldest exchange time (ms) known by then, None if nothing was."""
        oldest = (one.oldest_by(now_ms) for one in self._kinds)
        return min((time_ms for time_ms in oldest if time_ms is not None), default=None)

    def between(self, start_ms: int, now_ms: int) -> Recording:
        """Return the rows with exchange times from ``start_ms`` on, known by ``now_ms``."""
        quotes = self.recording.quotes.rows(self._quotes.rows(start_ms, now_ms))
        trades = self.recording.trades.rows(self._trades.rows(start_ms, now_ms))
        tick = self._ticks.as_of(start_ms - CLOCK_MARGIN_MS, now_ms)
        logged_by_s = None if self._market_clock else now_ms / 1000
        return replace(
            self.recording,
            quotes=quotes,
            trades=trades,
            book_time_ms=self.recording.book_time_ms[self._books.rows(start_ms, now_ms)],
            tick=_common_step(quotes, trades) if tick is None else tick,
            silences=tuple(
                silence
                if silence.end_ms is None or silence.end_ms <= now_ms
                else replace(silence, end_ms=None)
                for silence in self._silences.between(start_ms, now_ms, logged_by_s)
            ),
        )

    @property
    def _kinds(self) -> tuple[_Known, ...]:
        return self._quotes, self._trades, self._books

    def _received_ms(self, records: Quotes | Trades) -> Int1D:
        if self._market_clock:
            return records.time_ms
        return np.ceil(records.local_s * 1000).astype(np.int64)

    def _delay_ms(self, time_ms: Int1D) -> Int1D:
        """Return how much later than its time each of these was received, by the last quote."""
        quotes = self._quotes
        if not len(quotes.time_ms):
            return np.zeros_like(time_ms)
        before = np.searchsorted(quotes.time_ms, time_ms, "right") - 1
        delay = (quotes.known_ms - quotes.time_ms)[np.maximum(before, 0)]
        return np.where(before < 0, 0, delay)


class RowsAsOf:
    """The newest minutes of a recording at the moment that ``clock`` shows.

    Offers what `AdaptiveWindow` needs of a `RollingWindow`, from memory.

    Parameters
    ----------
    rows : RecordedRows
        The whole recording.
    minutes : float
        Length of the window; it may be changed between updates.
    clock : callable
        Returns seconds since the epoch.
    """

    def __init__(self, rows: RecordedRows, minutes: float, clock: Callable[[], float]) -> None:
        self.coin = rows.coin
        self.minutes = minutes
        self.keep_minutes = 0.0
        self._rows = rows
        self._clock = clock
        self._window = rows.between(sys.maxsize, 0)

    def update(self) -> Recording:
        """Return the rows of the last ``minutes`` that were known by now, none if nothing was."""
        now_ms = self._now_ms
        newest_ms = self._rows.newest_by(now_ms)
        if newest_ms is None:
            return self._window
        start_ms = newest_ms - round(self.minutes * 60_000)
        self._window = self._rows.between(start_ms, now_ms)
        return self._window

    def has_older_rows(self, minutes: float) -> bool:
        """Return whether rows older than the last ``minutes`` were known by now."""
        newest_ms = self._rows.newest_by(self._now_ms)
        oldest_ms = self._rows.oldest_by(self._now_ms)
        if newest_ms is None or oldest_ms is None:
            return False
        return oldest_ms < newest_ms - round(minutes * 60_000)

    @property
    def bad_rows(self) -> BadRows:
        """None: rows are dropped while the recording is read, not at a moment."""
        return BadRows()

    @property
    def held_bytes(self) -> int:
        """Size that the window's rows would have in a running process, bytes."""
        quotes, trades = Packed.of(self._window.quotes), Packed.of(self._window.trades)
        return quotes.nbytes + trades.nbytes + int(self._window.book_time_ms.nbytes)

    @property
    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _begun_ms(named: NamedShard) -> int:
    columns = named.shard.columns
    begun_ms = int(columns["time_ms"].min())
    local_s = columns.get("local_s")
    if local_s is None or not np.isfinite(local_s).any():
        return begun_ms
    return max(begun_ms, int(np.ceil(np.nanmin(local_s) * 1000)))


def _common_step(quotes: Quotes, trades: Trades) -> float:
    """Return the greatest common divisor of the prices, NaN without prices."""
    prices = np.concatenate((quotes.bid, quotes.ask, trades.price))
    units = np.round(prices[np.isfinite(prices)] * PRICE_UNITS).astype(np.int64)
    step = int(np.gcd.reduce(units)) if len(units) else 0
    return step / PRICE_UNITS if step else float("nan")
