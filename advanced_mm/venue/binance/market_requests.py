"""Requests for market data, the same over REST and over the websocket API."""

from collections.abc import Callable

from advanced_mm.markets.candles import INTERVALS
from advanced_mm.venue.binance.market_views import DEPTH_LEVELS, MarketViews
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.routing import Route
from advanced_mm.venue.binance.weights import LIMITS
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.market import AVERAGE_MINUTES, SpotMarket
from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["MarketRequests", "market_of"]

FARTHEST_MS = 1 << 62
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))


def market_of(exchange: SpotExchange, symbol: str) -> SpotMarket:
    """Return a market.

    Raises
    ------
    SpotRefusedError
        If it does not exist.
    """
    market = exchange.markets.get(symbol)
    if market is None:
        raise SpotRefusedError(-1121, "Invalid symbol.")
    return market


class MarketRequests:
    """Answers requests for market data.

    Parameters
    ----------
    exchange
        The engine.
    wall_ms
        The computer's clock, ms: the exchange's time as clients see it.
    update_id
        Returns the number of the last change of a market's book that was published.
    """

    def __init__(
        self,
        exchange: SpotExchange,
        wall_ms: Callable[[], int],
        update_id: Callable[[str], int],
    ) -> None:
        self._exchange = exchange
        self._wall_ms = wall_ms
        self._update_id = update_id
        self.views = MarketViews(exchange)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("ping", "GET /api/v3/ping", lambda params: {}, 1),
            Route("time", "GET /api/v3/time", lambda params: {"serverTime": self._wall_ms()}, 1),
            Route("exchangeInfo", "GET /api/v3/exchangeInfo", self._info, 20),
            Route("depth", "GET /api/v3/depth", self._depth, _depth_weight),
            Route("trades.recent", "GET /api/v3/trades", self._trades, 25),
            Route("trades.historical", "GET /api/v3/historicalTrades", self._trades, 25),
            Route("trades.aggregate", "GET /api/v3/aggTrades", self._aggregated, 4),
            Route("klines", "GET /api/v3/klines", self._klines, 2),
            Route("uiKlines", "GET /api/v3/uiKlines", self._klines, 2),
            Route("avgPrice", "GET /api/v3/avgPrice", self._average, 2),
            Route("ticker.24hr", "GET /api/v3/ticker/24hr", self._tickers, _many(2, 80)),
            Route("ticker.price", "GET /api/v3/ticker/price", self._prices, _many(2, 4)),
            Route("ticker.book", "GET /api/v3/ticker/bookTicker", self._touches, _many(2, 4)),
            # What clients ask for at start although they trade none of it.
            Route("", "GET /fapi/v1/exchangeInfo", lambda params: _nothing(), 1),
            Route("", "GET /dapi/v1/exchangeInfo", lambda params: _nothing(), 1),
        ]

    def _market(self, params: Params) -> SpotMarket:
        return market_of(self._exchange, params.required("symbol"))

    def _markets(self, params: Params) -> list[SpotMarket]:
        if (symbol := params.text("symbol")) is not None:
            return [market_of(self._exchange, symbol)]
        named = params.text("symbols")
        if named is None:
            return list(self._exchange.markets.values())
        symbols = [one.strip(" \"'") for one in named.strip("[] ").split(",")]
        return [market_of(self._exchange, symbol) for symbol in symbols]

    def _info(self, params: Params) -> object:
        return {
            "timezone": "UTC",
            "serverTime": self._wall_ms(),
            "rateLimits": list(LIMITS),
            "exchangeFilters": [],
            "symbols": [self.views.symbol(market) for market in self._markets(params)],
        }

    def _depth(self, params: Params) -> object:
        market = self._market(params)
        book = self.views.book(market, params.limit(100, DEPTH_LEVELS))
        return {
            "lastUpdateId": self._update_id(market.symbol),
            "bids": self.views.levels(book.bids),
            "asks": self.views.levels(book.asks),
        }

    def _trades(self, params: Params) -> object:
        market = self._market(params)
        limit = params.limit(500, 1_000)
        return [self.views.trade(one) for one in list(market.prints)[-limit:]]

    def _aggregated(self, params: Params) -> object:
        market = self._market(params)
        since, until = params.whole("startTime"), params.whole("endTime")
        first, limit = params.whole("fromId"), params.limit(500, 1_000)
        found = [
            one
            for one in self.views.aggregated(market.prints)
            if (since is None or _at(one) >= since)
            and (until is None or _at(one) <= until)
            and (first is None or _id(one) >= first)
        ]
        return found[-limit:] if since is None and first is None else found[:limit]

    def _klines(self, params: Params) -> object:
        market, interval = self._market(params), params.required("interval")
        if interval not in INTERVALS:
            raise SpotRefusedError(-1120, "Invalid interval.")
        since, until = params.whole("startTime"), params.whole("endTime")
        limit = params.limit(500, 1_000)
        bars = market.records.candles.snapshot(
            interval, since or 0, FARTHEST_MS if until is None else until
        )
        asked = bars[-limit:] if since is None else bars[:limit]
        return [self.views.kline(interval, bar) for bar in asked]

    def _average(self, params: Params) -> object:
        market = self._market(params)
        return {
            "mins": AVERAGE_MINUTES,
            "price": f"{market.average_price:.8f}",
            "closeTime": self._exchange.now_ms,
        }

    def _tickers(self, params: Params) -> object:
        return _one_or_all(params, [self.views.ticker(one) for one in self._markets(params)])

    def _prices(self, params: Params) -> object:
        return _one_or_all(
            params,
            [
                {"symbol": one.symbol, "price": f"{one.records.last_price:.8f}"}
                for one in self._markets(params)
            ],
        )

    def _touches(self, params: Params) -> object:
        return _one_or_all(
            params,
            [
                {"symbol": one.symbol, **self.views.touch(one.records.touch)}
                for one in self._markets(params)
            ],
        )


def _one_or_all(params: Params, views: list[dict[str, object]]) -> object:
    return views[0] if params.text("symbol") is not None else views


def _nothing() -> object:
    return {"timezone": "UTC", "rateLimits": [], "exchangeFilters": [], "symbols": []}


def _at(one: dict[str, object]) -> int:
    return int(str(one["T"]))


def _id(one: dict[str, object]) -> int:
    return int(str(one["a"]))


def _depth_weight(params: Params) -> int:
    asked = params.limit(100, 5_000)
    return next(weight for most, weight in _DEPTH_WEIGHTS if asked <= most)


def _many(one: int, every: int) -> Callable[[Params], int]:
    """Return a weight that depends on whether a market is named."""
    return lambda params: one if params.text("symbol") is not None else every
