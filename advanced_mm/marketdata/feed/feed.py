"""Market data from the venue's websocket."""

import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata.feed.connection import StayConnected
from advanced_mm.marketdata.feed.policy import ConnectionSettings, Heard
from advanced_mm.marketdata.feed.steady_clock import SteadyClock
from advanced_mm.marketdata.feed.watchdog import Remedy, SilentChannel
from advanced_mm.marketdata.feed.web_socket import WebSocket
from advanced_mm.marketdata.feed.wire import (
    Acknowledged,
    Complaint,
    Data,
    DecodedRows,
    Pong,
    Unsound,
    read_frame,
)

__all__ = ["MAINNET_URL", "TESTNET_URL", "FeedListener", "HyperliquidFeed"]

logger = logging.getLogger(__name__)

MAINNET_URL: Final = "wss://api.hyperliquid.xyz/ws"
TESTNET_URL: Final = "wss://api.hyperliquid-testnet.xyz/ws"

_PING: Final = json.dumps({"method": "ping"})
_SUBSCRIPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "activeAssetCtx"},
    {"type": "trades"},
    {"type": "l2Book"},
    {"type": "l2Book", "fast": True},
    {"type": "bbo"},
)
"""Subscriptions for each coin. The touch comes last: once it has come, all are in force."""
MOST_SUBSCRIPTIONS: Final = 1000
"""The venue's limit for an address, over all of its connections."""
MOST_COINS: Final = MOST_SUBSCRIPTIONS // len(_SUBSCRIPTIONS)
_COIN: Final = re.compile(r'"coin"\s*:\s*"([^"]+)"')
_PASSING_ERRORS: Final = (
    "already subscribed",
    "already unsubscribed",
    "cannot send more",
    "cannot subscribe to more",
)
"""Prefixes of the venue's error messages that do not mean that a subscription is wrong."""
_CHANNELS_LOGGED: Final = 100
"""Garbage may name a new channel in each message."""
_UNSOUND: Final = "rows of a message made no sense"
_UNREADABLE: Final = "a message could not be read"
"""Reasons of gaps; what the messages said is in the log."""


class FeedListener(Protocol):
    """Receiver of the data, such as `Recorder`. Times are local, in seconds since the epoch."""

    def connected(self, received_s: float) -> None:
        """Note a new connection."""

    def disconnected(self, received_s: float, reason: str) -> None:
        """Note the end of the connection."""

    def take(self, rows: Sequence[DecodedRows], received_s: float) -> None:
        """Take the rows of a data message."""

    def damaged(self, coins: Collection[str] | None, reason: str) -> None:
        """Note that a message about these coins, or any coin if None, was of no use in part."""

    def subscribed(self, coin: str, received_s: float) -> None:
        """Note that all subscriptions of a coin are in force."""

    def refused(self, coin: str, received_s: float, complaint: str) -> None:
        """Note that the venue refuses a coin: it is unknown or no longer traded."""

    def look(self, now_s: float) -> Sequence[SilentChannel]:
        """Return the channels that need attention now."""


