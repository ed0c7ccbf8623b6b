"""Reconnect policy, independent of venue and network library.

A connection is reopened whenever it ends, with exponential backoff, jitter and a cap; the delay
starts over once data arrive. A socket can be open and silent, so the timeout watches for data, not
for a live socket: pings keep the connection open and detect a dead peer, but do not count as data.
"""

import asyncio
import enum
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, NoReturn, Protocol

from advanced_mm.errors import InputError

__all__ = ["Backoff", "ConnectionSettings", "Heard", "Listener", "StayConnected", "Transport"]

logger = logging.getLogger(__name__)

LONGEST_PING_SECONDS: Final = 50.0
"""The venue closes a connection that has been idle for 60 s."""


class Heard(enum.Enum):
    """Kind of a received message."""

    DATA = enum.auto()
    PONG = enum.auto()
    OTHER = enum.auto()


class Transport(Protocol):
    """An open connection. Its methods raise ConnectionError once it has ended."""

    async def send(self, text: str) -> None:
        """Send one message."""

    async def receive(self) -> str:
        """Wait for one message; cancelling the wait loses none."""

    async def close(self) -> None:
        """Close the connection without raising."""


class Listener(Protocol):
    """User of the connection. An error raised by a method ends `StayConnected.run`."""

    def opened(self) -> Sequence[str]:
        """Note a new connection and return the messages to send first, the subscriptions."""

    def received(self, text: str) -> Heard:
        """Process one message and return its kind."""

    def look(self) -> Sequence[str]:
        """Return messages to send now; called every ``look_seconds``. An OSError reconnects."""

    def closed(self, reason: str) -> None:
        """Note the end of an open connection."""


@dataclass(frozen=True)
class ConnectionSettings:
    """Times of the reconnect policy, all in seconds and positive.

    Attributes
    ----------
    first_delay_seconds, longest_delay_seconds : float
        Backoff before the first retry and its cap, before jitter. The venue allows 30 new
        connections a minute.
    open_timeout_seconds : float
        Time allowed for opening a connection.
    silence_seconds : float
        A connection without data for this long is dropped.
    ping_seconds, pong_seconds : float
        Interval between pings, at most 50, and the time allowed for an answer.
    look_seconds : float
        Interval between calls of the listener's ``look``.
    """

    first_delay_seconds: float = 2.0
    longest_delay_seconds: float = 30.0
    open_timeout_seconds: float = 10.0
    silence_seconds: float = 15.0
    ping_seconds: float = 30.0
    pong_seconds: float = 10.0
    look_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value < float("inf"):
                raise InputError(f"{field.name} is {value!r}, must be a positive number of seconds")
        if self.ping_seconds > LONGEST_PING_SECONDS:
            raise InputError(
                f"ping_seconds is {self.ping_seconds!r}, must be at most {LONGEST_PING_SECONDS:g}: "
                "the venue closes idle connections"
            )


class Backoff:
    """Delays that double up to a cap, each lengthened at random by up to half.

    Parameters
    ----------
    first_seconds, longest_seconds : float
        First delay and cap, before jitter.
    rng : random.Random
        Source of the jitter, which keeps many clients from reconnecting at once.
    """

    def __init__(self, first_seconds: float, longest_seconds: float, rng: random.Random) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._rng = rng
        self._next = first_seconds

    def next_delay(self) -> float:
        """Return the delay (seconds) before the next attempt."""
        delay = min(self._next, self._longest)
        self._next = 2.0 * delay
        return delay * self._rng.uniform(1.0, 1.5)

    def reset(self) -> None:
        """Start over after a success."""
        self._next = self._first


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
        self._settings = settings
        self._backoff = Backoff(
            settings.first_delay_seconds, settings.longest_delay_seconds, rng or random.Random()
        )

    async def run(self) -> NoReturn:
        """Connect and reconnect until cancelled.

        Raises
        ------
        Exception
            Any exception of the listener, unchanged.
        """
        while True:
            try:
                async with asyncio.timeout(self._settings.open_timeout_seconds):
                    transport = await self._open()
            except OSError as error:  # includes TimeoutError
                reason = str(error) or "no answer in time"
                logger.warning("cannot connect: %s", reason)
            else:
                await self._serve(transport)
            delay = self._backoff.next_delay()
            logger.info("reconnecting in %.1f s", delay)
            await asyncio.sleep(delay)

    async def _serve(self, transport: Transport) -> None:
        """Use one connection until it ends."""
        reason = "stopped"
        try:
            for text in self._listener.opened():
                await transport.send(text)
            await self._listen(transport)
        except OSError as error:
            reason = str(error) or type(error).__name__
            logger.warning("disconnected: %s", reason)
        finally:
            self._listener.closed(reason)
            await transport.close()

    async def _listen(self, transport: Transport) -> NoReturn:
        """Receive, ping and watch for silence; the connection's end is always an OSError."""
        times, now = self._settings, asyncio.get_running_loop().time
        silent_at = now() + times.silence_seconds
        ping_at, look_at = now() + times.ping_seconds, now() + times.look_seconds
        pong_at = float("inf")
        while True:
            text: str | None = None
            try:
                async with asyncio.timeout_at(min(silent_at, ping_at, pong_at, look_at)):
                    text = await transport.receive()
            except TimeoutError:
                pass  # one of the deadlines below
            heard = Heard.OTHER if text is None else self._listener.received(text)
            if heard is Heard.DATA:
                silent_at = now() + times.silence_seconds
                self._backoff.reset()
            elif heard is Heard.PONG:
                pong_at = float("inf")
            if now() >= silent_at:
                raise TimeoutError(f"no data for {times.silence_seconds:g} s")
            if now() >= pong_at:
                raise TimeoutError(f"no answer to a ping for {times.pong_seconds:g} s")
            if now() >= look_at:
                for wanted in self._listener.look():
                    await transport.send(wanted)
                look_at = now() + times.look_seconds
            if now() >= ping_at:
                await transport.send(self._ping)
                ping_at = now() + times.ping_seconds
                pong_at = min(pong_at, now() + times.pong_seconds)
