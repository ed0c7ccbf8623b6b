"""No entries for a while after a trade closes on a day whose closed trades have lost too much."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["CLOSED_LOSSES", "ClosedLossesGuard"]

CLOSED_LOSSES: Final = "closed_losses"

_COUNTED: Final = timedelta(days=1)


class ClosedLossesGuard:
    """Pauses after each trade while those that closed within a day are too far below their peak.

    The drawdown of the account (`AccountGuard`) counts its peak anew after its pause, so that a
    loss could be made again every hour. This one does not forget within a day.

    Parameters
    ----------
    most
        Share of the capital at the peak; None: any.
    pause
        How long entries pause after the last trade.
    """

    def __init__(self, most: float | None, pause: timedelta) -> None:
        self._most, self._pause = most, pause
        self._trades: list[tuple[datetime, float]] = []
        self._before = 0.0
        """Profit of the trades that closed before those remembered."""
        self._until: datetime | None = None
        self._fallen = 0.0

    def closed(
        self, trades: Iterable[tuple[datetime, float]], capital: float | None, now: datetime
    ) -> None:
        """Take in trades that have closed.

        Parameters
        ----------
        trades
            When, and the profit (quote currency).
        capital
            What there was before the first trade, quote currency; None if it is not known, and then
            nothing is judged.
        now
            The time of the look.
        """
        news = list(trades)
        self._trades = sorted([*self._trades, *news])
        while self._trades and now - self._trades[0][0] >= _COUNTED + self._pause:
            self._before += self._trades.pop(0)[1]
        if not news or capital is None or self._most is None:
            return
        times = [at for at, _ in self._trades]
        worth = capital + self._before + np.cumsum([0.0, *(one for _, one in self._trades)])
        # Of trades that are told at once, as at a start, each may have begun a pause.
        for number in reversed(range(len(times))):
            if times[number] + self._pause <= now:
                return
            first = bisect_right(times, times[number] - _COUNTED)
            fallen = _greatest_fall(worth[first : number + 2])
            if fallen > self._most:
                self._until, self._fallen = times[number] + self._pause, fallen
                return

    def verdict(self, now: datetime) -> Verdict | None:
        """Judge the trades told last."""
        if self._until is None or now >= self._until:
            return None
        return Verdict(
            CLOSED_LOSSES,
            f"closed losses: {self._fallen:.1%} below the peak within a day, at most "
            f"{self._most or 0.0:.1%} allowed; quoting resumes at {self._until:%Y-%m-%d %H:%M} UTC",
        )


def _greatest_fall(worth: npt.NDArray[np.float64]) -> float:
    """Return the greatest fall below an earlier peak, share of that peak."""
    peaks = np.maximum.accumulate(worth)
    return float(np.max((peaks - worth) / np.where(peaks > 0, peaks, np.inf)))
