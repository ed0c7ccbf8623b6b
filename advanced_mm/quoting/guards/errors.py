"""No entries for a while after errors of the exchange in a row."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["ERRORS", "ErrorGuard"]

ERRORS: Final = "errors"


@dataclass
class _Streak:
    count: int
    last: datetime
    message: str


class ErrorGuard:
    """Counts errors in a row, for orders and for questions apart.

    After the pause an entry may try again; the next error then begins the next pause, and a success
    ends the row.

    Parameters
    ----------
    most
        Errors in a row that begin a pause; None: none do.
    pause_seconds
        Without entries after the last error.
    """

    def __init__(self, most: int | None, pause_seconds: float) -> None:
        self._most = most
        self._pause = timedelta(seconds=pause_seconds)
        self._streaks: dict[str, _Streak] = {}

    def failed(self, what: str, message: str, now: datetime) -> None:
        """Note an error of the exchange, such as ``what`` "order"."""
        count = self._streaks[what].count if what in self._streaks else 0
        self._streaks[what] = _Streak(count + 1, now, message)

    def worked(self, what: str) -> None:
        """Note a success."""
        self._streaks.pop(what, None)

    def verdict(self, now: datetime) -> Verdict | None:
        """Judge the rows of errors."""
        for what, streak in self._streaks.items():
            if self._most is None or streak.count < self._most or now - streak.last >= self._pause:
                continue
            return Verdict(
                ERRORS,
                f"exchange errors: {streak.count} in a row for {what}s, the last "
                f"{(now - streak.last).total_seconds():.0f} s ago: {streak.message[:80]}",
            )
        return None
