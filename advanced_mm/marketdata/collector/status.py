"""The collector's status: one line now and then of what was written and what waits."""

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from advanced_mm.marketdata.collector.writer import WriterState
from advanced_mm.marketdata.lag import lags_ms
from advanced_mm.marketdata.schemas import DATA_KINDS

__all__ = ["CollectorNumbers", "Status"]

_GAPS: Final = ("gap", "disconnect", "silent")


@dataclass(frozen=True, slots=True)
class CollectorNumbers:
    """What a collector has done since its start.

    Attributes
    ----------
    messages, rows, bytes, gaps
        Received; written of market data; their size; noted in the recording.
    unwritten_rows, dropped_rows
        In memory, and given up.
    lags_ms
        Median and 99th percentile of the rows of the last status line; None before the first.
    newest_s
        By coin, receipt of the newest row on disk, seconds since the epoch.
    """

    messages: int
    rows: int
    bytes: int
    gaps: int
    unwritten_rows: int
    dropped_rows: int
    lags_ms: tuple[float, float] | None
    newest_s: dict[str, float]


class Status:
    """Counts written shards; used by the writer's thread and read by the collector's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = self._gaps = self._bytes = 0
        self._lags: list[NDArray[np.float64]] = []
        self._messages_before = 0
        self._rows_before = self._gaps_before = self._bytes_before = 0
        self._newest_s: dict[str, float] = {}
        self._lags_ms: tuple[float, float] | None = None

    def written(self, coin: str, kind: str, table: pa.Table, path: Path) -> None:
        """Count a shard."""
        size = 0
        with contextlib.suppress(OSError):  # moved away or merged by someone meanwhile
            size = path.stat().st_size
        with self._lock:
            self._bytes += size
            if kind in DATA_KINDS:
                self._rows += table.num_rows
                self._lags.append(lags_ms(table))
                if table.num_rows:
                    newest = float(np.nanmax(table["timestamp"].to_numpy()))
                    self._newest_s[coin] = max(newest, self._newest_s.get(coin, newest))
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
            self._rows_before += rows
            self._gaps_before += gaps
            self._bytes_before += size
            self._rows = self._gaps = self._bytes = 0
            self._lags = []
        lag = np.concatenate([*lags, np.empty(0)])
        text = f"{seconds:.0f} s: {new} messages, {rows} rows, "
        if len(lag):
            middle, late = np.percentile(lag, [50, 99])
            self._lags_ms = (float(middle), float(late))
            text += f"lag p50 {middle:.0f} ms p99 {late:.0f} ms, "
        text += (
            f"{gaps} gaps, "
            f"{size / 1e6:.2f} MB written, {unwritten_rows + state.rows} rows unwritten"
        )
        if state.dropped_rows:
            text += f", {state.dropped_rows} rows dropped since the start"
        return f"{text}; {state.problem}" if state.problem else text

    def numbers(self, messages: int, unwritten_rows: int, state: WriterState) -> CollectorNumbers:
        """Return what was done since the start; parameters as for `line`. Any thread may ask."""
        with self._lock:
            return CollectorNumbers(
                messages=messages,
                rows=self._rows_before + self._rows,
                bytes=self._bytes_before + self._bytes,
                gaps=self._gaps_before + self._gaps,
                unwritten_rows=unwritten_rows + state.rows,
                dropped_rows=state.dropped_rows,
                lags_ms=self._lags_ms,
                newest_s=dict(self._newest_s),
            )
