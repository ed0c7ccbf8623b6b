"""When the bot's next loop begins: at once if there is something to do, else after a second."""

import logging
import time
from collections.abc import Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol

from advanced_mm.orderly_exit import interruptible

__all__ = ["LONGEST_WAIT_SECONDS", "LoopWait", "Watched", "takes_over_pacing"]

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS: Final = 1.0
"""From the beginning of one loop to that of the next, if nothing calls for one."""

LOOK_SECONDS: Final = 0.1
"""How often it is looked whether new parameters call for a loop, of which no message tells."""

SHORTEST_PAUSE_SECONDS: Final = 0.05
"""Between loops if what called for one still does after it, as when the venue refuses an order;
doubles each time.
"""


STOPPED_PAUSE_SECONDS: Final = 0.02
"""Freqtrade's shortest loop once the strategy paces it. A loop that had something to do takes
longer. One of a bot that was stopped (``/stop``) does not, and the strategy is not called in it.
"""


def takes_over_pacing(config: Mapping[str, Any]) -> bool:
    """Whether the strategy paces Freqtrade's loops, as ``process_throttle_secs`` 0 asks for.

    If so, it becomes `STOPPED_PAUSE_SECONDS` in the merged configuration: the file allows whole
    numbers only, and with 0 a stopped bot would keep a core busy. Call it before Freqtrade's worker
    reads the configuration, that is in ``bot_start``.
    """
    internals = config.get("internals") or {}
    if internals.get("process_throttle_secs") != 0:
        return False
    internals["process_throttle_secs"] = STOPPED_PAUSE_SECONDS
    return True


class Watched(Protocol):
    """What the bot sees over its websocket."""

    @property
    def healthy(self) -> bool:
        """Whether it can be believed."""

    @property
    def changes(self) -> int:
        """A number that grows with each change."""

    @property
    def own_changes(self) -> int:
        """A number that grows with each fill and each own order that has ended."""

    def wait(self, changes: int, seconds: float) -> None:
        """Wait until ``changes`` is another number, or for ``seconds``."""


class LoopWait:
    """Delays a loop until something happened that changes a quote, or a second has passed.

    Parameters
    ----------
    sight
        The bot's websocket; None if it has none, so that only time passes.
    clock, sleep
        For tests: monotonic clock in seconds, and sleep.
    """

    def __init__(
        self,
        sight: Watched | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sight = sight
        self._clock, self._sleep = clock, sleep
        self._began = float("-inf")
        self._own_changes = 0
        self._believed = False
        self._answered: AbstractSet[Hashable] = frozenset()
        self._pause = SHORTEST_PAUSE_SECONDS
        self._look_after = LOOK_SECONDS

    def look_after(self, seconds: float) -> None:
        """Ask what calls again after so long, as a quote then reaches its least age.

        To be called while `until` asks; the soonest counts.
        """
        if seconds > 0:
            self._look_after = min(self._look_after, seconds)

    @interruptible
    def until(self, calls: Callable[[], AbstractSet[Hashable]]) -> None:
        """Wait until an own order was filled or has ended, something calls, or a second is over.

        ``calls`` returns all that calls for a loop: the same again if the loop that it began could
        do nothing about it, which must not hide what is new. The second counts from the end of the
        last wait, when that loop began. If the websocket fails, the loop begins at once, so that
        the venue is asked; until it is back, loops begin every second.
        """
        self._wait(calls)
        self._began = self._clock()

    def _wait(self, calls: Callable[[], AbstractSet[Hashable]]) -> None:
        end = self._began + LONGEST_WAIT_SECONDS
        sight = self._sight
        if sight is None:
            self._sleep(max(0.0, end - self._clock()))
            return
        while True:
            changes, now = sight.changes, self._clock()
            believed, had_believed = sight.healthy, self._believed
            self._believed = believed
            if believed != had_believed:
                _log_change(believed)
            if sight.own_changes != self._own_changes:
                self._own_changes = sight.own_changes
                return
            if now >= end or (had_believed and not believed):
                return
            seconds = LOOK_SECONDS
            if believed:
                self._look_after = LOOK_SECONDS
                callers = calls()
                seconds = self._look_after
                news = callers - self._answered
                if not callers & self._answered:
                    self._pause = SHORTEST_PAUSE_SECONDS
                self._answered = callers
                if news:
                    return
                if callers:
                    seconds = min(seconds, self._began + self._pause - now)
                    if seconds <= 0:
                        self._pause = min(2 * self._pause, LONGEST_WAIT_SECONDS)
                        return
            sight.wait(changes, min(seconds, end - now))


def _log_change(believed: bool) -> None:
    if believed:
        logger.info("the bot's websocket is up to date: books and orders are read from it")
    else:
        logger.warning("the bot's websocket is not up to date: the venue is asked over REST")
