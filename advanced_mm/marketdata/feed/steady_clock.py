"""Local time that never goes back, whatever happens to the machine's clock."""

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["SteadyClock"]

logger = logging.getLogger(__name__)

SAID_SECONDS: Final = 1.0
"""Smaller steps of the machine's clock, such as those of its correction, are not logged."""


class SteadyClock:
    """Seconds since the epoch: the machine's clock, carried on by its monotonic clock.

    It is the machine's clock while that only runs or is put forward. If it is put back, the time
    goes on as if it had not been, so that rows keep the order and the distances in which they
    came, until the machine's clock has caught up. Steps of more than `SAID_SECONDS` are logged.

    Parameters
    ----------
    wall, steady : callable
        The machine's clock, seconds since the epoch, and one that never goes back, seconds.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = self._wall_ahead = wall() - steady()  # of the monotonic clock

    def __call__(self) -> float:
        """Return the time, seconds since the epoch."""
        now = self._steady()
        wall_ahead = self._wall() - now
        step = wall_ahead - self._wall_ahead
        if abs(step) > SAID_SECONDS:
            self._say(step, wall_ahead)
            self._wall_ahead = wall_ahead
        if wall_ahead > self._ahead:
            self._ahead = wall_ahead
        return now + self._ahead

    def _say(self, step: float, wall_ahead: float) -> None:
        if step > 0:
            logger.warning("the machine's clock was put forward by %.1f s", step)
            return
        logger.warning(
            "the machine's clock was put back by %.1f s: local times stay %.1f s ahead of it "
            "until it has caught up or the recorder is restarted",
            -step,
            self._ahead - wall_ahead,
        )
