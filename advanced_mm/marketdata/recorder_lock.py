"""One recorder a coin: a locked file in the coin's folder.

Recorders of different coins share a data directory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from advanced_mm.file_lock import only_holder

__all__ = ["recorder_lock"]

_NAME: Final = "recorder.lock"


@contextmanager
def recorder_lock(coin_folder: Path) -> Iterator[None]:
    """Hold the lock of a coin's only recorder.

    Raises
    ------
    InputError
        If another recorder holds it, which the message names, or the file system has no locks.
    OSError
        If the folder cannot be written.
    """
    with only_holder(
        coin_folder / _NAME,
        f"{str(coin_folder)!r} is already being recorded",
        "stop that collector or pass another --data-dir",
        "pass a --data-dir on a local disk",
    ):
        yield
