"""The account request types of /info.

A queried address has an account with play money from then on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from advanced_mm.markets.units import micros_text
from advanced_mm.venue.protocol.actions.signers import Signers
from advanced_mm.venue.protocol.info.forms import AccountRequest, DexRequest, UserAddress
from advanced_mm.venue.protocol.info_routing import Route, UnknownCoinError
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.money_messages import spot_state
from advanced_mm.venue.protocol.messages.order_messages import order_data, order_entry
from advanced_mm.venue.protocol.messages.wire_views import Json, decimal_text

__all__ = ["AccountInfo", "opening"]

SPOT_MAKER_FEE = "0.0004"
SPOT_TAKER_FEE = "0.0007"
FREE_ACTIONS = 10_000  # requests of an address that has not traded yet


class OrderStatusRequest(AccountRequest):
    """An order by number or client order id ("0x" and 32 hexadecimal digits)."""

    oid: int | str


class CoinRequest(AccountRequest):
    """An address and a coin."""

    coin: str


class BuilderRequest(AccountRequest):
    """An address and a builder."""

    builder: UserAddress


class AccountInfo:
    """Answers account requests.

    Parameters
    ----------
    views
        The accounts in wire format.
    signers
        Agents and builders that accounts have approved.
    """

    def __init__(self, views: AccountViews, signers: Signers) -> None:
        self._views = views
        self._exchange = views.exchange
        self._signers = signers

    def routes(self) -> dict[str, Route[Any]]:
        """Return the routes by request type."""
        return {
            "clearinghouseState": self._of_dex(self._views.clearinghouse),
            "spotClearinghouseState": Route(
                AccountRequest, lambda request: spot_state(self._views.account(request.user))
            ),
            "openOrders": self._of_dex(self.open_orders),
            "frontendOpenOrders": self._of_dex(self._views.open_orders),
            "webData2": Route(AccountRequest, lambda request: self._views.web_data(request.user)),
            "orderStatus": Route(OrderStatusRequest, self.order_status),
            "activeAssetData": Route(CoinRequest, self.active_asset),
            "userAbstraction": Route(AccountRequest, self.abstraction),
            "userDexAbstraction": Route(
                AccountRequest, lambda request: self._views.account(request.user).dex_abstraction
            ),
            "userFees": Route(AccountRequest, self.fees),
            "userRateLimit": Route(AccountRequest, self.rate_limit),
            "subAccounts": Route(AccountRequest, self.sub_accounts),
            "subAccounts2": Route(AccountRequest, self.sub_accounts_everywhere),
            "userRole": Route(AccountRequest, self.role),
            "extraAgents": Route(AccountRequest, self.agents),
            "maxBuilderFee": Route(BuilderRequest, self.max_builder_fee),
            "approvedBuilders": Route(AccountRequest, self.builders),
        }

    def open_orders(self, user: str, dex: str) -> list[Json]:
        """Return the live orders at an exchange in short form, newest first."""
        orders = self._views.live_orders(user, dex)
        return [order_data(one, self._views.units[one.coin]) for one in orders]

    def order_status(self, request: OrderStatusRequest) -> dict[str, Json]:
        """Return an order's status."""
        key = request.oid.lower() if isinstance(request.oid, str) else request.oid
        order = self._exchange.order(request.user, key)
        if order is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": order_entry(order, self._views.units[order.coin])}

    def active_asset(self, request: CoinRequest) -> dict[str, Json]:
        """Return leverage and capacity in a coin."""
        if request.coin not in self._views.units:
            raise UnknownCoinError(request.coin)
        return self._views.active_asset(request.user, request.coin)

    def abstraction(self, request: AccountRequest) -> str:
        """Return the abstraction mode: never set, disabled or DEX abstraction."""
        words = {None: "default", False: "disabled", True: "dexAbstraction"}
        return words[self._views.account(request.user).dex_abstraction]

    def fees(self, request: AccountRequest) -> dict[str, Json]:
        """Return the venue's fee rates, which are the same for everybody."""
        rules = self._exchange.rules
        maker, taker = decimal_text(float(rules.maker_fee)), decimal_text(float(rules.taker_fee))
        return {
            "dailyUserVlm": [],
            "feeSchedule": {
                "cross": taker,
                "add": maker,
                "spotCross": SPOT_TAKER_FEE,
                "spotAdd": SPOT_MAKER_FEE,
                "tiers": {"vip": [], "mm": []},
                "referralDiscount": "0.0",
                "stakingDiscountTiers": [],
            },
            "userCrossRate": taker,
            "userAddRate": maker,
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
        """Return the request budget: a free allowance plus one request per USDC traded."""
        account = self._views.account(request.user)
        beyond_reserved = account.requests_used - account.requests_reserved
        return {
            "cumVlm": micros_text(account.volume),
            "nRequestsUsed": max(0, beyond_reserved),
            "nRequestsCap": FREE_ACTIONS + account.volume // 1_000_000,
            "nRequestsSurplus": max(0, -beyond_reserved),
        }

    def sub_accounts(self, request: AccountRequest) -> list[Json] | None:
        """Return an account's sub-accounts and their state; null if it has none."""
        return [
            {
                **self._sub_account(request.user, address),
                "clearinghouseState": self._views.clearinghouse(address),
            }
            for address in self._exchange.accounts.subs(request.user)
        ] or None

    def sub_accounts_everywhere(self, request: AccountRequest) -> list[Json] | None:
        """Return the sub-accounts and their state at every exchange; null if there are none."""
        return [
            {
                **self._sub_account(request.user, address),
                "dexToClearinghouseState": self._views.states(address),
            }
            for address in self._exchange.accounts.subs(request.user)
        ] or None

    def _sub_account(self, master: str, address: str) -> dict[str, Json]:
        account = self._views.account(address)
        return {
            "name": account.name,
            "subAccountUser": address,
            "master": master,
            "spotState": spot_state(account),
        }

    def role(self, request: AccountRequest) -> dict[str, Json]:
        """Return whether an address is an owner's, a sub-account's or an agent's."""
        agent = self._signers.agents.get(request.user)
        if agent is not None:
            return {"role": "agent", "data": {"user": agent.owner}}
        master = self._exchange.accounts.master_of(request.user)
        if master is not None:
            return {"role": "subAccount", "data": {"master": master}}
        return {"role": "user"}

    def agents(self, request: AccountRequest) -> list[Json]:
        """Return the named agents that an owner has approved."""
        return [
            {"name": agent.name, "address": address, "validUntil": agent.valid_until}
            for address, agent in self._signers.agents.items()
            if agent.owner == request.user and agent.name
        ]

    def max_builder_fee(self, request: BuilderRequest) -> int:
        """Return a builder's maximum fee, tenths of a basis point."""
        return self._signers.builders.get((request.user, request.builder), 0)

    def builders(self, request: AccountRequest) -> list[Json]:
        """Return the builders with an approved fee above zero."""
        approved = self._signers.builders.items()
        return [builder for (user, builder), tenths in approved if user == request.user and tenths]

    def _of_dex(self, answer: Callable[[str, str], Json]) -> Route[DexRequest]:
        """Return a route that answers null for an unknown exchange."""
        dexs = self._views.markets.venue.listing.dexs
        return Route(
            DexRequest,
            lambda request: answer(request.user, request.dex) if request.dex in dexs else None,
        )


def opening(views: AccountViews, routes: Mapping[str, Route[Any]]) -> dict[str, Route[Any]]:
    """Return the routes, changed to look up the address's account before answering."""

    def opened(route: Route[Any]) -> Route[Any]:
        def answer(request: Any) -> Json:
            views.account(request.user)
            return route.answer(request)

        return Route(route.form, answer)

    return {name: opened(route) for name, route in routes.items()}
