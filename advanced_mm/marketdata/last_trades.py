"""The newest trades of a recording, by which a recorder that starts anew knows what it has."""

import logging
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.marketdata.listing import shard_files

__all__ = ["last_trades"]

logger = logging.getLogger(__name__)

MOST_FILES: Final = 60


def last_trades(coin_folder: Path, most: int) -> dict[int, int]:
    """Return the exchange times (ms) of about the ``most`` newest trades by trade id, oldest first.

    Files that cannot be read are left out; no more than `MOST_FILES` are opened.
    """
    parts: list[dict[int, int]] = []
    for file in reversed(shard_files(coin_folder, "trades")[-MOST_FILES:]):
        try:
            with pq.ParquetFile(file.path, pre_buffer=False) as shard:
                # Only the newest rows of a day's merged file.
                first, rows = shard.num_row_groups, 0
                while first > 0 and rows < most:
                    first -= 1
                    rows += shard.metadata.row_group(first).num_rows
                table = shard.read_row_groups(
                    list(range(first, shard.num_row_groups)),
                    columns=["trade_id", "exchange_timestamp"],
                    use_threads=False,
                )
            ids = table["trade_id"].cast(pa.int64()).to_pylist()
            times = table["exchange_timestamp"].to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            logger.debug("%s: its trades are not known: %s", file.path, error)
            continue
        parts.append(
            {
                tid: time_ms
                for tid, time_ms in zip(ids, times, strict=True)
                if tid is not None and time_ms is not None
            }
        )
        if sum(map(len, parts)) >= most:
            break
    return {tid: time_ms for part in reversed(parts) for tid, time_ms in part.items()}
