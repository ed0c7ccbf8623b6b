"""Writing of shards beside the event loop, with patience for a full disk.

A disk that is full or gone for a while must not cost the market data that could be kept in memory,
nor may a slow disk delay the receipt of messages, by which lags are measured. Tables are therefore
queued and written by a thread. While the disk cannot be written they wait, the newest of them up to
a bound; the older ones are dropped and listed in the coin's connection log as gaps.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.errors import InputError
from advanced_mm.marketdata.connection_log import CHANNEL_OF
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata

__all__ = ["ShardSink", "ShardWriter", "WriterState"]

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 128_000_000
_RETRY_SECONDS: Final = 1.0
_ROWS_A_SHARD: Final = 20_000
_OVERHEAD_BYTES: Final = 200  # of a column of a small table


class ShardSink(Protocol):
    """Where a recorder puts its rows."""

    def write(self, coin: str, kind: str, table: pa.Table) -> object:
        """Take one coin's rows of one kind."""


@dataclass(frozen=True)
class WriterState:
    """What waits in memory and what has been lost.

    Attributes
    ----------
    rows, bytes : int
        Waiting to be written.
    dropped_rows : int
        Dropped since the start because the disk could not be written for too long.
    problem : str or None
        Why the disk cannot be written, None if it can.
    """

    rows: int
    bytes: int
    dropped_rows: int
    problem: str | None


@dataclass(frozen=True, eq=False)
class _Waiting:
    coin: str
    kind: str
    table: pa.Table

    @property
    def first_s(self) -> float:
        """Local time of its first row, seconds."""
        return float(self.table["timestamp"][0].as_py())

    @property
    def bytes(self) -> int:
        return int(self.table.nbytes) + _OVERHEAD_BYTES * int(self.table.num_columns)


@dataclass
class _Loss:
    """Dropped rows of one coin and kind: their number and local and exchange times."""

    rows: int
    start_s: float
    end_s: float
    start_ms: int | None
    end_ms: int | None


