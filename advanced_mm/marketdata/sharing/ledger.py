"""Which shards have been shared with which place: published to it, or fetched from it.

``<data_dir>/.shared/<code of the place>.sqlite``. Shards are merged into larger ones later; from
the rows each had it is known which a larger one holds.
"""

import hashlib
import uuid
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from advanced_mm.marketdata.listing import shard_time_ms
from advanced_mm.marketdata.sharing.exclusive_file import ExclusiveFile

__all__ = ["SharedLedger", "SharedShard", "merged_away"]

_TABLES = """
CREATE TABLE IF NOT EXISTS place (url TEXT, owner TEXT);
CREATE TABLE IF NOT EXISTS shards (
    folder TEXT, kind TEXT, name TEXT, size INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (folder, kind, name));
"""


class SharedShard(NamedTuple):
    """A shard as it was when it was shared: bytes and rows."""

    size: int
    rows: int


class SharedLedger(ExclusiveFile):
    """The ledger of one data directory and one place; one process at a time may have it open.

    Raises
    ------
    InputError
        Another process has it open, or the folder cannot be written.
    """

    def __init__(self, data_dir: Path, url: str) -> None:
        code = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
        super().__init__(
            data_dir / ".shared" / f"{code}.sqlite",
            _TABLES,
            f"another process shares {str(data_dir)!r} with {url}; stop it first.",
        )
        if not self._db.execute("SELECT * FROM place").fetchall():
            with self._db:
                self._db.execute("INSERT INTO place VALUES (?, ?)", (url, uuid.uuid4().hex))

    @property
    def owner(self) -> str:
        """A name of this data directory that no other has."""
        return str(self._db.execute("SELECT owner FROM place").fetchone()[0])

    def shards(self, folder: str, kind: str) -> dict[str, SharedShard]:
        """Return the shards shared so far of a coin's folder and kind, by name."""
        query = "SELECT name, size, rows FROM shards WHERE folder = ? AND kind = ?"
        with closing(self._db.execute(query, (folder, kind))) as found:
            return {name: SharedShard(size, rows) for name, size, rows in found}

    def add(self, folder: str, kind: str, name: str, shard: SharedShard) -> None:
        """Note a shard as shared."""
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, ?)", (folder, kind, name, *shard)
            )

    def drop(self, folder: str, kind: str, name: str) -> None:
        """Forget a shard."""
        with self._db:
            self._db.execute(
                "DELETE FROM shards WHERE folder = ? AND kind = ? AND name = ?",
                (folder, kind, name),
            )


def merged_away(
    known: dict[str, SharedShard], present: set[str], name: str, kind: str, rows: int
) -> list[str]:
    """Return the shards that were merged into a larger one.

    Parameters
    ----------
    known
        Shards shared before.
    present
        Names that are certainly not merged.
    name, kind, rows
        The larger shard.

    Returns
    -------
    list of str
        The shards just before it whose rows, with those it had when it was shared before, add up to
        its rows; empty if none do. What retention deleted was older and is not among them.
    """
    if name not in known or known[name].rows < 0:
        return []
    times = {other: shard_time_ms(other, kind) or 0 for other in {*known, *present, name}}
    before = max((t for other, t in times.items() if other in present and t < times[name]),
                 default=-1)  # fmt: skip
    gone = sorted(
        (other for other in known if other not in present and before < times[other] < times[name]),
        key=times.__getitem__,
    )
    missing = rows - known[name].rows
    for count, other in enumerate(reversed(gone), 1):
        missing -= known[other].rows
        if missing <= 0 or known[other].rows < 0:
            return gone[-count:] if missing == 0 else []
    return []
