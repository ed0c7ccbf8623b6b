"""Market data of the spot exchange in Binance's wire format."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from advanced_mm.markets.candles import Candle, bar_end
from advanced_mm.markets.coin_markets import TimedPrint
from advanced_mm.markets.market import Book, Level, Quote
from advanced_mm.venue.binance.order_views import decimal_text
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.market import AVERAGE_MINUTES, SpotMarket
from advanced_mm.venue.spot.orders import OrderKind

__all__ = ["DEPTH_LEVELS", "MarketViews"]

DEPTH_LEVELS = 100
"""Levels of a side that the exchange shows; deeper ones are as if they did not exist."""

DAY_MS = 86_400_000


class MarketViews:
    """Writes market data.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: SpotExchange) -> None:
        self._exchange = exchange

    def symbol(self, market: SpotMarket) -> dict[str, object]:
        """Describe a market as ``exchangeInfo`` does."""
        rules, filters = self._exchange.rules, market.filters
        return {
            "symbol": market.symbol,
            "status": "BREAK" if market.halted else "TRADING",
            "baseAsset": market.base,
            "baseAssetPrecision": 8,
            "quoteAsset": market.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": [kind.value for kind in OrderKind],
            "icebergAllowed": False,
            "ocoAllowed": False,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": decimal_text(filters.tick),
                    "maxPrice": decimal_text(filters.highest_price),
                    "tickSize": decimal_text(filters.tick),
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": decimal_text(filters.step),
                    "maxQty": decimal_text(filters.largest_size),
                    "stepSize": decimal_text(filters.step),
                },
                {
                    "filterType": "PERCENT_PRICE_BY_SIDE",
                    "bidMultiplierUp": str(rules.multiplier_up),
                    "bidMultiplierDown": str(rules.multiplier_down),
                    "askMultiplierUp": str(rules.multiplier_up),
                    "askMultiplierDown": str(rules.multiplier_down),
                    "avgPriceMins": AVERAGE_MINUTES,
                },
                {
                    "filterType": "NOTIONAL",
                    "minNotional": decimal_text(rules.minimum_notional),
                    "applyMinToMarket": True,
                    "maxNotional": "9000000.00000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": AVERAGE_MINUTES,
                },
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.most_orders},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.most_stops},
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
        }

    def book(self, market: SpotMarket, levels: int = DEPTH_LEVELS) -> Book:
        """Return what the exchange shows of a book."""
        return market.records.book(min(levels, DEPTH_LEVELS))

    def ticker(self, market: SpotMarket) -> dict[str, object]:
        """Describe the last 24 hours."""
        figures, records = market.records.day(), market.records
        now_ms, last = self._exchange.now_ms, records.last_price
        bars = list(records.candles.since(now_ms - DAY_MS))
        quote = records.touch
        change = last - figures.previous_price
        average = figures.quote_volume / figures.base_volume if figures.base_volume else last
        return {
            "symbol": market.symbol,
            "priceChange": decimal_text(change),
            "priceChangePercent": f"{100 * change / figures.previous_price:.3f}",
            "weightedAvgPrice": decimal_text(average),
            "prevClosePrice": decimal_text(figures.previous_price),
            "lastPrice": decimal_text(last),
            "lastQty": decimal_text(market.prints[-1].print.size if market.prints else 0.0),
            **self.touch(quote),
            "openPrice": decimal_text(figures.previous_price),
            "highPrice": decimal_text(max(bar.high for bar in bars)),
            "lowPrice": decimal_text(min(bar.low for bar in bars)),
            "volume": decimal_text(figures.base_volume),
            "quoteVolume": decimal_text(figures.quote_volume),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": market.prints[0].print.tid if market.prints else -1,
            "lastId": market.prints[-1].print.tid if market.prints else -1,
            "count": sum(bar.prints for bar in bars),
        }

    @staticmethod
    def touch(quote: Quote) -> dict[str, object]:
        """Describe the best prices."""
        return {
            "bidPrice": decimal_text(quote.bid or 0.0),
            "bidQty": decimal_text(quote.bid_size),
            "askPrice": decimal_text(quote.ask or 0.0),
            "askQty": decimal_text(quote.ask_size),
        }

    @staticmethod
    def trade(one: TimedPrint) -> dict[str, object]:
        """Describe a print as ``trades`` does."""
        printed = one.print
        return {
            "id": printed.tid,
            "price": decimal_text(printed.price),
            "qty": decimal_text(printed.size),
            "quoteQty": decimal_text(printed.price * printed.size),
            "time": one.time_ms,
            "isBuyerMaker": printed.side < 0,
            "isBestMatch": True,
        }

    @staticmethod
    def aggregated(prints: Iterable[TimedPrint]) -> Iterator[dict[str, object]]:
        """Describe prints as ``aggTrades`` does: those of one order at one price are one."""
        groups = groupby(prints, key=lambda one: (one.time_ms, one.print.hash, one.print.price))
        for (time_ms, _, price), group in groups:
            parts = [one.print for one in group]
            yield {
                "a": parts[0].tid,
                "p": decimal_text(price),
                "q": decimal_text(sum(one.size for one in parts)),
                "f": parts[0].tid,
                "l": parts[-1].tid,
                "T": time_ms,
                "m": parts[0].side < 0,
                "M": True,
            }

    @staticmethod
    def kline(interval: str, bar: Candle) -> list[object]:
        """Describe a candle as ``klines`` does; its taker volumes are not recorded, so zero."""
        return [
            bar.open_ms,
            decimal_text(bar.open),
            decimal_text(bar.high),
            decimal_text(bar.low),
            decimal_text(bar.close),
            decimal_text(bar.volume),
            bar_end(interval, bar.open_ms),
            decimal_text(bar.volume * (bar.high + bar.low) / 2),
            bar.prints,
            decimal_text(0.0),
            decimal_text(0.0),
            "0",
        ]

    @staticmethod
    def levels(side: tuple[Level, ...]) -> list[list[str]]:
        """Describe a side of a book."""
        return [[decimal_text(level.price), decimal_text(level.size)] for level in side]
