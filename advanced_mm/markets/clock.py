"""The market's clock: real time, or a multiple of it."""

import math
import time
from collections.abc import Callable

from advanced_mm.errors import InputError

__all__ = ["MarketClock"]


class MarketClock:
    """Market time that starts at ``start_ms`` and runs ``speed`` times as fast as real time.

    It uses the monotonic clock, so a correction of the system time does not make the market jump.
    Started at the present time with ``speed`` 1 it agrees with the system time, against which an
    unmodified trading client compares candles; other speeds only suit clients that rely on the
    exchange's time stamps alone.

    Parameters
    ----------
    start_ms
        Present market time, milliseconds since the epoch.
    speed
        Market seconds per real second, positive and finite.
    monotonic
        Returns real time in seconds; replaced in tests.

    Raises
    ------
    InputError
        If ``speed`` is not a positive number.
    """

    def __init__(
        self, start_ms: int, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise InputError(f"speed is {speed}, must be a positive number: give 1 for real time")
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
