"""Summary of an order book shard, short enough for one line of the journal.

Readers need only the times of the L2 snapshots, but opening a file of 84 columns costs more than
reading the quotes. The recorder therefore writes the times to the journal, and readers that follow
the journal need not open the file.
"""

import json

import numpy as np
import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.marketdata.shards import Shard, shard_of

__all__ = ["book_note", "shard_of_note"]


def book_note(table: pa.Table) -> str:
    """Return everything that `shard_of` finds in a table of order books, empty if a row is bad."""
    try:
        shard = shard_of(table, "orderbooks")
    except InputError:
        return ""  # readers then open the file and report what is wrong with it
    if shard.bad_rows:
        return ""
    note = {"tick": shard.tick, "time_ms": shard.columns["time_ms"].tolist()}
    return json.dumps(note, separators=(",", ":"))


def shard_of_note(note: str) -> Shard | None:
    """Return the shard described by a note, None if the note is incomplete or malformed."""
    try:
        fields = json.loads(note)
        time_ms = np.array(fields["time_ms"], dtype=np.int64)
        tick = None if fields["tick"] is None else float(fields["tick"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    if time_ms.ndim != 1 or not len(time_ms):
        return None
    return Shard({"time_ms": time_ms}, int(time_ms.max()), tick, 0)
