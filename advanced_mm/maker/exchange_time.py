"""The exchange's time by our clock, whose offset is not known."""

from typing import Final

__all__ = ["ExchangeTime"]

_WINDOW_MS: Final = 300_000


class ExchangeTime:
    """Learns by how much an exchange's clock is behind ours from the quickest of its messages.

    The offset and the shortest delay cannot be told apart, and need not be: a message's delay is
    how much later than the quickest it came. Clocks drift and are set, so only the last five to ten
    minutes count.
    """

    def __init__(self) -> None:
        self._begun_ms: int | None = None
        self._least = self._least_before = 0

    def heard(self, sent_ms: int, now_ms: int) -> int:
        """Take in a message with its time, both epoch ms; return its delay, ms."""
        behind = now_ms - sent_ms
        if self._begun_ms is None:
            self._begun_ms, self._least, self._least_before = now_ms, behind, behind
        elif not 0 <= now_ms - self._begun_ms < _WINDOW_MS:
            self._begun_ms, self._least_before, self._least = now_ms, self._least, behind
        self._least = min(self._least, behind)
        return behind - self._behind

    def at(self, now_ms: int) -> int:
        """Return the exchange's time at ours, epoch ms."""
        return now_ms - self._behind

    @property
    def _behind(self) -> int:
        return min(self._least, self._least_before)
