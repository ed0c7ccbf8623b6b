"""Descriptions of markets in Hyperliquid's wire format; numbers are strings."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from advanced_mm.markets.candles import Candle, bar_end
from advanced_mm.markets.coin_markets import CoinMarket, Venue
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.market import CoinSpec
from advanced_mm.venue.protocol.messages.book_merging import merged_book, true_spread
from advanced_mm.venue.protocol.messages.market_messages import book_data, price_text, size_text

__all__ = [
    "OPEN_INTEREST_CAP",
    "Json",
    "all_mids",
    "candle_wire",
    "decimal_text",
    "dex_entry",
    "mid_text",
    "shown_book",
    "universe_entry",
]

OPEN_INTEREST_CAP = "1000000000.0"  # USDC, out of reach of a session's accounts

Json: TypeAlias = "Mapping[str, object] | Sequence[Json] | str | int | float | bool | None"


def universe_entry(spec: CoinSpec) -> dict[str, Json]:
    """Return a coin's entry in ``meta``; its asset number is given by its place in the list."""
    entry: dict[str, Json] = {
        "name": spec.coin,
        "szDecimals": spec.size_decimals,
        "maxLeverage": spec.max_leverage,
        "marginTableId": spec.max_leverage,
    }
    if spec.only_isolated:
        entry |= {"onlyIsolated": True, "marginMode": spec.margin_mode}
    return entry


def dex_entry(dex: str, coins: Sequence[str]) -> dict[str, Json]:
    """Return a builder-deployed exchange's entry in ``perpDexs``; its addresses are made up."""
    deployer = "0x" + hashlib.sha256(dex.encode()).hexdigest()[:40]
    return {
        "name": dex,
        "fullName": dex.upper(),
        "deployer": deployer,
        "oracleUpdater": None,
        "feeRecipient": deployer,
        "assetToStreamingOiCap": [[coin, OPEN_INTEREST_CAP] for coin in coins],
        "subDeployers": [],
        "deployerFeeScale": "0.0",
        "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
        "assetToFundingMultiplier": [[coin, "1.0"] for coin in coins],
        "assetToFundingInterestRate": [],
        "assetToFundingClamp": [],
    }


def all_mids(venue: Venue, dex: str = MAIN_DEX) -> dict[str, Json]:
    """Return the mid of every coin of an exchange."""
    return {coin: mid_text(venue.markets[coin]) for coin in venue.listing.coins_of(dex)}


def candle_wire(market: CoinMarket, interval: str, candle: Candle) -> dict[str, Json]:
    """Return a bar as in ``candleSnapshot`` and the ``candle`` stream."""
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
    """Return the book as in ``l2Book``: unmerged, or with merged levels and the spread."""
    if figures is None:
        return {**book_data(market.spec, market.book(levels))}
    data = book_data(market.spec, merged_book(market, levels, figures, mantissa or 1))
    spread = true_spread(market)
    return {**data} if spread is None else {**data, "spread": decimal_text(spread)}


def mid_text(market: CoinMarket) -> str:
    """Return the mid, which may lie between two ticks."""
    return decimal_text(market.mid)


def decimal_text(value: float) -> str:
    """Format a number other than an order's price or size, with one to nine decimals."""
    text = f"{value:.9f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
