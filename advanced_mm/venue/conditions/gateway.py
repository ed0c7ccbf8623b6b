"""The gateway between clients and the venue: rate limits, then faults.

IP limits are counted in real time, because clients pace themselves by it; the budget of a trading
address is counted in market time. Faults do not affect a request refused by a limit.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from advanced_mm.errors import InputError
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
    HttpError,
    Latency,
    Maintenance,
    Silence,
)
from advanced_mm.venue.conditions.limits import (
    ITEMS_A_WEIGHT,
    AddressBudget,
    LimitSwitches,
    RestWeight,
    StreamCounter,
    base_weight,
    extra_weight,
)
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.protocol.client_json import decode_json
from advanced_mm.venue.protocol.gateway_protocol import client_name

__all__ = ["Gateway", "TimedFault"]

TICK_S = 0.02  # precision with which timed faults begin and end
WITHHELD_S = 120.0  # clients give up long before
BEHIND_S = 0.0002  # between delayed messages: timers due at the same time fire in any order
STREAM_PATH = "/ws"
REST_PATHS = ("/info", "/exchange")
COIN_CHANNELS = frozenset({"bbo", "trades", "l2Book", "candle", "activeAssetCtx"})
_COIN = re.compile(r'"(?:coin|s)":"([^"]*)"')  # candles call it s
POST_REPLY = '{"channel":"post"'  # how an encoded reply to a post begins


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault that begins ``at_s`` real seconds after the venue starts listening."""

    at_s: float
    fault: Fault


