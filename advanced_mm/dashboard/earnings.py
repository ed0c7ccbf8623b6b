"""What the bots on a coin have earned lately, judged as a finished session is."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from advanced_mm.dashboard.market import Market
from advanced_mm.journal import GrowingJournal
from advanced_mm.performance import EarnedSoFar
from advanced_mm.performance.running import EARNED_COLUMNS, earned_until

__all__ = ["Earnings"]

_LEAST_BETWEEN_S: Final = 2.0
_MOST_SHARE: Final = 0.005
"""Of a core, that judging all coins may take: long days are judged less often."""
_POINTS: Final = 200


class Earnings:
    """Judges the fills of one coin since a time.

    Parameters
    ----------
    journal, coin
        As in `GrowingJournal`.
    market
        The recorded market, updated by somebody else.
    since_ms
        Epoch milliseconds.
    monotonic_s, worked_s
        Seconds that only increase, and the processor time of this thread.
    """

    def __init__(
        self,
        journal: Path,
        coin: str,
        market: Market,
        since_ms: int,
        monotonic_s: Callable[[], float] = time.monotonic,
        worked_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self.since_ms = since_ms
        self._coin, self._market = coin, market
        self._journal = GrowingJournal(journal, coin, since_ms, EARNED_COLUMNS)
        self._monotonic_s, self._worked_s = monotonic_s, worked_s
        self._next_s = -math.inf
        self.told: dict[str, Any] | None = None
        """What was judged last; None if nothing was traded."""

    def look(self, now_ms: int, coins: int = 1) -> None:
        """Judge again, if that is due; so many ``coins`` share what judging may take."""
        if self._monotonic_s() < self._next_s:
            return
        begun_s = self._worked_s()
        earned = earned_until(self._journal.read(), self._coin, now_ms, [self._market])
        self.told = None if earned is None else _told(earned, self.since_ms)
        took_s = self._worked_s() - begun_s
        self._next_s = self._monotonic_s() + max(_LEAST_BETWEEN_S, coins * took_s / _MOST_SHARE)


def _told(earned: EarnedSoFar, since_ms: int) -> dict[str, Any]:
    parts = earned.parts
    chosen = np.unique(np.linspace(0, len(earned.time_ms) - 1, _POINTS).astype(np.int64))
    path = zip(earned.time_ms[chosen], earned.equity[chosen], strict=True)
    return {
        "since_ms": max(since_ms, int(earned.time_ms[0])),
        "total": _known(parts.equity_change),
        "spread": _known(parts.spread_captured),
        "adverse": _known(parts.adverse_selection),
        "inventory": _known(parts.inventory),
        "fees": _known(parts.fees + parts.funding),
        "fills": parts.fills,
        "turnover": _known(parts.turnover),
        "expected_bp": _known(earned.expected_bp),
        "realised_bp": _known(earned.realised_bp),
        "judged": earned.judged,
        "equity": [[int(when), _known(float(value))] for when, value in path],
        "latest": [
            [fill.time_ms, "bid" if fill.bought else "ask", fill.price, fill.size,
             _known(fill.expected_bp), _known(fill.markout_bp)]
            for fill in earned.latest
        ],
    }  # fmt: skip


def _known(value: float) -> float | None:
    """Return a number, None where it is not known: JSON has no NaN."""
    return value if math.isfinite(value) else None
