"""The spot exchange on a socket: REST, streams, websocket API, and the pump of its markets."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping

from aiohttp import WSCloseCode, WSMsgType, web

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.price_gaps import GapMarket
from advanced_mm.venue.binance.account_requests import AccountRequests, ReplaceFailedError
from advanced_mm.venue.binance.admin import BinanceAdmin
from advanced_mm.venue.binance.calls import Call, Calls
from advanced_mm.venue.binance.hub import Hub, Listener
from advanced_mm.venue.binance.line import BinanceLine, request_names
from advanced_mm.venue.binance.market_requests import MarketRequests
from advanced_mm.venue.binance.order_views import Json
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.routing import Guard, OwnRoute, Route
from advanced_mm.venue.binance.signing import Signers, json_text, signed_text
from advanced_mm.venue.binance.streams import STEP_GRID_MS, MarketStreams
from advanced_mm.venue.binance.weights import BannedError, LimitedError
from advanced_mm.venue.conditions.faults import DroppedReply, HttpError
from advanced_mm.venue.conditions.faulty_line import drop_reply, pause
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES, decode_json
from advanced_mm.venue.protocol.subscriptions.time_step import Step
from advanced_mm.venue.server.loopback import loopback_only
from advanced_mm.venue.server.stream import Client, StreamLimits
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["API_PATH", "STREAM_PATHS", "BinanceServer"]

HOST = "127.0.0.1"
MAX_PORT = 65_535
PUMP_S = 0.05
PING_S = 20.0
CLOSING_S = 1.0
NEVER_IDLE_S = 86_400.0
MESSAGES_A_SECOND = 5
STREAM_PATHS = ("/ws", "/stream")
API_PATH = "/ws-api/v3"


class BinanceServer:
    """A loopback Binance spot exchange, for this machine alone.

    Parameters
    ----------
    exchange
        Markets and accounts, at their start time.
    clock
        Market time; not behind the exchange's. It may be the clock of another venue too.
    port
        Port on 127.0.0.1, 0 for any free one.
    limited
        Whether requests beyond the exchange's limits are refused.
    seed
        Seed of the faults' random draws.
    gaps
        The markets by coin whose price the admin interface may make jump.

    Raises
    ------
    InputError
        If ``port`` is not a port number.
    """

    def __init__(
        self,
        exchange: SpotExchange,
        clock: MarketClock,
        port: int = 0,
        *,
        limited: bool = False,
        seed: int = 1,
        gaps: Mapping[str, GapMarket] | None = None,
    ) -> None:
        if not 0 <= port <= MAX_PORT:
            raise InputError(f"port is {port}, must be between 0 and {MAX_PORT}")
        self.exchange = exchange
        self._clock = clock
        self._port = port
        self._limits = StreamLimits(idle_s=NEVER_IDLE_S)
        account = AccountRequests(exchange)
        market = MarketRequests(exchange, _wall_ms, lambda symbol: self._streams.last_id(symbol))
        self._streams = MarketStreams(exchange, market.views)
        self.hub = Hub(exchange, self._streams, account.views)
        signers = Signers(exchange.accounts, _wall_ms)
        self.calls = Calls(market, account, signers, time.monotonic, limited=limited)
        self.line = BinanceLine(exchange, seed=seed)
        self._admin = BinanceAdmin(exchange, self.line, self.calls, gaps or {})
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def rest_url(self) -> str:
        """Address of the REST interface, without a path."""
        return f"http://{HOST}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Address of the market data streams."""
        return f"ws://{HOST}:{self._port}/ws"

    @property
    def ws_api_url(self) -> str:
        """Address of the websocket API."""
        return f"ws://{HOST}:{self._port}{API_PATH}"

    # Life

    async def start(self) -> None:
        """Listen and run the markets.

        Raises
        ------
        InputError
            If the port cannot be used.
        """
        app = web.Application(middlewares=[loopback_only], client_max_size=LARGEST_BYTES)
        for path in (API_PATH, *STREAM_PATHS, "/ws/{names}"):
            handler = self._serve_api if path == API_PATH else self._serve_streams
            app.router.add_get(path, handler)
        app.router.add_get("/health", self._answer_health)
        app.router.add_route("*", "/api/v3/userDataStream", self._answer_listen_key)
        for prefix in ("/api", "/sapi", "/fapi", "/dapi"):
            app.router.add_route("*", prefix + "/{rest:.*}", self._answer_rest)
        self._admin.add(app)
        app.cleanup_ctx.append(self.line.run)
        app.on_shutdown.append(self._close_sockets)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise InputError(
                f"port {self._port} on {HOST} cannot be used ({os.strerror(error.errno or 0)}): "
                "choose another with --binance-port, or 0 for a free one"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._pump = asyncio.create_task(self._run_markets())

    async def stop(self) -> None:
        """Stop the markets, close all connections and the port; raise any error of the markets."""
        try:
            if self._pump is not None:
                self._pump.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._pump
        finally:
            if self._runner is not None:
                await self._runner.cleanup()

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, after `start`; raise the error of a market that fails."""
        if self._pump is None:
            raise RuntimeError("the server was not started")
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, self._pump}, return_when=asyncio.FIRST_COMPLETED)
            if self._pump.done():
                self._pump.result()
        finally:
            stopped.cancel()
            await self.stop()

    async def _run_markets(self) -> None:
        """Advance the markets to the clock in a loop, publishing at every multiple of 100 ms."""
        previous_ms = self.exchange.now_ms
        while True:
            until_ms = self._clock.now_ms
            while previous_ms < until_ms:
                grid_ms = (previous_ms // STEP_GRID_MS + 1) * STEP_GRID_MS
                now_ms = min(grid_ms, until_ms)
                updates = self.exchange.advance(now_ms)
                await self.hub.publish(Step(previous_ms, now_ms, updates))
                previous_ms = now_ms
                await asyncio.sleep(0)
            await asyncio.sleep(PUMP_S)

    # REST

    async def _answer_rest(self, request: web.Request) -> web.Response:
        route = self.calls.by_rest.get(f"{request.method} {request.path}")
        if route is None:
            return web.json_response({"code": -1, "msg": "no such endpoint"}, status=404)
        call, names = await self._call(request), request_names(route)
        delays = self.line.delays(*names)
        await pause(delays["request"])
        for failure, _ in self.line.faults.strike(HttpError, *names):
            return web.json_response(_FAILED, status=failure.status)
        response = self._rest_response(route, call)
        for dropped, _ in self.line.faults.strike(DroppedReply, *names):
            return await drop_reply(request, dropped)
        await pause(delays["reply"])
        return response

    def _rest_response(self, route: Route | OwnRoute, call: Call) -> web.Response:
        try:
            answer = self.calls.answer(route, call)
        except SpotRefusedError as error:
            return self._refused(error, call, route)
        self.hub.publish_events()
        return web.json_response(answer, headers=self.calls.headers(call, route))

    async def _call(self, request: web.Request) -> Call:
        body = (await request.read()).decode("utf-8", "replace")
        text, values = signed_text(request.url.raw_query_string, body)
        key = request.headers.get("X-MBX-APIKEY")
        return Call(str(request.remote), key, Params(values), text)

    def _refused(
        self, error: SpotRefusedError, call: Call, route: Route | OwnRoute | None = None
    ) -> web.Response:
        self.hub.publish_events()  # half of a cancel-replace may have been done
        headers = {} if route is None else self.calls.headers(call, route)
        if isinstance(error, LimitedError):
            headers["Retry-After"] = str(error.retry_s)
        return web.json_response(_error(error), status=_status(error), headers=headers)

    async def _answer_listen_key(self, request: web.Request) -> web.Response:
        """Give, prolong or end a listen key; it does not expire by itself."""
        call = await self._call(request)
        try:
            self.calls.charge(call.address, 2)
            account = self.calls.account(call, Guard.KEY)
        except SpotRefusedError as error:
            return self._refused(error, call)
        if request.method == "POST":
            return web.json_response({"listenKey": self.hub.listen_key(account)})
        text = call.params.text("listenKey") or ""
        if self.hub.listen_keys.get(text) != account.key:
            unknown = SpotRefusedError(-1125, "This listenKey does not exist.")
            return self._refused(unknown, call)
        if request.method == "DELETE":
            del self.hub.listen_keys[text]
        return web.json_response({})

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "market_time_ms": self.exchange.now_ms,
                "symbols": list(self.exchange.markets),
                "clients": self.hub.listeners,
                "uptime_seconds": round(self._clock.uptime_s, 3),
            }
        )

    # Websockets

    @contextlib.asynccontextmanager
    async def _connection(
        self, request: web.Request
    ) -> AsyncIterator[tuple[web.WebSocketResponse, Listener]]:
        """Prepare a websocket and write to it what is queued, until the block ends."""
        if self.line.refuses():
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(
            compress=False, timeout=CLOSING_S, max_msg_size=LARGEST_BYTES, heartbeat=PING_S
        )
        await socket.prepare(request)
        client = Client(socket, request, self._limits, self.line)
        self.line.connect(client.name, request.transport)
        listener = Listener(client, combined=request.path == "/stream")
        self._sockets.add(socket)
        self.hub.join(listener)
        writer = asyncio.create_task(client.write())
        try:
            yield socket, listener
        finally:
            writer.cancel()
            self.line.disconnect(client.name)
            self.hub.leave(listener)
            self._sockets.discard(socket)

    async def _serve_streams(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a connection of market data streams."""
        async with self._connection(request) as (socket, listener):
            named = request.match_info.get("names") or request.query.get("streams", "")
            self.hub.subscribe(listener, [name for name in named.split("/") if name])
            lately: list[float] = []
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                now_s = time.monotonic()
                lately = [*(one for one in lately if one > now_s - 1), now_s]
                if self.calls.limited and len(lately) > MESSAGES_A_SECOND:
                    await socket.close(
                        code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests"
                    )
                    break
                listener.send(self._control(listener, message.data))
                await asyncio.sleep(0)  # let other clients have a turn
        return socket

    def _control(self, listener: Listener, text: str) -> Json:
        """Carry out a message on a connection of streams; return the reply."""
        request = _decoded(text)
        number, method = request.get("id"), request.get("method")
        names = request.get("params", [])
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            return _invalid(number, "params must be a list of strings")
        try:
            if method == "SUBSCRIBE":
                self.hub.subscribe(listener, names)
                return {"result": None, "id": number}
            if method == "UNSUBSCRIBE":
                self.hub.unsubscribe(listener, names)
                return {"result": None, "id": number}
        except SpotRefusedError as error:
            return _invalid(number, error.message)
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(listener.names), "id": number}
        return _invalid(number, "unknown method")

    async def _serve_api(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a connection of the websocket API; a request that is delayed delays no other."""
        address = str(request.remote)
        async with self._connection(request) as (socket, listener), asyncio.TaskGroup() as late:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                sent = _decoded(message.data)
                names = self._names(sent)
                delays = self.line.delays(*names)
                if any(delays.values()):
                    late.create_task(self._execute(request, listener, address, sent, names, delays))
                else:
                    await self._execute(request, listener, address, sent, names, delays)
                await asyncio.sleep(0)  # let other clients have a turn
        return socket

    def _names(self, sent: Mapping[str, object]) -> tuple[str, ...]:
        method = str(sent.get("method", ""))
        try:
            return request_names(self.calls.method(method))
        except SpotRefusedError:
            return (method,)

    async def _execute(
        self,
        request: web.Request,
        listener: Listener,
        address: str,
        sent: Mapping[str, object],
        names: tuple[str, ...],
        delays: Mapping[str, float],
    ) -> None:
        """Carry out a request of the websocket API and reply, through the faults on the line."""
        await pause(delays["request"])
        for failure, _ in self.line.faults.strike(HttpError, *names):
            listener.send({"id": sent.get("id"), "status": failure.status, "error": _FAILED})
            return
        reply = self._reply(listener, address, sent)
        self.hub.publish_events()
        for dropped, _ in self.line.faults.strike(DroppedReply, *names):
            if dropped.how == "close" and request.transport is not None:
                request.transport.close()
            return
        await pause(delays["reply"])
        listener.send(reply)

    def _reply(self, listener: Listener, address: str, request: Mapping[str, object]) -> Json:
        """Answer a request of the websocket API."""
        sent = request.get("params", {})
        text, values = json_text(sent if isinstance(sent, dict) else {})
        call = Call(address, values.get("apiKey"), Params(values), text)
        reply: dict[str, object] = {"id": request.get("id")}
        try:
            result = self._method(listener, str(request.get("method", "")), call)
            reply |= {"status": 200, "result": result}
        except SpotRefusedError as error:
            reply |= {"status": _status(error), "error": _error(error)}
        if values.get("returnRateLimits") != "false":
            reply["rateLimits"] = self.calls.limits(call)
        return reply

    def _method(self, listener: Listener, method: str, call: Call) -> object:
        if method == "userDataStream.subscribe.signature":
            self.calls.charge(call.address, 2)
            return {"subscriptionId": self.hub.follow(listener, self.calls.account(call))}
        if method == "userDataStream.unsubscribe":
            number = call.params.whole("subscriptionId")
            if number is None:
                listener.users.clear()
            else:
                listener.users.pop(number, None)
            return {}
        if method == "userDataStream.start":
            return {"listenKey": self.hub.listen_key(self.calls.account(call, Guard.KEY))}
        return self.calls.answer(self.calls.method(method), call)

    async def _close_sockets(self, _: web.Application) -> None:
        await asyncio.gather(
            *(
                socket.close(code=WSCloseCode.GOING_AWAY, message=b"venue shuts down")
                for socket in self._sockets
            )
        )


_FAILED: Json = {
    "code": -1001,
    "msg": "Internal error; unable to process your request. Please try again.",
}


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _decoded(text: str) -> dict[str, object]:
    """Return the object in a client's message, an empty one if there is none."""
    try:
        decoded = decode_json(text)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _error(error: SpotRefusedError) -> Json:
    body: dict[str, object] = {"code": error.code, "msg": error.message}
    if isinstance(error, ReplaceFailedError):
        body["data"] = error.data
    return body


def _status(error: SpotRefusedError) -> int:
    """Return the HTTP status that goes with a refusal."""
    if isinstance(error, BannedError):
        return 418
    if isinstance(error, LimitedError):
        return 429
    if isinstance(error, ReplaceFailedError) and error.partly:
        return 409
    return 401 if error.code in (-2014, -2015) else 400


def _invalid(number: object, why: str) -> Json:
    return {"id": number, "error": {"code": 2, "msg": f"Invalid request: {why}"}}
