"""Renames and deletions that survive a power failure."""

import os
from pathlib import Path

__all__ = ["sync_folder"]


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
