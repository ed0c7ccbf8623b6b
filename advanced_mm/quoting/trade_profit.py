"""Profit of a bot's trades, closed and open."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

__all__ = ["TradeProfit"]

_AGAIN: Final = timedelta(minutes=1)


class TradeProfit:
    """Adds up closed profit, which is asked for when a trade came or went, and the open trades'.

    Parameters
    ----------
    closed
        Returns the profit of all closed trades, quote currency; asks a database.
    """

    def __init__(self, closed: Callable[[], float]) -> None:
        self._closed = closed
        self._known: tuple[frozenset[Any], datetime, float] | None = None

    def now(self, trades: Sequence[Any], mids: Mapping[str, float], now: datetime) -> float | None:
        """Return the profit since the first trade, quote currency, fees and funding included.

        Parameters
        ----------
        trades
            Freqtrade's open trades, valued as if they were closed at the mid.
        mids
            By pair; without that of a trade there is no answer, None.
        now
            The time of the look.
        """
        held = [trade for trade in trades if trade.amount]
        if any(trade.pair not in mids for trade in held):
            return None
        ids = frozenset(trade.id for trade in trades)
        if self._known is None or self._known[0] != ids or now - self._known[1] >= _AGAIN:
            self._known = (ids, now, float(self._closed()))
        opened = sum(float(one.calculate_profit(mids[one.pair]).total_profit) for one in held)
        return self._known[2] + opened
