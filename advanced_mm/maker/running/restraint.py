"""When new orders wait, after refusals."""

from collections.abc import Callable
from typing import Final

__all__ = ["Restraint"]

_REFUSED_MS: Final = 1_000
"""Nothing new is sent for so long after a refusal that was not the market's doing."""
_TOO_LATE_ROUNDS: Final = 3
"""After so many rounds in which a price was reached before the order, the next ones wait."""
_LONGEST_TOO_LATE_MS: Final = 2_000


class Restraint:
    """Holds new orders back while they would only be refused again.

    Parameters
    ----------
    clock_ms
        Epoch milliseconds.
    """

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._paused: tuple[int, int] | None = None
        """Since when nothing new is sent, epoch ms, and for how long, ms."""
        self._too_late = 0
        self._reached = False

    @property
    def holds(self) -> bool:
        """Whether new orders wait now."""
        return self._paused is not None and (
            0 <= self._clock_ms() - self._paused[0] < self._paused[1]
        )

    def refused(self) -> None:
        """Take in a refusal that was not the market's doing."""
        self._pause(_REFUSED_MS)

    def reached(self) -> None:
        """Take in that the market reached a price before the order."""
        self._reached = True

    def begin_round(self) -> None:
        """Begin a round of requests."""
        self._reached = False

    def end_round(self) -> None:
        """End a round of requests."""
        self._too_late = self._too_late + 1 if self._reached else 0
        if self._too_late > _TOO_LATE_ROUNDS:
            wait = 100 * 2 ** (self._too_late - _TOO_LATE_ROUNDS)
            self._pause(min(wait, _LONGEST_TOO_LATE_MS))

    def _pause(self, ms: int) -> None:
        self._paused = (self._clock_ms(), ms)
