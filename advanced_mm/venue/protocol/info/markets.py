"""The market data request types of /info."""

from collections.abc import Callable
from typing import Any

from pydantic import Field, field_validator, model_validator

from advanced_mm.markets.candles import INTERVALS
from advanced_mm.markets.coin_markets import CoinMarket
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.venue.protocol.info_routing import InfoRequest, Route, UnknownCoinError
from advanced_mm.venue.protocol.messages.book_merging import Mantissa, SignificantFigures
from advanced_mm.venue.protocol.messages.market_messages import trade_data
from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.spot import SPOT_CONTEXTS, SPOT_META
from advanced_mm.venue.protocol.messages.wire_views import Json, all_mids, candle_wire, shown_book

__all__ = ["MarketInfo"]

BOOK_LEVELS = 20
HOUR_MS = 3_600_000
MAX_FUNDING_ENTRIES = 500


class PerpRequest(InfoRequest):
    """A request about a perpetual exchange; the empty string names the main one."""

    dex: str = MAIN_DEX


class BookRequest(InfoRequest):
    """The book, with merged levels if significant figures are given."""

    coin: str
    nSigFigs: SignificantFigures | None = None
    mantissa: Mantissa | None = None

    @model_validator(mode="after")
    def _of_five(self) -> "BookRequest":
        if self.mantissa is not None and self.nSigFigs != 5:
            raise ValueError("mantissa requires nSigFigs 5")
        return self


class TradesRequest(InfoRequest):
    """The newest prints of a coin."""

    coin: str


class CandleRange(InfoRequest):
    """Bars of a coin that start in [startTime, endTime], exchange ms."""

    coin: str
    interval: str
    startTime: int
    endTime: int | None = None

    @field_validator("interval")
    @classmethod
    def _offered(cls, value: str) -> str:
        if value not in INTERVALS:
            raise ValueError(f"must be one of {', '.join(INTERVALS)}")
        return value


class CandleRequest(InfoRequest):
    """``candleSnapshot`` wraps its fields in ``req``."""

    req: CandleRange


class FundingRequest(InfoRequest):
    """Funding of a coin in [startTime, endTime], exchange ms."""

    coin: str
    startTime: int = Field(ge=0)
    endTime: int | None = None


class MarketInfo:
    """Answers market data requests.

    Parameters
    ----------
    views
        The markets in wire format.
    """

    def __init__(self, views: MarketViews) -> None:
        self._views = views
        self._venue = views.venue
        self._listing = views.venue.listing

    def routes(self) -> dict[str, Route[Any]]:
        """Return the routes by request type."""
        return {
            "meta": self._of_dex(self._views.meta),
            "metaAndAssetCtxs": self._of_dex(
                lambda dex: [self._views.meta(dex), self._views.contexts(dex)]
            ),
            "allPerpMetas": Route(
                InfoRequest, lambda _: [self._views.meta(dex) for dex in self._listing.dexs]
            ),
            "spotMeta": Route(InfoRequest, lambda _: SPOT_META),
            "spotMetaAndAssetCtxs": Route(InfoRequest, lambda _: [SPOT_META, SPOT_CONTEXTS]),
            "perpDexs": Route(InfoRequest, lambda _: self._views.dexs()),
            "exchangeStatus": Route(InfoRequest, self.status),
            "allMids": self._of_dex(lambda dex: all_mids(self._venue, dex)),
            "l2Book": Route(BookRequest, self.book),
            "recentTrades": Route(TradesRequest, self.recent_trades),
            "candleSnapshot": Route(CandleRequest, self.candles),
            "fundingHistory": Route(FundingRequest, self.funding),
        }

    def status(self, request: InfoRequest) -> dict[str, Json]:
        """Return market time, to which clients synchronize."""
        return {"time": self._venue.now_ms, "specialStatuses": None}

    def book(self, request: BookRequest) -> Json:
        """Return the 20 best levels of each side; null for an unknown coin."""
        if request.coin not in self._venue.markets:
            return None
        market = self._venue.markets[request.coin]
        return shown_book(market, BOOK_LEVELS, request.nSigFigs, request.mantissa)

    def recent_trades(self, request: TradesRequest) -> list[Json]:
        """Return the newest prints, newest first."""
        market = self._market(request.coin)
        return [trade_data(market.spec, one.time_ms, one.print) for one in reversed(market.recent)]

    def candles(self, request: CandleRequest) -> list[Json]:
        """Return bars, oldest first."""
        req = request.req
        market = self._market(req.coin)
        end_ms = self._venue.now_ms if req.endTime is None else req.endTime
        bars = market.candles.snapshot(req.interval, req.startTime, end_ms)
        return [candle_wire(market, req.interval, bar) for bar in bars]

    def funding(self, request: FundingRequest) -> list[Json]:
        """Return the constant rate at each whole hour of the range, at most 500."""
        coin = self._market(request.coin).spec.coin
        now_ms = self._venue.now_ms
        end_ms = now_ms if request.endTime is None else min(request.endTime, now_ms)
        first_ms = -(-request.startTime // HOUR_MS) * HOUR_MS
        rate = self._views.funding_rate
        hours = range(first_ms, end_ms + 1, HOUR_MS)[:MAX_FUNDING_ENTRIES]
        return [
            {"coin": coin, "fundingRate": rate, "premium": "0.0", "time": time_ms}
            for time_ms in hours
        ]

    def _of_dex(self, answer: Callable[[str], Json]) -> Route[PerpRequest]:
        """Return a route that answers null for an unknown exchange, as Hyperliquid does."""
        return Route(
            PerpRequest,
            lambda request: answer(request.dex) if request.dex in self._listing.dexs else None,
        )

    def _market(self, coin: str) -> CoinMarket:
        try:
            return self._venue.markets[coin]
        except KeyError:
            raise UnknownCoinError(coin) from None
