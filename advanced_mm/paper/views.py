"""What the venue says of a market as a whole, in Hyperliquid's words; numbers are strings."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from advanced_mm.paper.candles import INTERVALS, Candle
from advanced_mm.paper.market import CoinSpec
from advanced_mm.paper.messages import price_text, size_text
from advanced_mm.paper.venue import CoinMarket, Venue

__all__ = [
    "FUNDING_RATE",
    "Json",
    "all_mids",
    "asset_context",
    "candle_wire",
    "decimal_text",
    "universe_entry",
]

Json: TypeAlias = "Mapping[str, object] | Sequence[Json] | str | int | float | bool | None"

FUNDING_RATE = "0.0000125"
"""Funding an hour as a share of the position: Hyperliquid's rate where mark equals oracle price."""


def universe_entry(spec: CoinSpec) -> dict[str, Json]:
    """The coin's line in ``meta``; its place in the list is its asset number."""
    return {"name": spec.coin, "szDecimals": spec.size_decimals, "maxLeverage": spec.max_leverage}


def asset_context(market: CoinMarket, funding: str = FUNDING_RATE) -> dict[str, Json]:
    """Prices, funding and the day's figures of a coin.

    Mark and oracle price are the last print's: the venue has no price source but its own market.
    Clients read the number of decimals of a price from ``markPx``, so it lies on the tick grid.
    """
    spec, touch, day = market.spec, market.touch, market.day()
    mark = price_text(market.last_price, spec)
    two_sided = touch.bid is not None and touch.ask is not None
    return {
        "funding": funding,
        "openInterest": "0.0",
        "prevDayPx": price_text(day.previous_price, spec),
        "dayNtlVlm": decimal_text(day.quote_volume),
        "dayBaseVlm": decimal_text(day.base_volume),
        "premium": "0.0",
        "oraclePx": mark,
        "markPx": mark,
        "midPx": mid_text(market),
        "impactPxs": [price_text(p, spec) for p in (touch.bid, touch.ask) if p is not None]
        if two_sided
        else None,
    }


def all_mids(venue: Venue) -> dict[str, Json]:
    """The mid of every coin."""
    return {coin: mid_text(market) for coin, market in venue.markets.items()}


def candle_wire(market: CoinMarket, interval: str, candle: Candle) -> dict[str, Json]:
    """A bar as ``candleSnapshot`` and the ``candle`` stream give it."""
    spec = market.spec
    return {
        "t": candle.open_ms,
        "T": candle.open_ms + INTERVALS[interval] - 1,
        "s": spec.coin,
        "i": interval,
        "o": price_text(candle.open, spec),
        "c": price_text(candle.close, spec),
        "h": price_text(candle.high, spec),
        "l": price_text(candle.low, spec),
        "v": size_text(candle.volume, spec),
        "n": candle.prints,
    }


def mid_text(market: CoinMarket) -> str:
    """The mid, which may lie between two ticks."""
    return decimal_text(market.mid)


def decimal_text(value: float) -> str:
    """A number that is no order's price or size, to nine decimals at most, one at least."""
    text = f"{value:.9f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
