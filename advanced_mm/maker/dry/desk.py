"""The dry exchange without its streams: orders in, what the exchange would tell out."""

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from advanced_mm.maker.dry.account import DryAccount, DryFunds, Fees, currencies_of
from advanced_mm.maker.dry.filters import check_filters
from advanced_mm.maker.dry.queue import DryQueue, Execution
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Change,
    Event,
    Fill,
    MarketRules,
    OrderGoneError,
    OrderRefusedError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RestingOrder,
    Side,
    Trade,
    WouldTakeError,
)

__all__ = ["DryDesk"]

_NOTHING: Final = Decimal(0)
_REMEMBERED: Final = 10_000
"""Fills and ended orders that can be asked for, the last ones."""
_Order = OrderRequest | RestingOrder


class DryDesk:
    """Orders, balances and fills of one account over the books and trades it is given.

    Parameters
    ----------
    rules
        The markets, by symbol.
    funds, fees
        What the account begins with, and pays.
    run_id
        Begins the ids of orders and fills.
    """

    def __init__(
        self, rules: Mapping[str, MarketRules], funds: DryFunds, fees: Fees, run_id: str
    ) -> None:
        self._rules, self._funds, self._fees = rules, funds, fees
        self._run_id, self._numbers = run_id, itertools.count(1)
        self._account = DryAccount(funds, rules)
        self._queues = {symbol: DryQueue(spot=one.spot) for symbol, one in rules.items()}
        self._time_ms = 0
        self._told: list[Event] = []
        self._changed: dict[str, None] = {}
        self._last: OrderedDict[str, OrderUpdate] = OrderedDict()
        self.fills: deque[Fill] = deque(maxlen=_REMEMBERED)

    def told(self) -> list[Event]:
        """Return what happened since it was last asked: books that changed first."""
        told, self._told = self._told, []
        books = [self._queues[symbol].shown() for symbol in self._changed]
        self._changed = {}
        return [*(book for book in books if book is not None), *told]

    def unfunded(self) -> list[str]:
        """Return the spot markets that wait for a price to be funded at."""
        return self._account.unopened

    def orders(self, symbol: str) -> list[RestingOrder]:
        """Return the orders at rest, triggers included."""
        return [own.order for own in self._queues[symbol].orders.values()]

    def look_up(self, symbol: str, client_id: str) -> OrderUpdate | None:
        """Return the last that was told of an order, None for one that is not known."""
        known = self._last.get(client_id)
        return known if known is not None and known.order.symbol == symbol else None

    def account(self) -> Account:
        """Return balances and positions."""
        return self._account.shown(self._time_ms, self._mids())

    # ---- the market

    def on_book(self, book: Book) -> None:
        """Take in a book and what it does to own orders."""
        self._time_ms = max(self._time_ms, book.time_ms)
        self._changed[book.symbol] = None
        queue = self._queues[book.symbol]
        self._settle(queue.on_book(book))
        if queue.mid is not None and self._account.open(book.symbol, queue.mid):
            self._told.append(self.account())
        self._fire_due(queue)

    def on_trade(self, trade: Trade) -> None:
        """Take in a print and what it does to own orders."""
        self._time_ms = max(self._time_ms, trade.time_ms)
        queue = self._queues[trade.symbol]
        self._settle(queue.on_trade(trade))
        self._fire_due(queue)

    def _fire_due(self, queue: DryQueue) -> None:
        """Trade triggers at market; what book or account do not hold of them is cancelled."""
        for own in queue.due():
            order, touch = own.order, queue.opposite_touch(own.order.side)
            if own.reduce_only:
                order = replace(order, size=min(order.size, self._closing(order)))
            elif touch is None or not self._is_covered(order, touch):
                self._tell(order, OrderStatus.CANCELLED)
                continue
            executions = queue.take(order)
            self._settle(executions)
            last = executions[-1].order if executions else own.order
            if last.left > 0:
                self._tell(last, OrderStatus.CANCELLED)

    # ---- orders

    def place(self, request: OrderRequest) -> RestingOrder:
        """Place an order; return it as it is afterwards.

        Raises
        ------
        OrderRefusedError
            It breaks a filter, would take though it must not, or is not covered.
        """
        self._check(request)
        order = RestingOrder(
            f"{self._run_id}-{next(self._numbers)}",
            request.client_id,
            request.symbol,
            request.side,
            request.price or request.trigger_price or _NOTHING,
            request.size,
            trigger_price=request.trigger_price,
        )
        queue = self._queues[request.symbol]
        if request.trigger_price is not None:
            queue.wait_for(order, self._time_ms, reduce_only=request.reduce_only)
        elif request.post_only and request.price is not None:
            queue.rest(order, self._time_ms, reduce_only=request.reduce_only)
        else:
            executions = queue.take(order, request.price)
            self._settle(executions)
            order = executions[-1].order if executions else order
            if order.left <= 0:
                return order
            if request.price is None:
                self._tell(order, OrderStatus.CANCELLED)
                return order
            queue.rest(order, self._time_ms, reduce_only=request.reduce_only)
        self._tell(order, OrderStatus.OPEN)
        return order

    def edit(self, change: Change) -> RestingOrder:
        """Change a resting order; one made smaller at its price keeps its place in the queue.

        Anything else is a cancellation and a new order of what is left, and a refused one leaves
        nothing.

        Raises
        ------
        OrderRefusedError
            The order is gone, or the new one is refused.
        """
        queue = self._queues[change.order.symbol]
        own = queue.orders.get(change.order.order_id)
        if own is None:
            raise OrderGoneError(f"order {change.order.order_id} is not at rest")
        old = own.order
        if change.price == old.price and old.filled < change.size <= old.size:
            smaller = queue.shrink(old.order_id, change.size)
            self._tell(smaller, OrderStatus.OPEN)
            return smaller
        self.cancel(old)
        is_trigger = old.trigger_price is not None
        return self.place(
            OrderRequest(
                old.symbol,
                old.side,
                change.size - old.filled,
                old.client_id,
                price=None if is_trigger else change.price,
                trigger_price=change.price if is_trigger else None,
                reduce_only=own.reduce_only,
            )
        )

    def cancel(self, order: RestingOrder) -> None:
        """Cancel an order, if it is still there."""
        own = self._queues[order.symbol].remove(order.order_id)
        if own is not None:
            self._tell(own.order, OrderStatus.CANCELLED)

    # ---- what an exchange refuses

    def _check(self, request: OrderRequest) -> None:
        rules, queue = self._rules[request.symbol], self._queues[request.symbol]
        reference = request.price or request.trigger_price or self._touch(request)
        check_filters(request, rules, reference, len(queue.orders))
        in_book = request.trigger_price is None
        limit = request.price if in_book and request.post_only else None
        if limit is not None and queue.crosses(request.side, limit):
            raise WouldTakeError(f"post-only order at {limit} would take")
        if request.reduce_only:
            if in_book and self._closing(request) < request.size:
                raise OrderRefusedError(f"reduce-only order of {request.size} is no reduction")
        elif in_book and not self._is_covered(request, reference):
            raise OrderRefusedError(f"balance or margin is too small for {request.size}")

    def _touch(self, request: OrderRequest) -> Decimal:
        """Return the price that a market order meets first."""
        price = self._queues[request.symbol].opposite_touch(request.side)
        if price is None:
            raise OrderRefusedError("no order rests on the other side of the book")
        return price

    def _closing(self, order: _Order) -> Decimal:
        """Return how much of a position an order of this side can close."""
        held = self._account.positions.get(order.symbol, _NOTHING)
        return max(_NOTHING, -held if order.side == "buy" else held)

    def _is_covered(self, order: _Order, reference: Decimal) -> bool:
        """Return whether the account carries an order beside those at rest."""
        spot = self._rules[order.symbol].spot
        return (self._spot_covers if spot else self._margin_covers)(order, reference)

    def _spot_covers(self, order: _Order, reference: Decimal) -> bool:
        """Return whether the balance pays for it beside the orders at rest."""
        base, quote = currencies_of(order.symbol)
        if order.side == "buy":
            locked = sum(one.left * one.price for one in self._resting(self._queues, "buy"))
            return locked + order.size * reference <= self._account.balances[quote]
        locked = self._resting_size(order.symbol, "sell")
        return locked + order.size <= self._account.balances.get(base, _NOTHING)

    def _margin_covers(self, order: _Order, reference: Decimal) -> bool:
        """Return whether equity carries the largest positions that the orders could lead to."""
        mids = self._mids()
        needed = _NOTHING
        for symbol in self._rules:
            more = order if symbol == order.symbol else None
            largest = self._largest(symbol, more)
            if more is not None and largest == self._largest(symbol, None):
                return True  # it adds no risk
            mid = mids[symbol]
            needed += largest * (reference if more or mid is None else Decimal(repr(mid)))
        return needed <= self._account.equity(mids) * self._funds.leverage

    def _largest(self, symbol: str, more: _Order | None) -> Decimal:
        """Return the largest position, either way, that orders (and one more) could lead to."""
        held = self._account.positions.get(symbol, _NOTHING)
        bought, sold = self._resting_size(symbol, "buy"), self._resting_size(symbol, "sell")
        if more is not None and more.side == "buy":
            bought += more.size
        elif more is not None:
            sold += more.size
        return max(abs(held + bought), abs(held - sold))

    def _resting(self, symbols: Iterable[str], side: Side) -> list[RestingOrder]:
        """Return the orders of a side that the account must carry; triggers lock nothing."""
        return [
            own.order
            for symbol in symbols
            for own in self._queues[symbol].orders.values()
            if own.order.side == side and not own.reduce_only and own.fires_above is None
        ]

    def _resting_size(self, symbol: str, side: Side) -> Decimal:
        return sum((order.left for order in self._resting([symbol], side)), _NOTHING)

    # ---- what is told

    def _settle(self, executions: Sequence[Execution]) -> None:
        for one in executions:
            order, rate = one.order, self._fees.maker if one.maker else self._fees.taker
            fee, currency = self._account.trade(order.symbol, order.side, one.price, one.size, rate)
            fill = Fill(
                f"{self._run_id}-f{next(self._numbers)}",
                order.order_id,
                order.client_id,
                order.symbol,
                order.side,
                one.price,
                one.size,
                fee,
                currency,
                one.maker,
                self._time_ms,
            )
            self.fills.append(fill)
            self._told.append(fill)
            self._tell(order, OrderStatus.OPEN if order.left > 0 else OrderStatus.FILLED)
        if executions:
            self._told.append(self.account())

    def _tell(self, order: RestingOrder, status: OrderStatus) -> None:
        self._changed[order.symbol] = None
        update = OrderUpdate(order, status, self._time_ms)
        self._told.append(update)
        self._last[order.client_id] = update
        self._last.move_to_end(order.client_id)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def _mids(self) -> dict[str, float | None]:
        return {symbol: queue.mid for symbol, queue in self._queues.items()}
