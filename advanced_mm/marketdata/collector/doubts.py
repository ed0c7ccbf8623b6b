"""Which parts of a recording are in doubt, and the gaps that follow from it. No I/O and no clock.

A connection that ends leaves every channel in doubt from its newest row on. The doubt ends with
the first message that the venue pushed after all subscriptions were in force; what a channel says
first answers its subscription and may be older. The venue also repeats its recent trades on
subscribing: where they reach back to a trade that is known, none is missing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from advanced_mm.marketdata.connection_log import CHANNELS, Gap

__all__ = ["Doubts", "Retold", "TradesGap", "covered"]

_Key = TypeVar("_Key")

APART_MS: Final = 5000
"""How far the channels of a coin run apart at most, in exchange time."""
_FIRST_WORDS: Final = {"bbo": 1, "trades": 1, "l2Book": 2}
"""Messages with which a channel answers its subscriptions."""
_LAST_SUBSCRIBED: Final = "bbo"
_SURELY_SUBSCRIBED_MS: Final = 5000
_OTHER_CLOCK_MS: Final = 60_000  # a time further back than this: the venue's clock was reset


@dataclass(frozen=True)
class TradesGap:
    """Trades of a coin between two exchange times (ms, both included) that the venue may have."""

    coin: str
    start_ms: int
    end_ms: int


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

    Channels run a little apart: within one block or step of the venue all trades may come before
    the first touch. So each channel is in doubt from its own newest row on, and until its own next
    one; a channel that says little, from and until `APART_MS` beside the coin's others.

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
        self._open: dict[str, dict[str, tuple[int, str]]] = {}
        self._since_ms: dict[str, int] = {}  # first live message since a doubt began
        self._words: dict[tuple[str, str], int] = {}
        self._first_ms: dict[str, int] = {}
        self._live: set[str] = set()

    def resume(self, coin: str, newest_ms: Mapping[str, int], reason: str) -> None:
        """Put a coin in doubt from the newest row (exchange ms) of each channel on."""
        self.newest_ms[coin] = max(newest_ms.values())
        self._newest_ms |= {(coin, channel): time_ms for channel, time_ms in newest_ms.items()}
        self._open[coin] = {
            channel: (newest_ms.get(channel, self.newest_ms[coin]), reason) for channel in CHANNELS
        }

    def begin(self, reason: str, coins: Collection[str] | None = None) -> None:
        """Put the coins (None: all) in doubt from now on; what is in doubt already stays so."""
        for coin in self._coins if coins is None else coins:
            newest_ms = self.newest_ms.get(coin)
            if newest_ms is None:
                continue
            doubts = self._open.setdefault(coin, {})
            self._since_ms.pop(coin, None)
            for channel in CHANNELS:
                start_ms = max(self._newest_ms.get((coin, channel), 0), newest_ms - APART_MS)
                doubts.setdefault(channel, (start_ms, reason))

    def so_far(self, coin: str) -> list[Gap]:
        """Return the coin's doubts as gaps up to its newest row, in case nobody sees their end."""
        newest_ms = self.newest_ms.get(coin, 0)
        return [
            Gap(channel, start_ms, max(start_ms, newest_ms), reason)
            for channel, (start_ms, reason) in self._open.get(coin, {}).items()
        ]

    def about(self, coin: str) -> bool:
        """Return whether a channel of a coin is in doubt now."""
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
        """Note a message; return the gaps whose end it shows."""
        words = self._words.get((coin, channel), 0)
        self._words[coin, channel] = words + 1
        pushed = words >= _FIRST_WORDS[channel]
        if coin not in self._live:
            first_ms = self._first_ms.setdefault(coin, time_ms)
            if (pushed and self._words.get((coin, _LAST_SUBSCRIBED))) or (
                time_ms - first_ms > _SURELY_SUBSCRIBED_MS
            ):
                self._live.add(coin)
        gaps = []
        if coin in self._open and coin in self._live:
            gaps = self._ended(coin, channel if pushed else "", time_ms)
        self._note(self.newest_ms, coin, time_ms)
        self._note(self._newest_ms, (coin, channel), time_ms)
        return gaps

    def _ended(self, coin: str, channel: str, time_ms: int) -> list[Gap]:
        doubts = self._open[coin]
        since_ms = self._since_ms.setdefault(coin, time_ms)
        gaps = []
        for name in list(doubts) if time_ms - since_ms > APART_MS else [channel]:
            start_ms, reason = doubts.get(name, (0, ""))
            if name not in doubts or 0 < start_ms - time_ms <= _OTHER_CLOCK_MS:
                continue  # not in doubt, or older than what is known: wait for the next
            del doubts[name]
            if time_ms >= start_ms:
                gaps.append(Gap(name, start_ms, time_ms, reason))
        if not doubts:
            del self._open[coin]
            self._since_ms.pop(coin, None)
        return gaps

    @staticmethod
    def _note(newest: dict[_Key, int], key: _Key, time_ms: int) -> None:
        newest_ms = newest.get(key, time_ms)
        if time_ms >= newest_ms or newest_ms - time_ms > _OTHER_CLOCK_MS:
            newest[key] = time_ms
