"""Own orders of one market, filled by what the public book and trades prove."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from advanced_mm.maker.exchange import Book, RestingOrder, Side, Trade

__all__ = ["DryOrder", "DryQueue", "Execution"]

_NOTHING: Final = Decimal(0)
_UNKNOWN: Final = Decimal("Infinity")


@dataclass(slots=True)
class DryOrder:
    """An own order at rest.

    Parameters
    ----------
    order
        Its state; replaced as it fills.
    ahead
        Size (base currency) that stood at its price before it and has neither traded nor gone;
        infinite while its price lies beyond the levels shown.
    since_ms
        The exchange's time when it came; earlier trades do not fill it.
    reduce_only
        Never opens or turns a position.
    fires_above
        For triggers: whether it waits for a rising price; None for orders in the book.
    """

    order: RestingOrder
    ahead: Decimal
    since_ms: int
    reduce_only: bool = False
    fires_above: bool | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """What was traded of an own order; `order` already counts it."""

    order: RestingOrder
    price: Decimal
    size: Decimal
    maker: bool


class DryQueue:
    """One market's own orders between the book that is shown and the trades that are printed.

    An order fills by trades through its price, and by those at its price once the size that stood
    ahead of it has traded or gone; never by more than was traded. It also fills, once, by the size
    shown at or beyond its price on the other side, which a real order would have met.

    What is taken from the book counts as gone until the size shown at that price changes.
    """

    def __init__(self, *, spot: bool) -> None:
        self._spot = spot
        self.book: Book | None = None
        self.last_price: float | None = None
        self.orders: dict[str, DryOrder] = {}
        self._taken: dict[tuple[Side, float], tuple[float, Decimal]] = {}

    @property
    def mid(self) -> float | None:
        """Midway between the touch prices, None before the first book."""
        if self.book is None or not (self.book.bids and self.book.asks):
            return None
        return (self.book.bids[0][0] + self.book.asks[0][0]) / 2

    def shown(self) -> Book | None:
        """Return the book as an exchange would show it, with own orders in it."""
        book = self.book
        if book is None:
            return None
        return replace(
            book,
            bids=_with_own(book.bids, self._own_sizes("buy"), best_is_highest=True),
            asks=_with_own(book.asks, self._own_sizes("sell"), best_is_highest=False),
        )

    def _own_sizes(self, side: Side) -> dict[float, float]:
        sizes: dict[float, float] = {}
        for own in self._in_book(self.orders.values()):
            if own.order.side == side:
                price = float(own.order.price)
                sizes[price] = sizes.get(price, 0.0) + float(own.order.left)
        return sizes

    def opposite_touch(self, side: Side) -> Decimal | None:
        """Return the best price that an order of this side would meet, None if there is none."""
        there = self._shown(_other(side))
        return _exact(there[0][0]) if there else None

    def crosses(self, side: Side, price: Decimal) -> bool:
        """Return whether an order at this price would take."""
        there = self._shown(_other(side))
        return bool(there) and _reaches(side, float(price), there[0][0])

    def rest(self, order: RestingOrder, time_ms: int, *, reduce_only: bool = False) -> None:
        """Put an order behind what is shown at its price."""
        self.orders[order.order_id] = DryOrder(
            order, self._size_at(order.side, float(order.price)), time_ms, reduce_only
        )

    def wait_for(self, order: RestingOrder, time_ms: int, *, reduce_only: bool) -> None:
        """Keep a trigger order until the price comes to it, from the side where it is now."""
        trigger, now = order.trigger_price, self._watched()
        above = trigger is not None and (now is None or float(trigger) > now)
        self.orders[order.order_id] = DryOrder(order, _NOTHING, time_ms, reduce_only, above)

    def shrink(self, order_id: str, size: Decimal) -> RestingOrder:
        """Make an order smaller; it keeps its place."""
        own = self.orders[order_id]
        own.order = replace(own.order, size=size)
        return own.order

    def remove(self, order_id: str) -> DryOrder | None:
        """Take an order away, None if it is not there."""
        return self.orders.pop(order_id, None)

    def take(self, order: RestingOrder, limit: Decimal | None = None) -> list[Execution]:
        """Trade an order against the book shown, up to a limit price; it does not rest."""
        executions = []
        for price, size in self._available(_other(order.side)):
            if order.left <= 0 or not (
                limit is None or _reaches(order.side, float(limit), float(price))
            ):
                break
            traded = min(order.left, size)
            self._note_taken(_other(order.side), float(price), traded)
            order = replace(order, filled=order.filled + traded)
            executions.append(Execution(order, price, traded, maker=False))
        return executions

    def on_book(self, book: Book) -> list[Execution]:
        """Take in a book; return what it fills."""
        self.book = book
        self._taken = {
            (side, price): taken
            for (side, price), taken in self._taken.items()
            if dict(self._shown(side)).get(price) == taken[0]
        }
        executions = []
        for own in self._in_book(self.orders.values()):
            there = self._size_at(own.order.side, float(own.order.price))
            if there is not _UNKNOWN:
                own.ahead = min(own.ahead, there)
            executions += self._met(own)
        return executions

    def on_trade(self, trade: Trade) -> list[Execution]:
        """Take in a print; return what it fills."""
        self.last_price = trade.price
        hit = _other(trade.side)
        reached = [
            own
            for own in self._in_book(self.orders.values())
            if own.order.side == hit
            and own.since_ms <= trade.time_ms
            and _reaches(hit, float(own.order.price), trade.price)
        ]
        sign = -1 if hit == "buy" else 1
        reached.sort(key=lambda own: sign * own.order.price)  # the sort is stable: first come first
        executions, given, printed = [], _NOTHING, _exact(trade.size)
        for own in reached:
            behind = own.ahead if float(own.order.price) == trade.price else _NOTHING
            own.ahead = max(_NOTHING, behind - printed)
            traded = min(own.order.left, printed - behind - given)
            if traded > 0:
                given += traded
                executions.append(self._fill(own, traded))
        return executions

    def due(self) -> list[DryOrder]:
        """Remove and return the triggers whose price has come.

        Spot markets watch the last trade, perpetuals the mid, which is nearest to their mark price.
        """
        now = self._watched()
        if now is None:
            return []
        due = [own for own in self.orders.values() if _has_come(own, now)]
        for own in due:
            del self.orders[own.order.order_id]
        return due

    def _watched(self) -> float | None:
        if self._spot and self.last_price is not None:
            return self.last_price
        return self.mid

    def _met(self, own: DryOrder) -> list[Execution]:
        """Fill an order with what is shown at or beyond its price on the other side."""
        executions = []
        for price, size in self._available(_other(own.order.side)):
            if own.order.left <= 0 or not _reaches(
                own.order.side, float(own.order.price), float(price)
            ):
                break
            traded = min(own.order.left, size)
            self._note_taken(_other(own.order.side), float(price), traded)
            executions.append(self._fill(own, traded))
        return executions

    def _fill(self, own: DryOrder, size: Decimal) -> Execution:
        own.order = replace(own.order, filled=own.order.filled + size)
        if own.order.left <= 0:
            del self.orders[own.order.order_id]
        return Execution(own.order, own.order.price, size, maker=True)

    def _shown(self, side: Side) -> tuple[tuple[float, float], ...]:
        if self.book is None:
            return ()
        return self.book.bids if side == "buy" else self.book.asks

    def _available(self, side: Side) -> Iterable[tuple[Decimal, Decimal]]:
        """Yield price and size of a side's levels, best first, less what was taken of them."""
        for price, size in self._shown(side):
            _, taken = self._taken.get((side, price), (size, _NOTHING))
            if (left := _exact(size) - taken) > 0:
                yield _exact(price), left

    def _note_taken(self, side: Side, price: float, size: Decimal) -> None:
        shown = dict(self._shown(side))[price]
        _, before = self._taken.get((side, price), (shown, _NOTHING))
        self._taken[side, price] = (shown, before + size)

    def _size_at(self, side: Side, price: float) -> Decimal:
        """Return the size shown at a price, `_UNKNOWN` beyond the levels shown."""
        levels = self._shown(side)
        for level_price, size in levels:
            if level_price == price:
                return _exact(size)
        beyond = not levels or not _reaches(side, price, levels[-1][0])
        return _UNKNOWN if beyond else _NOTHING

    @staticmethod
    def _in_book(orders: Iterable[DryOrder]) -> list[DryOrder]:
        return [own for own in orders if own.fires_above is None]


def _other(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def _reaches(side: Side, limit: float, price: float) -> bool:
    """Return whether an order of this side and limit trades at a price."""
    return price <= limit if side == "buy" else price >= limit


def _with_own(
    levels: tuple[tuple[float, float], ...], own: dict[float, float], *, best_is_highest: bool
) -> tuple[tuple[float, float], ...]:
    if not own:
        return levels
    sizes = dict(levels)
    for price, size in own.items():
        sizes[price] = sizes.get(price, 0.0) + size
    return tuple(sorted(sizes.items(), reverse=best_is_highest))


def _has_come(own: DryOrder, now: float) -> bool:
    trigger = own.order.trigger_price
    if own.fires_above is None or trigger is None:
        return False
    return now >= float(trigger) if own.fires_above else now <= float(trigger)


def _exact(number: float) -> Decimal:
    """Convert a float by its shortest decimal form: 0.1 is exactly a tenth."""
    return Decimal(repr(number))
