"""An SQLite file that one process at a time may have open: where ledgers are kept."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version

__all__ = ["LEDGER_VERSION", "ExclusiveFile"]

LEDGER_VERSION: Final = 1
"""Of ledgers, as ``user_version`` of the file: raised when their tables change."""


class ExclusiveFile:
    """An open SQLite file, locked against other processes until it is closed.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made if missing.
    tables : str
        ``CREATE TABLE IF NOT EXISTS`` statements, each ended by a semicolon.
    in_use : str
        Message of the error if another process has it open.

    Raises
    ------
    InputError
        Another process has it open, it is of a later version, or it cannot be written.
    """

    def __init__(self, path: Path, tables: str, in_use: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            (found,) = self._db.execute("PRAGMA user_version").fetchone()
            check_version(found or None, LEDGER_VERSION, repr(str(path)))
            self._db.executescript(
                f"BEGIN IMMEDIATE; {tables} PRAGMA user_version = {LEDGER_VERSION}; COMMIT;"
            )
        except InputError:
            self._db.close()
            raise
        except (OSError, sqlite3.Error) as error:
            if "locked" in str(error):
                raise InputError(in_use) from None
            raise InputError(
                f"{str(path)!r} cannot be written ({error}): free disk space, fix the permissions "
                "or pass another --data-dir."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes have it."""
        self._db.close()
