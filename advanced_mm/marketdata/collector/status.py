"""The collector's status: one line now and then of what was written and what waits."""

import contextlib
import threading
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from advanced_mm.marketdata.collector.writer import WriterState
from advanced_mm.marketdata.lag import lags_ms
from advanced_mm.marketdata.schemas import DATA_KINDS

__all__ = ["Status"]

_GAPS: Final = ("gap", "disconnect", "silent")


class Status:
    """Counts written shards; used by the writer's thread and read by the collector's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = self._gaps = self._bytes = 0
        self._lags: list[NDArray[np.float64]] = []
        self._messages_before = 0

    def written(self, _coin: str, kind: str, table: pa.Table, path: Path) -> None:
        """Count a shard."""
        size = 0
        with contextlib.suppress(OSError):  # moved away or merged by someone meanwhile
            size = path.stat().st_size
        with self._lock:
            self._bytes += size
            if kind in DATA_KINDS:
                self._rows += table.num_rows
                self._lags.append(lags_ms(table))
            elif kind == "connections":
                events = table["event"].to_pylist()
                self._gaps += sum(event in _GAPS for event in events)

    def line(self, seconds: float, messages: int, unwritten_rows: int, state: WriterState) -> str:
        """Return the line for the time since the last one, and start counting anew.

        Parameters
        ----------
        seconds : float
            Length of that time.
        messages : int
            Messages received since the start.
        unwritten_rows : int
            Rows received but not handed to the writer yet.
        state : WriterState
            What waits for the disk.
        """
        new, self._messages_before = messages - self._messages_before, messages
        with self._lock:
            rows, gaps, size, lags = self._rows, self._gaps, self._bytes, self._lags
            self._rows = self._gaps = self._bytes = 0
            self._lags = []
        lag = np.concatenate([*lags, np.empty(0)])
        text = f"{seconds:.0f} s: {new} messages, {rows} rows, "
        if len(lag):
            middle, late = np.percentile(lag, [50, 99])
            text += f"lag p50 {middle:.0f} ms p99 {late:.0f} ms, "
        text += (
            f"{gaps} gaps, "
            f"{size / 1e6:.2f} MB written, {unwritten_rows + state.rows} rows unwritten"
        )
        if state.dropped_rows:
            text += f", {state.dropped_rows} rows dropped since the start"
        return f"{text}; {state.problem}" if state.problem else text
