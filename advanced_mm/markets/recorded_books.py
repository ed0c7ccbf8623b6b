"""The levels of recorded L2 snapshots; only a replay needs them."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from advanced_mm.coin_folders import coin_folder
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import BOOK_LEVELS
from advanced_mm.marketdata.tail import CLOCK_MARGIN_MS

__all__ = ["RecordedBooks", "read_books"]

logger = logging.getLogger(__name__)

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RecordedBooks:
    """L2 snapshots sorted by exchange time.

    ``time_ms`` has shape (n,), exchange ms; the others (n, 20), best level first, NaN where the
    snapshot has fewer levels. Prices in quote, sizes in base currency. ``deep`` (n,) is the row of
    the newest full-depth snapshot, which extends the five levels of a fast one; it is the row
    itself for a full-depth snapshot, or if there is none.
    """

    time_ms: NDArray[np.int64]
    deep: NDArray[np.int64]
    bid: _Floats
    bid_size: _Floats
    ask: _Floats
    ask_size: _Floats

    def __len__(self) -> int:
        return len(self.time_ms)

    @classmethod
    def none(cls) -> "RecordedBooks":
        """Return no snapshots; a replay then shows only the touch."""
        empty = np.empty((0, BOOK_LEVELS))
        no_rows = np.empty(0, dtype=np.int64)
        return cls(no_rows, no_rows, empty, empty, empty, empty)


def read_books(
    data_dir: Path, coin: str, start_ms: int = 0, end_ms: int = sys.maxsize
) -> RecordedBooks:
    """Read a coin's L2 snapshots of both cadences; skip unreadable shards with a warning.

    ``start_ms`` and ``end_ms`` are exchange times (ms), both included.
    """
    tables = []
    low, high = max(start_ms - CLOCK_MARGIN_MS, 0), end_ms + CLOCK_MARGIN_MS
    for file in shard_files(coin_folder(data_dir, coin), "orderbooks", low, high):
        path = Path(file.path)
        try:
            tables.append(_between(_read_levels(path), start_ms, end_ms))
        except (pa.ArrowException, OSError, KeyError) as error:
            logger.warning("%s: skipping the levels of this shard: %s", path, error)
    if not tables:
        return RecordedBooks.none()
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.argsort(columns["time_ms"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    rows = np.arange(len(order))
    newest_slow = np.maximum.accumulate(np.where(columns.pop("fast"), -1, rows))
    return RecordedBooks(deep=np.where(newest_slow < 0, rows, newest_slow), **columns)


def _between(
    columns: dict[str, NDArray[np.generic]], start_ms: int, end_ms: int
) -> dict[str, NDArray[np.generic]]:
    times = columns["time_ms"].astype(np.int64, copy=False)
    inside = (times >= start_ms) & (times <= end_ms)
    if inside.all():
        return columns
    return {name: column[inside] for name, column in columns.items()}


def _read_levels(path: Path) -> dict[str, NDArray[np.generic]]:
    table = pq.read_table(path, use_threads=False)
    timed = pc.is_valid(table["exchange_timestamp"])
    if not pc.all(timed).as_py():
        logger.warning("%s: skipping snapshots without a time", path)
        table = table.filter(timed)
    columns: dict[str, NDArray[np.generic]] = {
        "time_ms": table["exchange_timestamp"].to_numpy(),
        "fast": (
            table["fast"].fill_null(False).to_numpy()
            if "fast" in table.column_names
            else np.zeros(table.num_rows, dtype=np.bool_)
        ),
    }
    for side in ("bid", "ask"):
        for name, source in ((side, "price"), (f"{side}_size", "size")):
            levels = [table[f"{side}_{source}_{level}"].to_numpy() for level in range(BOOK_LEVELS)]
            columns[name] = np.column_stack(levels).astype(np.float64, copy=False)
    return columns
