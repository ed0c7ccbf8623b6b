"""Additions for trading with real orders, all in one place.

Freqtrade places, tracks and books orders. This adds what it lacks: lost replies (`sure_orders`),
redundant requests (`sparing`) and an account that differs from the books (`account_watch`).
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import ccxt

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.exchange.account_fee import AccountFee
from advanced_mm.quoting.exchange.account_watch import AccountWatch, Books, OpenOrder
from advanced_mm.quoting.exchange.dead_mans_switch import DeadMansSwitch
from advanced_mm.quoting.exchange.moved_orders import MovedOrders
from advanced_mm.quoting.exchange.request_budget import RequestBudget
from advanced_mm.quoting.exchange.sound_replies import judge_replies
from advanced_mm.quoting.exchange.sparing import FundingMemory, Sight, SparingClient
from advanced_mm.quoting.exchange.sure_orders import SureOrders
from advanced_mm.quoting.quoter import Quote, Refusal, Touch

__all__ = ["LiveTrading", "books_of", "spare_requests"]

logger = logging.getLogger(__name__)

WITHDRAWAL_SECONDS, PAUSE_SECONDS = 10.0, 0.5
"""How long a venue that does not answer is asked to cancel the last orders, and how often."""


STOPPED_SECONDS = 1.0
"""How often a stopped bot looks after its orders."""


def spare_requests(exchange: Any, bad_rows: BadRows, sight: Sight | None = None) -> None:
    """Remove redundant requests of a bot, live or dry; call it once.

    Parameters
    ----------
    exchange
        Freqtrade's exchange; its ccxt clients ``_api`` and ``_api_async`` (for candles) are
        patched.
    bad_rows
        Counts the invalid rows skipped in the venue's replies.
    sight
        What the bot sees without asking; None if it has no websocket of its own.
    """
    SparingClient(exchange._api, bad_rows=bad_rows, sight=sight).install()
    judge_replies(exchange._api_async, bad_rows)
    exchange.get_funding_fees = FundingMemory(exchange.get_funding_fees)


class LiveTrading:
    """Patches the ccxt client of Freqtrade's exchange and watches the account.

    Parameters
    ----------
    exchange
        Freqtrade's exchange; its synchronous client ``_api`` places the orders.
    bad_rows
        The same counter as for `spare_requests`.
    switch_seconds
        Of the dead man's switch, see `DeadMansSwitch`.
    """

    def __init__(
        self, exchange: Any, bad_rows: BadRows, switch_seconds: float | None = None
    ) -> None:
        client = exchange._api
        self._orders = SureOrders(client)
        self._orders.install()
        self.fee = AccountFee(client)
        self.budget = RequestBudget(client)
        self.budget.install()
        self.moves = MovedOrders(client, self._orders)
        self._watch = AccountWatch(client, bad_rows=bad_rows)
        self._switch = DeadMansSwitch(client, switch_seconds)
        self._pairs: set[str] = set()
        self._may_rest = False
        self._stopped_due = float("-inf")
        logger.info("live: orders carry a client order id and an expiry; the account is watched")

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known what became of an order."""
        return self._orders.doubt is not None

    def at_loop(
        self, pairs: Collection[str], trades: Iterable[Any], *, healthy: bool = True
    ) -> None:
        """Resolve orders in doubt and check the account; call it at the start of every loop.

        While the bot is ``healthy`` it sets the dead man's switch anew.
        """
        self._switch.refresh(healthy=healthy)
        self._orders.tend()
        books = books_of(trades)
        now_traded = {*pairs, *books.positions}
        self._pairs |= now_traded
        self._watch.look(now_traded, books)
        self.budget.look()

    def close(self) -> None:
        """Resolve the remaining orders in doubt; call it when the bot stops."""
        self._orders.close()

    def lift_switch(self) -> None:
        """Take the dead man's switch back, last of all, unless orders may still rest."""
        if not self._may_rest:
            self._switch.lift()

    def while_stopped(self, rests: Callable[[], bool]) -> None:
        """Resolve orders in doubt and lift the dead man's switch once none of ours rests.

        Freqtrade has cancelled its orders; the switch would cancel those of a person who has
        stopped the bot to close its position by hand. Call it in every loop of a stopped bot.

        Parameters
        ----------
        rests
            Tells whether an order of Freqtrade's books may rest.
        """
        now = time.monotonic()
        if now < self._stopped_due or not (self._switch.is_set or self.in_doubt):
            return
        self._stopped_due = now + STOPPED_SECONDS
        self._orders.tend()
        if not self.in_doubt and not rests():
            self._switch.lift()

    def withdraw(self, pairs: Collection[str]) -> None:
        """Cancel our orders at the venue whatever the books say, and log which.

        For the end of a bot whose own clean-up has failed; ``pairs`` are added to those traded.
        """
        deadline = time.monotonic() + WITHDRAWAL_SECONDS
        cancelled: list[str] = []
        while True:
            try:
                for oid in self._watch.withdraw({*pairs, *self._pairs}):
                    cancelled.append(oid)  # kept if a later one fails
            except ccxt.BaseError as error:
                if time.monotonic() < deadline:
                    time.sleep(PAUSE_SECONDS)
                    continue
                self._may_rest = True
                logger.error(
                    "orders of this bot may still rest, the venue did not answer (%s); "
                    "check its page",
                    str(error)[:200],
                )
            else:
                logger.warning(
                    "orders that Freqtrade had left resting were cancelled at the venue: %s",
                    ", ".join(cancelled) or "there were none",
                )
            return

    def lost_entry(self, pair: str, side: Side) -> bool:
        """Return whether an entry has filled whose reply was lost; `entry` recovers it."""
        return self._orders.filled_entry(pair, _ccxt_side(side)) is not None

    def entry(
        self, pair: str, side: Side, touch: Touch, tick: float, wanted: Quote | Refusal
    ) -> Quote | Refusal:
        """Return the entry to send: the wanted one, a refusal, or a lost order to recover.

        A lost entry that filled is returned in place of the next order, so the quote asks for that
        order regardless of what is wanted now.
        """
        lost = self._orders.filled_entry(pair, _ccxt_side(side))
        if lost is not None:
            price = float(lost["price"])
            depth = abs(touch.mid - price)
            return Quote(side, 0, price, touch.mid, depth, tick, None, opens=True)
        refusal = self._orders.doubt or self._watch.refusal(pair) or self.budget.refusal()
        return wanted if refusal is None else Refusal(refusal)


def _ccxt_side(side: Side) -> str:
    return "buy" if side == "bid" else "sell"


def books_of(trades: Iterable[Any]) -> Books:
    """Return the positions and orders of Freqtrade's open trades.

    Freqtrade adds an order to ``trade.amount`` once it is closed; fills of open orders are added
    here.
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
