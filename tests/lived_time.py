"""An event loop whose clock stands still while the machine does not let this process run.

For tests that run both ends of a socket in one process: on a busy machine a process may not run for
a second, and by the usual clock each end would then have heard nothing from the other for that
long. A folder's tests run on it if its ``conftest.py`` says

    from tests.lived_time import pytest_asyncio_loop_factories  # noqa: F401
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping

from advanced_mm.marketdata.feed.steady_clock import SteadyClock
from tests.on_loop import on_loop

LONGEST_STEP_S = 0.02
"""What goes by between two looks at the clock counts no more, beyond what was to be waited."""


class _Stopwatch(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self._lived_s = self._looked_s = time.monotonic()

    def lived_s(self, waited_s: float = 0.0) -> float:
        now_s = time.monotonic()
        self._lived_s += min(now_s - self._looked_s, waited_s + LONGEST_STEP_S)
        self._looked_s = now_s
        return self._lived_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.lived_s()
        ready = super().select(timeout)
        self.lived_s(max(0.0, timeout or 0.0))
        return ready


class LivedLoop(asyncio.SelectorEventLoop):
    """The loop; its ``time`` never runs faster than that of `time.monotonic`."""

    def __init__(self) -> None:
        self._stopwatch = _Stopwatch()
        super().__init__(self._stopwatch)

    def time(self) -> float:
        """Return seconds since some moment, without those in which nothing could be done."""
        return self._stopwatch.lived_s()


in_lived_time = on_loop(LivedLoop)


class LivedClock(SteadyClock):
    """A collector's clock on the running loop; ``put_back_s`` is what the machine's is put back."""

    put_back_s = 0.0

    def __init__(self) -> None:
        lived_s = asyncio.get_running_loop().time
        ahead_s = time.time() - lived_s()
        super().__init__(lambda: lived_s() + ahead_s - self.put_back_s, lived_s)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give pytest-asyncio this loop alone."""
    return {"lived": LivedLoop}
