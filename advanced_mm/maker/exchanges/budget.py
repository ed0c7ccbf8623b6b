"""How many orders an exchange takes: windows of time, and a budget that trading fills."""

from collections import deque
from collections.abc import Callable, Sequence

__all__ = ["OrderWindows"]


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
