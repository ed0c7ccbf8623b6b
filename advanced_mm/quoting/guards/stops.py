"""No entries after several stops with a loss within a day."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["STOPS", "StopsGuard"]

STOPS: Final = "stops"

_COUNTED: Final = timedelta(days=1)


class StopsGuard:
    """Counts the trades that a stop closed at a loss, and pauses after so many within a day.

    Parameters
    ----------
    most
        Stops that begin a pause; None: any number may happen.
    pause
        How long entries pause after the last stop.
    """

    def __init__(self, most: int | None, pause: timedelta) -> None:
        self._most, self._pause = most, pause
        self._stops: list[datetime] = []

    def stopped(self, times: Iterable[datetime]) -> None:
        """Note when stops closed trades at a loss."""
        self._stops = sorted([*self._stops, *times])

    def verdict(self, now: datetime) -> Verdict | None:
        """Judge the stops of the last day."""
        self._stops = [at for at in self._stops if now - at < _COUNTED]
        if self._most is None or len(self._stops) < self._most:
            return None
        until = self._stops[-1] + self._pause
        if now >= until:
            return None
        return Verdict(
            STOPS,
            f"stops: {len(self._stops)} with a loss within a day, {self._most} pause entries; "
            f"quoting resumes at {until:%H:%M} UTC",
        )
