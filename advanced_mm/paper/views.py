"""What the venue says of a market as a whole, in Hyperliquid's words; numbers are strings."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from advanced_mm.paper.book_merging import merged_book, true_spread
from advanced_mm.paper.candles import Candle, bar_end
from advanced_mm.paper.market import CoinSpec
from advanced_mm.paper.messages import book_data, price_text, size_text
from advanced_mm.paper.venue import CoinMarket, Venue

__all__ = [
    "Json",
    "all_mids",
    "candle_wire",
    "decimal_text",
    "mid_text",
    "shown_book",
    "universe_entry",
]

Json: TypeAlias = "Mapping[str, object] | Sequence[Json] | str | int | float | bool | None"


def universe_entry(spec: CoinSpec) -> dict[str, Json]:
    """The coin's line in ``meta``; its place in the list is its asset number."""
    return {
        "name": spec.coin,
        "szDecimals": spec.size_decimals,
        "maxLeverage": spec.max_leverage,
        "marginTableId": spec.max_leverage,
    }


def all_mids(venue: Venue) -> dict[str, Json]:
    """The mid of every coin."""
    return {coin: mid_text(market) for coin, market in venue.markets.items()}


def candle_wire(market: CoinMarket, interval: str, candle: Candle) -> dict[str, Json]:
    """A bar as ``candleSnapshot`` and the ``candle`` stream give it."""
    spec = market.spec
    return {
        "t": candle.open_ms,
        "T": bar_end(interval, candle.open_ms),
        "s": spec.coin,
        "i": interval,
        "o": price_text(candle.open, spec),
        "c": price_text(candle.close, spec),
        "h": price_text(candle.high, spec),
        "l": price_text(candle.low, spec),
        "v": size_text(candle.volume, spec),
        "n": candle.prints,
    }


def shown_book(
    market: CoinMarket, levels: int, figures: int | None, mantissa: int | None
) -> dict[str, object]:
    """The book as ``l2Book`` gives it: whole, or in coarser levels with the spread beside them."""
    if figures is None:
        return {**book_data(market.spec, market.book(levels))}
    data = book_data(market.spec, merged_book(market, levels, figures, mantissa or 1))
    spread = true_spread(market)
    return {**data} if spread is None else {**data, "spread": decimal_text(spread)}


def mid_text(market: CoinMarket) -> str:
    """The mid, which may lie between two ticks."""
    return decimal_text(market.mid)


def decimal_text(value: float) -> str:
    """A number that is no order's price or size, to nine decimals at most, one at least."""
    text = f"{value:.9f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
