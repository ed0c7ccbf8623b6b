"""Books with fewer, coarser levels: ``nSigFigs`` and ``mantissa`` of ``l2Book``.

With n significant figures, levels are multiples of the n-th figure of their price; with five
figures and a mantissa, of that many of them. Bids are rounded down and asks up, so that no price
looks better than it is. The reported spread is that of the unmerged book.
"""

from collections.abc import Iterable
from typing import Literal

from advanced_mm.markets.coin_markets import CoinMarket
from advanced_mm.markets.market import Book, Level
from advanced_mm.markets.units import CoinUnits

__all__ = ["Mantissa", "SignificantFigures", "merged_book", "true_spread"]

SignificantFigures = Literal[2, 3, 4, 5]
Mantissa = Literal[1, 2, 5]

DEEPENING = 4
DEEPEST_LEVELS = 5_120  # limit on the levels requested from the market


def merged_book(market: CoinMarket, levels: int, figures: int, mantissa: int = 1) -> Book:
    """Return the best ``levels`` merged levels of each side, as far as the market knows them."""
    units = CoinUnits(market.spec.size_decimals)
    asked = levels
    while True:
        book = market.book(asked)
        bids = _merged(book.bids, units, figures, mantissa, up=False)
        asks = _merged(book.asks, units, figures, mantissa, up=True)
        # The last merged level may continue beyond the requested depth.
        enough = len(bids) > levels and len(asks) > levels
        if enough or asked >= DEEPEST_LEVELS or max(len(book.bids), len(book.asks)) < asked:
            return Book(book.time_ms, tuple(bids[:levels]), tuple(asks[:levels]))
        asked *= DEEPENING


def true_spread(market: CoinMarket) -> float | None:
    """Return the spread of the unmerged book, quote currency; None if a side is empty."""
    touch = market.book(1).touch
    return None if touch.bid is None or touch.ask is None else touch.ask - touch.bid


def _merged(
    levels: Iterable[Level], units: CoinUnits, figures: int, mantissa: int, *, up: bool
) -> list[Level]:
    merged: dict[int, tuple[int, int]] = {}
    for level in levels:
        price = units.price_units(level.price)
        step = max(1, mantissa * 10 ** max(0, len(str(price)) - figures))
        place = -(-price // step) * step if up else price // step * step
        lots, orders = merged.get(place, (0, 0))
        merged[place] = (lots + units.lots(level.size), orders + level.orders)
    return [
        Level(units.price(price), units.size(lots), orders)
        for price, (lots, orders) in merged.items()
    ]
