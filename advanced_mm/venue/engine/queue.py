"""Our own orders in one book, and their queue positions."""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Literal, Protocol

from advanced_mm.venue.engine.orders import Order

__all__ = ["OwnLevel", "OwnSide", "Taker", "at_or_better"]

CancelsAhead = Literal["proportional"] | float

_DUST = 1e-9  # lots; tolerance for floating-point error in shares of cancels


class Taker(Protocol):
    """The side that trades against a level; receives its trades in priority order."""

    def background(self, lots: int) -> None:
        """Trade ``lots`` with the background."""
        ...

    def own(self, order: Order, lots: int) -> int:
        """Trade at most ``lots`` with one of our orders; return the lots traded."""
        ...


class OwnLevel:
    """Our orders at one price of one side, oldest first.

    Each order holds the background's lots ahead of it; our own earlier orders are ahead as well.
    ``shown`` is the background's size here when last read (None: beyond the visible depth),
    ``printed`` the lots printed here since.
    """

    __slots__ = ("orders", "price", "printed", "shown")

    def __init__(self, price: int, shown: int | None) -> None:
        self.price = price
        self.orders: list[Order] = []
        self.shown = shown
        self.printed = 0

    @property
    def lots(self) -> int:
        """Our lots resting here."""
        return sum(order.remaining for order in self.orders)

    def join(self, order: Order, ahead: float) -> None:
        """Append an order, with ``ahead`` lots of the background ahead of it."""
        if self.orders:
            ahead = max(ahead, self.orders[-1].ahead)
        order.ahead = order.ahead_at_start = ahead
        order.resting = True
        self.orders.append(order)

    def trade(self, volume: int, background: float, taker: Taker) -> int:
        """Trade ``volume`` lots against the level; return the lots left over.

        ``background`` is the maximum number of the background's lots here.
        """
        left, eaten = volume, 0
        for order in tuple(self.orders):
            if left == 0:
                break
            if not order.resting:  # removed as a consequence of an earlier fill
                continue
            in_front = math.ceil(min(order.ahead, background) - _DUST) - eaten
            if in_front > 0:
                step = min(left, in_front)
                taker.background(step)
                eaten += step
                left -= step
            if left > 0:
                left -= taker.own(order, min(left, order.remaining))
        for order in self.orders:
            order.ahead = max(0.0, order.ahead - eaten)
        rest = int(min(left, background - eaten))
        if rest > 0:
            taker.background(rest)
            left -= rest
        return left

    def observe(self, shown: int | None, cancels_ahead: CancelsAhead) -> None:
        """Update queue positions from the size the background shows here now.

        An unchanged size is ignored: the book may not reflect the last prints yet.
        """
        if shown == self.shown:
            return
        if shown is not None:
            standing = 0 if self.shown is None else self.shown - self.printed
            gone = standing - shown
            for order in self.orders:
                if gone > 0:
                    share = (
                        order.ahead / standing
                        if cancels_ahead == "proportional"
                        else float(cancels_ahead)
                    )
                    order.ahead = max(0.0, order.ahead - gone * share)
                order.ahead = min(order.ahead, float(shown))
        self.shown, self.printed = shown, 0


class OwnSide:
    """All our resting orders of one side of one book.

    Parameters
    ----------
    bids
        Whether this is the bid side.
    """

    def __init__(self, bids: bool) -> None:
        self.bids = bids
        self._levels: dict[int, OwnLevel] = {}
        self._keys: list[int] = []  # best first: negative prices of bids, prices of asks

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def best(self) -> int | None:
        """Our best price, None without orders."""
        return abs(self._keys[0]) if self._keys else None

    def levels(self) -> Iterator[OwnLevel]:
        """Yield our levels, best first; levels may be removed during iteration."""
        for key in tuple(self._keys):
            level = self._levels.get(abs(key))
            if level is not None:
                yield level

    def level(self, price: int) -> OwnLevel | None:
        """Return our level at a price, None if there is none."""
        return self._levels.get(price)

    def reaches(self, price: int) -> bool:
        """Return whether an order of the other side at this price would match our best."""
        if not self._keys:
            return False
        return self._keys[0] <= self._key(price)

    def open_level(self, price: int, shown: int | None) -> OwnLevel:
        """Return our level at a price, creating it if necessary."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = OwnLevel(price, shown)
            insort(self._keys, self._key(price))
        return level

    def remove(self, order: Order) -> None:
        """Remove an order from its queue; those behind it move up."""
        order.resting = False
        price = order.request.price
        level = self._levels[price]
        level.orders.remove(order)
        if not level.orders:
            del self._levels[price]
            del self._keys[bisect_left(self._keys, self._key(price))]

    def replace(self, old: Order, new: Order) -> None:
        """Give an order's queue position to another order at the same price."""
        orders = self._levels[old.request.price].orders
        orders[orders.index(old)] = new
        new.ahead, new.ahead_at_start = old.ahead, old.ahead_at_start
        old.resting, new.resting = False, True

    def _key(self, price: int) -> int:
        return -price if self.bids else price


def at_or_better(bids: bool, price: int, limit: int) -> bool:
    """Return whether a resting price of a side matches an aggressor with this limit price."""
    return price >= limit if bids else price <= limit
