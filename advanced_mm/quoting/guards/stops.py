"""No entries after several stops with a loss within a day."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["STOPS", "StopsGuard"]

STOPS: Final = "stops"

_COUNTED: Final = timedelta(days=1)
_HOUR: Final = "%H:%M"
_DATE: Final = "%Y-%m-%d %H:%M"


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
        """Judge the stops; a pause lasts its time even if that is longer than a day."""
        self._stops = [at for at in self._stops if now - at < _COUNTED + self._pause]
        if self._most is None:
            return None
        for last in reversed(self._stops):
            count = sum(last - _COUNTED < at <= last for at in self._stops)
            until = last + self._pause
            if count >= self._most and now < until:
                return Verdict(
                    STOPS,
                    f"stops: {count} with a loss within a day, {self._most} pause entries; "
                    f"quoting resumes at {until:{_HOUR if until - now < _COUNTED else _DATE}} UTC",
                )
        return None
