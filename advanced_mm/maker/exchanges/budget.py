"""How many orders an exchange takes: windows of time, and a budget that trading fills."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["ActionBudget", "OrderWindows"]

_RESERVED: Final = 300
"""Of an account's actions; withdrawing and closing take some as well."""
_SPREAD_SECONDS: Final = 86_400.0
_AT_ONCE: Final = 0.5
_UNKNOWN: Final = 1000


class OrderWindows:
    """Counts what was sent in sliding windows.

    Parameters
    ----------
    windows
        (Most, in so many seconds), as the exchange counts.
    share
        Of each that is used; the rest is kept for withdrawals and what others send.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, windows: Sequence[tuple[int, float]], share: float, clock: Callable[[], float]
    ) -> None:
        self._windows = [(int(most * share), seconds) for most, seconds in windows]
        self._sent: list[deque[tuple[float, int]]] = [deque() for _ in windows]
        self._counts = [0] * len(self._windows)
        self._clock = clock

    def count(self, number: int) -> None:
        """Count what was sent now."""
        now = self._clock()
        for place, sent in enumerate(self._sent):
            sent.append((now, number))
            self._counts[place] += number

    def left(self) -> int:
        """Return how many may be sent now, in the window that has the fewest left."""
        now = self._clock()
        fewest = 1_000_000
        for place, (most, seconds) in enumerate(self._windows):
            sent = self._sent[place]
            while sent and sent[0][0] <= now - seconds:
                self._counts[place] -= sent.popleft()[1]
            fewest = min(fewest, most - self._counts[place])
        return max(0, fewest)


class ActionBudget:
    """The actions that Hyperliquid leaves an account: 10 000, and one for each USDC it trades.

    A ladder of twenty orders that follows each move spends a new account's in minutes, and then
    may not even be moved away. So half of what is left may be sent at once, the rest comes over a
    day, and what trading earns at once.

    Parameters
    ----------
    clock
        Monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = clock()
        self._usable: float | None = None
        self._left = 0.0
        self._ready = 0.0

    def told(self, left: int) -> None:
        """Take in how many actions the exchange says are left."""
        usable = max(0.0, float(left - _RESERVED))
        if self._usable is None:
            self._ready = _AT_ONCE * usable
        self._refill()
        self._usable, self._left = usable, float(left)
        self._ready = min(self._ready, usable)

    def spent(self, actions: int) -> None:
        """Count actions that were sent."""
        if self._usable is not None:
            self._refill()
            self._usable = max(0.0, self._usable - actions)
            self._left -= actions
            self._ready = max(0.0, self._ready - actions)

    def earned(self, value: float) -> None:
        """Take in that so much was traded, USDC."""
        if self._usable is not None:
            self._usable += value
            self._left += value
            self._ready += value

    def left(self) -> int:
        """Return how many actions may be sent now."""
        if self._usable is None:
            return _UNKNOWN
        self._refill()
        return int(self._ready)

    def in_all(self) -> int | None:
        """Return how many actions are left, those kept back included; None until it is told."""
        return None if self._usable is None else int(self._left)

    def _refill(self) -> None:
        now = self._clock()
        if self._usable is not None:
            most = max(self._ready, _AT_ONCE * self._usable)
            refill = self._usable * (now - self._at) / _SPREAD_SECONDS
            self._ready = min(self._ready + refill, most)
        self._at = now
