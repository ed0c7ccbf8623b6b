"""When to connect, ping, send and give up: the decisions of one connection. No I/O and no clock.

- Whatever ends a connection, the next attempt waits a random part of a delay that doubles up to a
  cap (full jitter): clients that lost the venue together return spread out.
- The delay starts over once data arrived; a connection that merely opened proves nothing.
- A minute sees no more attempts and no more messages than the venue allows an address.
- A connection is given up without data for too long, or if a ping is not answered. Pongs are not
  data: a socket can be open, answer pings and carry nothing.
"""

import enum
import random
from collections import deque
from dataclasses import dataclass, fields
from math import inf
from typing import Final

from advanced_mm.errors import InputError

__all__ = ["Backoff", "ConnectionPolicy", "ConnectionSettings", "Heard"]

LONGEST_PING_SECONDS: Final = 50.0
"""The venue closes a connection that has been idle for 60 s."""
MINUTE_SECONDS: Final = 60.0
MESSAGES_AT_ONCE: Final = 900
MESSAGES_A_SECOND: Final = 15.0
"""At most 900 + 60 · 15 = 1800 messages in any minute; the venue allows 2000 an address."""


class Heard(enum.Enum):
    """Kind of a received message."""

    DATA = enum.auto()
    PONG = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True)
class ConnectionSettings:
    """Times of the reconnect policy, all in seconds and positive.

    Attributes
    ----------
    first_delay_seconds, longest_delay_seconds : float
        Longest wait before the first retry, and the cap to which it doubles.
    open_timeout_seconds : float
        Time allowed for opening a connection.
    silence_seconds : float
        A connection without data for this long is dropped.
    ping_seconds, pong_seconds : float
        Interval between pings, at most 50, and the time allowed for an answer.
    look_seconds : float
        Interval between calls of the listener's ``look``.
    connections_a_minute : int
        Most attempts in any minute; the venue allows an address 30, which the bots share.
    """

    first_delay_seconds: float = 2.0
    longest_delay_seconds: float = 30.0
    open_timeout_seconds: float = 10.0
    silence_seconds: float = 15.0
    ping_seconds: float = 30.0
    pong_seconds: float = 10.0
    look_seconds: float = 1.0
    connections_a_minute: int = 15

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value < inf:
                unit = " of seconds" if field.name.endswith("_seconds") else ""
                raise InputError(f"{field.name} is {value!r}, must be a positive number{unit}")
        if self.ping_seconds > LONGEST_PING_SECONDS:
            raise InputError(
                f"ping_seconds is {self.ping_seconds!r}, must be at most {LONGEST_PING_SECONDS:g}: "
                "the venue closes idle connections"
            )


class Backoff:
    """Delays that double up to a cap.

    Parameters
    ----------
    first_seconds, longest_seconds : float
        First delay and cap, before jitter.
    rng : random.Random
        Source of the jitter, which keeps many clients from retrying at once.
    """

    def __init__(self, first_seconds: float, longest_seconds: float, rng: random.Random) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._rng = rng
        self._next = first_seconds

    def next_delay(self) -> float:
        """Return the delay (seconds) before the next attempt, lengthened by up to half."""
        return self._doubled() * self._rng.uniform(1.0, 1.5)

    def next_part(self) -> float:
        """Return a random part of the next delay, seconds."""
        return self._doubled() * self._rng.random()

    def reset(self) -> None:
        """Start over after a success."""
        self._next = self._first

    def _doubled(self) -> float:
        delay = min(self._next, self._longest)
        self._next = 2.0 * delay
        return delay


class ConnectionPolicy:
    """Decides for one connection and those that replace it; times are seconds of any steady clock.

    Parameters
    ----------
    settings : ConnectionSettings
        Times of the policy.
    rng : random.Random
        Source of the jitter.
    """

    def __init__(self, settings: ConnectionSettings, rng: random.Random) -> None:
        self._times = settings
        self._backoff = Backoff(settings.first_delay_seconds, settings.longest_delay_seconds, rng)
        self._attempts: deque[float] = deque(maxlen=settings.connections_a_minute)
        self._sendable, self._counted_at = float(MESSAGES_AT_ONCE), -inf
        self._silent_at = self._ping_at = self._pong_at = self._look_at = inf

    def wait(self, now: float) -> float:
        """Return how long to wait before the next attempt, seconds."""
        delay = self._backoff.next_part()
        if len(self._attempts) == self._attempts.maxlen:
            delay = max(delay, self._attempts[0] + MINUTE_SECONDS - now)
        return delay

    def attempted(self, now: float) -> None:
        """Note an attempt to connect."""
        self._attempts.append(now)

    def opened(self, now: float) -> None:
        """Note that the attempt succeeded."""
        self._silent_at = now + self._times.silence_seconds
        self._ping_at = now + self._times.ping_seconds
        self._look_at = now + self._times.look_seconds
        self._pong_at = inf

    def heard(self, what: Heard, now: float) -> None:
        """Note a received message."""
        if what is Heard.DATA:
            self._silent_at = now + self._times.silence_seconds
            self._backoff.reset()
        elif what is Heard.PONG:
            self._pong_at = inf

    def fault(self, now: float) -> str | None:
        """Return why the connection must be given up, None if it need not."""
        if now >= self._silent_at:
            return f"no data for {self._times.silence_seconds:g} s"
        if now >= self._pong_at:
            return f"no answer to a ping for {self._times.pong_seconds:g} s"
        return None

    def ping_due(self, now: float) -> bool:
        """Return whether a ping must be sent now; it is assumed to be sent."""
        if now < self._ping_at:
            return False
        self._ping_at = now + self._times.ping_seconds
        self._pong_at = min(self._pong_at, now + self._times.pong_seconds)
        return True

    def look_due(self, now: float) -> bool:
        """Return whether the listener must be asked now; it is assumed to be asked."""
        if now < self._look_at:
            return False
        self._look_at = now + self._times.look_seconds
        return True

    def may_send(self, now: float) -> bool:
        """Return whether another message may be sent now; it is assumed to be sent."""
        if now > self._counted_at:
            grown = self._sendable + (now - self._counted_at) * MESSAGES_A_SECOND
            self._sendable, self._counted_at = min(grown, float(MESSAGES_AT_ONCE)), now
        if self._sendable < 1.0:
            return False
        self._sendable -= 1.0
        return True

    def wake_at(self, unsent: bool) -> float:
        """Return when one of the decisions is due next, if nothing is heard before."""
        send_at = self._counted_at + 1.0 / MESSAGES_A_SECOND if unsent else inf
        return min(self._silent_at, self._ping_at, self._pong_at, self._look_at, send_at)
