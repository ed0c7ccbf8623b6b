"""An exchange in memory that does what a test tells it, with the truth to compare a maker with."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace
from decimal import Decimal

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Fill,
    MarketRules,
    OrderDoubtError,
    OrderRefusedError,
    OrderStatus,
    OrderUpdate,
    Reconnected,
    RestingOrder,
    Trade,
    WouldTakeError,
)
from advanced_mm.maker.holdings import currencies

SPOT = MarketRules(
    "SUI/USDC", True, Decimal("0.0001"), Decimal("0.1"), Decimal("0.1"), Decimal(5), 200
)
PERP = MarketRules(
    "ETH/USDC:USDC", False, None, Decimal("0.0001"), Decimal("0.0001"), Decimal(10), 1000, 4
)


class Clock:
    """Epoch ms that a test sets; called, it returns them."""

    def __init__(self, ms=1_700_000_000_000):
        self.ms = ms

    def __call__(self):
        return self.ms


class ScriptedExchange:
    """A `MakerExchange` whose books, fills and faults a test commands.

    ``balances``, ``positions`` and ``orders`` are the truth. Faults: ``lost`` counts down replies
    to be lost by kind of request ("place", "edit", "cancel"), ``vanish`` requests that never
    arrive and whose replies are lost too; ``refuse`` by kind the errors to answer with; while
    ``down`` nothing is answered. ``requests`` lists what was asked, ``gate`` (an `asyncio.Event`)
    keeps replies waiting.
    """

    def __init__(self, *rules, name="scripted", clock=None, balances=None, maker_fee="0.0001"):
        self.name = name
        self.clock = clock or Clock()
        self.rules = {one.symbol: one for one in rules or (PERP,)}
        self.balances = {k: Decimal(v) for k, v in (balances or {"USDC": "10000"}).items()}
        self.positions = {}
        self.orders = {}
        self.fills = []
        self.books = {}
        self.requests = []
        self.lost, self.vanish, self.refuse = Counter(), Counter(), {}
        self.down = False
        self.gate = None
        self.allowed = 10_000
        self.armed = []
        self.may_arm = False
        self.closed = False
        self.opened = []
        self.fee = Decimal(maker_fee)
        self.most_at_once = Counter()
        self._busy = Counter()
        self._numbers = itertools.count(1)
        self._ended = {}
        self._told = asyncio.Queue()

    # ---- what a test commands

    def book(self, symbol, bid, ask, size=5.0, levels=5, step=None):
        """Set others' book, and tell it."""
        step = step or (ask - bid)

        def side(best, sign):
            return tuple((round(best + sign * i * step, 8), size) for i in range(levels))

        self.books[symbol] = (side(bid, -1), side(ask, 1))
        self.tell_book(symbol)
        for one in list(self.orders.values()):
            crossed = one.price >= ask if one.side == "buy" else one.price <= bid
            if one.symbol == symbol and one.trigger_price is None and crossed:
                self.fill(one.order_id)

    def tell_book(self, symbol):
        """Tell the book with the maker's own orders in it."""
        sides = []
        for side, levels in zip(("buy", "sell"), self.books[symbol], strict=True):
            sizes = dict(levels)
            for one in self.orders.values():
                if (one.symbol, one.side) == (symbol, side) and one.trigger_price is None:
                    price = float(one.price)
                    sizes[price] = sizes.get(price, 0.0) + float(one.left)
            sides.append(tuple(sorted(sizes.items(), reverse=side == "buy")))
        self.tell(Book(symbol, self.clock(), *sides))

    def trade(self, symbol, side, price, size):
        """Tell a public trade."""
        self.tell(Trade(symbol, self.clock(), side, price, size))

    def tell(self, event):
        """Send an event on the stream."""
        self._told.put_nowait(event)

    def reconnect(self):
        """Tell that the streams were lost."""
        self.tell(Reconnected(self.clock(), "the stream was lost"))

    def fill(self, order_id, size=None, told=1, maker=True):
        """Fill an order; ``told`` says how often the fill is told on the stream."""
        order = self.orders[order_id]
        size = order.left if size is None else Decimal(str(size))
        rules = self.rules[order.symbol]
        base, quote = currencies(order.symbol)
        price = order.price or order.trigger_price
        in_base = rules.spot and order.side == "buy"
        fee = (size if in_base else size * price) * self.fee
        fill = Fill(
            f"f{next(self._numbers)}",
            order_id,
            order.client_id,
            order.symbol,
            order.side,
            price,
            size,
            fee,
            base if in_base else quote,
            maker,
            self.clock(),
        )
        signed = size if order.side == "buy" else -size
        if rules.spot:
            self._add(base, signed)
            self._add(quote, -signed * price)
            self._add(fill.fee_currency, -fee)
        else:
            self.positions[order.symbol] = self.positions.get(order.symbol, Decimal(0)) + signed
        self.fills.append(fill)
        order = replace(order, filled=order.filled + size)
        self.orders[order_id] = order
        for _ in range(told):
            self.tell(fill)
        if order.left == 0:
            self._end(order, OrderStatus.FILLED, told)
        elif told:
            self.tell(OrderUpdate(order, OrderStatus.OPEN, self.clock()))
        return fill

    def resting(self, symbol, side=None):
        """Return (price, left) of what rests, best first."""
        found = [
            (one.price, one.left)
            for one in self.orders.values()
            if one.symbol == symbol and side in (None, one.side)
        ]
        return sorted(found, reverse=side == "buy")

    def put(self, symbol, side, size, price, client_id="somebody else's"):
        """Place an order past the maker, such as one of an earlier run."""
        return self._rest(symbol, side, Decimal(str(size)), Decimal(str(price)), client_id, None)

    def _add(self, currency, change):
        self.balances[currency] = self.balances.get(currency, Decimal(0)) + change

    def _rest(self, symbol, side, size, price, client_id, trigger):
        order = RestingOrder(
            f"o{next(self._numbers)}",
            client_id,
            symbol,
            side,
            price,
            size,
            Decimal(0),
            trigger,
        )
        self.orders[order.order_id] = order
        self.tell(OrderUpdate(order, OrderStatus.OPEN, self.clock()))
        return order

    def _end(self, order, status, told=1):
        self.orders.pop(order.order_id, None)
        self._ended[order.client_id] = OrderUpdate(order, status, self.clock())
        if told:
            self.tell(self._ended[order.client_id])

    # ---- MakerExchange

    async def open(self, symbols):
        unknown = set(symbols) - self.rules.keys()
        if unknown:
            raise InputError(f"{self.name} has no market {min(unknown)!r}.")
        self.opened = list(symbols)
        return {one: self.rules[one] for one in symbols}

    async def events(self):
        while not self.closed:
            event = await self._told.get()
            if event is None:
                return
            yield event

    async def place(self, orders):
        return await self._batch("place", orders, self._place)

    async def edit(self, changes):
        return await self._batch("edit", changes, self._edit)

    async def cancel(self, orders):
        return await self._batch("cancel", orders, self._cancel)

    async def _batch(self, kind, items, one_by_one):
        keys = [getattr(getattr(one, "order", one), "client_id", None) for one in items]
        self.requests.append((kind, list(items)))
        for key in keys:
            self._busy[key] += 1
            self.most_at_once[key] = max(self.most_at_once[key], self._busy[key])
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.down:
                raise OrderDoubtError("no answer")
            if self.vanish[kind] > 0:
                self.vanish[kind] -= 1
                return [OrderDoubtError("the reply was lost")] * len(items)
            replies = [self._guarded(kind, one_by_one, one) for one in items]
            if self.lost[kind] > 0:
                self.lost[kind] -= 1
                return [OrderDoubtError("the reply was lost")] * len(items)
            return replies
        finally:
            for key in keys:
                self._busy[key] -= 1

    def _guarded(self, kind, act, one):
        if self.refuse.get(kind):
            return self.refuse[kind].pop(0)
        try:
            return act(one)
        except OrderRefusedError as error:
            return error

    def _place(self, asked):
        rules = self.rules[asked.symbol]
        assert asked.size % rules.size_step == 0, asked
        assert asked.price is None or rules.price_step is None or not asked.price % rules.price_step
        if asked.price is not None and asked.trigger_price is None:
            if asked.size * asked.price < rules.min_value:
                raise OrderRefusedError("below the smallest value")
            self._must_rest(asked.symbol, asked.side, asked.price)
        touch = self.books[asked.symbol][1 if asked.side == "buy" else 0][0][0]
        price = asked.price or asked.trigger_price or Decimal(str(touch))
        order = self._rest(
            asked.symbol, asked.side, asked.size, price, asked.client_id, asked.trigger_price
        )
        if asked.price is None and asked.trigger_price is None:
            self.fill(order.order_id, maker=False)
            order = replace(order, filled=order.size)
        return order

    def _must_rest(self, symbol, side, price):
        bids, asks = self.books[symbol]
        others = [Decimal(str((asks if side == "buy" else bids)[0][0]))]
        others += [o.price for o in self.orders.values() if o.symbol == symbol and o.side != side]
        if (
            any(price >= one for one in others)
            if side == "buy"
            else any(one >= price for one in others)
        ):
            raise WouldTakeError("would have matched immediately")

    def _edit(self, change):
        order = self.orders.get(change.order.order_id)
        if order is None:
            raise OrderRefusedError("cannot modify a cancelled or filled order")
        self._must_rest(order.symbol, order.side, change.price)
        self.orders.pop(order.order_id)
        self.tell(OrderUpdate(order, OrderStatus.CANCELLED, self.clock()))
        return self._rest(
            order.symbol, order.side, change.size, change.price, order.client_id, None
        )

    def _cancel(self, order):
        there = self.orders.get(order.order_id)
        if there is not None:
            self._end(there, OrderStatus.CANCELLED)

    async def look_up(self, symbol, client_ids):
        self._answer("look_up")
        by_client = {one.client_id: one for one in self.orders.values()}
        return [
            OrderUpdate(by_client[one], OrderStatus.OPEN, self.clock())
            if one in by_client
            else self._ended.get(one)
            for one in client_ids
        ]

    async def open_orders(self, symbol):
        self._answer("open_orders")
        return [one for one in self.orders.values() if one.symbol == symbol]

    async def fills_since(self, symbol, time_ms):
        self._answer("fills_since")
        return [one for one in self.fills if one.symbol == symbol and one.time_ms >= time_ms]

    async def account(self):
        self._answer("account")
        equity = None
        if not all(one.spot for one in self.rules.values()):
            equity = self.balances.get("USDC", Decimal(0))
        return Account(self.clock(), dict(self.balances), dict(self.positions), equity)

    def _answer(self, kind):
        self.requests.append((kind, None))
        if self.down:
            raise ConnectionError("no answer")

    def allowance(self):
        return self.allowed

    async def arm(self, seconds):
        self.armed.append(seconds)
        return self.may_arm

    async def close(self):
        self.closed = True
        self.tell(None)
