"""The venue's markets in Hyperliquid's wire format: listed coins, marks and daily statistics."""

from fractions import Fraction

from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.protocol.messages.margin_tables import margin_tables
from advanced_mm.venue.protocol.messages.market_messages import price_text
from advanced_mm.venue.protocol.messages.wire_views import (
    Json,
    decimal_text,
    dex_entry,
    mid_text,
    universe_entry,
)

__all__ = ["MarketViews"]


class MarketViews:
    """The venue's answers about its markets.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.venue = exchange.venue
        self.funding_rate = f"{exchange.rules.funding_rate:f}"
        """Hourly, share of the position's value, paid by longs."""
        self.units: dict[str, CoinUnits] = {
            coin: CoinUnits(market.spec.size_decimals)
            for coin, market in self.venue.markets.items()
        }

    def meta(self, dex: str = MAIN_DEX) -> dict[str, Json]:
        """Return the perpetuals that trade at an exchange."""
        coins = self.venue.listing.coins_of(dex)
        specs = [self.venue.markets[coin].spec for coin in coins]
        return {
            "universe": [universe_entry(spec) for spec in specs],
            "marginTables": margin_tables(specs),
            "collateralToken": 0,
        }

    def mark(self, coin: str) -> str:
        """Return the mark used for margins and stops, rounded to the tick.

        It is the middle of the background's touch, which is often between two ticks. It is rounded
        because clients derive a price's number of decimals from it.
        """
        units = self.units[coin]
        tick = units.price_units(self.venue.markets[coin].spec.tick)
        return units.price_text(tick * round(Fraction(self.exchange.margin.mark(coin), tick)))

    def context(self, coin: str) -> dict[str, Json]:
        """Return prices, funding and daily statistics of a coin.

        The oracle price is the mark, since the venue has no other price source than its market.
        """
        market, mark = self.venue.markets[coin], self.mark(coin)
        spec, touch, day = market.spec, market.touch, market.day()
        impact = None
        if touch.bid is not None and touch.ask is not None:
            impact = [price_text(touch.bid, spec), price_text(touch.ask, spec)]
        return {
            "funding": self.funding_rate,
            "openInterest": self.open_interest(coin),
            "prevDayPx": price_text(day.previous_price, spec),
            "dayNtlVlm": decimal_text(day.quote_volume),
            "dayBaseVlm": decimal_text(day.base_volume),
            "premium": "0.0",
            "oraclePx": mark,
            "markPx": mark,
            "midPx": mid_text(market),
            "impactPxs": impact,
        }

    def contexts(self, dex: str = MAIN_DEX) -> list[Json]:
        """Return the contexts of an exchange's coins, in the order of their asset numbers."""
        return [self.context(coin) for coin in self.venue.listing.coins_of(dex)]

    def dexs(self) -> list[Json]:
        """Return the exchanges; the main one comes first and is null."""
        listing = self.venue.listing
        return [
            None if dex == MAIN_DEX else dex_entry(dex, listing.coins_of(dex))
            for dex in listing.dexs
        ]

    def open_interest(self, coin: str) -> str:
        """Return the accounts' open interest in a coin; the background's is unknown."""
        holders = self.exchange.order_manager.holders.values()
        held = (account.positions.get(coin) for account in holders)
        lots = sum(position.lots for position in held if position and position.lots > 0)
        return self.units[coin].size_text(lots)
