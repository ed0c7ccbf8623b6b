"""Child processes of a session: each has its own log and is watched and ended by its process id."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

__all__ = ["Part", "end_group"]

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""An interrupted bot cancels its orders and asks for its last fills: on a busy machine that takes
a while, and a second signal would cut it short."""


class Part:
    """One process of the system; ``environment`` is complete, None for the session's own.

    It gets its own process group, so that Ctrl-C at the terminal reaches only the session, which
    then ends its parts in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_path: Path,
        working_dir: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.peak_rss_bytes = 0
        self.patience_seconds = PATIENCE_SECONDS
        self._stopped = False
        with log_path.open("wb") as log, _children_obey_interrupts():
            self._process = psutil.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_dir,
                env=os.environ if environment is None else environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return int(self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        code: int | None = self._process.poll()
        return code

    def sample_memory(self) -> int:
        """Return the resident memory in bytes of the process and its children; record the peak."""
        total = 0
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += one.memory_info().rss
        self.peak_rss_bytes = max(self.peak_rss_bytes, total)
        return total

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the last ``count`` lines of its log."""
        with self.log_path.open(encoding="utf-8", errors="replace") as log:
            return [line.rstrip("\n") for line in deque(log, maxlen=count)]

    def stop(self) -> None:
        """Interrupt it, then kill it if needed; return when the process and its group are gone.

        A second call does nothing: its number may belong to another process by then.
        """
        if not self._stopped:
            self._stopped = True
            if not end_group(self._process, self.patience_seconds):
                logger.warning(
                    "the %s did not end when interrupted and was killed: it may have left orders "
                    "resting, and its last seconds may be missing in the journal; see %s",
                    self.name,
                    self.log_path,
                )


@contextlib.contextmanager
def _children_obey_interrupts() -> Iterator[None]:
    """Start processes in which SIGINT has its usual effect, though it is ignored in this one.

    A shell starts background jobs of a script so, and a program hands that on to those it starts:
    its bots could then not be ended in order. What is handled, in place of ignored, is not handed
    on.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_group(process: psutil.Process, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Interrupt the first process of a group, then kill the whole group.

    Returns
    -------
    bool
        Whether the interrupt was enough.
    """
    obeyed = _ends(process, signal.SIGINT, patience_seconds)
    if not obeyed:
        _ends(process, signal.SIGTERM, 5.0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(psutil.TimeoutExpired):  # not our child: its parent may never reap it
        process.wait(5)
    return obeyed


def _ends(process: psutil.Process, number: signal.Signals, seconds: float) -> bool:
    """Send a signal; return whether the process has ended by then, or had before."""
    try:
        process.send_signal(number)
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    except psutil.NoSuchProcess:
        pass
    return True
