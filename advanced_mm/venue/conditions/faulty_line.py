"""The line between a venue and its clients, and the faults on it.

Faults are those of `faults`; what they strike is found by names, which each venue's protocol gives
its requests and messages.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from advanced_mm.errors import InputError
from advanced_mm.markets.coin_markets import Venue
from advanced_mm.venue.conditions.faults import (
    ActiveFault,
    CutConnections,
    DelayedMessages,
    DelistedCoin,
    DroppedMessages,
    DroppedReply,
    DuplicatedMessages,
    Fault,
    FaultBoard,
    GarbledMessages,
    HaltedCoin,
    Latency,
    Maintenance,
    Silence,
)

__all__ = ["FaultyLine", "FaultyVenue", "TimedFault", "drop_reply", "pause"]

TICK_S = 0.02  # precision with which timed faults begin and end
WITHHELD_S = 120.0  # clients give up long before
BEHIND_S = 0.0002  # between delayed messages: timers due at the same time fire in any order


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault that begins ``at_s`` real seconds after the venue starts listening."""

    at_s: float
    fault: Fault


class FaultyVenue(Protocol):
    """What faults need of a venue's engine."""

    venue: Venue
    post_only: bool

    @property
    def halted(self) -> set[str]:
        """The coins whose trading is halted."""
        ...

    def halt(self, coin: str, halted: bool) -> None:
        """Halt or resume trading in a coin."""
        ...


class FaultyLine(ABC):
    """The faults of one venue.

    Parameters
    ----------
    exchange
        The engine behind the line.
    seed
        Seed of the faults' random draws.
    schedule
        Faults that begin at given times.
    clock
        Real time, seconds.
    """

    def __init__(
        self,
        exchange: FaultyVenue,
        *,
        seed: int = 1,
        schedule: Sequence[TimedFault] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._venue = exchange
        self.clock = clock
        self._schedule = sorted(schedule, key=lambda one: one.at_s)
        for one in self._schedule:
            self._check(one.fault)
        self._connections: dict[str, asyncio.Transport] = {}
        self._due_s: dict[str, float] = {}
        self._halted = set(exchange.halted)  # by faults before the venue was saved
        self.faults = FaultBoard(seed, clock, self._apply)
        self._apply()

    # What a protocol calls its messages

    @abstractmethod
    def names(self, text: str) -> tuple[str, str]:
        """Return channel and coin of an encoded message, "" for what it has none of."""

    def garbled(self, fault: GarbledMessages, text: str) -> str:
        """Return a message as it arrives damaged."""
        return fault.garbled(text)

    @abstractmethod
    def lost(self, client: str, text: str) -> None:
        """Take note that a message was dropped."""

    # Faults

    def set_fault(self, fault: Fault) -> ActiveFault:
        """Put a fault in force.

        Raises
        ------
        InputError
            If it names a coin that the venue does not trade.
        """
        self._check(fault)
        entry = self.faults.set(fault)
        if isinstance(fault, CutConnections):
            for client in list(self._connections):
                if entry.source.random() < fault.probability:
                    entry.struck += 1
                    self._connections.pop(client).abort()
            if not fault.refuse:
                self.faults.clear(entry.number)
        return entry

    def _check(self, fault: Fault) -> None:
        coins = self._venue.venue.markets
        named = (
            (fault.coin,)
            if isinstance(fault, HaltedCoin | DelistedCoin)
            else getattr(fault, "coins", ())
        )
        for coin in named:
            if coin not in coins:
                raise InputError(
                    f"fault: coin {coin!r} is not traded here: give one of {', '.join(coins)}"
                )

    def _apply(self) -> None:
        """Pass maintenance and halts on to the engine."""
        self._venue.post_only = bool(self.faults.holds(Maintenance))
        halted = {fault.coin for fault in self.faults.holds(HaltedCoin)}
        for coin in halted ^ self._halted:
            self._venue.halt(coin, coin in halted)
        self._halted = halted

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Begin and end faults on time while the application runs; one of its ``cleanup_ctx``."""
        task = asyncio.create_task(self._tick())
        yield
        task.cancel()

    async def _tick(self) -> None:
        start_s, schedule = self.clock(), self._schedule
        while True:
            while schedule and self.clock() - start_s >= schedule[0].at_s:
                self.set_fault(schedule.pop(0).fault)
            self.faults.expire()
            await asyncio.sleep(TICK_S)

    # Connections and their messages

    def connect(self, client: str, transport: asyncio.BaseTransport | None) -> None:
        """Note a new connection, which faults may cut."""
        if isinstance(transport, asyncio.Transport):
            self._connections[client] = transport

    def disconnect(self, client: str) -> None:
        """Forget a connection that has ended."""
        self._connections.pop(client, None)
        self._due_s.pop(client, None)

    def refuses(self) -> bool:
        """Return whether a new connection is refused."""
        return any(cut.refuse for cut, _ in self.faults.strike(CutConnections))

    def delays(self, *names: str) -> Mapping[str, float]:
        """Return by how many seconds a request with these names, and its reply, are delayed."""
        delays = {"request": 0.0, "reply": 0.0}
        for latency, source in self.faults.strike(Latency, *names):
            delays[latency.where] += latency.draw_s(source)
        return delays

    def delisted(self, coin: str) -> bool:
        """Return whether subscriptions to a coin are refused as invalid."""
        return any(fault.coin == coin for fault in self.faults.holds(DelistedCoin))

    def outgoing(self, client: str, text: str) -> Iterable[tuple[float, str]]:
        """Apply stream faults to a message; return (delay in real seconds, text) of each copy."""
        if self.faults.quiet and client not in self._due_s:
            return ((0.0, text),)
        names = self.names(text)
        if self._drops(*names):
            self.lost(client, text)
            return ()
        delay_s = sum(
            fault.draw_s(source) for fault, source in self.faults.strike(DelayedMessages, *names)
        )
        for garbling, _ in self.faults.strike(GarbledMessages, *names):
            text = self.garbled(garbling, text)
        copies = 1 + len(self.faults.strike(DuplicatedMessages, *names))
        return tuple((self._in_order(client, delay_s), text) for _ in range(copies))

    def _drops(self, channel: str, coin: str) -> bool:
        """Return whether a message is dropped."""
        silences = self.faults.strike(Silence)
        if any(channel != "pong" or not silence.pongs for silence, _ in silences):
            return True
        if any(fault.coin == coin for fault in self.faults.holds(DelistedCoin)):
            return True
        return bool(self.faults.strike(DroppedMessages, channel, coin))

    def _in_order(self, client: str, delay_s: float) -> float:
        """Return a delay with which no message overtakes the previous one."""
        now_s = self.clock()
        due_s = self._due_s.get(client, 0.0)
        if due_s < now_s and delay_s == 0:
            self._due_s.pop(client, None)
            return 0.0
        self._due_s[client] = due_s = max(due_s + BEHIND_S, now_s + delay_s)
        return due_s - now_s


async def pause(seconds: float) -> None:
    """Wait, if there is anything to wait for."""
    if seconds > 0:
        await asyncio.sleep(seconds)


async def drop_reply(request: web.Request, fault: DroppedReply) -> web.Response:
    """Close the connection without an answer, at once or after withholding it."""
    waited_s = 0.0
    while fault.how == "withhold" and waited_s < WITHHELD_S and request.transport is not None:
        await asyncio.sleep(TICK_S)
        waited_s += TICK_S
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
