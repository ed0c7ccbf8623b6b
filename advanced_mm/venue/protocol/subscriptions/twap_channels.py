"""Subscriptions to an account's TWAPs."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from advanced_mm.venue.engine.orders import AccountEvent, Fill
from advanced_mm.venue.engine.twap_orders import TwapEvent
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.twap_messages import part_data, twap_entry
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.protocol.subscriptions.channels import Subscription
from advanced_mm.venue.protocol.subscriptions.time_step import Message
from advanced_mm.venue.protocol.subscriptions.user_channel import EventsAlone, StateChannel

__all__ = ["TwapHistoryChannel", "TwapPartsChannel", "TwapStatesChannel", "twap_events"]


def twap_events(views: AccountViews, events: Sequence[AccountEvent]) -> Iterator[Message]:
    """Yield the TWAP part of ``userEvents``: one message for changes, one for fills."""
    if history := _changes(views, events):
        yield {"twapHistory": history}
    if parts := _parts(views, events):
        yield {"twapSliceFills": parts}


class TwapStatesChannel(StateChannel):
    """The active TWAPs at an exchange."""

    fields: ClassVar[tuple[str, ...]] = ("user", "dex")

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the active TWAPs."""
        user, dex = subscription.user, subscription.dex
        data = {"dex": dex, "user": user, "states": views.twap_states(user, dex)}
        return [{"channel": "twapStates", "data": data}]


class TwapHistoryChannel(EventsAlone):
    """Status changes of TWAPs; the first message is a snapshot of past ones."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the past changes, marked as a snapshot."""
        return [_history(subscription, views.twap_history(subscription.user), isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the changes."""
        changes = _changes(views, events)
        return [_history(subscription, changes)] if changes else []


class TwapPartsChannel(EventsAlone):
    """Fills of parts of TWAPs; the first message is a snapshot of past ones."""

    def on_subscribe(self, views: AccountViews, subscription: Subscription) -> list[Message]:
        """Return the past fills, marked as a snapshot."""
        return [_part_fills(subscription, views.twap_parts(subscription.user), isSnapshot=True)]

    def on_events(
        self, views: AccountViews, subscription: Subscription, events: Sequence[AccountEvent]
    ) -> list[Message]:
        """Return one message with the fills."""
        parts = _parts(views, events)
        return [_part_fills(subscription, parts)] if parts else []


def _changes(views: AccountViews, events: Sequence[AccountEvent]) -> list[Json]:
    changes = (event for event in events if isinstance(event, TwapEvent))
    return [twap_entry(one, views.units[one.twap.coin]) for one in changes]


def _parts(views: AccountViews, events: Sequence[AccountEvent]) -> list[Json]:
    fills = (event for event in events if isinstance(event, Fill))
    return [part_data(one, views.units[one.coin]) for one in fills if one.twap_id is not None]


def _history(subscription: Subscription, history: list[Json], **marks: bool) -> Message:
    data = {**marks, "user": subscription.user, "history": history}
    return {"channel": "userTwapHistory", "data": data}


def _part_fills(subscription: Subscription, parts: list[Json], **marks: bool) -> Message:
    data = {**marks, "user": subscription.user, "twapSliceFills": parts}
    return {"channel": "userTwapSliceFills", "data": data}
