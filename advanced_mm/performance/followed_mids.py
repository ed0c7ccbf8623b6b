"""Mids from a recording that is being made: what is read again is only what is new."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from advanced_mm.errors import InputError
from advanced_mm.marketdata import Recording, ShardStore
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
        return newest_of(self._time_ms, self._mid, self._heard_ms, times_ms)

    def _forget(self) -> None:
        self._time_ms: Int1D = np.empty(0, np.int64)
        self._mid: Float1D = np.empty(0)
        self._heard_ms: Int1D = np.empty(0, np.int64)

    def _add(self, parts: Iterable[Shards]) -> None:
        merged = [self._merged(part) for part in parts]
        times = np.concatenate([self._time_ms, *(one.quotes.time_ms for one in merged)])
        mids = [(one.quotes.bid + one.quotes.ask) / 2 for one in merged]
        order = _order(times)
        self._time_ms = times[order]
        self._mid = np.concatenate([self._mid, *mids])[order]
        heard = [column for one in merged for column in (one.quotes.time_ms, one.book_time_ms)]
        heard_ms = np.concatenate([self._heard_ms, *heard])
        heard_ms.sort(kind="stable")
        self._heard_ms = heard_ms
        if self._tail is not None and len(heard_ms):
            self._tail.forget_before(int(heard_ms[-1]) - CLOCK_MARGIN_MS)

    def _merged(self, shards: Shards) -> Recording:
        parsed = {kind: [named.shard for named in group] for kind, group in shards.by_kind.items()}
        return merge_shards(self._coin, parsed, None, None, ())


def _order(times: Int1D) -> Int1D | slice:
    """The order of ascending times; nothing is moved where they are."""
    return slice(None) if (np.diff(times) >= 0).all() else np.argsort(times, kind="stable")
