"""Faults of a venue, which can be set and cleared at any time.

REST faults affect requests to /info and /exchange, stream faults affect websocket messages (replies
to ``post`` requests come on channel ``post``), the others affect the venue itself. A fault strikes
with a ``probability`` drawn from a seed, at most ``count`` times, for ``seconds`` of real time. The
docstring of each fault describes what a client sees.
"""

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "ActiveFault",
    "CutConnections",
    "DelayedMessages",
    "DelistedCoin",
    "DroppedMessages",
    "DroppedReply",
    "DuplicatedMessages",
    "Fault",
    "FaultBoard",
    "GarbledMessages",
    "HaltedCoin",
    "HttpError",
    "Latency",
    "Maintenance",
    "Silence",
]


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = Field(default=1.0, gt=0, le=1)
    count: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    def concerns(self, names: Iterable[str]) -> bool:
        """Return whether the fault can strike a request or message with these names."""
        return True


class _RestFault(_Fault):
    requests: tuple[str, ...] = ()
    """Paths ("/exchange") or types ("order", "l2Book"); empty means every request."""

    def concerns(self, names: Iterable[str]) -> bool:
        return not self.requests or any(name in self.requests for name in names)


class _StreamFault(_Fault):
    channels: tuple[str, ...] = ()
    """Channels ("bbo", "userFills", "post", "pong"); empty means every message."""
    coins: tuple[str, ...] = ()
    """Coins whose market data ("bbo", "trades", "l2Book", "candle", …) are affected; empty: all.

    If coins are given, messages that do not belong to a single coin are not affected.
    """

    def concerns(self, names: Iterable[str]) -> bool:
        channel, coin = names
        return (not self.channels or channel in self.channels) and (
            not self.coins or coin in self.coins
        )


class _Delay(BaseModel):
    """``least_ms`` plus a random time with mean ``milliseconds``.

    "uniform" draws from 0 to twice the mean. For "lognormal", ``milliseconds`` is the median and
    ``sigma`` the standard deviation of the logarithm.
    """

    distribution: Literal["constant", "uniform", "exponential", "lognormal"] = "constant"
    milliseconds: float = Field(gt=0, le=600_000)
    least_ms: float = Field(default=0.0, ge=0, le=600_000)
    sigma: float = Field(default=0.5, gt=0, le=3)

    def draw_s(self, source: random.Random) -> float:
        """Draw a delay in seconds."""
        scale = self.milliseconds
        match self.distribution:
            case "constant":
                drawn = scale
            case "uniform":
                drawn = source.uniform(0, 2 * scale)
            case "exponential":
                drawn = source.expovariate(1 / scale)
            case "lognormal":
                drawn = scale * source.lognormvariate(0, self.sigma)
        return (self.least_ms + drawn) / 1000


class Latency(_RestFault, _Delay):
    """The request is delayed before it is executed, or its reply is."""

    kind: Literal["latency"] = "latency"
    where: Literal["request", "reply"] = "request"


class DroppedReply(_RestFault):
    """The request is executed but not answered.

    The connection is closed, or stays open until the client gives up.
    """

    kind: Literal["dropped_reply"] = "dropped_reply"
    how: Literal["close", "withhold"] = "close"


class HttpError(_RestFault):
    """The request is answered with status 5xx or 429 and not executed."""

    kind: Literal["http_error"] = "http_error"
    status: int = 502

    @field_validator("status")
    @classmethod
    def _is_error(cls, value: int) -> int:
        if value != 429 and not 500 <= value <= 599:
            raise ValueError("must be 429 or between 500 and 599")
        return value


class DuplicatedMessages(_StreamFault):
    """A message arrives twice."""

    kind: Literal["duplicated_messages"] = "duplicated_messages"


class DelayedMessages(_StreamFault, _Delay):
    """A message arrives late, and later messages on the connection wait for it."""

    kind: Literal["delayed_messages"] = "delayed_messages"


class DroppedMessages(_StreamFault):
    """A message never arrives."""

    kind: Literal["dropped_messages"] = "dropped_messages"


