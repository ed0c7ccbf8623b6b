"""The venue's markets in Hyperliquid's words: what trades, at which mark, and the day's figures."""

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
    """What the venue tells of its markets.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.venue = exchange.venue
        self.funding_rate = f"{exchange.rules.funding_rate:f}"
        """Paid by longs each hour, share of the position."""
        self.units: dict[str, CoinUnits] = {
            coin: CoinUnits(market.spec.size_decimals)
            for coin, market in self.venue.markets.items()
        }

    def meta(self, dex: str = MAIN_DEX) -> dict[str, Json]:
        """The perpetuals that trade at an exchange."""
        coins = self.venue.listing.coins_of(dex)
        specs = [self.venue.markets[coin].spec for coin in coins]
        return {
            "universe": [universe_entry(spec) for spec in specs],
            "marginTables": margin_tables(specs),
            "collateralToken": 0,
        }

    def mark(self, coin: str) -> str:
        """The mark that margins and stops go by, rounded to the tick.

        It lies in the middle of the background's touch, often between two ticks; what is published
        must not, since clients read the number of decimals of a price from it.
        """
        units = self.units[coin]
        tick = units.price_units(self.venue.markets[coin].spec.tick)
        return units.price_text(tick * round(Fraction(self.exchange.margin.mark(coin), tick)))

    def context(self, coin: str) -> dict[str, Json]:
        """Prices, funding and the day's figures of a coin.

        The oracle price is the mark: the venue has no price source but its own market.
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
        """The contexts of the coins of an exchange, in the order of their asset numbers."""
        return [self.context(coin) for coin in self.venue.listing.coins_of(dex)]

    def dexs(self) -> list[Json]:
        """The exchanges; the main one, which is first, is null."""
        listing = self.venue.listing
        return [
            None if dex == MAIN_DEX else dex_entry(dex, listing.coins_of(dex))
            for dex in listing.dexs
        ]

    def open_interest(self, coin: str) -> str:
        """What the accounts hold of a coin; the background's part of it is not known."""
        holders = self.exchange.order_manager.holders.values()
        held = (account.positions.get(coin) for account in holders)
        lots = sum(position.lots for position in held if position and position.lots > 0)
        return self.units[coin].size_text(lots)
