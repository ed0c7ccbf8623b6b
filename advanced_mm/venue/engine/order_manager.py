"""The order manager: handles orders between the client, the book and the accounts."""

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from advanced_mm.venue.engine.accounts import Account, Accounts
from advanced_mm.venue.engine.clearing import Clearing
from advanced_mm.venue.engine.ledger import Match
from advanced_mm.venue.engine.margin import NOTHING, Margin, Taken
from advanced_mm.venue.engine.matching import MatchedMarket
from advanced_mm.venue.engine.order_checks import form_error, most_open_orders, trigger_wakes
from advanced_mm.venue.engine.orders import (
    AccountEvent,
    Fill,
    Order,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    Outcome,
    TimeInForce,
)
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.triggers import Sleepers

__all__ = ["OrderManager"]

MOST_EVENTS = 100_000
TENTHS_OF_WHOLE = 100_000  # tenths of a basis point, the unit of a builder's fee
NO_MATCH = "Order could not immediately match against any resting orders."
NO_LIQUIDITY = "No liquidity available for market order."

_REFUSALS = {
    "Price must be divisible by tick size": OrderStatus.TICK_REJECTED,
    "Order must have minimum value": OrderStatus.MIN_TRADE_NTL_REJECTED,
    "Insufficient margin": OrderStatus.PERP_MARGIN_REJECTED,
    "Reduce only": OrderStatus.REDUCE_ONLY_REJECTED,
    "Post only": OrderStatus.BAD_ALO_PX_REJECTED,
    NO_MATCH: OrderStatus.IOC_CANCEL_REJECTED,
    NO_LIQUIDITY: OrderStatus.NO_LIQUIDITY_REJECTED,
    "Order price cannot be more than": OrderStatus.ORACLE_REJECTED,
    "Too many open orders": OrderStatus.TOO_MANY_OPEN_ORDERS_REJECTED,
    "Invalid TP/SL price": OrderStatus.BAD_TRIGGER_PX_REJECTED,
}
"""Status of a refused order, by the beginning of the error message."""


