"""What a bot with real orders has and a dry one does not: all of it in one place.

Freqtrade places, follows and books orders. Here stands what it leaves open: replies that are lost
(`sure_orders`), requests that need not be sent (`sparing`), an account that is not as the books say
(`account_watch`).
"""

import logging
from collections.abc import Collection, Iterable
from typing import Any

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.account_watch import AccountWatch, Books, OpenOrder
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.quoter import Quote, Refusal, Touch
from advanced_mm.quoting.sound_replies import judge_replies
from advanced_mm.quoting.sparing import FundingMemory, SparingClient
from advanced_mm.quoting.sure_orders import SureOrders

__all__ = ["LiveTrading", "books_of", "spare_requests"]

logger = logging.getLogger(__name__)


def spare_requests(exchange: Any, bad_rows: BadRows) -> None:
    """Let a bot, a dry one too, ask the venue no more than it must; call it once.

    Parameters
    ----------
    exchange
        Freqtrade's exchange, whose ccxt clients ``_api`` and ``_api_async`` (which asks for
        candles) are changed.
    bad_rows
        Counts what is left out of the venue's replies.
    """
    SparingClient(exchange._api, bad_rows=bad_rows).install()
    judge_replies(exchange._api_async, bad_rows)
    exchange.get_funding_fees = FundingMemory(exchange.get_funding_fees)


class LiveTrading:
    """Stands around Freqtrade's exchange object, whose ccxt client it changes.

    Parameters
    ----------
    exchange
        Freqtrade's exchange: its synchronous client ``_api`` places the orders.
    bad_rows
        What `spare_requests` counts in.
    """

    def __init__(self, exchange: Any, bad_rows: BadRows) -> None:
        client = exchange._api
        self._orders = SureOrders(client)
        self._orders.install()
        self._watch = AccountWatch(client, bad_rows=bad_rows)
        logger.info("live: orders carry a number and an expiry; the account is watched")

    def at_loop(self, pairs: Collection[str], trades: Iterable[Any]) -> None:
        """Settle what is in doubt and look at the account; call it at the start of every loop."""
        self._orders.tend()
        books = books_of(trades)
        self._watch.look({*pairs, *books.positions}, books)

    def close(self) -> None:
        """Leave no order behind whose fate is unknown; call it when the bot ends."""
        self._orders.close()

    def entry(
        self, pair: str, side: Side, touch: Touch, tick: float, wanted: Quote | Refusal
    ) -> Quote | Refusal:
        """What becomes of a wanted entry: it goes out, is held back, or fetches a lost one.

        An entry that filled unseen is handed over in place of the next one, which must therefore be
        asked for, whatever is wanted now.
        """
        lost = self._orders.filled_entry(pair, "buy" if side == "bid" else "sell")
        if lost is not None:
            price = float(lost["price"])
            return Quote(side, 0, price, touch.mid, abs(touch.mid - price), tick, None)
        refusal = self._orders.doubt or self._watch.refusal(pair)
        return wanted if refusal is None else Refusal(refusal)


def books_of(trades: Iterable[Any]) -> Books:
    """Positions and orders of Freqtrade's open trades.

    Freqtrade counts an order into ``trade.amount`` when it has ended; what an open one has filled
    is added here.
    """
    positions: dict[str, float] = {}
    orders: set[str] = set()
    open_orders: dict[str, OpenOrder] = {}
    for trade in trades:
        amount = float(trade.amount or 0.0)
        for order in trade.open_orders:
            entering = order.ft_order_side == trade.entry_side
            amount += order.safe_filled if entering else -order.safe_filled
            open_orders[str(order.order_id)] = OpenOrder(
                trade.pair, order.ft_order_side == "buy", float(order.safe_filled)
            )
        signed = -amount if trade.is_short else amount
        positions[trade.pair] = positions.get(trade.pair, 0.0) + signed
        orders.update(str(order.order_id) for order in trade.orders)
    return Books(positions, orders, open_orders)
