"""How shards are written: the part of the store that a recorder and an import use."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.coin_folders import writable_coin_folder
from advanced_mm.errors import InputError
from advanced_mm.instruments import folder_of
from advanced_mm.marketdata.book_notes import book_note
from advanced_mm.marketdata.compaction import finish_merges
from advanced_mm.marketdata.durable import (
    is_full,
    is_left_behind,
    sync_folder,
    temporary_path,
    write_synced,
)
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.recorder_lock import recorder_lock
from advanced_mm.marketdata.schemas import DATA_KINDS, SCHEMAS

__all__ = ["ShardWriting"]

logger = logging.getLogger(__name__)


class ShardWriting:
    """Writes shards in one data directory, each whole or not at all.

    Parameters
    ----------
    data_dir : Path
        Folder with one folder per coin. It need not exist before the first `write`.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._last_written_ms: dict[Path, int] = {}
        self._journals: dict[str, ShardJournal] = {}

    def write(self, coin: str, kind: str, table: pa.Table) -> Path:
        """Write one shard atomically, without overwriting another.

        Parameters
        ----------
        coin, kind : str
            Coin and kind of the shard; ``kind`` is a key of `schemas.SCHEMAS`.
        table : pyarrow.Table
            At least one row, with the kind's schema (its metadata may differ).

        Returns
        -------
        Path
            The new file. Later writes of this store to the same folder get later names, so files
            sort by arrival.

        Raises
        ------
        InputError
            If the coin's name or the table is invalid, or the disk cannot be written.
        """
        folder = self.data_dir / folder_of(coin) / kind
        if table.num_rows == 0 or not table.schema.equals(SCHEMAS[kind]):
            raise InputError(f"a {kind} shard needs rows and the columns of its schema")
        name_ms = max(_newest_row_ms(table), self._last_written_ms.get(folder, -1) + 1)
        temporary = None
        try:
            writable_coin_folder(self.data_dir, coin)
            folder.mkdir(parents=True, exist_ok=True)
            while (target := folder / f"{kind}_{name_ms}.parquet").exists():
                name_ms += 1
            temporary = temporary_path(target)
            write_synced(table, temporary)
            os.replace(temporary, target)  # noqa: PTH105 (one call for tests to break)
            sync_folder(folder)
        except OSError as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            raise _unwritable(folder, error) from error
        self._last_written_ms[folder] = name_ms
        if kind in DATA_KINDS:
            journal = self._journals.setdefault(coin, ShardJournal(folder.parent))
            note = book_note(table) if kind == "orderbooks" else ""
            journal.announce(target.name, name_ms, note)
        return target

    def check_writable(self) -> None:
        """Raise InputError if the data directory cannot be written or created; create nothing."""
        existing = self.data_dir.absolute()
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            raise _unwritable(self.data_dir, error) from error

    @contextlib.contextmanager
    def recording(self, coin: str) -> Iterator[None]:
        """Prepare a coin's folder and keep other recorders out of it until the context ends.

        Raises
        ------
        InputError
            If another process records the coin here, and as for `prepare`.
        """
        with contextlib.ExitStack() as held:
            folder = self.data_dir / folder_of(coin)
            try:
                writable_coin_folder(self.data_dir, coin)
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(recorder_lock(folder))
            except OSError as error:
                raise _unwritable(folder, error) from error
            self.prepare(coin)
            yield

    def prepare(self, coin: str) -> None:
        """Create a coin's folder and clear up after a killed recorder.

        Its half-written files are deleted and its interrupted merges finished, before new shards
        can take the names of those still to be deleted. Temporary files of running recorders are
        kept. Readers are asked to list the folders, in case the killed recorder did not announce
        its last shard. On a full disk what cannot be done is left undone.

        Raises
        ------
        InputError
            If the coin's name is invalid or the disk cannot be written.
        """
        folder = self.data_dir / folder_of(coin)
        try:
            writable_coin_folder(self.data_dir, coin)
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob("*/.*.tmp"):
                if is_left_behind(path):
                    path.unlink(missing_ok=True)
                    logger.info("%s: deleted half-written file", path)
            finish_merges(folder)
            self._journals.setdefault(coin, ShardJournal(folder)).ask_to_list()
        except OSError as error:
            if not (is_full(error) and folder.is_dir()):
                raise _unwritable(folder, error) from error
            logger.warning("%s: not cleared up, the disk is full", folder)


def _newest_row_ms(table: pa.Table) -> int:
    newest = pc.max(table["exchange_timestamp"]).as_py()
    if newest is None:
        newest = pc.max(table["timestamp"]).as_py() * 1000.0
    return int(newest)


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write into {str(folder)!r} ({error.strerror or error}): "
        "free disk space or fix the permissions, or pass another --data-dir"
    )
