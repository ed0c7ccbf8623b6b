"""The request types of /info about perpetuals' rules: margin, funding, caps and auctions.

Requests about features the venue lacks, such as auctions and caps, get Hyperliquid's empty answer.
"""

from typing import Any

from pydantic import Field

from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.units import micros_text
from advanced_mm.venue.protocol.info_routing import InfoRequest, Route, UnknownCoinError
from advanced_mm.venue.protocol.messages.margin_tables import margin_table
from advanced_mm.venue.protocol.messages.market_views import MarketViews
from advanced_mm.venue.protocol.messages.wire_views import OPEN_INTEREST_CAP, Json

__all__ = ["PerpetualsInfo"]

HOUR_MS = 3_600_000
AUCTION_SECONDS = 31 * 3600
AUCTION_GAS = "500.0"
LARGEST_MARKET_ORDERS: tuple[tuple[int, str], ...] = (
    (25, "15000000.0"),
    (20, "5000000.0"),
    (10, "2000000.0"),
    (3, "500000.0"),
)
"""Market order limits: a minimum of the coin's maximum leverage, and the limit in USDC."""


class DexRequest(InfoRequest):
    """A request about a perpetual exchange, by default the main one."""

    dex: str = MAIN_DEX


class MarginTableRequest(DexRequest):
    """A margin table by its number."""

    id: int = Field(ge=0)


class NamedDexRequest(InfoRequest):
    """A request about a perpetual exchange, which must be named."""

    dex: str


class BuilderDexRequest(InfoRequest):
    """A request about a builder-deployed exchange."""

    dex: str = Field(min_length=1)


class CoinRequest(InfoRequest):
    """A request about a coin."""

    coin: str


class PerpetualsInfo:
    """Answers requests about the venue's rules.

    Parameters
    ----------
    views
        The markets in wire format.
    """

    def __init__(self, views: MarketViews) -> None:
        self._views = views
        self._venue = views.venue

    def routes(self) -> dict[str, Route[Any]]:
        """Return the routes by request type."""
        return {
            "predictedFundings": Route(InfoRequest, self.predicted_fundings),
            "marginTable": Route(MarginTableRequest, self.margin_table),
            "perpsAtOpenInterestCap": Route(
                DexRequest, lambda asked: [] if asked.dex in self._venue.listing.dexs else None
            ),
            "perpCategories": Route(InfoRequest, lambda _: []),
            "perpAnnotation": Route(CoinRequest, lambda _: None),
            "perpConciseAnnotations": Route(InfoRequest, lambda _: []),
            "perpDexLimits": Route(BuilderDexRequest, self.dex_limits),
            "perpDexStatus": Route(NamedDexRequest, self.dex_status),
            "perpDeployAuctionStatus": Route(InfoRequest, self.auction),
            "maxMarketOrderNtls": Route(
                InfoRequest, lambda _: [list(one) for one in LARGEST_MARKET_ORDERS]
            ),
        }

    def predicted_fundings(self, request: InfoRequest) -> list[Json]:
        """Return the next funding of the main exchange's coins, without other venues' rates."""
        next_ms = (self._venue.now_ms // HOUR_MS + 1) * HOUR_MS
        funding = {
            "fundingRate": self._views.funding_rate,
            "nextFundingTime": next_ms,
            "fundingIntervalHours": 1,
        }
        return [[coin, [["HlPerp", funding]]] for coin in self._venue.listing.coins_of(MAIN_DEX)]

    def margin_table(self, request: MarginTableRequest) -> Json:
        """Return a margin table, which has one tier and is numbered by the maximum leverage."""
        coins = self._venue.listing.coins_of(request.dex)
        if all(self._venue.markets[coin].spec.max_leverage != request.id for coin in coins):
            raise UnknownCoinError(f"margin table {request.id}")
        return margin_table(request.id)

    def dex_limits(self, request: BuilderDexRequest) -> Json:
        """Return a builder-deployed exchange's limits, which are out of reach here."""
        coins = self._venue.listing.coins_of(request.dex)
        if not coins:
            return None
        return {
            "totalOiCap": OPEN_INTEREST_CAP,
            "oiSzCapPerPerp": "1000000000.0",
            "maxTransferNtl": OPEN_INTEREST_CAP,
            "coinToOiCap": [[coin, OPEN_INTEREST_CAP] for coin in coins],
        }

    def dex_status(self, request: NamedDexRequest) -> Json:
        """Return the total account value at an exchange."""
        if request.dex not in self._venue.listing.dexs:
            return None
        exchange = self._views.exchange
        held = sum(exchange.margin.value_at(one, request.dex) for one in exchange.accounts)
        return {"totalNetDeposit": micros_text(held)}

    def auction(self, request: InfoRequest) -> dict[str, Json]:
        """Return the status of the auction for deploying a coin, which has no bidders here."""
        now_s = self._venue.now_ms // 1000
        return {
            "startTimeSeconds": now_s - now_s % AUCTION_SECONDS,
            "durationSeconds": AUCTION_SECONDS,
            "startGas": AUCTION_GAS,
            "currentGas": AUCTION_GAS,
            "endGas": None,
        }
