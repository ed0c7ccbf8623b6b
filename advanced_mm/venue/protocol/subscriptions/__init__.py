"""The websocket's subscriptions, and the messages of each."""

from advanced_mm.venue.protocol.subscriptions.channels import (
    CHANNELS,
    Channel,
    InvalidSubscriptionError,
    Subscription,
)
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step
from advanced_mm.venue.protocol.subscriptions.user_channels import USER_CHANNELS

__all__ = [
    "CHANNELS",
    "USER_CHANNELS",
    "Channel",
    "InvalidSubscriptionError",
    "Message",
    "Step",
    "Subscription",
]
