"""Base classes of account subscriptions."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from advanced_mm.venue.engine.orders import AccountEvent
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.subscriptions.channels import Subscription, WithFields
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step

__all__ = ["EventsAlone", "StateChannel", "UserChannel"]

STATE_CADENCE_MS = 5_000  # interval of an account's state messages without events


class UserChannel(WithFields, Protocol):
    """One kind of subscription to an account."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the messages for a new subscriber."""
        ...

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return the messages for subscribers after events of the account."""
        ...

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the messages for subscribers after a step of the market."""
        ...


class EventsAlone:
    """A subscription that reports events only."""

    fields: ClassVar[tuple[str, ...]] = ("user",)

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return no messages."""
        return []

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return no messages."""
        return []


class StateChannel:
    """Margin and positions at an exchange, after every account event and periodically."""

    fields: ClassVar[tuple[str, ...]] = ("user", "dex")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the account's current state at an exchange."""
        user, dex = subscription.user, subscription.dex
        data = {"dex": dex, "user": user, "clearinghouseState": views.clearinghouse(user, dex)}
        return [{"channel": "clearinghouseState", "data": data}]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return the state after the events."""
        return self.on_subscribe(views, subscription)

    def on_step(self, views: AccountViews, subscription: Subscription, step: Step) -> list[Message]:
        """Return the state, if an update is due."""
        return self.on_subscribe(views, subscription) if step.crosses(STATE_CADENCE_MS) else []
