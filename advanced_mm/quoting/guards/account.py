"""No entries after a day's loss or a drawdown, open positions included."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["DAILY_LOSS", "DRAWDOWN", "AccountGuard", "AccountMark"]

DAILY_LOSS: Final = "daily_loss"
DRAWDOWN: Final = "drawdown"

_REMEMBERED: Final = timedelta(days=1)
"""How far back peaks are looked for in the books."""


@dataclass(frozen=True)
class AccountMark:
    """What must survive a restart. Profits are since the bot's first trade, quote currency.

    Attributes
    ----------
    at
        When it was taken.
    profit
        Then, closed and open trades.
    peak
        The highest since the peak was last counted anew.
    day_start
        At the first look of the day, UTC.
    paused_at
        When a drawdown was found that still pauses.
    """

    at: datetime
    profit: float
    peak: float
    day_start: float
    paused_at: datetime | None = None


class AccountGuard:
    """Follows the profit of a bot.

    Parameters
    ----------
    most_daily_loss, most_drawdown
        Shares of the capital at the day's start and at the peak; None: any.
    pause
        How long entries pause after a drawdown; the peak is then counted anew.
    """

    def __init__(
        self,
        most_daily_loss: float | None,
        most_drawdown: float | None,
        pause: timedelta = timedelta(hours=1),
    ) -> None:
        self._pause = pause
        self._most_daily_loss = most_daily_loss
        self._most_drawdown = most_drawdown
        self._capital: float | None = None
        self.mark: AccountMark | None = None

    def resume(self, mark: AccountMark) -> None:
        """Go on from a mark of an earlier run."""
        self.mark = mark

    def resume_from_books(self, closed: Iterable[tuple[datetime, float]], now: datetime) -> None:
        """Go on from closed trades (when, profit) in order of time, where there is no mark."""
        profit = 0.0
        mark = AccountMark(now, 0.0, 0.0, 0.0)
        since = now - _REMEMBERED
        peaks: list[float] = []
        for at, earned in closed:
            if not peaks and at >= since:
                peaks.append(profit)
            profit += earned
            if at >= since:
                peaks.append(profit)
            if at.astimezone(UTC).date() < now.astimezone(UTC).date():
                mark = replace(mark, day_start=profit)
        self.mark = replace(mark, profit=profit, peak=max(peaks, default=profit))

    def saw(self, profit: float, capital: float, now: datetime) -> AccountMark:
        """Take in the profit since the first trade and the capital before it, quote currency."""
        self._capital = capital
        before = self.mark
        if before is None:
            self.mark = AccountMark(now, profit, profit, profit)
            return self.mark
        new_day = now.astimezone(UTC).date() != before.at.astimezone(UTC).date()
        paused_at, peak = before.paused_at, max(before.peak, profit)
        if paused_at is not None and now - paused_at >= self._pause:
            paused_at, peak = None, profit
        elif paused_at is None and self._falls(peak, profit):
            paused_at = now
        day_start = profit if new_day else before.day_start
        self.mark = AccountMark(now, profit, peak, day_start, paused_at)
        return self.mark

    def _falls(self, peak: float, profit: float) -> bool:
        most = self._most_drawdown
        return most is not None and peak - profit >= most * self._worth(peak) > 0

    @property
    def drawdown_used(self) -> float | None:
        """Share of the drawdown at which entries pause; None where it is not limited or known."""
        most, mark = self._most_drawdown, self.mark
        if most is None or mark is None or self._capital is None:
            return None
        allowed = most * self._worth(mark.peak)
        return (mark.peak - mark.profit) / allowed if allowed > 0 else None

    def _worth(self, profit: float) -> float:
        return (self._capital or 0.0) + profit

    def verdicts(self) -> list[Verdict]:
        """Judge the profit seen last."""
        mark, found = self.mark, []
        if mark is None or self._capital is None:
            return []
        most, lost = self._most_daily_loss, mark.day_start - mark.profit
        if most is not None and lost >= most * self._worth(mark.day_start) > 0:
            found.append(
                Verdict(
                    DAILY_LOSS,
                    f"daily loss: {lost:.2f} lost since midnight UTC, "
                    f"{lost / self._worth(mark.day_start):.1%} of the capital, at most {most:.1%} "
                    "allowed; quoting resumes at midnight",
                )
            )
        if mark.paused_at is not None:
            fallen = (mark.peak - mark.profit) / self._worth(mark.peak)
            found.append(
                Verdict(
                    DRAWDOWN,
                    f"drawdown: {fallen:.1%} below the peak, at most "
                    f"{self._most_drawdown or 0.0:.1%} allowed; quoting resumes at "
                    f"{mark.paused_at + self._pause:%H:%M} UTC",
                )
            )
        return found
