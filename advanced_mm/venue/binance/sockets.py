"""The websockets: market data streams and the websocket API."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from aiohttp import WSCloseCode, WSMsgType, web

from advanced_mm.venue.binance.calls import Call, Calls
from advanced_mm.venue.binance.hub import Hub, Listener
from advanced_mm.venue.binance.line import BinanceLine, request_names
from advanced_mm.venue.binance.order_views import Json
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.refusals import FAILED, error_body, status_of
from advanced_mm.venue.binance.routing import Guard
from advanced_mm.venue.binance.signing import json_text
from advanced_mm.venue.conditions.faults import DroppedReply, HttpError
from advanced_mm.venue.conditions.faulty_line import pause
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES, decode_json
from advanced_mm.venue.server.stream import Client, StreamLimits
from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["API_PATH", "Sockets"]

API_PATH = "/ws-api/v3"
PING_S = 20.0
CLOSING_S = 1.0
NEVER_IDLE_S = 86_400.0
MESSAGES_A_SECOND = 5


class Sockets:
    """Serves websockets.

    Parameters
    ----------
    calls
        Carries out requests of the websocket API.
    hub
        Knows who listens to what.
    line
        The faults.
    """

    def __init__(self, calls: Calls, hub: Hub, line: BinanceLine) -> None:
        self._calls = calls
        self._hub = hub
        self._line = line
        self._limits = StreamLimits(idle_s=NEVER_IDLE_S)
        self._sockets: set[web.WebSocketResponse] = set()

    def add(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get(API_PATH, self._serve_api)
        for path in ("/ws", "/ws/{names}", "/stream"):
            app.router.add_get(path, self._serve_streams)
        app.on_shutdown.append(self._close)

    @contextlib.asynccontextmanager
    async def _connection(
        self, request: web.Request
    ) -> AsyncIterator[tuple[web.WebSocketResponse, Listener]]:
        """Prepare a websocket and write to it what is queued, until the block ends."""
        if self._line.refuses():
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(
            compress=False, timeout=CLOSING_S, max_msg_size=LARGEST_BYTES, heartbeat=PING_S
        )
        await socket.prepare(request)
        client = Client(socket, request, self._limits, self._line)
        self._line.connect(client.name, request.transport)
        listener = Listener(client, combined=request.path == "/stream")
        self._sockets.add(socket)
        self._hub.join(listener)
        writer = asyncio.create_task(client.write())
        try:
            yield socket, listener
        finally:
            writer.cancel()
            self._line.disconnect(client.name)
            self._hub.leave(listener)
            self._sockets.discard(socket)

    async def _serve_streams(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a connection of market data streams."""
        async with self._connection(request) as (socket, listener):
            named = request.match_info.get("names") or request.query.get("streams", "")
            self._hub.subscribe(listener, [name for name in named.split("/") if name])
            lately: list[float] = []
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                now_s = time.monotonic()
                lately = [*(one for one in lately if one > now_s - 1), now_s]
                if self._calls.limited and len(lately) > MESSAGES_A_SECOND:
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
                self._hub.subscribe(listener, names)
                return {"result": None, "id": number}
            if method == "UNSUBSCRIBE":
                self._hub.unsubscribe(listener, names)
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
                delays = self._line.delays(*names)
                if any(delays.values()):
                    late.create_task(self._execute(request, listener, address, sent, names, delays))
                else:
                    await self._execute(request, listener, address, sent, names, delays)
                await asyncio.sleep(0)  # let other clients have a turn
        return socket

    def _names(self, sent: Mapping[str, object]) -> tuple[str, ...]:
        method = str(sent.get("method", ""))
        try:
            return request_names(self._calls.method(method))
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
        for failure, _ in self._line.faults.strike(HttpError, *names):
            listener.send({"id": sent.get("id"), "status": failure.status, "error": FAILED})
            return
        reply = self._reply(listener, address, sent)
        self._hub.publish_events()
        for dropped, _ in self._line.faults.strike(DroppedReply, *names):
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
            reply |= {"status": status_of(error), "error": error_body(error)}
        if values.get("returnRateLimits") != "false":
            reply["rateLimits"] = self._calls.limits(call)
        return reply

    def _method(self, listener: Listener, method: str, call: Call) -> object:
        if method == "userDataStream.subscribe.signature":
            self._calls.charge(call.address, 2)
            return {"subscriptionId": self._hub.follow(listener, self._calls.account(call))}
        if method == "userDataStream.unsubscribe":
            number = call.params.whole("subscriptionId")
            if number is None:
                listener.users.clear()
            else:
                listener.users.pop(number, None)
            return {}
        if method == "userDataStream.start":
            return {"listenKey": self._hub.listen_key(self._calls.account(call, Guard.KEY))}
        return self._calls.answer(self._calls.method(method), call)

    async def _close(self, _: web.Application) -> None:
        await asyncio.gather(
            *(
                # Without waiting for what a client does not read.
                socket.close(code=WSCloseCode.GOING_AWAY, message=b"venue shuts down", drain=False)
                for socket in self._sockets
            )
        )


def _decoded(text: str) -> dict[str, object]:
    """Return the object in a client's message, an empty one if there is none."""
    try:
        decoded = decode_json(text)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _invalid(number: object, why: str) -> Json:
    return {"id": number, "error": {"code": 2, "msg": f"Invalid request: {why}"}}
