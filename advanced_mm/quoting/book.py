"""Best bid and offer of the book without our own orders."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from advanced_mm.errors import InputError
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.quoter import Touch

__all__ = ["OwnSizes", "own_sizes", "queue_ahead", "touch_of"]

GHOST_SECONDS: Final = 1.0
"""How long a book may still show an order that is gone: the venue sends one every half second."""

Level = Sequence[float]
"""Price (quote currency) and size (base currency)."""


def touch_of(pair: str, book: Mapping[str, Any], own: Mapping[float, float]) -> Touch:
    """Return the best bid and offer of a book (ccxt's format) without our own orders.

    Our own orders must not move the price from which they are priced. ``own`` is the size of our
    orders by price. Levels without a price or a size are skipped.

    Raises
    ------
    InputError
        A side is empty, or the book has no timestamp.
    """
    bids, asks = (_of_others(book[side], own) for side in ("bids", "asks"))
    if not (bids and asks and book["timestamp"]):
        raise InputError(f"{pair}: the venue's book has an empty side or no timestamp.")
    at = datetime.fromtimestamp(book["timestamp"] / 1000, UTC)
    (bid, bid_size), (ask, ask_size) = (
        (price, size - own.get(price, 0.0)) for price, size, *_ in (bids[0], asks[0])
    )
    return Touch(bid, ask, at, bid_size, ask_size)


def own_sizes(pair: str, trades: Iterable[Any]) -> dict[float, float]:
    """Return the unfilled size of our open orders on a pair, by price."""
    own: dict[float, float] = {}
    for trade in trades:
        for order in trade.open_orders if trade.pair == pair else ():
            price = order.safe_placement_price
            own[price] = own.get(price, 0.0) + order.safe_remaining
    return own


class OwnSizes:
    """Our orders as a book may show them: those that are open, and those that were just now.

    A book that is older than a move, a cancel or a fill shows the order where and as large as it
    was. Taken for another maker's, it would move the price that the next quote is computed from.
    """

    def __init__(self) -> None:
        self._open: dict[str, dict[float, float]] = {}
        self._gone: dict[str, dict[float, tuple[float, float]]] = {}
        """By pair and price: size, and when it was first seen to be less."""

    def at(
        self, pair: str, trades: Iterable[Any], book_s: float, now_s: float
    ) -> dict[float, float]:
        """Return the size of our orders by price that a book may show.

        Parameters
        ----------
        pair, trades
            As in `own_sizes`.
        book_s, now_s
            When the book was published, and now, s since the epoch.
        """
        own = own_sizes(pair, trades)
        gone = self._gone.setdefault(pair, {})
        for price, (_, since_s) in list(gone.items()):
            if book_s > since_s or not 0 <= now_s - since_s < GHOST_SECONDS:
                del gone[price]
        for price, size in self._open.get(pair, {}).items():
            if size > own.get(price, 0.0) and book_s <= now_s:
                shown = max(size, gone[price][0]) if price in gone else size
                gone[price] = (shown, now_s)
        self._open[pair] = own
        return own | {price: max(size, own.get(price, 0.0)) for price, (size, _) in gone.items()}


def queue_ahead(book: Mapping[str, Any] | None, side: Side, price: float) -> float | None:
    """Size (base currency) resting at a price, before us; None beyond what the book shows."""
    levels = _of_others((book or {}).get("bids" if side == "bid" else "asks") or (), {})
    if not levels:
        return None
    deepest = levels[-1][0]
    if price < deepest if side == "bid" else price > deepest:
        return None
    return float(sum(level[1] for level in levels if abs(level[0] - price) <= 1e-9 * price))


def _of_others(levels: Sequence[Level], own: Mapping[float, float]) -> list[Level]:
    return [
        level
        for level in levels
        if level[0] and level[1] and 0 < level[0] < inf and level[1] < inf
        if level[1] > own.get(level[0], 0.0) * (1 + 1e-9)
    ]
