"""Runs a test on an event loop whose time passes only where all sleep, and then at once.

For tests without sockets, processes and threads: sleeps and timeouts cost nothing, and what comes
first does not depend on how busy the machine is.
"""

import asyncio
import selectors

from tests.on_loop import on_loop


class _NothingElseHappens(selectors.DefaultSelector):
    """What waits for a moment has waited for it, unless something is there to be done."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits for what will never happen")
            self.now_s += max(0.0, timeout)
        return ready


class _SkippingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _NothingElseHappens()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


in_skipped_time = on_loop(_SkippingLoop)
"""Makes a test of a coroutine; its loop's ``time`` begins at 0."""