class GarbledMessages(_StreamFault):
    """A message arrives damaged.

    It is cut in half ("half"), replaced by text that is no JSON ("junk"), on a channel that nobody
    knows ("channel"), or each of its prices is the text "NaN" ("nan").
    """

    kind: Literal["garbled_messages"] = "garbled_messages"
    how: Literal["half", "junk", "channel", "nan"] = "half"

    def garbled(self, text: str) -> str:
        """Return an encoded message as it arrives."""
        match self.how:
            case "half":
                return text[: len(text) // 2]
            case "junk":
                return "\x00<html>502 Bad Gateway</html>"
            case "channel":
                return '{"channel":"garbled"' + text[text.find(",") :]
            case "nan":
                return re.sub(r'"px":"[^"]*"', '"px":"NaN"', text)


class Silence(_Fault):
    """Every connection stays open but sends nothing; ``pongs`` sets whether pings are answered."""

    kind: Literal["silence"] = "silence"
    pongs: bool = True


class CutConnections(_Fault):
    """Every open websocket breaks; with ``refuse`` no new one is accepted while the fault lasts."""

    kind: Literal["cut"] = "cut"
    refuse: bool = False


class Maintenance(_Fault):
    """Only post-only orders are accepted, as after a network upgrade."""

    kind: Literal["maintenance"] = "maintenance"


class HaltedCoin(_Fault):
    """No orders are accepted for a coin."""

    kind: Literal["halt"] = "halt"
    coin: str


class DelistedCoin(_Fault):
    """A coin's market data stop, and new subscriptions to it are refused as invalid."""

    kind: Literal["delisted"] = "delisted"
    coin: str


Fault = Annotated[
    Latency
    | DroppedReply
    | HttpError
    | DuplicatedMessages
    | DelayedMessages
    | DroppedMessages
    | GarbledMessages
    | Silence
    | CutConnections
    | Maintenance
    | HaltedCoin
    | DelistedCoin,
    Field(discriminator="kind"),
]

F = TypeVar("F", bound=_Fault)


@dataclass(slots=True)
class ActiveFault:
    """A fault in force, the times it has struck and when it ends (real seconds, None: never)."""

    number: int
    fault: Fault
    source: random.Random = field(repr=False)
    ends_s: float | None
    struck: int = 0

    def over(self, now_s: float) -> bool:
        """Return whether its time or its count is used up."""
        used_up = self.fault.count is not None and self.struck >= self.fault.count
        return used_up or (self.ends_s is not None and now_s >= self.ends_s)


class FaultBoard:
    """The faults in force.

    Parameters
    ----------
    seed
        Seed of all random draws.
    clock
        Real time, seconds.
    changed
        Called when a fault begins or ends.
    """

    def __init__(
        self, seed: int, clock: Callable[[], float], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._seed = seed
        self._clock = clock
        self._changed = changed
        self._active: dict[int, ActiveFault] = {}
        self._given = 0

    @property
    def active(self) -> list[ActiveFault]:
        """The faults in force."""
        self.expire()
        return list(self._active.values())

    @property
    def quiet(self) -> bool:
        """Whether no fault is set; one that has just ended may still count as set."""
        return not self._active

    def set(self, fault: Fault) -> ActiveFault:
        """Put a fault in force; the first one gets number 1."""
        self._given += 1
        number = self._given
        ends_s = None if fault.seconds is None else self._clock() + fault.seconds
        entry = ActiveFault(number, fault, random.Random(f"{self._seed}:{number}"), ends_s)
        self._active[number] = entry
        self._changed()
        return entry

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all, and return how many ended."""
        numbers = [number] if number is not None else list(self._active)
        ended = sum(self._active.pop(one, None) is not None for one in numbers)
        if ended:
            self._changed()
        return ended

    def expire(self) -> None:
        """End the faults that are over."""
        now_s = self._clock()
        over = [number for number, one in self._active.items() if one.over(now_s)]
        for number in over:
            del self._active[number]
        if over:
            self._changed()

    def strike(self, kind: type[F], *names: str) -> list[tuple[F, random.Random]]:
        """Return the faults of a kind that strike these names now, each with its random generator.

        The caller uses the generator for further draws of the fault, such as its delay.
        """
        if not self._active:
            return []
        struck: list[tuple[F, random.Random]] = []
        for entry in self.active:
            fault = entry.fault
            if (
                isinstance(fault, kind)
                and fault.concerns(names)
                and entry.source.random() < fault.probability
            ):
                entry.struck += 1
                struck.append((fault, entry.source))
        return struck

    def holds(self, kind: type[F]) -> list[F]:
        """Return the faults of a kind in force, without counting a strike."""
        return [entry.fault for entry in self.active if isinstance(entry.fault, kind)]
