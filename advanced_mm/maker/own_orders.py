"""The maker's own orders of one market, as requests, replies and streams tell of them."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final, TypeVar

from advanced_mm.maker.exchange import Fill, OrderStatus, OrderUpdate, RestingOrder

__all__ = ["OwnOrders"]

_Value = TypeVar("_Value")

_REMEMBERED: Final = 10_000
_GHOST_MS: Final = 1000
"""How long a book may still show an order that has moved or ended."""


class OwnOrders:
    """What rests. Replies and streams may come in any order, and one may be told twice.

    An order is known by its client id, which it keeps when it is changed, and is at each moment one
    of the exchange's, by order id. What is told of an order id that has ended is old news.
    """

    def __init__(self) -> None:
        self._orders: dict[str, RestingOrder] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._filled: OrderedDict[str, Decimal] = OrderedDict()
        self._ghosts: dict[float, tuple[float, int]] = {}

    def resting(self) -> list[RestingOrder]:
        """Return the orders at rest."""
        return list(self._orders.values())

    def get(self, client_id: str) -> RestingOrder | None:
        """Return an order at rest by its client id."""
        return self._orders.get(client_id)

    def placed(self, order: RestingOrder, now_ms: int) -> bool:
        """Take in an order that an exchange has accepted; False if it has ended since."""
        before = self._orders.get(order.client_id)
        if before is not None and before.order_id != order.order_id:
            self._end(before, now_ms)
        filled = max(order.filled, self._filled.get(order.order_id, Decimal(0)))
        if order.order_id in self._ended or filled >= order.size:
            self._remember(self._ended, order.order_id, None)
            return False
        self._orders[order.client_id] = replace(order, filled=filled)
        return True

    def updated(self, update: OrderUpdate, now_ms: int) -> RestingOrder | None:
        """Take in what a stream told; return the order if it has now ended."""
        order = update.order
        if update.status is OrderStatus.OPEN:
            if order.order_id not in self._ended:
                self.placed(order, now_ms)
            return None
        known = self._orders.get(order.client_id)
        new = order.order_id not in self._ended
        self._remember(self._ended, order.order_id, None)
        if known is None or known.order_id != order.order_id:
            return order if new and known is None else None
        self._end(known, now_ms)
        return replace(known, filled=max(known.filled, order.filled))

    def filled(self, fill: Fill, now_ms: int) -> RestingOrder | None:
        """Take in a new fill; return the order if it has ended with it."""
        total = self._filled.get(fill.order_id, Decimal(0)) + fill.size
        self._remember(self._filled, fill.order_id, total)
        known = self._orders.get(fill.client_id) or next(
            (one for one in self._orders.values() if one.order_id == fill.order_id), None
        )
        if known is None or known.order_id != fill.order_id:
            return None
        changed = replace(known, filled=max(known.filled, total))
        self._orders[known.client_id] = changed
        if changed.left > 0:
            return None
        self._end(changed, now_ms)
        return changed

    def filled_size(self, order_id: str) -> Decimal:
        """Return what was filled of an order of the exchange's, as far as fills were told."""
        return self._filled.get(order_id, Decimal(0))

    def ended(self, order: RestingOrder, now_ms: int) -> None:
        """Take in that an order is off the book."""
        self._remember(self._ended, order.order_id, None)
        known = self._orders.get(order.client_id)
        if known is not None and known.order_id == order.order_id:
            self._end(known, now_ms)

    def adopt(self, orders: Iterable[RestingOrder], now_ms: int) -> list[RestingOrder]:
        """Believe a list of the exchange's; return the orders that are gone."""
        there = {one.client_id: one for one in orders if one.order_id not in self._ended}
        gone = [
            one
            for client_id, one in self._orders.items()
            if client_id not in there or there[client_id].order_id != one.order_id
        ]
        for one in gone:
            self._end(one, now_ms)
        for one in there.values():
            self.placed(one, now_ms)
        return gone

    def sizes(self, now_ms: int) -> dict[float, float]:
        """Return our sizes by price that a book may show, those that have just left included."""
        shown: dict[float, float] = {}
        for price, (size, since_ms) in list(self._ghosts.items()):
            if 0 <= now_ms - since_ms < _GHOST_MS:
                shown[price] = size
            else:
                del self._ghosts[price]
        own: dict[float, float] = {}
        for one in self._orders.values():
            if one.trigger_price is None:
                own[float(one.price)] = own.get(float(one.price), 0.0) + float(one.left)
        for price, size in own.items():
            shown[price] = max(size, shown.get(price, 0.0))
        return shown

    def _end(self, order: RestingOrder, now_ms: int) -> None:
        self._remember(self._ended, order.order_id, None)
        known = self._orders.get(order.client_id)
        if known is not None and known.order_id == order.order_id:
            del self._orders[order.client_id]
        price, left = float(order.price), float(order.size)
        self._ghosts[price] = (max(left, self._ghosts.get(price, (0.0, 0))[0]), now_ms)

    @staticmethod
    def _remember(known: OrderedDict[str, _Value], key: str, value: _Value) -> None:
        known[key] = value
        known.move_to_end(key)
        while len(known) > _REMEMBERED:
            known.popitem(last=False)
