"""A lock that a program holds while it runs, so that no second one does the same work.

The kernel releases it when the process ends, however it ends, so a lock left by a killed program
never has to be removed by hand.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advanced_mm.errors import InputError

__all__ = ["only_holder"]


@contextmanager
def only_holder(path: Path, work: str, remedy: str, elsewhere: str) -> Iterator[None]:
    """Hold a lock file.

    Parameters
    ----------
    path
        The file; its folder exists. It gets the number of the process.
    work
        What is already being done if another process holds it: the message's beginning.
    remedy, elsewhere
        What to do then, and where the file system has no locks.

    Raises
    ------
    InputError
        If another process holds it, which the message names, or the file system has no locks.
    OSError
        If the file cannot be written.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip()
            raise InputError(
                f"{work}{f' by process {holder}' if holder.isdecimal() else ''}: {remedy}"
            ) from None
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be locked ({error.strerror or error}), as on some network "
                f"file systems: {elsewhere}"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the number
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)