class ShardWriter:
    """Writes shards in a thread of its own, the longest waiting first.

    Rows of one coin and kind that wait together become one shard. A disk that cannot be written is
    tried again until it can; any other error ends the writing.

    Parameters
    ----------
    store : ShardSink
        Store to write to, used by the writer's thread only.
    most_bytes : int
        Memory for rows that wait because the disk cannot be written.
    retry_seconds : float
        Interval between attempts to write to such a disk.
    on_written : callable or None
        Called in the writer's thread with coin, kind, table and the store's answer for each shard.
    """

    def __init__(
        self,
        store: ShardSink,
        most_bytes: int = _MOST_BYTES,
        retry_seconds: float = _RETRY_SECONDS,
        on_written: Callable[[str, str, pa.Table, Any], None] | None = None,
    ) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._retry_seconds = retry_seconds
        self._on_written = on_written
        self._queues: dict[tuple[str, str], list[_Waiting]] = {}
        self._losses: dict[tuple[str, str], _Loss] = {}
        self._rows = self._bytes = self._dropped_rows = 0
        self._problem: str | None = None
        self._failure: InputError | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> WriterState:
        """What waits and what has been lost."""
        with self._changed:
            return WriterState(self._rows, self._bytes, self._dropped_rows, self._problem)

    def write(self, coin: str, kind: str, table: pa.Table) -> None:
        """Queue a table with at least one row.

        Raises
        ------
        InputError
            If an earlier table could not be written and never will be.
        """
        with self._changed:
            self._raise_failure()
            self._add(_Waiting(coin, kind, table))
            self._drop_oldest()
            if self._thread is None:
                # A disk that hangs must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="shards", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, timeout_seconds: float) -> bool:
        """Write what waits and end the thread; return whether everything received is on disk.

        A disk that cannot be written is tried once more.

        Raises
        ------
        InputError
            As for `write`.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        with self._changed:
            self._raise_failure()
            return not self._rows and not self._dropped_rows

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _add(self, waiting: _Waiting) -> None:
        self._queues.setdefault((waiting.coin, waiting.kind), []).append(waiting)
        self._rows += waiting.table.num_rows
        self._bytes += waiting.bytes

    def _forget(self, waiting: _Waiting) -> None:
        self._rows -= waiting.table.num_rows
        self._bytes -= waiting.bytes

    def _drop_oldest(self) -> None:
        """Drop the tables that wait longest until the rest fits; connection logs are kept."""
        while self._bytes > self._most_bytes:
            queues = [queue for (_, kind), queue in self._queues.items() if kind != "connections"]
            if not queues:
                return
            dropped = self._pop(min(queues, key=lambda queue: queue[0].first_s), 1)[0]
            self._forget(dropped)
            self._note_loss(dropped)

    def _pop(self, queue: list[_Waiting], count: int) -> list[_Waiting]:
        taken = queue[:count]
        del queue[:count]
        if not queue:
            del self._queues[taken[0].coin, taken[0].kind]
        return taken

    def _note_loss(self, dropped: _Waiting) -> None:
        coin, kind, table = dropped.coin, dropped.kind, dropped.table
        start_s, end_s = pc.min_max(table["timestamp"]).as_py().values()
        start_ms, end_ms = pc.min_max(table["exchange_timestamp"]).as_py().values()
        self._dropped_rows += table.num_rows
        loss = self._losses.get((coin, kind))
        if loss is None:
            self._losses[coin, kind] = _Loss(table.num_rows, start_s, end_s, start_ms, end_ms)
            logger.error(
                "%s: the oldest %s are dropped: %.0f MB of rows wait for the disk (%s)",
                coin,
                kind,
                self._most_bytes / 1e6,
                self._problem or "it is too slow",
            )
        else:
            loss.rows += table.num_rows
            loss.end_s, loss.end_ms = max(loss.end_s, end_s), end_ms

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queues or self._closing)
                if not self._queues:
                    return
                taken = self._take()
            problem = self._attempt(taken)
            with self._changed:
                if self._failure is not None:
                    return
                self._after(taken, problem)
                if problem is not None:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, self._retry_seconds)

    def _take(self) -> list[_Waiting]:
        """Take the tables of the next shard: of one coin and kind, with the same metadata.

        The connection log goes first: a process killed in between must not have told what came
        after a gap and not the gap.
        """
        queue = min(
            self._queues.values(),
            key=lambda queue: (queue[0].kind != "connections", queue[0].first_s),
        )
        schema, rows, count = queue[0].table.schema, 0, 0
        for waiting in queue:
            rows += waiting.table.num_rows
            alike = waiting.table.schema.equals(schema, check_metadata=True)
            if count and (rows > _ROWS_A_SHARD or not alike):
                break
            count += 1
        return self._pop(queue, count)

    def _attempt(self, taken: list[_Waiting]) -> str | None:
        """Write one shard; return why the disk cannot be written now, None if it can."""
        coin, kind = taken[0].coin, taken[0].kind
        try:
            table = pa.concat_tables([waiting.table for waiting in taken]).combine_chunks()
            path = self._store.write(coin, kind, table)
            if self._on_written is not None:
                self._on_written(coin, kind, table, path)
        except InputError as error:
            if isinstance(error.__cause__, OSError):
                return str(error)
            self._failure = error
        except Exception as error:  # must reach the collector, which cannot see this thread
            logger.exception("%s: %s cannot be written", coin, kind)
            self._failure = InputError(f"{coin}: {kind} cannot be written: {error}")
        return None

    def _after(self, taken: list[_Waiting], problem: str | None) -> None:
        """Note the result of an attempt."""
        if problem is not None:
            self._queues[taken[0].coin, taken[0].kind] = [
                *taken,
                *self._queues.get((taken[0].coin, taken[0].kind), []),
            ]
            self._drop_oldest()
            if self._problem is None:
                logger.error("%s; the newest rows are kept in memory meanwhile", problem)
            self._problem = problem
            return
        for waiting in taken:
            self._forget(waiting)
        if self._problem is not None:
            logger.warning("the disk can be written again; %d rows wait for it", self._rows)
            self._problem = None
        for (coin, kind), loss in self._losses.items():
            self._add(_Waiting(coin, "connections", _gap(coin, kind, loss)))
        self._losses.clear()


def _gap(coin: str, kind: str, loss: _Loss) -> pa.Table:
    """Return the row of the connection log for rows that were dropped."""
    seconds = loss.end_s - loss.start_s
    values = {
        "timestamp": loss.end_s,
        "event": "gap",
        "detail": f"{kind}: {loss.rows} rows of {seconds:.1f} s dropped, disk not writable",
        "exchange_timestamp": loss.end_ms,
        "channel": CHANNEL_OF.get(kind),
        "from_exchange_timestamp": loss.start_ms,
        "to_exchange_timestamp": loss.end_ms,
    }
    schema = SCHEMAS["connections"].with_metadata(shard_metadata(coin, None))
    return pa.Table.from_pylist([values], schema=schema)
