"""No entry in the way of one-sided flow after a large market order."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from advanced_mm.quoting.guards.verdict import Side, Verdict

__all__ = ["FLOW", "FlowGuard", "MarketOrder"]

FLOW: Final = "flow"

_LEAST_ORDERS: Final = 30
"""Before so many were seen, no order is called large."""
_AVERAGED: Final = 200
"""Orders that the mean size is of, about: each has the weight of one in so many."""
_ONE_SIDED: Final = 0.8
"""Share of the volume from which flow counts as one-sided."""
_LONGEST: Final = 6
"""A pause ends after so many cooldowns, whatever the flow."""


@dataclass(frozen=True)
class MarketOrder:
    """Trades of one taker order, or a part of them: exchange time, whether it buys, base size."""

    time_ms: int
    buys: bool
    size: float


@dataclass
class _Pause:
    began_s: float
    multiple: float


class FlowGuard:
    """Pauses the side that a large market order hits, until the flow is no longer one-sided.

    A large one is often one of many of the same trader, who knows where the price is going.

    Parameters
    ----------
    multiple
        An order of this many times the mean size is large; None: none is.
    cooldown_seconds
        Shortest pause, and the time over which flow is judged.

    Attributes
    ----------
    last_large_ms
        Exchange time of the last large one, ms; None before the first.
    """

    def __init__(self, multiple: float | None, cooldown_seconds: float) -> None:
        self._multiple = multiple
        self._cooldown_s = cooldown_seconds
        self._orders: deque[MarketOrder] = deque()
        self._mean = 0.0
        self._count = 0
        self._pauses: dict[Side, _Pause] = {}
        self.last_large_ms: int | None = None

    def saw(self, orders: Iterable[MarketOrder]) -> None:
        """Take in market orders, in order of time; parts of one follow each other."""
        for one in orders:
            last = self._orders[-1] if self._orders else None
            whole = one
            if last is not None and (last.time_ms, last.buys) == (one.time_ms, one.buys):
                self._orders.pop()
                whole = MarketOrder(one.time_ms, one.buys, last.size + one.size)
            elif last is not None:
                self._average(last.size)
            self._orders.append(whole)
            self._judge_size(whole)
            oldest_ms = one.time_ms - 1000 * self._cooldown_s
            while len(self._orders) > 1 and self._orders[0].time_ms < oldest_ms:
                self._orders.popleft()

    def _average(self, size: float) -> None:
        self._count += 1
        self._mean += (size - self._mean) / min(self._count, _AVERAGED)

    def _judge_size(self, order: MarketOrder) -> None:
        if self._multiple is None or self._count < _LEAST_ORDERS:
            return
        multiple = order.size / self._mean
        if multiple >= self._multiple:
            self.last_large_ms = order.time_ms
            self._pauses["ask" if order.buys else "bid"] = _Pause(order.time_ms / 1000, multiple)

    def verdict(self, now: datetime) -> Verdict | None:
        """Judge the flow; entries are in the way of it on one side, seldom on both."""
        at = now.timestamp()
        self._pauses = {s: p for s, p in self._pauses.items() if self._lasts(s, p, at)}
        if not self._pauses:
            return None
        side, pause = max(self._pauses.items(), key=lambda item: item[1].began_s)
        kind = "buyers" if side == "ask" else "sellers"
        return Verdict(
            FLOW,
            f"one-sided flow: a market order of {kind} {pause.multiple:.0f} times the usual size "
            f"{max(0.0, at - pause.began_s):.0f} s ago",
            sides=frozenset(self._pauses),
        )

    def _lasts(self, side: Side, pause: _Pause, at: float) -> bool:
        age = at - pause.began_s
        if age < self._cooldown_s:
            return True
        if age >= _LONGEST * self._cooldown_s:
            return False
        oldest_ms = 1000 * (at - self._cooldown_s)
        recent = [one for one in self._orders if one.time_ms >= oldest_ms]
        total = sum(one.size for one in recent)
        same = sum(one.size for one in recent if one.buys == (side == "ask"))
        return total > 0 and same >= _ONE_SIDED * total