class OrderManager:
    """Accepts orders and reports their changes; the `Ledger` of all markets.

    Parameters
    ----------
    accounts
        All accounts.
    rules
        The venue's rules.
    first_oid
        Number of the first order.
    """

    def __init__(self, accounts: Accounts, rules: Rules, first_oid: int) -> None:
        self._accounts = accounts
        self._rules = rules
        self.next_oid = first_oid
        self.events: deque[AccountEvent] = deque(maxlen=MOST_EVENTS)
        self.halted: set[str] = set()
        self.post_only = False
        self.holders: dict[str, Account] = {}
        """Accounts with positions."""
        self._forced: Order | None = None
        self._taking = (0, 0)
        self._children: dict[int, list[Order]] = {}
        self._siblings: dict[int, list[Order]] = {}

    def open(
        self, markets: Mapping[str, MatchedMarket], margin: Margin, clearing: Clearing
    ) -> None:
        """Connect the markets, which can only be created once the order manager exists."""
        self._markets, self._margin, self._clearing = markets, margin, clearing
        self.sleepers = {coin: Sleepers() for coin in markets}

    # Incoming orders

    def place(self, account: Account, request: OrderRequest) -> Outcome:
        """Place one order."""
        error = self.refusal(account, request)
        return self._refuse(account, request, error) if error else self._enter(account, request)

    def place_child(self, account: Account, request: OrderRequest, parent: Order) -> Outcome:
        """Place a trigger order that becomes active once its parent is filled."""
        error = self.refusal(account, request)
        if error is not None:
            return self._refuse(account, request, error)
        return self._wait(account, request, self._children.setdefault(parent.oid, []))

    def arm(self, parent: Order) -> None:
        """Activate a filled parent's children: from now on they wait for the mark."""
        children = self._children.pop(parent.oid, [])
        self.join(children)
        for child in children:
            if not child.status.ended:
                self.sleepers[child.coin].add(child)

    def join(self, orders: list[Order]) -> None:
        """Make orders siblings: the first to be filled cancels the others."""
        for order in orders:
            self._siblings[order.oid] = [other for other in orders if other is not order]

    def refusal(
        self, account: Account, request: OrderRequest, without: Order | None = None
    ) -> str | None:
        """Return the venue's error message for an order, or None if it is accepted.

        ``without`` is an order it would replace.
        """
        market = self._markets[request.coin]
        if request.coin in self.halted:
            return "Trading is halted."
        if self.post_only and (request.tif is not TimeInForce.ALO or request.trigger is not None):
            return "Only post-only orders allowed immediately after a network upgrade"
        held = self._margin.held(account, request.coin)
        error = form_error(request, market.units, market.mark, held, self._rules)
        if error is not None:
            return error
        if without is None and len(account.orders) >= most_open_orders(account.volume, request):
            return "Too many open orders."
        if request.trigger is not None:
            return "Invalid TP/SL price." if trigger_wakes(request, market.mark) else None
        if request.reduce_only and not _closes(request, held):
            return "Reduce only order would increase position."
        crosses = market.crosses(request.is_buy, request.price, without)
        taken = self._taken_at_once(account, request) if crosses else NOTHING
        if not self._margin.allows(account, request, taken, without.oid if without else None):
            return "Insufficient margin to place order."
        if request.tif is TimeInForce.ALO and crosses:
            bid, ask = (market.best(bids) for bids in (True, False))
            bbo = "@".join(_plain(market, side) for side in (bid, ask))
            return f"Post only order would have immediately matched, bbo was {bbo}."
        # A replacement must match another account's order, or the old one is lost for nothing.
        finds = crosses if without is None else taken.lots > 0
        if request.tif is TimeInForce.IOC and not finds:
            return NO_LIQUIDITY if request.is_market else NO_MATCH
        return None

    def modify(self, account: Account, old: Order, request: OrderRequest) -> Outcome:
        """Replace an order with a new one; the old one stays if the new one is refused.

        A resting order that is only reduced in size keeps its queue position.
        """
        error = self.refusal(account, request, without=old)
        if error is not None:
            return Outcome(error=error)
        was = old.request
        keeps = (
            old.resting
            and request.trigger is None
            and (was.coin, was.is_buy, was.price, was.reduce_only)
            == (request.coin, request.is_buy, request.price, request.reduce_only)
            and request.lots <= old.remaining
        )
        children = self._children.pop(old.oid, [])
        siblings = self._siblings.get(old.oid, [])
        if keeps:
            order = self._new(account, request)
            self._markets[order.coin].amend(old, order)
            self.end(old, OrderStatus.CANCELED)
            self._report(order)
            outcome = Outcome(order=copy.copy(order))
        else:
            self.end(old, OrderStatus.CANCELED)
            families = self._children.values() if request.trigger is not None else ()
            family = next((one for one in families if any(child is old for child in one)), None)
            if family is None:
                outcome = self._enter(account, request)
            else:
                outcome = self._wait(account, request, family)
        self._inherit(account, outcome, children, siblings)
        return outcome

    def wake(self, order: Order) -> None:
        """Activate a trigger order whose price has been reached."""
        account = self._accounts.open(order.account)
        self.sleepers[order.coin].discard(order)
        order.status = OrderStatus.TRIGGERED
        if order.request.whole_position:
            self._cut(order, abs(self._margin.held(account, order.coin)))
        self._report(order)
        request = order.request
        if request.trigger is not None and request.trigger.is_market:
            order.request = request = replace(request, tif=TimeInForce.IOC)
        if request.reduce_only and not _closes(request, self._margin.held(account, order.coin)):
            self.end(order, OrderStatus.REDUCE_ONLY_CANCELED)
        elif not self._margin.allows(account, request, self._taken_at_once(account, request)):
            self.end(order, OrderStatus.MARGIN_CANCELED)
        elif request.tif is TimeInForce.ALO and self._markets[order.coin].crosses(
            request.is_buy, request.price
        ):
            self.end(order, OrderStatus.REJECTED)
        else:
            self._send(account, order)

    def force(self, account: Account, coin: str) -> None:
        """Close a position against the book at any price."""
        lots = self._margin.held(account, coin)
        mark = self._markets[coin].mark
        price = 1 if lots > 0 else 10 * mark
        request = OrderRequest(coin, lots < 0, price, abs(lots), True, TimeInForce.IOC)
        order = self._new(account, request)
        self._forced = order
        self._send(account, order)
        self._forced = None

    def end(self, order: Order, status: OrderStatus) -> None:
        """End a live order, and with it its children; an ended one is left alone."""
        if order.status.ended:
            return
        if order.resting:
            self._markets[order.coin].remove(order)
        self.sleepers[order.coin].discard(order)
        order.status = status
        self._accounts.open(order.account).end(order)
        self._report(order)
        for child in self._children.pop(order.oid, []):
            self.end(child, OrderStatus.CANCELED)
        self._siblings.pop(order.oid, None)

    # Calls by the book

    def allowed(self, order: Order, lots: int) -> int:
        """See `Ledger.allowed`."""
        account = self._accounts.open(order.account)
        value = lots * order.request.price
        fee = self._clearing.fee(order.request.price, lots, False)
        if self._margin.allows_fill(account, order.request, Taken(lots, value, fee)):
            return lots
        self.end(order, OrderStatus.MARGIN_CANCELED)
        return 0

    def met_itself(self, order: Order) -> None:
        """See `Ledger.met_itself`."""
        self.end(order, OrderStatus.SELF_TRADE_CANCELED)

    def matched(self, match: Match) -> None:
        """See `Ledger.matched`."""
        order, request = match.order, match.order.request
        account = self._accounts.open(order.account)
        start = self._margin.held(account, order.coin)
        builder_fee = match.price * match.lots * request.builder_tenths // TENTHS_OF_WHOLE
        fee = self._clearing.fee(match.price, match.lots, match.crossed) + builder_fee
        signed = match.lots if request.is_buy else -match.lots
        closed_pnl = self._clearing.fill(account, order.coin, signed, match.price, fee)
        if match.crossed:
            self._taking = (
                self._taking[0] + match.lots, self._taking[1] + match.lots * match.price
            )  # fmt: skip
        fill = Fill(
            time_ms=match.time_ms,
            account=order.account,
            coin=order.coin,
            oid=order.oid,
            cloid=request.cloid,
            is_buy=request.is_buy,
            price=match.price,
            lots=match.lots,
            crossed=match.crossed,
            fee=fee,
            closed_pnl=closed_pnl,
            start_lots=start,
            tid=match.tid,
            hash=match.hash,
            twap_id=request.twap_id,
            waited_ms=0 if match.crossed else match.time_ms - order.placed_ms,
            ahead_at_start=0.0 if match.crossed else order.ahead_at_start,
            liquidation=order is self._forced,
            builder_fee=builder_fee,
        )
        account.fills.append(fill)
        self.events.append(fill)
        if account.positions:
            self.holders[account.address] = account
        else:
            self.holders.pop(account.address, None)
            self._clearing.cover(account)
        if order.remaining == 0:
            self._filled(account, order)
        elif order.resting:
            self._report(order)
        self._position_moved(account, order.coin, start)

    # Details

    def _taken_at_once(self, account: Account, request: OrderRequest) -> Taken:
        lots, value = self._markets[request.coin].takes(request, account.address)
        return Taken(lots, value, self._clearing.fee(value, 1, True))

    def _refuse(self, account: Account, request: OrderRequest, error: str) -> Outcome:
        """Record a refused order, so that its owner can query its status."""
        statuses = (one for start, one in _REFUSALS.items() if error.startswith(start))
        order = self._new(account, request)
        order.status = next(statuses, OrderStatus.REJECTED)
        account.end(order)
        self._report(order)
        return Outcome(error=error)

    def _enter(self, account: Account, request: OrderRequest) -> Outcome:
        """Place an order that has passed all checks."""
        order = self._new(account, request)
        if request.trigger is None:
            return self._send(account, order)
        self.sleepers[order.coin].add(order)
        self._report(order)
        return Outcome(order=copy.copy(order))

    def _wait(self, account: Account, request: OrderRequest, children: list[Order]) -> Outcome:
        """Add a trigger order to those waiting for their parent."""
        order = self._new(account, request)
        children.append(order)
        self._report(order)
        return Outcome(order=copy.copy(order))

    def _inherit(
        self, account: Account, outcome: Outcome, children: list[Order], siblings: list[Order]
    ) -> None:
        """Move the old order's children and siblings to its replacement.

        Without a replacement, the children are cancelled.
        """
        order = None if outcome.order is None else account.find(outcome.order.oid)
        if order is None:
            for child in children:
                self.end(child, OrderStatus.CANCELED)
            return
        if children:
            self._children[order.oid] = children
            if order.status.ended:
                self.arm(order)
        others = [one for one in siblings if not one.status.ended]
        if order.status is OrderStatus.FILLED:
            for one in others:
                self.end(one, OrderStatus.SIBLING_FILLED_CANCELED)
        elif others and not order.status.ended:
            self.join([order, *others])

    def _new(self, account: Account, request: OrderRequest) -> Order:
        now_ms = self._markets[request.coin].time_ms
        order = Order(
            self.next_oid, account.address, request, now_ms, request.lots, status_ms=now_ms
        )
        self.next_oid += 1
        account.add(order)
        return order

    def _send(self, account: Account, order: Order) -> Outcome:
        """Submit an order to the book."""
        market = self._markets[order.coin]
        if order.request.reduce_only:
            held = abs(self._margin.held(account, order.coin))
            self._cut(order, min(order.remaining, held))
        self._taking = (0, 0)
        market.submit(order)
        lots, value = self._taking
        if order.resting:
            order.placed_ms = order.placed_ms if order.request.trigger is None else market.time_ms
            self._report(order)
        elif order.remaining > 0:
            self.end(order, OrderStatus.CANCELED)
            if order.filled == 0:  # it met only orders of its own account
                return Outcome(error=NO_MATCH)
        average = market.units.price(1) * value / lots if lots else None
        return Outcome(order=copy.copy(order), average_price=average)

    def _filled(self, account: Account, order: Order) -> None:
        order.status = OrderStatus.FILLED
        account.end(order)
        self._report(order)
        self.arm(order)
        for sibling in self._siblings.pop(order.oid, []):
            self.end(sibling, OrderStatus.SIBLING_FILLED_CANCELED)

    def _position_moved(self, account: Account, coin: str, start: int) -> None:
        """Keep reduce-only orders within the size of the position."""
        held = self._margin.held(account, coin)
        for order in tuple(account.orders.values()):
            request = order.request
            if order.coin != coin or not request.reduce_only or not _closes(request, start):
                continue
            if not _closes(request, held):
                self.end(order, OrderStatus.REDUCE_ONLY_CANCELED)
            elif order.resting and order.remaining > abs(held):
                self._cut(order, abs(held))
                self._report(order)

    @staticmethod
    def _cut(order: Order, lots: int) -> None:
        """Set an order's remaining size to ``lots``."""
        order.request = replace(order.request, lots=order.filled + lots)
        order.remaining = lots

    def _report(self, order: Order) -> None:
        order.status_ms = self._markets[order.coin].time_ms
        self.events.append(OrderEvent(order.status_ms, copy.copy(order)))


def _closes(request: OrderRequest, held: int) -> bool:
    """Return whether an order's side is opposite to a position (signed lots)."""
    return held < 0 if request.is_buy else held > 0


def _plain(market: MatchedMarket, side: tuple[int, int] | None) -> str:
    """Return a price as the venue's messages write it, without ".0"."""
    return "" if side is None else market.units.price_text(side[0]).removesuffix(".0")
