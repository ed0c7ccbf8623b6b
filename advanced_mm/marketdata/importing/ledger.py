"""What has been imported into a data directory, so that nothing is imported twice.

``<data_dir>/.imports.sqlite`` has, for each source file and coin, the number of lines that are in
shards. A file that has grown is read on from there. While shards are being written the first of
their lines is noted, so that an interrupted import finds the shards it had begun.
"""

from contextlib import closing
from pathlib import Path

from advanced_mm.marketdata.sharing.exclusive_file import ExclusiveFile

__all__ = ["Ledger", "Progress"]

_NAME = ".imports.sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS imports (
    source TEXT, coin TEXT, lines INTEGER NOT NULL, size INTEGER, writing INTEGER,
    PRIMARY KEY (source, coin));"""


class Progress:
    """How far a coin has been imported from a file.

    ``lines`` are in shards; ``size`` is the file's in bytes when they were read, None if unknown;
    ``writing`` is the first line of shards that were being written, None if none were.
    """

    def __init__(self, lines: int = 0, size: int | None = None, writing: int | None = None) -> None:
        self.lines, self.size, self.writing = lines, size, writing


class Ledger(ExclusiveFile):
    """The ledger of one data directory; one process at a time may have it open.

    Raises
    ------
    InputError
        Another import is running, or the folder cannot be written.
    """

    def __init__(self, data_dir: Path) -> None:
        in_use = f"another import into {str(data_dir)!r} is running; wait until it has ended."
        super().__init__(data_dir / _NAME, _TABLE, in_use)

    def progress(self, source: str, coin: str) -> Progress:
        """Return how far a coin has been imported from a file."""
        query = "SELECT lines, size, writing FROM imports WHERE source = ? AND coin = ?"
        with closing(self._db.execute(query, (source, coin))) as found:
            row = found.fetchone()
        return Progress() if row is None else Progress(*row)

    def begin(self, source: str, coin: str, line: int) -> None:
        """Note that shards whose rows begin at a line are about to be written."""
        lines = self.progress(source, coin).lines
        self._set(source, coin, lines, None, line)

    def done(self, source: str, coin: str, lines: int, size: int | None) -> None:
        """Note that a file's first lines are in shards."""
        self._set(source, coin, lines, size, None)

    def _set(
        self, source: str, coin: str, lines: int, size: int | None, writing: int | None
    ) -> None:
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?)",
                (source, coin, lines, size, writing),
            )
