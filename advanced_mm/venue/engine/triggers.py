"""Trigger orders of one coin: stops and take-profits that wait for the mark."""

from bisect import bisect_left, bisect_right, insort

from advanced_mm.venue.engine.orders import Order, OrderRequest

__all__ = ["Sleepers", "wakes_rising"]


def wakes_rising(request: OrderRequest) -> bool:
    """Return whether a trigger waits for a higher mark: buy stops and sell take-profits do."""
    return request.trigger is not None and request.is_buy != request.trigger.take_profit


class Sleepers:
    """The waiting triggers of one coin, sorted by price for fast lookup."""

    def __init__(self) -> None:
        self._rising: list[tuple[int, int]] = []
        self._falling: list[tuple[int, int]] = []
        self._orders: dict[int, Order] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> None:
        """Add an order that waits for its trigger price."""
        insort(self._side(order), self._key(order))
        self._orders[order.oid] = order

    def discard(self, order: Order) -> None:
        """Remove an order if it waits here."""
        if self._orders.pop(order.oid, None) is not None:
            side = self._side(order)
            del side[bisect_left(side, self._key(order))]

    def due(self, mark: int) -> list[Order]:
        """Return the orders whose price the mark has reached, oldest first; they are kept."""
        woken = self._rising[: bisect_right(self._rising, (mark, _LAST))]
        woken = woken + self._falling[bisect_left(self._falling, (mark, 0)) :]
        return sorted((self._orders[oid] for _, oid in woken), key=lambda order: order.oid)

    def _side(self, order: Order) -> list[tuple[int, int]]:
        return self._rising if wakes_rising(order.request) else self._falling

    @staticmethod
    def _key(order: Order) -> tuple[int, int]:
        assert order.request.trigger is not None
        return order.request.trigger.price, order.oid


_LAST = 1 << 62
