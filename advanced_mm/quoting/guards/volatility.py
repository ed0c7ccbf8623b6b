"""Wider quotes, then no entries, while the mid moves much more than it usually does."""

from collections import deque
from datetime import datetime
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict, stepped

__all__ = ["VOLATILITY", "VolatilityGuard"]

VOLATILITY: Final = "volatility"

_SAMPLE_SECONDS: Final = 1.0
"""As in the estimate of the usual volatility: shorter moves include the bounce of the touch."""
_WIDEN_FROM, _WIDEN_UNTIL, _PAUSE_UNTIL = 0.75, 0.65, 0.875
"""Shares of the limit. What begins ends lower, or it would come and go with the noise."""
_STILL: Final = 0.2
"""The factor stays while the ratio is no farther from it: each change replaces the quote."""


class VolatilityGuard:
    """Compares the realised volatility of the last seconds with the refit's over its window.

    Time that was not seen counts as usual; of a move over a longer gap, the share of it that lies
    in the window. A jump counts at the look that sees it.

    Parameters
    ----------
    limit
        Multiple of the usual volatility from which there are no entries; None: never.
    window_seconds
        How far back is looked.
    """

    def __init__(self, limit: float | None, window_seconds: float) -> None:
        self._limit = limit
        self._window_s = window_seconds
        self._moves: deque[tuple[float, float, float]] = deque()  # end, duration, squared move
        self._sample: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None
        self._paused = False
        self._wide: float | None = None

    def saw(self, mid: float, time: datetime) -> None:
        """Take in a mid, quote currency, and when the venue published it.

        One that is not newer than the last is left out.
        """
        at = time.timestamp()
        if self._last is not None and at <= self._last[0]:
            return
        self._last = (at, mid)
        if self._sample is None:
            self._sample = self._last
            return
        begun, before = self._sample
        if at - begun < _SAMPLE_SECONDS:
            return
        self._moves.append((at, at - begun, (mid - before) ** 2))
        self._sample = self._last
        while self._moves and self._moves[0][0] <= at - self._window_s:
            self._moves.popleft()

    def ratio(self, usual: float) -> float:
        """Return the volatility of the last seconds over ``usual`` (quote currency per √s)."""
        if self._last is None or self._sample is None:
            return 1.0
        (begun, before), (at, mid) = self._sample, self._last
        moves = list(self._moves)
        if at > begun:
            moves.append((at, at - begun, (mid - before) ** 2))
        seen = total = 0.0
        for end, duration, square in moves:
            inside = min(end, at) - max(end - duration, at - self._window_s)
            if inside > 0:
                seen += inside
                total += square * inside / duration
        total += usual**2 * max(0.0, self._window_s - seen)
        return float((total / (usual**2 * self._window_s)) ** 0.5)

    def verdict(self, usual: float | None) -> Verdict | None:
        """Judge by the usual volatility (quote currency per √s); None if it is not known."""
        if self._limit is None or usual is None or not usual > 0:
            self._paused, self._wide = False, None
            return None
        ratio = self.ratio(usual)
        self._paused = ratio >= self._limit * (_PAUSE_UNTIL if self._paused else 1.0)
        if not self._paused and ratio < self._limit * (_WIDEN_UNTIL if self._wide else _WIDEN_FROM):
            self._wide = None
            return None
        told = f"volatility: the mid moves {ratio:.1f} times as much as usual"
        if self._paused:
            return Verdict(VOLATILITY, f"{told}, at most {self._limit:g} allowed")
        if self._wide is None or abs(ratio - self._wide) > _STILL:
            self._wide = stepped(ratio)
        return Verdict(VOLATILITY, told, "widen", self._wide)
