"""Fills that must be told soon, as their orders are known to be filled."""

from decimal import Decimal
from typing import Final

from advanced_mm.maker.exchange import RestingOrder
from advanced_mm.maker.own_orders import OwnOrders

__all__ = ["OwedFills"]

_OVERDUE_MS: Final = 1_000
"""A fill and the order's new state are told at once, in any order."""


class OwedFills:
    """Orders of which more is filled than fills were told: one may have been lost."""

    def __init__(self, orders: OwnOrders) -> None:
        self._orders = orders
        self._owed: dict[str, tuple[Decimal, int]] = {}
        """By order id: what is filled of orders, and since when fills of it lack, epoch ms."""

    def told(self, order: RestingOrder, now: int) -> None:
        """Take in an order's new state."""
        if order.filled > self._orders.filled_size(order.order_id):
            self._owed.setdefault(order.order_id, (order.filled, now))

    def overdue(self, now: int) -> bool:
        """Return whether fills are overdue; asked again, it waits for new ones."""
        for order_id, (filled, since) in list(self._owed.items()):
            if self._orders.filled_size(order_id) >= filled:
                del self._owed[order_id]
            elif now - since > _OVERDUE_MS:
                self._owed.clear()
                return True
        return False
