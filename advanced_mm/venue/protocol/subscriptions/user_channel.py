"""What every subscription to an account is made of."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from advanced_mm.venue.engine.orders import AccountEvent
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.subscriptions.channels import Subscription, WithFields
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step

__all__ = ["EventsAlone", "StateChannel", "UserChannel"]

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
