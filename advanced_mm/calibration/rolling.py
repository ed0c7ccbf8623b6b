"""Rolling window over one coin's last minutes that reads only new shards."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.bad_rows import BadRow, BadRows
from advanced_mm.marketdata.listing import ShardFile
from advanced_mm.marketdata.merging import TickNotes, extended, merge_shards
from advanced_mm.marketdata.packing import Packed
from advanced_mm.marketdata.records import Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.silence_log import SilenceLog
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS, Shards, ShardTail

__all__ = ["RollingWindow", "last_minutes"]

_PACK_EVERY: Final = 8
"""Updates between packings: two minutes at the default interval."""
_NOTHING: Final = Shards({kind: [] for kind in DATA_KINDS}, [])


@dataclass
class _Held:
    """Rows in memory from ``complete_from_ms`` on, and the shards they came from.

    Most rows are packed, and repacked only every few updates; ``fresh`` holds later rows.
    ``oldest_ms`` is the time of the oldest recorded row when reading began, taken from its file's
    name if the file was not read.
    """

    tail: ShardTail
    quotes: Packed[Quotes]
    trades: Packed[Trades]
    book_time_ms: Int1D
    empty: Recording
    fresh: Recording
    notes: TickNotes
    skipped: list[ShardFile]
    bad_rows: list[tuple[int, BadRow]]
    newest_ms: int
    complete_from_ms: int
    oldest_ms: int
    additions: int = 0

    def add(self, shards: Shards, later: Recording, start_ms: int) -> Recording:
        """Append shards, merged as ``later``, and return the rows from ``start_ms`` on."""
        low_ms = start_ms - CLOCK_MARGIN_MS
        self.notes = self.notes.and_(TickNotes.of(shards.every)).since(low_ms)
        self.skipped = [f for f in (*self.skipped, *shards.skipped) if f.name_ms >= low_ms]
        bad_rows = ((n.name_ms, bad) for n in shards.every for bad in n.shard.bad_rows)
        self.bad_rows = [b for b in (*self.bad_rows, *bad_rows) if b[0] >= low_ms]
        self.fresh = extended(self.fresh, later, start_ms)
        bulk = replace(
            self.fresh,
            quotes=self.quotes.unpacked(),
            trades=self.trades.unpacked(),
            book_time_ms=self.book_time_ms,
        )
        recording = extended(bulk, self.fresh, start_ms)
        self.additions += 1
        if self.additions % _PACK_EVERY == 0:
            self.pack(recording)
        self.complete_from_ms = max(self.complete_from_ms, start_ms)
        return recording

    def pack(self, recording: Recording) -> None:
        """Pack all rows and clear ``fresh``."""
        self.quotes, self.trades = Packed.of(recording.quotes), Packed.of(recording.trades)
        self.book_time_ms = recording.book_time_ms.copy()
        self.fresh = self.empty

    @property
    def nbytes(self) -> int:
        """Size of the rows in memory, bytes."""
        plain = [*vars(self.fresh.quotes).values(), *vars(self.fresh.trades).values()]
        plain += [self.fresh.book_time_ms, self.book_time_ms]
        return self.quotes.nbytes + self.trades.nbytes + sum(int(a.nbytes) for a in plain)


class RollingWindow:
    """The newest ``minutes`` of a coin's recording, held as arrays between updates.

    An `update` returns what ``store.read(coin, start_ms=newest - minutes)`` would return, but reads
    only the shards that arrived since the previous update. It assumes that copies of a trade carry
    the same exchange time and that shards are not modified; if a shard appears between those
    already read, the whole window is read again.

    Parameters
    ----------
    store : ShardStore
        Store that the collector writes to. The coin's folder need not exist before the first
        `update`.
    coin : str
        The coin's name at the venue.
    minutes : float
        Length of the window. It may be changed between updates; if it grows, rows that are not in
        memory are read from disk.

    Attributes
    ----------
    keep_minutes : float
        Rows that leave the window are kept until they are this old, 0 by default, so that a window
        that may have to grow need not read them again.
    """

    def __init__(self, store: ShardStore, coin: str, minutes: float) -> None:
        self.coin = coin
        self.minutes = minutes
        self.keep_minutes = 0.0
        self._store = store
        self._held: _Held | None = None
        self._silence_log: SilenceLog | None = None

    def update(self) -> Recording:
        """Read what was recorded since the last update.

        Returns
        -------
        Recording
            Without rows if none were recorded yet. Later updates do not change it.

        Raises
        ------
        InputError
            If the data directory or the coin's folder does not exist.
        """
        held, recording = self._held, None
        new = held.tail.newer() if held else None
        if held is not None and new is not None:
            recording = self._roll(held, new)
            if held.complete_from_ms > max(held.oldest_ms, held.newest_ms - _ms(self.minutes)):
                recording = None
        if recording is None:
            recording = self._read_anew()
        return recording if self._held is None else self._window(self._held, recording)

    def has_older_rows(self, minutes: float) -> bool:
        """Return whether rows older than the last ``minutes`` were recorded, in memory or not."""
        held = self._held
        return held is not None and held.oldest_ms < held.newest_ms - _ms(minutes)

    @property
    def bad_rows(self) -> BadRows:
        """Rows dropped from the shards in memory."""
        return BadRows(bad for _, bad in self._held.bad_rows) if self._held else BadRows()

    @property
    def held_bytes(self) -> int:
        """Size of the rows in memory, bytes."""
        return 0 if self._held is None else self._held.nbytes

    def _read_anew(self) -> Recording:
        """Read the window from disk; return a recording without rows if there are none."""
        self._held = None
        self._silence_log = None  # the folder may have been renamed
        tail = self._store.tail(self.coin)
        newest_ms = self._store.newest_ms(self.coin)
        if newest_ms is None:
            return self._store.read(self.coin)
        nothing = self._merged(_NOTHING)
        start_ms = newest_ms - _ms(self.minutes)
        held = _Held(
            tail=tail,
            quotes=Packed.of(nothing.quotes),
            trades=Packed.of(nothing.trades),
            book_time_ms=nothing.book_time_ms,
            empty=nothing,
            fresh=nothing,
            notes=TickNotes.of([]),
            skipped=[],
            bad_rows=[],
            newest_ms=newest_ms,
            complete_from_ms=start_ms,
            oldest_ms=0,
        )
        recording, oldest_ms = nothing, newest_ms
        for part in tail.start(start_ms - CLOCK_MARGIN_MS):
            for named in part.every:
                oldest_ms = min(oldest_ms, int(named.shard.columns["time_ms"].min()))
            recording = held.add(part, self._merged(part), start_ms)
            held.pack(recording)
        if recording.newest_ms is None:
            return nothing  # deleted in the meantime
        held.newest_ms = recording.newest_ms
        held.oldest_ms = min(oldest_ms, tail.oldest_file_ms)
        self._held = held
        return recording

    def _roll(self, held: _Held, new: Shards) -> Recording:
        """Append new rows and drop those too old to keep."""
        later = self._merged(new)
        held.newest_ms = max(held.newest_ms, later.newest_ms or 0)
        start_ms = held.newest_ms - _ms(max(self.minutes, self.keep_minutes))
        held.tail.forget_before(start_ms - CLOCK_MARGIN_MS)
        return held.add(new, later, start_ms)

    def _window(self, held: _Held, recording: Recording) -> Recording:
        low_ms = held.newest_ms - _ms(self.minutes) - CLOCK_MARGIN_MS
        skipped = sorted((f for f in held.skipped if f.name_ms >= low_ms), key=_by_kind)
        if self._silence_log is None:
            self._silence_log = self._store.silence_log(self.coin)
        start_ms = held.newest_ms - _ms(self.minutes)
        return replace(
            last_minutes(recording, self.minutes),
            tick=held.notes.since(low_ms).price_step(),
            skipped_files=tuple(file.path for file in skipped),
            bad_rows=tuple(bad for name_ms, bad in held.bad_rows if name_ms >= low_ms),
            silences=self._silence_log.between(start_ms, None),
        )

    def _merged(self, shards: Shards) -> Recording:
        parsed = {kind: [named.shard for named in group] for kind, group in shards.by_kind.items()}
        return merge_shards(self.coin, parsed, None, None, ())


def last_minutes(recording: Recording, minutes: float) -> Recording:
    """Return the newest ``minutes`` of a recording, as views of its arrays."""
    newest_ms = recording.newest_ms
    if newest_ms is None:
        return recording
    start_ms = newest_ms - _ms(minutes)
    quotes, trades = recording.quotes, recording.trades
    quote, trade = _place(quotes.time_ms, start_ms), _place(trades.time_ms, start_ms)
    return replace(
        recording,
        quotes=Quotes(*(array[quote:] for array in vars(quotes).values())),
        trades=Trades(*(array[trade:] for array in vars(trades).values())),
        book_time_ms=recording.book_time_ms[_place(recording.book_time_ms, start_ms) :],
    )


def _ms(minutes: float) -> int:
    return round(minutes * 60_000)


def _place(time_ms: Int1D, start_ms: int) -> int:
    return int(np.searchsorted(time_ms, start_ms, "left"))


def _by_kind(file: ShardFile) -> tuple[str, int]:
    return Path(file.path).parent.name, file.name_ms
