"""Our own orders in one book: who stands where in which queue."""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Literal, Protocol

from advanced_mm.venue.engine.orders import Order

__all__ = ["OwnLevel", "OwnSide", "Taker", "at_or_better"]

CancelsAhead = Literal["proportional"] | float

_DUST = 1e-9  # lots; shares of cancels leave fractions, and binary ones at that


class Taker(Protocol):
    """Whoever trades against a level: is told what it gets, piece by piece, in priority order."""

    def background(self, lots: int) -> None:
        """So many lots of the background's."""
        ...

    def own(self, order: Order, lots: int) -> int:
        """At most so many lots of one of our orders; returns how many it could give."""
        ...


class OwnLevel:
    """Our orders at one price of one side, first come first.

    Each knows the background's lots in front of it; our own earlier orders come on top of those.
    ``shown`` is what the background showed here when last looked at (None: out of sight),
    ``printed`` what has been printed here since.
    """

    __slots__ = ("orders", "price", "printed", "shown")

    def __init__(self, price: int, shown: int | None) -> None:
        self.price = price
        self.orders: list[Order] = []
        self.shown = shown
        self.printed = 0

    @property
    def lots(self) -> int:
        """Lots of ours resting here."""
        return sum(order.remaining for order in self.orders)

    def join(self, order: Order, ahead: float) -> None:
        """Put an order at the end of ours, ``ahead`` lots of the background in front of it."""
        if self.orders:
            ahead = max(ahead, self.orders[-1].ahead)
        order.ahead = order.ahead_at_start = ahead
        order.resting = True
        self.orders.append(order)

    def trade(self, volume: int, background: float, taker: Taker) -> int:
        """Let ``volume`` lots trade against the level; the lots that found nothing here.

        ``background`` is how many lots of the background's there can be at most.
        """
        left, eaten = volume, 0
        for order in tuple(self.orders):
            if left == 0:
                break
            if not order.resting:  # gone by what its forerunner's fill caused
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
        """Look at what the background shows here now, and guess whose cancels made it shrink.

        The same number again is no news: the book may not have seen the last prints yet.
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
        Whether it is the side of the buyers.
    """

    def __init__(self, bids: bool) -> None:
        self.bids = bids
        self._levels: dict[int, OwnLevel] = {}
        self._keys: list[int] = []  # best first: negative prices of bids, prices of asks

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def best(self) -> int | None:
        """Best price of ours."""
        return abs(self._keys[0]) if self._keys else None

    def levels(self) -> Iterator[OwnLevel]:
        """Our levels, best first; they may change while one is looked at."""
        for key in tuple(self._keys):
            level = self._levels.get(abs(key))
            if level is not None:
                yield level

    def level(self, price: int) -> OwnLevel | None:
        """Our level at a price."""
        return self._levels.get(price)

    def reaches(self, price: int) -> bool:
        """Whether an order from the other side at this price would meet our best."""
        if not self._keys:
            return False
        return self._keys[0] <= self._key(price)

    def open_level(self, price: int, shown: int | None) -> OwnLevel:
        """Our level at a price, a new one if there is none."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = OwnLevel(price, shown)
            insort(self._keys, self._key(price))
        return level

    def remove(self, order: Order) -> None:
        """Take an order out of its queue; those behind it move up."""
        order.resting = False
        price = order.request.price
        level = self._levels[price]
        level.orders.remove(order)
        if not level.orders:
            del self._levels[price]
            del self._keys[bisect_left(self._keys, self._key(price))]

    def replace(self, old: Order, new: Order) -> None:
        """Give the place of one order to another at the same price."""
        orders = self._levels[old.request.price].orders
        orders[orders.index(old)] = new
        new.ahead, new.ahead_at_start = old.ahead, old.ahead_at_start
        old.resting, new.resting = False, True

    def _key(self, price: int) -> int:
        return -price if self.bids else price


def at_or_better(bids: bool, price: int, limit: int) -> bool:
    """Whether a resting price of a side is met by an aggressor that goes as far as ``limit``."""
    return price >= limit if bids else price <= limit
