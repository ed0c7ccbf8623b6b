"""Keeping one connection open, independent of venue and network library.

All decisions are those of `policy.ConnectionPolicy`; this module carries them out.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

from advanced_mm.marketdata.feed.policy import (
    Backoff,
    ConnectionPolicy,
    ConnectionSettings,
    Heard,
)

__all__ = ["Backoff", "ConnectionSettings", "Heard", "Listener", "StayConnected", "Transport"]

logger = logging.getLogger(__name__)


class Transport(Protocol):
    """An open connection. Its methods raise ConnectionError once it has ended."""

    async def send(self, text: str) -> None:
        """Send one message."""

    async def receive(self) -> bytes | str:
        """Wait for one message; cancelling the wait loses none."""

    async def close(self) -> None:
        """Close the connection without raising."""


class Listener(Protocol):
    """User of the connection. An error raised by a method ends `StayConnected.run`."""

    def opened(self) -> Sequence[str]:
        """Note a new connection and return the messages to send first, the subscriptions."""

    def received(self, text: bytes | str) -> Heard:
        """Process one message and return its kind."""

    def look(self) -> Sequence[str]:
        """Return messages to send now; called every ``look_seconds``. An OSError reconnects."""

    def closed(self, reason: str) -> None:
        """Note the end of an open connection."""


class StayConnected:
    """Keeps one connection open for a listener.

    Parameters
    ----------
    open_transport : callable
        Opens a new connection; raises OSError on failure.
    listener : Listener
        Receives the messages and is notified of the connection's start and end.
    ping : str
        Message sent as ping.
    settings : ConnectionSettings
        Times of the reconnect policy.
    rng : random.Random or None
        Source of the jitter.
    """

    def __init__(
        self,
        open_transport: Callable[[], Awaitable[Transport]],
        listener: Listener,
        ping: str,
        settings: ConnectionSettings,
        rng: random.Random | None = None,
    ) -> None:
        self._open = open_transport
        self._listener = listener
        self._ping = ping
        self._open_timeout = settings.open_timeout_seconds
        self._policy = ConnectionPolicy(settings, rng or random.Random())
        self._unsent: deque[str] = deque()

    async def run(self) -> NoReturn:
        """Connect and reconnect until cancelled.

        Raises
        ------
        Exception
            Any exception of the listener, unchanged.
        """
        now = asyncio.get_running_loop().time
        while True:
            self._policy.attempted(now())
            try:
                async with asyncio.timeout(self._open_timeout):
                    transport = await self._open()
            except OSError as error:  # includes TimeoutError
                reason = str(error) or "no answer in time"
                logger.warning("cannot connect: %s", reason)
            else:
                await self._serve(transport)
            delay = self._policy.wait(now())
            logger.info("reconnecting in %.1f s", delay)
            await asyncio.sleep(delay)

    async def _serve(self, transport: Transport) -> None:
        """Use one connection until it ends."""
        reason = "stopped"
        try:
            self._policy.opened(asyncio.get_running_loop().time())
            self._unsent = deque(self._listener.opened())
            await self._listen(transport)
        except OSError as error:
            reason = str(error) or type(error).__name__
            logger.warning("disconnected: %s", reason)
        finally:
            self._listener.closed(reason)
            await transport.close()

    async def _listen(self, transport: Transport) -> NoReturn:
        """Receive, send what is due and watch; the connection's end is always an OSError."""
        policy, received, now = (
            self._policy,
            self._listener.received,
            asyncio.get_running_loop().time,
        )
        while True:
            await self._send(transport)
            wake_at = policy.wake_at(bool(self._unsent))
            try:
                async with asyncio.timeout_at(wake_at):
                    while now() < wake_at:
                        heard = received(await transport.receive())
                        policy.heard(heard, now())
            except TimeoutError:
                pass  # one of the decisions is due
            fault = policy.fault(now())
            if fault is not None:
                raise TimeoutError(fault)

    async def _send(self, transport: Transport) -> None:
        """Send what is due now and may be sent."""
        policy, now = self._policy, asyncio.get_running_loop().time
        if policy.look_due(now()):
            self._unsent += self._listener.look()
        if policy.ping_due(now()):
            policy.may_send(now())  # counts it; without it the venue would close the connection
            await transport.send(self._ping)
        while self._unsent and policy.may_send(now()):
            await transport.send(self._unsent.popleft())
