"""The bot's state as reported by its REST API."""

from dataclasses import dataclass
from typing import Any

import requests
from freqtrade_client.ft_rest_client import FtRestClient

__all__ = ["BotState", "BotView"]


@dataclass(frozen=True)
class BotState:
    """A bot's resting order, position and profit.

    ``resting_price`` is in the quote currency and ``resting_side`` "buy" or "sell", both None if no
    order rests; ``inventory`` is the position in the base currency; ``fills`` counts filled
    orders; ``profit`` and ``closed_profit`` are in the quote currency, with and without the open
    position.
    """

    resting_side: str | None
    resting_price: float | None
    inventory: float
    fills: int
    profit: float
    closed_profit: float


class BotView:
    """A client of a Freqtrade bot's REST API on loopback."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._client = FtRestClient(address, user, password, timeout=2)

    def state(self) -> BotState | None:
        """Return the state; None if the bot does not answer, because it is starting or stopping."""
        try:
            trades, profit = self._client.status(), self._client.profit()
        except requests.RequestException:
            return None
        if not isinstance(trades, list) or not isinstance(profit, dict) or "detail" in profit:
            return None
        orders = [order for trade in trades for order in trade.get("orders", [])]
        resting = next((order for order in orders if order["is_open"]), None)
        # Orders of a dry run fill completely, so each closed trade has two fills.
        fills = 2 * int(profit["closed_trade_count"]) + sum(map(_is_filled, orders))
        return BotState(
            resting_side=None if resting is None else resting["ft_order_side"],
            resting_price=None if resting is None else _price(resting),
            inventory=sum((-1 if trade["is_short"] else 1) * trade["amount"] for trade in trades),
            fills=fills,
            profit=float(profit["profit_all_coin"]),
            closed_profit=float(profit["profit_closed_coin"]),
        )


def _is_filled(order: dict[str, Any]) -> bool:
    return not order["is_open"] and (order.get("filled") or 0) > 0


def _price(order: dict[str, Any]) -> float | None:
    price = order.get("safe_price")
    return None if price is None else float(price)
