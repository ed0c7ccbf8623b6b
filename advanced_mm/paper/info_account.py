"""The request types of /info that concern an account.

Nobody can trade here yet, so every address holds the same: play money, no position, no order, no
fill. The answers are those that Hyperliquid gives for such an account.
"""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from advanced_mm.paper.info import InfoRequest, Route
from advanced_mm.paper.venue import Venue
from advanced_mm.paper.views import Json

__all__ = ["PLAY_MONEY_USDC", "AccountInfo"]

PLAY_MONEY_USDC = "10000.0"
MAKER_FEE = "0.00015"
TAKER_FEE = "0.00045"
SPOT_MAKER_FEE = "0.0004"
SPOT_TAKER_FEE = "0.0007"
FREE_ACTIONS = 10_000  # an address may send so many before it has traded anything


class AccountRequest(InfoRequest):
    """A request of an address."""

    user: Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{40}$")]


class FillsByTimeRequest(AccountRequest):
    """Fills of an address in [startTime, endTime], exchange ms."""

    startTime: int = Field(ge=0)
    endTime: int | None = None


class OrderStatusRequest(AccountRequest):
    """An order by the venue's number or the client's ("0x" and 32 hexadecimal digits)."""

    oid: int | str


class AccountInfo:
    """Answers for accounts that have never traded.

    Parameters
    ----------
    venue
        The markets, for their time.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> dict[str, Route[Any]]:
        """The request types answered here."""
        nothing = Route(AccountRequest, lambda _: [])
        return {
            "clearinghouseState": Route(AccountRequest, self.clearinghouse),
            "spotClearinghouseState": Route(AccountRequest, lambda _: {"balances": []}),
            "openOrders": nothing,
            "frontendOpenOrders": nothing,
            "historicalOrders": nothing,
            "userFills": nothing,
            "userFillsByTime": Route(FillsByTimeRequest, lambda _: []),
            "orderStatus": Route(OrderStatusRequest, lambda _: {"status": "unknownOid"}),
            "userAbstraction": Route(AccountRequest, lambda _: "disabled"),
            "userFees": Route(AccountRequest, self.fees),
            "userRateLimit": Route(AccountRequest, self.rate_limit),
        }

    def clearinghouse(self, request: AccountRequest) -> dict[str, Json]:
        """Margin and positions."""
        summary: dict[str, Json] = {
            "accountValue": PLAY_MONEY_USDC,
            "totalNtlPos": "0.0",
            "totalRawUsd": PLAY_MONEY_USDC,
            "totalMarginUsed": "0.0",
        }
        return {
            "marginSummary": summary,
            "crossMarginSummary": summary,
            "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": PLAY_MONEY_USDC,
            "assetPositions": [],
            "time": self._venue.now_ms,
        }

    def fees(self, request: AccountRequest) -> dict[str, Json]:
        """Hyperliquid's base tier."""
        return {
            "dailyUserVlm": [],
            "feeSchedule": {
                "cross": TAKER_FEE,
                "add": MAKER_FEE,
                "spotCross": SPOT_TAKER_FEE,
                "spotAdd": SPOT_MAKER_FEE,
                "tiers": {"vip": [], "mm": []},
                "referralDiscount": "0.0",
                "stakingDiscountTiers": [],
            },
            "userCrossRate": TAKER_FEE,
            "userAddRate": MAKER_FEE,
            "userSpotCrossRate": SPOT_TAKER_FEE,
            "userSpotAddRate": SPOT_MAKER_FEE,
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
        }

    def rate_limit(self, request: AccountRequest) -> dict[str, Json]:
        """The budget of actions of a fresh address."""
        return {
            "cumVlm": "0.0",
            "nRequestsUsed": 0,
            "nRequestsCap": FREE_ACTIONS,
            "nRequestsSurplus": 0,
        }
