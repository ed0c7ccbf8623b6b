"""What others did and what the venue says of a coin: market orders, and the funding rate."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

__all__ = ["MARKET_KINDS", "MarketSight", "Taken"]

MARKET_KINDS: Final = ("trades", "activeAssetCtx")
"""Channels of a coin."""

MOST_KEPT: Final = 2_000
"""Trades that nobody asks for; the oldest are dropped."""
RATE_SECONDS: Final = 600.0
"""An older funding rate is not told; the venue sends one every few seconds."""


class Taken(NamedTuple):
    """What a market order took: exchange time, whether it buys, base size."""

    time_ms: int
    buys: bool
    size: float


@dataclass
class MarketSight:
    """Trades since they were last asked for, and the newest funding rate, of each coin."""

    _news: dict[str, list[Taken]] = field(default_factory=dict)
    _seen: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _rates: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, channel: str, data: Any, now_s: float) -> None:
        """Take a message of one of `MARKET_KINDS`; a trade that is told again counts once.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            The message is malformed.
        """
        if channel == "activeAssetCtx":
            self._rates[str(data["coin"])] = (now_s, float(data["ctx"]["funding"]))
            return
        for one in data:
            self._trade(one)

    def _trade(self, data: Mapping[str, Any]) -> None:
        tid = int(data["tid"])
        taken = Taken(int(data["time"]), data["side"] == "B", float(data["sz"]))
        if tid in self._seen:
            return
        self._seen[tid] = None
        while len(self._seen) > MOST_KEPT:
            self._seen.popitem(last=False)
        news = self._news.setdefault(str(data["coin"]), [])
        news.append(taken)
        del news[:-MOST_KEPT]

    def news(self, coin: str) -> list[Taken]:
        """Return the coin's trades since the last call."""
        return self._news.pop(coin, [])

    def funding_rate(self, coin: str, now_s: float) -> float | None:
        """Return the hour's rate, positive where longs pay; None if none was told lately."""
        received_s, rate = self._rates.get(coin, (float("-inf"), 0.0))
        return rate if now_s - received_s <= RATE_SECONDS else None
