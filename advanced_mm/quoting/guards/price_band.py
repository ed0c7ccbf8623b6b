"""Wider quotes, then no entries, as the price nears the edge of a band, or trading was halted.

Exchanges with a volatility control mechanism halt trading, or take no orders beyond a band, once
the price has moved by a share (Hong Kong: 10%) from that of five minutes ago. A maker must not be
caught in a halt with a position: at which price trading begins again nobody knows.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["HALT", "PRICE_BAND", "PriceBandGuard"]

PRICE_BAND: Final = "price_band"
HALT: Final = "halt"

_SAMPLE_SECONDS: Final = 1.0
_WIDEN_FROM, _WIDEN_UNTIL, _PAUSE_FROM, _PAUSE_UNTIL = 0.5, 0.4, 0.8, 0.7
"""Shares of the band. Both end below their beginning, or they would come and go with the noise."""
_WIDEN: Final = 1.5


class PriceBandGuard:
    """Compares the mid with that of some minutes ago, or the oldest known.

    Parameters
    ----------
    band
        Greatest move, as a share of the price; None: no band.
    seconds
        How long ago the price was that is compared with.
    halt_pause_seconds
        Without entries after the venue's last word of a halt.
    """

    def __init__(self, band: float | None, seconds: float, halt_pause_seconds: float) -> None:
        self._band = band
        self._seconds = seconds
        self._halt_pause = timedelta(seconds=halt_pause_seconds)
        self._mids: deque[tuple[float, float]] = deque()
        self._last: float | None = None
        self._halted: datetime | None = None
        self._near = self._paused = False

    def saw(self, mid: float, time: datetime) -> None:
        """Take in a mid, and when the venue published it."""
        at = time.timestamp()
        self._last = mid
        if not self._mids or at - self._mids[-1][0] >= _SAMPLE_SECONDS:
            self._mids.append((at, mid))
        while len(self._mids) > 1 and self._mids[1][0] <= at - self._seconds:
            self._mids.popleft()

    def halted(self, now: datetime) -> None:
        """Note that the venue refused an order because trading is halted."""
        self._halted = now

    def verdicts(self, now: datetime) -> list[Verdict]:
        """Judge the mid seen last, and the last halt."""
        found = []
        if self._halted is not None and now - self._halted < self._halt_pause:
            found.append(
                Verdict(
                    HALT,
                    "halt: the venue halted trading; quoting resumes "
                    f"{self._halt_pause.total_seconds():g} s after its last refusal",
                )
            )
        if self._band is None or self._last is None:
            return found
        move = self._last / self._mids[0][1] - 1
        share = abs(move) / self._band
        self._near = share >= (_WIDEN_UNTIL if self._near else _WIDEN_FROM)
        self._paused = share >= (_PAUSE_UNTIL if self._paused else _PAUSE_FROM)
        minutes = self._seconds / 60
        told = f"price band: {move:+.1%} in {minutes:g} minutes, of {self._band:.1%} allowed"
        if self._paused:
            found.append(Verdict(PRICE_BAND, told))
        elif self._near:
            found.append(Verdict(PRICE_BAND, told, "widen", _WIDEN))
        return found