class Gateway:
    """Limits and faults of one venue; a `GatewayProtocol`.

    Parameters
    ----------
    exchange
        The engine behind the gateway.
    switches
        Which limits are enforced.
    seed
        Seed of the faults' random draws.
    schedule
        Faults that begin at given times.
    add_admin
        Adds the admin routes to an application, given the gateway, the application and its server.
    clock
        Real time, seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        switches: LimitSwitches | None = None,
        *,
        seed: int = 1,
        schedule: Sequence[TimedFault] = (),
        add_admin: Callable[["Gateway", web.Application, object], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.exchange = exchange
        self.switches = switches or LimitSwitches()
        self.rest: dict[str, RestWeight] = {}
        self.streams: dict[str, StreamCounter] = {}
        self.addresses = AddressBudget()
        self.clock = clock
        self._schedule = sorted(schedule, key=lambda one: one.at_s)
        for one in self._schedule:
            self._check(one.fault)
        self._add_admin = add_admin
        self._connections: dict[str, asyncio.Transport] = {}
        self._due_s: dict[str, float] = {}
        self._halted = set(exchange.order_manager.halted)  # by faults before the venue was saved
        self.faults = FaultBoard(seed, clock, self._apply)
        self._apply()

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
        coins = self.exchange.venue.markets
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
        self.exchange.post_only = bool(self.faults.holds(Maintenance))
        halted = {fault.coin for fault in self.faults.holds(HaltedCoin)}
        for coin in halted ^ self._halted:
            self.exchange.halt(coin, coin in halted)
        self._halted = halted

    async def _run(self, _: web.Application) -> AsyncIterator[None]:
        """Begin and end faults on time while the application runs."""
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

    # The application

    def add_routes(self, app: web.Application, server: object) -> None:
        """Add the admin interface and the task that begins and ends faults on time."""
        app.cleanup_ctx.append(self._run)
        if self._add_admin is not None:
            self._add_admin(self, app, server)

    @property
    def middleware(self) -> Middleware:
        """Middleware of the whole application."""

        @web.middleware
        async def gateway(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == STREAM_PATH:
                return await self._stream(request, handler)
            if request.path in REST_PATHS and request.method == "POST":
                return await self._request(request, handler)
            return await handler(request)

        return gateway

    async def _request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        body = _decoded(await request.read())
        kind = _type_of(body)
        weight = self.rest.setdefault(str(request.remote), RestWeight())
        if self.switches.rest and not weight.take(self.clock(), base_weight(request.path, body)):
            return _error(429)
        names = (request.path, kind)
        delays = {"request": 0.0, "reply": 0.0}
        for latency, source in self.faults.strike(Latency, *names):
            delays[latency.where] += latency.draw_s(source)
        await _pause(delays["request"])
        for error, _ in self.faults.strike(HttpError, *names):
            return _error(error.status)
        response = await handler(request)
        if self.switches.rest and kind in ITEMS_A_WEIGHT and isinstance(response, web.Response):
            weight.charge(self.clock(), extra_weight(kind, _decoded(response.body)))
        for dropped, _ in self.faults.strike(DroppedReply, *names):
            return await _drop(request, dropped)
        await _pause(delays["reply"])
        return response

    async def _stream(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            return await handler(request)  # not a websocket handshake: the handler refuses it
        if any(cut.refuse for cut, _ in self.faults.strike(CutConnections)):
            return _error(503)
        client = client_name(request)
        counter = self._counter(client)
        if self.switches.websocket and counter.connect(client, self.clock()) is not None:
            return _error(429)
        if isinstance(request.transport, asyncio.Transport):
            self._connections[client] = request.transport
        try:
            return await handler(request)
        finally:
            counter.disconnect(client)
            self._connections.pop(client, None)
            self._due_s.pop(client, None)

    def _counter(self, client: str) -> StreamCounter:
        return self.streams.setdefault(client.rpartition(":")[0], StreamCounter())

    # Messages of the websocket

    def incoming(self, client: str) -> str | None:
        """Count a client's message; return an error message if it is refused."""
        if not self.switches.websocket:
            return None
        return self._counter(client).message(client, self.clock())

    def subscribe(self, client: str, subscription: str, user: str | None) -> str | None:
        """Count a subscription; return an error message if it is refused."""
        if not self.switches.websocket:
            return None
        return self._counter(client).subscribe(client, subscription, user)

    def delisted(self, coin: str) -> bool:
        """Return whether subscriptions to a coin are refused as invalid."""
        return any(fault.coin == coin for fault in self.faults.holds(DelistedCoin))

    def unsubscribe(self, client: str, subscription: str) -> None:
        """Stop counting a subscription."""
        if self.switches.websocket:
            self._counter(client).unsubscribe(client, subscription)

    def post(self, client: str) -> str | None:
        """Count a post until it is answered; return an error message if it is refused."""
        if not self.switches.websocket:
            return None
        return self._counter(client).post(client)

    def sent(self, client: str, text: str) -> None:
        """Stop counting a post whose reply was written or dropped."""
        if self.switches.websocket and text.startswith(POST_REPLY):
            self._counter(client).answered(client)

    def outgoing(self, client: str, text: str) -> Iterable[tuple[float, str]]:
        """Apply stream faults to a message; return (delay in real seconds, text) of each copy."""
        if self.faults.quiet and client not in self._due_s:
            return ((0.0, text),)
        channel = _channel(text)
        names = channel, _coin(channel, text)
        if self._lost(*names):
            self.sent(client, text)
            return ()
        delay_s = sum(
            fault.draw_s(source) for fault, source in self.faults.strike(DelayedMessages, *names)
        )
        for garbling, _ in self.faults.strike(GarbledMessages, *names):
            text = garbling.garbled(text)
        copies = 1 + len(self.faults.strike(DuplicatedMessages, *names))
        return tuple((self._in_order(client, delay_s), text) for _ in range(copies))

    def _lost(self, channel: str, coin: str) -> bool:
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

    # Addresses

    def spend(self, address: str, requests: int, *, cancels: bool) -> str | None:
        """Count an action of an address; return the venue's message if it is refused."""
        account = self.exchange.accounts.get(address)
        if account is None:
            return None
        if self.switches.address:
            refusal = self.addresses.refusal(
                address,
                requests,
                cancels=cancels,
                used=account.requests_used - account.requests_reserved,
                traded_micros=account.volume,
                now_ms=self.exchange.now_ms,
            )
            if refusal is not None:
                return refusal
        account.requests_used += requests
        return None


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _drop(request: web.Request, fault: DroppedReply) -> web.Response:
    """Close the connection without an answer, at once or after withholding it."""
    waited_s = 0.0
    while fault.how == "withhold" and waited_s < WITHHELD_S and request.transport is not None:
        await asyncio.sleep(TICK_S)
        waited_s += TICK_S
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _error(status: int) -> web.Response:
    """Return an error as the venue's servers send it: the body is just ``null``."""
    return web.Response(status=status, text="null", content_type="application/json")


def _decoded(body: object) -> object:
    try:
        return decode_json(bytes(body)) if isinstance(body, bytes | bytearray) else None
    except ValueError:
        return None


def _type_of(body: object) -> str:
    """Return the type of an /info request, or of the action of an /exchange request."""
    fields = body if isinstance(body, dict) else {}
    action = fields.get("action")
    named = action if isinstance(action, dict) else fields
    return str(named.get("type", ""))


def _channel(text: str) -> str:
    """Return the channel of an encoded message; every message begins with it."""
    if not text.startswith('{"channel":"'):
        return ""
    return text[12 : text.index('"', 12)]


def _coin(channel: str, text: str) -> str:
    """Return the coin of an encoded market data message, "" for any other message."""
    found = _COIN.search(text) if channel in COIN_CHANNELS else None
    return "" if found is None else found[1]
