"""Files that are whole or not there, also after a power failure."""

import errno
import os
import re
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.marketdata.schemas import SCHEMAS

__all__ = ["is_full", "is_left_behind", "sync_folder", "temporary_path", "write_synced"]

_TEMPORARY_NAME: Final = re.compile(rf"\.(?:{'|'.join(SCHEMAS)})_\d+\.parquet\.\d+\.tmp")


def is_full(error: BaseException | None) -> bool:
    """Return whether an error says that the disk has no space left, which passes by itself."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def temporary_path(target: Path) -> Path:
    """Return the name under which this process writes a shard before it is whole."""
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def is_left_behind(path: Path) -> bool:
    """Return whether a file is a shard that a process did not finish before it ended."""
    if not _TEMPORARY_NAME.fullmatch(path.name):
        return False
    pid = int(path.name.split(".")[-2])
    return pid == os.getpid() or not _is_running(pid)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to disk, so that a file renamed in it keeps its name.

    Raises
    ------
    OSError
        If the folder cannot be opened or synced.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_synced(table: pa.Table, path: Path) -> None:
    """Write a small table to disk so that it is fast to read: readers open thousands of them.

    For so few rows dictionaries are neither smaller nor faster, and setting up a zstd decoder for
    each column takes longer than reading it. Arrow's copy of the schema adds nothing to Parquet's
    and makes the file half as large again.
    """
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file,
            table.schema,
            compression="snappy",
            use_dictionary=False,
            write_statistics=["exchange_timestamp"],
            store_schema=False,
        ) as writer:
            writer.write_table(table)
            if table.schema.metadata:  # not written without Arrow's schema
                writer.add_key_value_metadata(table.schema.metadata)
        file.flush()
        os.fsync(file.fileno())


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
