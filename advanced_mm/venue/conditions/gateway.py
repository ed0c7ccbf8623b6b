"""The gateway between clients and the venue: rate limits, then faults.

IP limits are counted in real time, because clients pace themselves by it; the budget of a trading
address is counted in market time. Faults do not affect a request refused by a limit.
"""

import re
import time
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from advanced_mm.venue.conditions.faults import DroppedReply, HttpError
from advanced_mm.venue.conditions.faulty_line import FaultyLine, TimedFault, drop_reply, pause
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

STREAM_PATH = "/ws"
REST_PATHS = ("/info", "/exchange")
COIN_CHANNELS = frozenset({"bbo", "trades", "l2Book", "candle", "activeAssetCtx"})
_COIN = re.compile(r'"(?:coin|s)":"([^"]*)"')  # candles call it s
POST_REPLY = '{"channel":"post"'  # how an encoded reply to a post begins


class Gateway(FaultyLine):
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
        self._add_admin = add_admin
        super().__init__(exchange, seed=seed, schedule=schedule, clock=clock)

    # The application

    def add_routes(self, app: web.Application, server: object) -> None:
        """Add the admin interface and the task that begins and ends faults on time."""
        app.cleanup_ctx.append(self.run)
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
        delays = self.delays(*names)
        await pause(delays["request"])
        for error, _ in self.faults.strike(HttpError, *names):
            return _error(error.status)
        response = await handler(request)
        if self.switches.rest and kind in ITEMS_A_WEIGHT and isinstance(response, web.Response):
            weight.charge(self.clock(), extra_weight(kind, _decoded(response.body)))
        for dropped, _ in self.faults.strike(DroppedReply, *names):
            return await drop_reply(request, dropped)
        await pause(delays["reply"])
        return response

    async def _stream(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            return await handler(request)  # not a websocket handshake: the handler refuses it
        if self.refuses():
            return _error(503)
        client = client_name(request)
        counter = self._counter(client)
        if self.switches.websocket and counter.connect(client, self.clock()) is not None:
            return _error(429)
        self.connect(client, request.transport)
        try:
            return await handler(request)
        finally:
            counter.disconnect(client)
            self.disconnect(client)

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

    def names(self, text: str) -> tuple[str, str]:
        """Return channel and coin of an encoded message, "" for what it has none of."""
        channel = _channel(text)
        return channel, _coin(channel, text)

    def lost(self, client: str, text: str) -> None:
        """Stop counting a post whose reply was dropped."""
        self.sent(client, text)

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
