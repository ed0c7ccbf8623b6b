"""The background of one market in whole numbers: its touch, its depth, and what we took from it."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice

from advanced_mm.markets.market import Book, Level, MarketSource, Quote
from advanced_mm.markets.units import CoinUnits

__all__ = ["VISIBLE_LEVELS", "Background"]

VISIBLE_LEVELS = 20  # levels of each side that a subscriber of the book sees
DEEPEST_LEVELS = 5_120  # limit on how far an order may walk the source's book
DEEPENING = 4


class _Touch:
    """A quote in price units and lots; a side without a price is None."""

    def __init__(self, quote: Quote, units: CoinUnits) -> None:
        self._quote = quote
        self._units = units

    @cached_property
    def bid(self) -> tuple[int, int] | None:
        return self._side(self._quote.bid, self._quote.bid_size)

    @cached_property
    def ask(self) -> tuple[int, int] | None:
        return self._side(self._quote.ask, self._quote.ask_size)

    def _side(self, price: float | None, size: float) -> tuple[int, int] | None:
        return None if price is None else (self._units.price_units(price), self._units.lots(size))


class Background:
    """Everything in one book except the orders of the venue's accounts.

    Parameters
    ----------
    source
        The market the background comes from.
    units
        The coin's units.
    """

    def __init__(self, source: MarketSource, units: CoinUnits) -> None:
        self._source = source
        self._units = units
        self._scales = (int(10**units.price_decimals), int(10**units.size_decimals))
        self._visible: Book | None = None
        self._half_unit = units.price(1) / 2
        self._frozen: Book | None = None
        self._taken: dict[tuple[bool, int], int] = {}
        self._mark = units.price_units(source.mid)
        self._mark_known = True
        self.show(source.book(1).touch)

    @property
    def quote(self) -> Quote:
        """The touch the source published last."""
        return self._quote

    def show(self, quote: Quote) -> None:
        """Set a new touch."""
        if quote.bid is None or quote.ask is None:
            self._mark, self._mark_known = self.mark, True
        self._quote = quote
        self._touch = _Touch(quote, self._units)
        self._mark_known = False

    def passed(self) -> None:
        """Discard the cached visible depth after time has passed."""
        self._visible = None

    @property
    def mark(self) -> int:
        """Middle of the background's touch, or of the last one with two sides; price units."""
        if not self._mark_known:
            bid, ask = self._touch.bid, self._touch.ask
            if bid is not None and ask is not None:
                self._mark = _half(bid[0] + ask[0])
            self._mark_known = True
        return self._mark

    def touch(self, bids: bool) -> tuple[int, int] | None:
        """Return the best price of a side and the lots there, as published by the source."""
        return self._touch.bid if bids else self._touch.ask

    def shown(self, bids: bool, price: int) -> int | None:
        """Return the lots the source shows at a price; None beyond the visible depth."""
        levels, wanted = self._side(bids), self._units.price(price)
        # Search the floats: converting every level dominated the run time of a busy market.
        if bids:
            place = bisect_left(levels, -wanted - self._half_unit, key=_falling)
        else:
            place = bisect_left(levels, wanted - self._half_unit, key=_rising)
        if place == len(levels):
            return None if levels else 0
        level = levels[place]
        return self._lots(level) if abs(level.price - wanted) < self._half_unit else 0

    def standing(self, bids: bool, price: int) -> int:
        """Return the background's lots at a price that a new order would join.

        Beyond the visible depth, this is the size of the last visible level.
        """
        shown = self.shown(bids, price)
        if shown is None:
            return self._lots(self._side(bids)[-1])
        return shown - self._taken.get((bids, price), 0)

    def levels(self, bids: bool) -> Iterator[tuple[int, int]]:
        """Yield the available (price, lots) of a side, best first.

        Covers the visible levels and those behind them, as far as the source knows them.
        """
        price_scale = self._scales[0]
        there, seen, asked = self._side(bids), 0, VISIBLE_LEVELS
        while True:
            for one in islice(there, seen, None):
                price = round(one.price * price_scale)
                left = self._lots(one) - self._taken.get((bids, price), 0)
                if left > 0:
                    yield price, left
            seen = len(there)
            if seen < asked or asked >= DEEPEST_LEVELS:
                return
            asked *= DEEPENING
            book = self.book(asked)
            there = book.bids if bids else book.asks

    def book(self, levels: int) -> Book:
        """Return the source's book; during a halt, the book at its start."""
        if self._frozen is None:
            return self._source.book(levels)
        frozen = self._frozen
        return Book(frozen.time_ms, frozen.bids[:levels], frozen.asks[:levels])

    def freeze(self, frozen: bool) -> None:
        """Freeze the book, or let it move again."""
        self._frozen = self._source.book(2 * VISIBLE_LEVELS) if frozen else None
        self._visible = None

    @property
    def frozen(self) -> bool:
        """Whether the book is frozen."""
        return self._frozen is not None

    @property
    def untouched(self) -> bool:
        """Whether nothing has been taken since the source's last block."""
        return not self._taken

    def taken(self, bids: bool, price: int) -> int:
        """Return the lots taken from a level since the source's last block."""
        return self._taken.get((bids, price), 0)

    @property
    def taken_levels(self) -> int:
        """Number of levels from which lots have been taken."""
        return len(self._taken)

    def take(self, bids: bool, price: int, lots: int) -> None:
        """Take lots from a level; they are missing until the source's next block."""
        self._taken[bids, price] = self._taken.get((bids, price), 0) + lots

    def refill(self) -> Mapping[tuple[bool, int], int]:
        """Restore the lots that were taken, at the source's next block.

        Returns
        -------
        Mapping
            The restored lots, by side (whether bids) and price.
        """
        returned, self._taken = self._taken, {}
        return returned

    def _side(self, bids: bool) -> tuple[Level, ...]:
        if self._visible is None:
            self._visible = self.book(VISIBLE_LEVELS)
        return self._visible.bids if bids else self._visible.asks

    def _lots(self, level: Level) -> int:
        return round(level.size * self._scales[1])


def _rising(level: Level) -> float:
    return level.price


def _falling(level: Level) -> float:
    return -level.price


def _half(twice: int) -> int:
    """Return half of an integer, with ties rounded to even."""
    half, odd = divmod(twice, 2)
    return half + (half & 1 if odd else 0)
