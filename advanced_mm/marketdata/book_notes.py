"""What an order book's shard tells its readers, short enough for a line of the journal.

A reader of the recording takes from the L2 snapshots no more than their times, but opening a file
of 84 columns costs more than reading the quotes. So the recorder writes the times down in the
journal, and who follows the journal need not open the file.
"""

import json

import numpy as np
import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.marketdata.shards import Shard, shard_of

__all__ = ["book_note", "shard_of_note"]


def book_note(table: pa.Table) -> str:
    """Return all that `shard_of` finds in a table of order books; empty where some is refused."""
    try:
        shard = shard_of(table, "orderbooks")
    except InputError:
        return ""  # left to those who open the file, and say what is wrong with it
    if shard.bad_rows:
        return ""
    note = {"tick": shard.tick, "time_ms": shard.columns["time_ms"].tolist()}
    return json.dumps(note, separators=(",", ":"))


def shard_of_note(note: str) -> Shard | None:
    """Return the shard a note tells of, None where it is no whole note."""
    try:
        told = json.loads(note)
        time_ms = np.array(told["time_ms"], dtype=np.int64)
        tick = None if told["tick"] is None else float(told["tick"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    if time_ms.ndim != 1 or not len(time_ms):
        return None
    return Shard({"time_ms": time_ms}, int(time_ms.max()), tick, 0)
