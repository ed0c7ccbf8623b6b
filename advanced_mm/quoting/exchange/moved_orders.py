"""Moving a resting order to another price with one action, and with it Freqtrade's record of it.

Freqtrade replaces an order by a cancel and a new order: two actions of the address's budget, and
two round trips. The venue's ``batchModify`` does both in one. Freqtrade has no call for it, so its
record of the order is given the new order's number, price and time; amount and side stay.

An order that was filled in part is not moved: the venue would place the whole amount given. If a
fill comes while the move is on its way, the venue has both: the old order, withdrawn with that
fill, and the new one, whole. Then, and if it is not known how the old one ended, both are in
Freqtrade's books, which asks for the old one in its next loop and books what it finds. An entry is
then cancelled for the exit of what was filled; meanwhile at most one more unit rests. An exit can
only reduce.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import ccxt

from advanced_mm.quoting.exchange.sure_orders import SureOrders

__all__ = ["MovedOrders"]

logger = logging.getLogger(__name__)

_WITHDRAWN = ("canceled", "cancelled")


class MovedOrders:
    """Moves orders of Freqtrade's books.

    Parameters
    ----------
    client
        Freqtrade's ccxt client, patched by ``orders``.
    orders
        Sends them so that a lost reply is found out about.
    """

    def __init__(self, client: Any, orders: SureOrders) -> None:
        self._client, self._orders = client, orders

    def move(self, order: Any, price: float, stoploss: float) -> dict[str, Any] | None:
        """Move an order to another price; return the venue's new one, None if it must be cancelled.

        Parameters
        ----------
        order
            Freqtrade's record. It is changed, or a new one added to its trade: to the trade in the
            books, since callbacks get a copy of it.
        price
            On the venue's grid, quote currency.
        stoploss
            Of a trade that was not filled yet, counted from its new price.

        Raises
        ------
        ccxt.BaseError
            The venue refused: the order may be filled, withdrawn or still rest. Freqtrade asks for
            it in its next loop.
        """
        if order.order_type != "limit" or order.safe_filled > 0 or order.status != "open":
            return None
        trade = order.trade
        closes = order.ft_order_side == trade.exit_side
        params = {"timeInForce": "Alo"} | ({"reduceOnly": True} if closes else {})
        amount, old = float(order.safe_remaining), str(order.order_id)
        made = self._orders.replace_order(
            old, trade.pair, order.ft_order_side, amount, price, params
        )
        if made is None:
            return None
        told = {
            "id": str(made["id"]),
            "symbol": trade.pair,
            "type": "limit",
            "side": order.ft_order_side,
            "price": price,
            "amount": amount,
            "filled": 0.0,
            "remaining": amount,
            "cost": 0.0,
            "status": "open",
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
        }
        if self._went_unfilled(old, trade.pair):
            order.order_id, order.ft_price = told["id"], price
            order.update_from_ccxt_object(told)
        else:
            logger.info("%s: order %s was moved, but may have been filled before", trade.pair, old)
            new = type(order).parse_from_ccxt_object(
                told, trade.pair, order.ft_order_side, amount, price
            )
            new.ft_order_tag = order.ft_order_tag
            trade.orders.append(new)
        if not closes and trade.nr_of_successful_entries == 0:
            trade.open_rate = trade.open_rate_requested = price
            trade.stop_loss, trade.initial_stop_loss_pct = 0.0, None
            trade.adjust_stop_loss(price, stoploss, initial=True)
        return told

    def _went_unfilled(self, old: str, pair: str) -> bool:
        """Return whether the old order is known to have ended without a fill."""
        try:
            ended = self._client.fetch_order(old, pair)
        except (ccxt.BaseError, TypeError, ValueError, LookupError, AttributeError) as error:
            # Whatever is wrong with the answer: the new order rests, and must come into the books.
            logger.warning("%s: order %s: %s", pair, old, repr(error)[:200])
            return False
        return ended.get("status") in _WITHDRAWN and not ended.get("filled")
