"""Rows that wait in memory until they are written, one shard per coin and kind."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.marketdata.collector.writer import ShardSink
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata

__all__ = ["WaitingRows"]


class WaitingRows:
    """Rows received but not written yet.

    Parameters
    ----------
    store : ShardSink
        Store to write to, or a writer in front of one.
    ticks : mapping of str to float
        Price step of each coin as far as known, quote currency, written to the shards' metadata.
    flush_seconds : float
        Longest time a row may wait, seconds of the times passed in.

    Raises
    ------
    InputError
        If ``flush_seconds`` is not positive.
    """

    def __init__(self, store: ShardSink, ticks: Mapping[str, float], flush_seconds: float) -> None:
        if not flush_seconds > 0.0:
            raise InputError(f"flush_seconds is {flush_seconds!r}, must be positive")
        self._store = store
        self._ticks = dict(ticks)
        self._flush_seconds = flush_seconds
        self._rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        self._oldest_s: float | None = None

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def add(self, coin: str, kind: str, rows: list[tuple[Any, ...]], received_s: float) -> None:
        """Add rows with the columns of their kind's schema, received at ``received_s``."""
        if not rows:
            return
        self._rows.setdefault((coin, kind), []).extend(rows)
        if self._oldest_s is None:
            self._oldest_s = received_s

    def set_tick(self, coin: str, tick: float) -> None:
        """Set the price step (quote currency) written to the coin's next shards."""
        self._ticks[coin] = tick

    def due(self, now_s: float) -> bool:
        """Return whether the oldest row has waited ``flush_seconds`` at ``now_s``."""
        return self._oldest_s is not None and now_s - self._oldest_s >= self._flush_seconds

    def flush(self) -> None:
        """Write all rows.

        Raises
        ------
        InputError
            If the disk cannot be written; unwritten rows stay in memory.
        """
        for coin, kind in list(self._rows):
            columns = zip(*self._rows[coin, kind], strict=True)
            schema = SCHEMAS[kind].with_metadata(shard_metadata(coin, self._ticks.get(coin)))
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
            ]
            self._store.write(coin, kind, pa.Table.from_arrays(arrays, schema=schema))
            del self._rows[coin, kind]
        self._oldest_s = None
