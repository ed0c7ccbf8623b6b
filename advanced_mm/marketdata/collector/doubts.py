"""Which parts of a recording are in doubt, and the gaps that follow from it. No I/O and no clock.

A connection that ends leaves every channel in doubt from its own newest row on: it may have been
silent before. The doubt ends with the first message that the venue pushed after all subscriptions
were in force; what a channel says first answers its subscription and may be older. The venue also
repeats its recent trades on subscribing: where they reach back to a trade that is known, none is
missing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from advanced_mm.marketdata.connection_log import CHANNELS, Gap

__all__ = ["Doubts", "Retold", "covered"]

_FIRST_WORDS: Final = {"bbo": 1, "trades": 1, "l2Book": 2}
"""Messages with which a channel answers its subscriptions."""
_LAST_SUBSCRIBED: Final = "bbo"
_SURELY_SUBSCRIBED_MS: Final = 5000
_OTHER_CLOCK_MS: Final = 60_000  # a time further back than this: the venue's clock was reset


@dataclass(frozen=True)
class Retold:
    """Recent trades that the venue told again, complete from the oldest on.

    ``reaches_known`` says that one of them was recorded before.
    """

    oldest_ms: int
    reaches_known: bool


def covered(start_ms: int, end_ms: int, retold: Retold | None) -> tuple[int, int] | None:
    """Return the part of a gap in trades that was told again, None if there is none.

    The oldest millisecond told may be incomplete, unless trades before the gap were told as well.
    """
    if retold is None:
        return None
    if retold.reaches_known or retold.oldest_ms < start_ms:
        return start_ms, end_ms
    low = retold.oldest_ms + 1
    return (low, end_ms) if low <= end_ms else None


class Doubts:
    """Doubts about the channels of some coins.

    Parameters
    ----------
    coins : iterable of str
        The coins that are recorded.
    """

    def __init__(self, coins: Iterable[str]) -> None:
        self._coins = tuple(coins)
        self.newest_ms: dict[str, int] = {}
        """Exchange time (ms) of each coin's newest row."""
        self._newest_ms: dict[tuple[str, str], int] = {}
        self._open: dict[str, tuple[dict[str, int], str]] = {}
        self._words: dict[tuple[str, str], int] = {}
        self._first_ms: dict[str, int] = {}
        self._live: set[str] = set()

    def begin(self, reason: str, coins: Collection[str] | None = None) -> None:
        """Put the coins (None: all) in doubt from their newest rows on, unless they already are."""
        for coin in self._coins if coins is None else coins:
            starts = self.starts(coin)
            if starts:
                self._open.setdefault(coin, (starts, reason))

    def resume(self, coin: str, newest_ms: Mapping[str, int], reason: str) -> None:
        """Put a coin in doubt from the newest rows by channel (exchange ms) of an earlier run on."""
        for channel, time_ms in newest_ms.items():
            self._newest_ms[coin, channel] = time_ms
        self.newest_ms[coin] = max(newest_ms.values())
        self.begin(reason, [coin])

    def starts(self, coin: str) -> dict[str, int]:
        """Return from when on each channel would be in doubt now (exchange ms), none if unknown."""
        newest_ms = self.newest_ms.get(coin)
        if newest_ms is None:
            return {}
        return {
            channel: min(self._newest_ms.get((coin, channel), newest_ms), newest_ms)
            for channel in CHANNELS
        }

    def about(self, coin: str) -> bool:
        """Return whether a coin is in doubt now."""
        return coin in self._open

    def is_live(self, coin: str) -> bool:
        """Return whether the venue has pushed data of a coin since it took all subscriptions."""
        return coin in self._live

    def connected(self) -> None:
        """Note a new connection: every channel will answer its subscriptions first."""
        self._words.clear()
        self._first_ms.clear()
        self._live.clear()

    def resubscribed(self, coin: str, channel: str) -> None:
        """Note that a channel was subscribed to anew and will answer that first."""
        self._words.pop((coin, channel), None)

    def heard(self, coin: str, channel: str, time_ms: int) -> list[Gap]:
        """Note a message; return the gaps, one a channel, whose end it shows, if any."""
        words = self._words.get((coin, channel), 0)
        self._words[coin, channel] = words + 1
        first_ms = self._first_ms.setdefault(coin, time_ms)
        if (words >= _FIRST_WORDS[channel] and self._words.get((coin, _LAST_SUBSCRIBED))) or (
            time_ms - first_ms > _SURELY_SUBSCRIBED_MS
        ):
            self._live.add(coin)
        gaps = self._end(coin, time_ms) if coin in self._open and coin in self._live else []
        newest_ms = self.newest_ms.get(coin, time_ms)
        if time_ms >= newest_ms or newest_ms - time_ms > _OTHER_CLOCK_MS:
            self.newest_ms[coin] = time_ms
        own_ms = self._newest_ms.get((coin, channel), time_ms)
        if time_ms >= own_ms or own_ms - time_ms > _OTHER_CLOCK_MS:
            self._newest_ms[coin, channel] = time_ms
        return gaps

    def _end(self, coin: str, time_ms: int) -> list[Gap]:
        starts, reason = self._open[coin]
        newest_ms = max(starts.values())
        if time_ms < newest_ms and newest_ms - time_ms <= _OTHER_CLOCK_MS:
            return []  # older than what is known: wait for the next
        del self._open[coin]
        return [
            Gap(channel, start_ms, time_ms, reason)
            for channel, start_ms in starts.items()
            if start_ms <= time_ms
        ]
