"""What changes in a market's book between two messages, with numbers that show a lost one."""

from collections.abc import Mapping

from advanced_mm.markets.market import Book, Level
from advanced_mm.venue.binance.order_views import decimal_text

__all__ = ["BookChanges", "UpdateIds"]


class UpdateIds:
    """The numbers of a market's published changes, counting up from ``first``."""

    def __init__(self, first: int) -> None:
        self.last = first

    def next(self) -> int:
        """Return the next number."""
        self.last += 1
        return self.last


class BookChanges:
    """Follows a book for one stream of differences.

    Each message covers the numbers from the one after the last message's to its own; levels that
    are gone, or deeper than what is shown, have size zero.

    Parameters
    ----------
    ids
        The market's numbers, shared by all its streams.
    book
        The book as the first difference finds it.
    """

    def __init__(self, ids: UpdateIds, book: Book) -> None:
        self._ids = ids
        self._covered = ids.last
        self._sides = _side(book.bids), _side(book.asks)

    def difference(self, book: Book) -> dict[str, object] | None:
        """Return ``U``, ``u``, ``b`` and ``a`` of a message, None if nothing has changed."""
        sides = _side(book.bids), _side(book.asks)
        bids, asks = (_changes(old, new) for old, new in zip(self._sides, sides, strict=True))
        if not bids and not asks:
            return None
        self._sides = sides
        first, self._covered = self._covered + 1, self._ids.next()
        return {"U": first, "u": self._covered, "b": bids, "a": asks}


def _side(levels: tuple[Level, ...]) -> dict[float, float]:
    return {level.price: level.size for level in levels}


def _changes(old: Mapping[float, float], new: Mapping[float, float]) -> list[list[str]]:
    if old == new:
        return []
    changed = [
        [decimal_text(price), decimal_text(size)]
        for price, size in new.items()
        if old.get(price) != size
    ]
    return changed + [[decimal_text(price), decimal_text(0.0)] for price in old if price not in new]
