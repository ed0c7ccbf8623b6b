"""What can be subscribed to of an account, and the messages of each kind of subscription."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from advanced_mm.paper.account_views import AccountViews
from advanced_mm.paper.channels import Subscription, WithFields
from advanced_mm.paper.exchange.orders import (
    AccountEvent,
    Fill,
    FundingPayment,
    Liquidation,
    OrderEvent,
)
from advanced_mm.paper.order_messages import fill_data, funding_data, liquidation_data, order_update
from advanced_mm.paper.spot import SPOT_STATE
from advanced_mm.paper.step import Message, Step

__all__ = ["USER_CHANNELS", "UserChannel"]

STATE_CADENCE_MS = 5_000  # how often an account's value is told while nothing happens to it


class UserChannel(WithFields, Protocol):
    """One kind of subscription to an account."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """What a new subscriber gets at once."""
        ...

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """What subscribers get when something has happened to the account."""
        ...

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """What subscribers get after a step of the market."""
        ...


class EventsAlone:
    """A subscription that begins with nothing and tells of events alone."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Nothing."""
        return []

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """Nothing."""
        return []


class OrderUpdatesChannel(EventsAlone):
    """Every change of an order; those of one moment in one message."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """One message with the changes."""
        updates = [
            order_update(event, views.units[event.order.coin])
            for event in events
            if isinstance(event, OrderEvent)
        ]
        return [{"channel": "orderUpdates", "data": updates}] if updates else []


class UserFillsChannel(EventsAlone):
    """Fills; the first message holds those of the past."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """The newest fills there are, newest first, marked as a snapshot."""
        fills = views.fills(subscription.user)
        data = {"isSnapshot": True, "user": subscription.user, "fills": fills}
        return [{"channel": "userFills", "data": data}]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """One message with the fills."""
        fills = _fills(views, events)
        data = {"user": subscription.user, "fills": fills}
        return [{"channel": "userFills", "data": data}] if fills else []


class UserEventsChannel(EventsAlone):
    """Fills, funding, liquidations and what the venue itself cancels, on channel ``user``."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """One message for each kind, but one for each payment and liquidation."""
        told: list[Message] = []
        for event in events:
            if isinstance(event, FundingPayment):
                told.append({"funding": funding_data(event, views.units[event.coin])})
            elif isinstance(event, Liquidation):
                told.append({"liquidation": liquidation_data(event)})
        if fills := _fills(views, events):
            told.append({"fills": fills})
        orders = (event.order for event in events if isinstance(event, OrderEvent))
        if ended := [{"coin": one.coin, "oid": one.oid} for one in orders if one.status.by_venue]:
            told.append({"nonUserCancel": ended})
        return [{"channel": "user", "data": data} for data in told]


class UserFundingsChannel(EventsAlone):
    """Funding; the first message holds that of the past."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """The payments there are, marked as a snapshot."""
        payments = views.exchange.funding(subscription.user)
        data = [funding_data(one, views.units[one.coin]) for one in payments]
        return [_fundings(subscription, data, isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """One message with the payments."""
        data = [
            funding_data(event, views.units[event.coin])
            for event in events
            if isinstance(event, FundingPayment)
        ]
        return [_fundings(subscription, data)] if data else []


class StateChannel:
    """Margin and positions: when something happened to the account, and now and then."""

    fields: ClassVar[tuple[str, ...]] = ("user", "dex")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """The account as it stands at an exchange."""
        user, dex = subscription.user, subscription.dex
        data = {"dex": dex, "user": user, "clearinghouseState": views.clearinghouse(user, dex)}
        return [{"channel": "clearinghouseState", "data": data}]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """The account after them."""
        return self.on_subscribe(views, subscription)

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """The account, when its time has come."""
        return self.on_subscribe(views, subscription) if step.crosses(STATE_CADENCE_MS) else []


class AllStatesChannel(StateChannel):
    """Margin and positions at all exchanges."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """The account as it stands everywhere."""
        user = subscription.user
        data = {"user": user, "clearinghouseStates": views.states(user)}
        return [{"channel": "allDexsClearinghouseState", "data": data}]


class ActiveAssetDataChannel(StateChannel):
    """An account's leverage in a coin, and how much more it could trade of it."""

    fields: ClassVar[tuple[str, ...]] = ("user", "coin")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """The figures as they stand."""
        data = views.active_asset(subscription.user, subscription.coin)
        return [{"channel": "activeAssetData", "data": data}]


class WebDataChannel(StateChannel):
    """All that the venue's own page shows."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Everything as it stands."""
        return [{"channel": "webData2", "data": views.web_data(subscription.user)}]


class NothingEver(EventsAlone):
    """A subscription to what does not happen here: it begins with that."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Nothing."""
        return []


class LedgerChannel(NothingEver):
    """Deposits, withdrawals and the like."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """An empty snapshot."""
        user = subscription.user
        data = {"isSnapshot": True, "user": user, "nonFundingLedgerUpdates": []}
        return [{"channel": "userNonFundingLedgerUpdates", "data": data}]


class SpotStateChannel(NothingEver):
    """What an account holds on the spot market."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Nothing is held."""
        data = {"user": subscription.user, "spotState": SPOT_STATE}
        return [{"channel": "spotState", "data": data}]


USER_CHANNELS: dict[str, UserChannel] = {
    # In this order within a moment: an order is known before its fills are.
    "orderUpdates": OrderUpdatesChannel(),
    "userFills": UserFillsChannel(),
    "userEvents": UserEventsChannel(),
    "userFundings": UserFundingsChannel(),
    "clearinghouseState": StateChannel(),
    "allDexsClearinghouseState": AllStatesChannel(),
    "activeAssetData": ActiveAssetDataChannel(),
    "webData2": WebDataChannel(),
    "userNonFundingLedgerUpdates": LedgerChannel(),
    "spotState": SpotStateChannel(),
}


def _fills(views: AccountViews, events: Sequence[AccountEvent]) -> list[Message]:
    return [
        fill_data(event, views.units[event.coin]) for event in events if isinstance(event, Fill)
    ]


def _fundings(subscription: Subscription, data: Sequence[Message], **marks: bool) -> Message:
    return {
        "channel": "userFundings",
        "data": {**marks, "user": subscription.user, "fundings": data},
    }
