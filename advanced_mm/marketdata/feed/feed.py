"""Market data from the venue's websocket."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata.feed.connection import ConnectionSettings, Heard, StayConnected
from advanced_mm.marketdata.feed.watchdog import Remedy, SilentChannel
from advanced_mm.marketdata.feed.web_socket import WebSocket
from advanced_mm.marketdata.feed.wire import DATA_CHANNELS

__all__ = ["MAINNET_URL", "TESTNET_URL", "FeedListener", "HyperliquidFeed"]

logger = logging.getLogger(__name__)

MAINNET_URL: Final = "wss://api.hyperliquid.xyz/ws"
TESTNET_URL: Final = "wss://api.hyperliquid-testnet.xyz/ws"

_PING: Final = json.dumps({"method": "ping"})
_SUBSCRIPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "bbo"},
    {"type": "trades"},
    {"type": "l2Book"},
    {"type": "l2Book", "fast": True},
)
"""Subscriptions for each coin."""
_PASSING_ERRORS: Final = (
    "already subscribed",
    "already unsubscribed",
    "cannot send more",
    "cannot subscribe to more",
)
"""Prefixes of the venue's error messages that do not mean that a subscription is wrong."""


class FeedListener(Protocol):
    """Receiver of the data, such as `Recorder`. Times are local, in seconds since the epoch."""

    def connected(self, received_s: float) -> None:
        """Note a new connection."""

    def disconnected(self, received_s: float, reason: str) -> None:
        """Note the end of the connection."""

    def handle(self, message: Mapping[str, Any], received_s: float) -> None:
        """Process a data message; raise VenueError if it is malformed."""

    def look(self, now_s: float) -> Sequence[SilentChannel]:
        """Return the channels that need attention now."""


class HyperliquidFeed:
    """Subscribes to bbo, trades and both l2Book cadences of some coins and stays subscribed.

    Parameters
    ----------
    url : str
        ``ws://`` or ``wss://`` address of the venue's websocket.
    coins : iterable of str
        Names as the venue spells them.
    listener : FeedListener
        Gets the data.
    settings : ConnectionSettings
        Times of the reconnect policy.
    clock : callable
        Local time, seconds since the epoch.

    Raises
    ------
    InputError
        If the address is not a websocket address.
    """

    def __init__(
        self,
        url: str,
        coins: Iterable[str],
        listener: FeedListener,
        settings: ConnectionSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise InputError(f"address {url!r} is not a websocket address: use ws://… or wss://…")
        self.url = url
        self._coins = tuple(dict.fromkeys(coins))
        self._listener = listener
        self._settings = settings or ConnectionSettings()
        self._clock = clock
        self._coins_heard: set[str] = set()
        self._channels_logged: set[str] = set()

    async def run(self) -> None:
        """Feed the listener until cancelled; reconnect when the connection is lost.

        Raises
        ------
        VenueError
            If the venue refuses a subscription, for example to an unknown coin.
        """
        async with aiohttp.ClientSession() as session:

            async def open_socket() -> WebSocket:
                return await WebSocket.open(session, self.url)

            logger.info("recording %s from %s", ", ".join(self._coins), self.url)
            await StayConnected(open_socket, self, _PING, self._settings).run()

    def opened(self) -> Sequence[str]:
        """Notify the listener and return the subscriptions."""
        self._listener.connected(self._clock())
        logger.info("connected to %s", self.url)
        return [
            _request("subscribe", subscription, coin)
            for coin in self._coins
            for subscription in _SUBSCRIPTIONS
        ]

    def look(self) -> Sequence[str]:
        """Return the requests that resubscribe silent channels.

        Raises
        ------
        ConnectionError
            If resubscribing did not help a channel, so a new connection must be tried.
        """
        texts: list[str] = []
        for silent in self._listener.look(self._clock()):
            if silent.remedy is Remedy.RECONNECT:
                raise ConnectionError(f"{silent}, resubscribing did not help")
            if silent.remedy is Remedy.SUBSCRIBE:
                texts += [
                    _request(method, subscription, silent.coin)
                    for subscription in _SUBSCRIPTIONS
                    if subscription["type"] == silent.channel
                    for method in ("unsubscribe", "subscribe")
                ]
        return texts

    def closed(self, reason: str) -> None:
        """Notify the listener."""
        self._listener.disconnected(self._clock(), reason)

    def received(self, text: str) -> Heard:
        """Pass data on to the listener; log and drop unreadable and unknown messages.

        Raises
        ------
        VenueError
            If the message refuses a subscription.
        """
        received_s = self._clock()
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._log_bad("(unreadable)", f"the venue sent an unreadable message: {text[:80]!r}")
            return Heard.OTHER
        channel = message.get("channel")
        if channel == "pong":
            return Heard.PONG
        if channel == "error":
            self._refused(str(message.get("data")))
        elif channel in DATA_CHANNELS:
            return self._pass_on(message, channel, received_s)
        elif channel != "subscriptionResponse":
            self._log_bad(str(channel), f"the venue sent a message on unknown channel {channel!r}")
        return Heard.OTHER

    def _pass_on(self, message: Mapping[str, Any], channel: str, received_s: float) -> Heard:
        try:
            self._listener.handle(message, received_s)
        except VenueError as error:
            self._log_bad(channel, str(error))
            return Heard.OTHER
        data = message["data"]
        for item in data if isinstance(data, list) else [data]:
            coin = item.get("coin") if isinstance(item, dict) else None
            if isinstance(coin, str):  # one of several prints may be anything
                self._coins_heard.add(coin)
        return Heard.DATA

    def _refused(self, complaint: str) -> None:
        """Raise if the error concerns a subscription, unless its coin has already sent data."""
        named = [coin for coin in self._coins if f'"{coin}"' in complaint]
        suspects = set(named or self._coins) - self._coins_heard
        if not suspects or complaint.lower().startswith(_PASSING_ERRORS):
            logger.warning("the venue reported an error: %s", complaint)
            return
        raise VenueError(
            f"the venue at {self.url} refuses the subscription to "
            f"{', '.join(sorted(suspects))} ({complaint}): check the coin's name"
        )

    def _log_bad(self, channel: str, sentence: str) -> None:
        """Log a bad message: as a warning the first time for a channel, then for debugging."""
        level = logging.DEBUG if channel in self._channels_logged else logging.WARNING
        self._channels_logged.add(channel)
        logger.log(level, "%s", sentence)


def _request(method: str, subscription: Mapping[str, Any], coin: str) -> str:
    return json.dumps({"method": method, "subscription": {**subscription, "coin": coin}})
