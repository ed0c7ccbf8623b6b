"""Staying connected: the whole reconnect policy, free of venue and library.

A connection is opened again after every end, with exponential backoff, jitter and a cap; the delay
starts over once data has come. A socket can be open and silent, so the watchdog listens for data,
not for life: pings keep the connection open and find a dead peer, but do not count as data.
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
"""The venue closes a connection that was idle for 60 s."""


class Heard(enum.Enum):
    """What a received message was."""

    DATA = enum.auto()
    PONG = enum.auto()
    OTHER = enum.auto()


class Transport(Protocol):
    """An open connection. Its methods raise ConnectionError once it has ended."""

    async def send(self, text: str) -> None:
        """Send one message."""

    async def receive(self) -> str:
        """Wait for one message; a cancelled wait loses none."""

    async def close(self) -> None:
        """Close, raising nothing."""


class Listener(Protocol):
    """Who uses the connection. An error raised by a method ends `StayConnected.run`."""

    def opened(self) -> Sequence[str]:
        """Note a new connection and return what to send first, the subscriptions."""

    def received(self, text: str) -> Heard:
        """Take one message and say what it was."""

    def look(self) -> Sequence[str]:
        """Return what to send now; asked every ``look_seconds``. An OSError gives it up."""

    def closed(self, reason: str) -> None:
        """Note the end of a connection that was opened."""


@dataclass(frozen=True)
class ConnectionSettings:
    """Times of the reconnect policy, all in seconds and positive.

    Attributes
    ----------
    first_delay_seconds, longest_delay_seconds : float
        Backoff before the first retry and its cap, before jitter. The venue allows 30 new
        connections a minute.
    open_timeout_seconds : float
        How long opening may take.
    silence_seconds : float
        Without data for so long the connection is given up.
    ping_seconds, pong_seconds : float
        A ping goes out that often, at most 50; its answer is due within ``pong_seconds``.
    look_seconds : float
        How often the listener is asked whether it misses anything.
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
                raise InputError(f"{field.name} is {value!r}: give a positive number of seconds")
        if self.ping_seconds > LONGEST_PING_SECONDS:
            raise InputError(
                f"ping_seconds is {self.ping_seconds!r}: the venue closes idle connections, "
                f"give at most {LONGEST_PING_SECONDS:g}"
            )


class Backoff:
    """Delays that double up to a cap, each lengthened by up to half at random.

    Parameters
    ----------
    first_seconds, longest_seconds : float
        First delay and cap, before the random part.
    rng : random.Random
        Source of the jitter, so that many clients do not return at once.
    """

    def __init__(self, first_seconds: float, longest_seconds: float, rng: random.Random) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._rng = rng
        self._next = first_seconds

    def next_delay(self) -> float:
        """Return the delay (seconds) before the next try."""
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
        Opens a new connection; raises OSError if it cannot.
    listener : Listener
        Gets the messages and the news of the connection.
    ping : str
        The message to send as ping.
    settings : ConnectionSettings
        The times.
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
        """Connect again and again until cancelled.

        Raises
        ------
        Exception
            What the listener raises, as it is.
        """
        while True:
            try:
                async with asyncio.timeout(self._settings.open_timeout_seconds):
                    transport = await self._open()
            except OSError as error:  # TimeoutError is one
                reason = str(error) or "no answer in time"
                logger.warning("cannot connect: %s", reason)
            else:
                await self._serve(transport)
            delay = self._backoff.next_delay()
            logger.info("connecting again in %.1f s", delay)
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
        """Receive, ping and watch; every end of the connection is an OSError."""
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
