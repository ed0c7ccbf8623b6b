"""A process that outlives a session killed outright, and ends the parts it left behind.

It reads the process ids of the parts from its standard input, a line each. The session alone holds
the other end, so that the input ends when the session does, however that happened. (The system's
own signal on a parent's death comes once for each of the parent's threads, and the second one
breaks off what a bot does to end in order.)
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterable

import psutil

from advanced_mm.session.processes import end_group

__all__ = ["OrphanReaper"]


class OrphanReaper:
    """The session's side: names the parts to the process, and lets it go."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "advanced_mm.session.orphan_reaper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is the session's business
        )

    def watch(self, pid: int) -> None:
        """End this process, and its group, if the session is killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{pid}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End; it ends whatever was named and still runs."""
        self._process.communicate()


def keep(lines: Iterable[str]) -> None:
    """Take in process ids until the lines end, then end those that still run, last named first."""
    processes = []
    for line in lines:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(int(line)))
    for process in reversed(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                end_group(process)


if __name__ == "__main__":
    keep(sys.stdin)
