"""The market's clock: the computer's, or a faster one."""

import math
import time
from collections.abc import Callable

from advanced_mm.errors import InputError

__all__ = ["MarketClock"]


class MarketClock:
    """Market time that starts at ``start_ms`` and runs ``speed`` times as fast as the computer's.

    It rests on the monotonic clock, so a correction of the computer's time makes no jump in the
    market. At ``speed`` 1 and a start of now it shows the computer's own time, which is what an
    unmodified trading client compares candles with; at other speeds only clients that read the
    exchange's time stamps alone make sense of it.

    Parameters
    ----------
    start_ms
        Market time of this moment, exchange milliseconds since the epoch.
    speed
        Market seconds a real second, positive and finite.
    monotonic
        Real time in seconds, for tests.

    Raises
    ------
    InputError
        If ``speed`` is not a positive number.
    """

    def __init__(
        self, start_ms: int, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise InputError(f"speed is {speed}: give a positive number, 1 for real time")
        self.start_ms = start_ms
        self.speed = speed
        self._monotonic = monotonic
        self._started_s = monotonic()

    @property
    def now_ms(self) -> int:
        """Market time now, exchange ms."""
        return self.start_ms + int(self.uptime_s * self.speed * 1000)

    @property
    def uptime_s(self) -> float:
        """Real seconds since the clock was started."""
        return self._monotonic() - self._started_s
