"""Subscriptions to an account's orders, money and web page data."""

from collections.abc import Sequence
from typing import ClassVar

from advanced_mm.venue.engine.money import MoneyMoved
from advanced_mm.venue.engine.orders import AccountEvent, OrderEvent
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.money_messages import ledger_entry, spot_state
from advanced_mm.venue.protocol.messages.order_messages import order_entry
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.protocol.subscriptions.channels import Subscription
from advanced_mm.venue.protocol.subscriptions.time_step import Message
from advanced_mm.venue.protocol.subscriptions.user_channel import EventsAlone, StateChannel

__all__ = [
    "LedgerChannel",
    "NotificationChannel",
    "OpenOrdersChannel",
    "OrderHistoryChannel",
    "SpotStateChannel",
    "Web3DataChannel",
]


class OpenOrdersChannel(StateChannel):
    """The live orders at an exchange, after every account event and periodically."""

    fields: ClassVar[tuple[str, ...]] = ("user", "dex")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the live orders."""
        user, dex = subscription.user, subscription.dex
        data = {"dex": dex, "user": user, "orders": views.open_orders(user, dex)}
        return [{"channel": "openOrders", "data": data}]


class OrderHistoryChannel(EventsAlone):
    """Orders and their status changes; the first message is a snapshot of past orders."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the past orders, marked as a snapshot."""
        return [_orders(subscription, views.order_history(subscription.user), isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the changes."""
        orders: list[Json] = [
            order_entry(event.order, views.units[event.order.coin])
            for event in events
            if isinstance(event, OrderEvent)
        ]
        return [_orders(subscription, orders)] if orders else []


class LedgerChannel(EventsAlone):
    """Deposits, transfers and withdrawals; the first message is a snapshot of past ones."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the current ledger, marked as a snapshot."""
        return [_ledger(subscription, views.ledger(subscription.user), isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the new ledger entries."""
        lines: list[Json] = [ledger_entry(one) for one in events if isinstance(one, MoneyMoved)]
        return [_ledger(subscription, lines)] if lines else []


class SpotStateChannel(EventsAlone):
    """An account's spot balances."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """What it holds now."""
        user = subscription.user
        data = {"user": user, "spotState": spot_state(views.account(user))}
        return [{"channel": "spotState", "data": data}]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return the balances after money has moved."""
        moved = any(isinstance(event, MoneyMoved) for event in events)
        return self.on_subscribe(views, subscription) if moved else []


class Web3DataChannel(StateChannel):
    """The web page's data of an account that the other subscriptions do not include."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the current data; there are no vaults, and no coin is at a cap."""
        data = {
            "userState": {
                "agentAddress": None,
                "agentValidUntil": None,
                "cumLedger": "0.0",
                "serverTime": views.exchange.now_ms,
                "isVault": False,
                "user": subscription.user,
            },
            "perpDexStates": [
                {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}
                for _ in views.markets.venue.listing.dexs
            ],
        }
        return [{"channel": "webData3", "data": data}]


class NotificationChannel(EventsAlone):
    """Notifications of the venue's web page, of which there are none."""

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return no messages."""
        return []


def _orders(subscription: Subscription, orders: list[Json], **marks: bool) -> Message:
    data = {**marks, "user": subscription.user, "orderHistory": orders}
    return {"channel": "userHistoricalOrders", "data": data}


def _ledger(subscription: Subscription, lines: list[Json], **marks: bool) -> Message:
    data = {**marks, "user": subscription.user, "nonFundingLedgerUpdates": lines}
    return {"channel": "userNonFundingLedgerUpdates", "data": data}
