"""One recorder a coin: a locked file in the coin's folder.

The kernel releases the lock when the process ends, however it ends, so a lock left by a killed
recorder never has to be removed by hand. Recorders of different coins share a data directory.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError

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
    path = coin_folder / _NAME
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip()
            raise InputError(
                f"{str(coin_folder)!r} is already being recorded"
                f"{f' by process {holder}' if holder.isdecimal() else ''}: "
                "stop that collector or pass another --data-dir"
            ) from None
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be locked ({error.strerror or error}), as on some network "
                "file systems: pass a --data-dir on a local disk"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the number
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)
