"""The websocket's account subscriptions, and the messages of each."""

from collections.abc import Sequence
from typing import ClassVar

from advanced_mm.venue.engine.orders import (
    AccountEvent,
    Fill,
    FundingPayment,
    Liquidation,
    OrderEvent,
)
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.fill_messages import fills_data
from advanced_mm.venue.protocol.messages.order_messages import (
    funding_data,
    liquidation_data,
    order_update,
)
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.protocol.subscriptions.channels import Subscription
from advanced_mm.venue.protocol.subscriptions.record_channels import (
    LedgerChannel,
    NotificationChannel,
    OpenOrdersChannel,
    OrderHistoryChannel,
    SpotStateChannel,
    Web3DataChannel,
)
from advanced_mm.venue.protocol.subscriptions.time_step import Message
from advanced_mm.venue.protocol.subscriptions.twap_channels import (
    TwapHistoryChannel,
    TwapPartsChannel,
    TwapStatesChannel,
    twap_events,
)
from advanced_mm.venue.protocol.subscriptions.user_channel import (
    EventsAlone,
    StateChannel,
    UserChannel,
)

__all__ = ["USER_CHANNELS", "UserChannel"]


class OrderUpdatesChannel(EventsAlone):
    """Every change of an order; simultaneous ones share a message."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the changes."""
        updates = [
            order_update(event, views.units[event.order.coin])
            for event in events
            if isinstance(event, OrderEvent)
        ]
        return [{"channel": "orderUpdates", "data": updates}] if updates else []


class UserFillsChannel(EventsAlone):
    """Fills; the first message is a snapshot of past ones."""

    fields: ClassVar[tuple[str, ...]] = ("user", "aggregateByTime")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the newest fills, newest first, marked as a snapshot."""
        fills = views.fills(subscription.user, subscription.aggregateByTime)
        data = {"isSnapshot": True, "user": subscription.user, "fills": fills}
        return [{"channel": "userFills", "data": data}]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the fills."""
        fills = _fills(views, events, subscription.aggregateByTime)
        data = {"user": subscription.user, "fills": fills}
        return [{"channel": "userFills", "data": data}] if fills else []


class UserEventsChannel(EventsAlone):
    """Fills, funding, liquidations, TWAPs and the venue's cancels, on channel ``user``."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message per kind of event, but one for each payment and liquidation."""
        reports: list[Message] = list(twap_events(views, events))
        for event in events:
            if isinstance(event, FundingPayment):
                reports.append({"funding": funding_data(event, views.units[event.coin])})
            elif isinstance(event, Liquidation):
                reports.append({"liquidation": liquidation_data(event)})
        if fills := _fills(views, events):
            reports.append({"fills": fills})
        orders = (event.order for event in events if isinstance(event, OrderEvent))
        if ended := [{"coin": one.coin, "oid": one.oid} for one in orders if one.status.by_venue]:
            reports.append({"nonUserCancel": ended})
        return [{"channel": "user", "data": data} for data in reports]


class UserFundingsChannel(EventsAlone):
    """Funding; the first message is a snapshot of past payments."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the past payments, marked as a snapshot."""
        payments = views.exchange.funding(subscription.user)
        data = [funding_data(one, views.units[one.coin]) for one in payments]
        return [_fundings(subscription, data, isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the payments."""
        data = [
            funding_data(event, views.units[event.coin])
            for event in events
            if isinstance(event, FundingPayment)
        ]
        return [_fundings(subscription, data)] if data else []


class AllStatesChannel(StateChannel):
    """Margin and positions at all exchanges."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the account's current state at all exchanges."""
        user = subscription.user
        data = {"user": user, "clearinghouseStates": views.states(user)}
        return [{"channel": "allDexsClearinghouseState", "data": data}]


class ActiveAssetDataChannel(StateChannel):
    """An account's leverage in a coin, and its capacity for further trades."""

    fields: ClassVar[tuple[str, ...]] = ("user", "coin")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the current figures."""
        data = views.active_asset(subscription.user, subscription.coin)
        return [{"channel": "activeAssetData", "data": data}]


class WebDataChannel(StateChannel):
    """The data of the venue's web page."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the current data."""
        return [{"channel": "webData2", "data": views.web_data(subscription.user)}]


USER_CHANNELS: dict[str, UserChannel] = {
    # In this order for simultaneous messages: an order is reported before its fills.
    "orderUpdates": OrderUpdatesChannel(),
    "userFills": UserFillsChannel(),
    "userEvents": UserEventsChannel(),
    "userFundings": UserFundingsChannel(),
    "clearinghouseState": StateChannel(),
    "allDexsClearinghouseState": AllStatesChannel(),
    "activeAssetData": ActiveAssetDataChannel(),
    "webData2": WebDataChannel(),
    "openOrders": OpenOrdersChannel(),
    "userHistoricalOrders": OrderHistoryChannel(),
    "twapStates": TwapStatesChannel(),
    "userTwapHistory": TwapHistoryChannel(),
    "userTwapSliceFills": TwapPartsChannel(),
    "userNonFundingLedgerUpdates": LedgerChannel(),
    "spotState": SpotStateChannel(),
    "webData3": Web3DataChannel(),
    "notification": NotificationChannel(),
}


def _fills(
    views: AccountViews, events: Sequence[AccountEvent], aggregate: bool = False
) -> list[Json]:
    fills = [event for event in events if isinstance(event, Fill)]
    return fills_data(fills, views.units, aggregate)


def _fundings(subscription: Subscription, data: Sequence[Message], **marks: bool) -> Message:
    return {
        "channel": "userFundings",
        "data": {**marks, "user": subscription.user, "fundings": data},
    }
