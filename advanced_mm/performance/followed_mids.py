"""Mids from a recording that is being made: what is read again is only what is new."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.marketdata import Quotes, Recording, ShardStore
from advanced_mm.marketdata.merging import merge_shards
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS, Shards, ShardTail
from advanced_mm.performance.mids import RecordedMids, newest_of

__all__ = ["FollowedMids"]

_BEFORE_MS: Final = 300_000
"""The mid at the start may be this old."""


class FollowedMids:
    """A `MidSource` that answers as `RecordedMids` does, for times since the start of a session.

    Parameters
    ----------
    store, coin
        Where the recording lies or is going to lie; ``coin`` by its name at the venue.
    since_ms
        The earliest time that is asked for, epoch milliseconds.
    """

    name = RecordedMids.name
    holds_ms = RecordedMids.holds_ms

    def __init__(self, store: ShardStore, coin: str, since_ms: int) -> None:
        self._store, self._coin = store, coin
        self._low_ms = since_ms - _BEFORE_MS
        self.newest: Quotes | None = None
        """The newest row that was recorded; None if nothing is."""
        self._tail: ShardTail | None = None
        self._forget()

    def update(self) -> None:
        """Read what was recorded since the last call."""
        new = None if self._tail is None else self._tail.newer()
        if self._tail is not None and new is not None:
            self._add([new])
            return
        self._forget()
        try:
            self._tail = self._store.tail(self._store.resolve(self._coin))
        except InputError:
            self._tail = None  # nothing is recorded yet
        else:
            self._add(self._tail.start(self._low_ms - CLOCK_MARGIN_MS))

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """See `MidSource.at`."""
        time_ms, mid = self._quotes.columns
        (heard_ms,) = self._heard.columns
        return newest_of(time_ms, mid, heard_ms, times_ms)

    def _forget(self) -> None:
        self._quotes = _InOrder(np.empty(0, np.int64), np.empty(0))
        self._heard = _InOrder(np.empty(0, np.int64))

    def _add(self, parts: Iterable[Shards]) -> None:
        for part in parts:
            recording = self._merged(part)
            quotes = recording.quotes
            if len(quotes):
                self.newest = quotes.rows(slice(-1, None))
            self._quotes.add(quotes.time_ms, (quotes.bid + quotes.ask) / 2)
            self._heard.add(np.sort(np.concatenate([quotes.time_ms, recording.book_time_ms])))
        (heard_ms,) = self._heard.columns
        if self._tail is not None and len(heard_ms):
            self._tail.forget_before(int(heard_ms[-1]) - CLOCK_MARGIN_MS)

    def _merged(self, shards: Shards) -> Recording:
        parsed = {kind: [named.shard for named in group] for kind, group in shards.by_kind.items()}
        return merge_shards(self._coin, parsed, None, None, ())


class _InOrder:
    """Columns in the order of the first, to which rows are added without copying all others."""

    def __init__(self, *columns: NDArray[Any]) -> None:
        self._room = columns
        self._rows = len(columns[0])

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The columns, as views."""
        return tuple(room[: self._rows] for room in self._room)

    def add(self, *columns: NDArray[Any]) -> None:
        """Add rows, which are in order among themselves."""
        before, self._rows = self._rows, self._rows + len(columns[0])
        if self._rows > len(self._room[0]):
            self._room = tuple(
                np.concatenate([room[:before], np.empty(self._rows, room.dtype)])
                for room in self._room
            )
        for room, column in zip(self._room, columns, strict=True):
            room[before : self._rows] = column
        first = self._room[0]
        if 0 < before < self._rows and first[before] < first[before - 1]:  # a second recorder
            order = np.argsort(first[: self._rows], kind="stable")
            for room in self._room:
                room[: self._rows] = room[: self._rows][order]
