"""A process that outlives a killed session and ends the parts it left behind.

It reads the process ids of the parts from standard input, one per line. Only the session holds the
other end of the pipe, so the input ends with the session, however that ends. (The kernel's signal
for a parent's death is sent once per thread of the parent, and the second one would interrupt a
bot's orderly shutdown.)
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterable

import psutil

from advanced_mm.session.processes import end_group

__all__ = ["OrphanReaper"]


class OrphanReaper:
    """The session's side: reports the parts to the process and shuts it down."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "advanced_mm.session.orphan_reaper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # the session handles Ctrl-C
        )

    def watch(self, pid: int) -> None:
        """Have this process and its group ended if the session is killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Shut the process down; it first ends all reported processes still running."""
        self._process.communicate()


def reap(lines: Iterable[str]) -> None:
    """Read process ids until the input ends, then end those still running, in reverse order."""
    processes = []
    for line in lines:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(int(line)))
    for process in reversed(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                end_group(process)


if __name__ == "__main__":
    reap(sys.stdin)