class HyperliquidFeed:
    """Subscribes to all channels of some coins, on one connection, and stays subscribed.

    A coin that the venue refuses is left out; the others go on. Each new connection asks for it
    again.

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
    clock : callable or None
        Local time, seconds since the epoch, that never goes back; by default a `SteadyClock`.
    bad_rows : BadRows or None
        Counts what is unsound in the messages.

    Raises
    ------
    InputError
        If the address is not a websocket address, or the coins need more subscriptions than the
        venue allows.
    """

    def __init__(
        self,
        url: str,
        coins: Iterable[str],
        listener: FeedListener,
        settings: ConnectionSettings | None = None,
        clock: Callable[[], float] | None = None,
        bad_rows: BadRows | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise InputError(f"address {url!r} is not a websocket address: use ws://… or wss://…")
        self.url = url
        self._coins = tuple(dict.fromkeys(coins))
        if len(self._coins) > MOST_COINS:
            raise InputError(
                f"{len(self._coins)} coins need {len(_SUBSCRIPTIONS) * len(self._coins)} "
                f"subscriptions, the venue allows an address {MOST_SUBSCRIPTIONS}: record at most "
                f"{MOST_COINS} coins, and the others from another address"
            )
        self._listener = listener
        self._settings = settings or ConnectionSettings()
        self._clock = clock or SteadyClock()
        self._bad_rows = BadRows() if bad_rows is None else bad_rows
        self._refused: set[str] = set()
        self._unacknowledged: dict[str, int] = {}
        self._ever_heard = False
        self._channels_logged: set[str] = set()

    async def run(self) -> None:
        """Feed the listener until cancelled; reconnect when the connection is lost.

        Raises
        ------
        VenueError
            If the venue refuses every coin and has never sent data.
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
        self._refused.clear()
        self._unacknowledged = dict.fromkeys(self._coins, len(_SUBSCRIPTIONS))
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
            if silent.coin in self._refused:
                continue
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

    def received(self, text: bytes | str) -> Heard:
        """Pass data on to the listener; log what is of no use.

        Raises
        ------
        VenueError
            If the venue now refuses every coin and has never sent data.
        """
        received_s = self._clock()
        frame = read_frame(text, self._bad_rows)
        if isinstance(frame, Data):
            if frame.dropped:
                self._listener.damaged({rows.coin for rows in frame.rows}, _UNSOUND)
            self._listener.take(frame.rows, received_s)
            if all(rows.kind == "contexts" for rows in frame.rows):
                return Heard.OTHER  # they keep coming when the market's channels have stopped
            self._ever_heard = True
            return Heard.DATA
        if isinstance(frame, Pong):
            return Heard.PONG
        if isinstance(frame, Acknowledged):
            self._acknowledged(frame, received_s)
        elif isinstance(frame, Complaint):
            self._complained(frame.text, received_s)
        elif isinstance(frame, Unsound):
            self._log_bad(frame.channel, frame.reason)
            named = _coins_named(text)
            if named or not frame.readable:  # it may have been about any coin
                self._listener.damaged(named or None, _UNREADABLE)
        return Heard.OTHER

    def _acknowledged(self, frame: Acknowledged, received_s: float) -> None:
        waits_for = self._unacknowledged.get(frame.coin, 0)
        if frame.begun and waits_for:
            self._unacknowledged[frame.coin] = waits_for - 1
            if waits_for == 1:
                self._listener.subscribed(frame.coin, received_s)

    def _complained(self, complaint: str, received_s: float) -> None:
        """Leave out the coin whose subscription the venue refuses, or just log the complaint."""
        named = {coin for coin in self._coins if f'"{coin}"' in complaint}
        if complaint.lower().startswith(_PASSING_ERRORS) or not named:
            logger.warning("the venue reported an error: %s", complaint)
            return
        for coin in sorted(named - self._refused):
            logger.warning(
                "%s: the venue at %s refuses the subscription (%s): it is unknown or no longer "
                "traded; the other coins go on",
                coin,
                self.url,
                complaint,
            )
            self._listener.refused(coin, received_s, complaint)
        self._refused |= named
        if self._refused >= set(self._coins) and not self._ever_heard:
            raise VenueError(
                f"the venue at {self.url} refuses the subscription to "
                f"{', '.join(sorted(self._refused))} ({complaint}): check the coin's name"
            )

    def _log_bad(self, channel: str, sentence: str) -> None:
        """Log a bad message: as a warning the first time for a channel, then for debugging."""
        known = channel in self._channels_logged or len(self._channels_logged) >= _CHANNELS_LOGGED
        level = logging.DEBUG if known else logging.WARNING
        if not known:
            self._channels_logged.add(channel)
        logger.log(level, "%s", sentence)


def _coins_named(frame: bytes | str) -> set[str]:
    """Return the coins that a frame names, even if it cannot be read."""
    text = frame.decode(errors="replace") if isinstance(frame, bytes) else frame
    return set(_COIN.findall(text))


def _request(method: str, subscription: Mapping[str, Any], coin: str) -> str:
    return json.dumps({"method": method, "subscription": {**subscription, "coin": coin}})
