"""The venue on a socket: REST, websocket and the pump that drives the markets."""

import time
from collections.abc import Callable

from aiohttp import web

from advanced_mm.markets.clock import MarketClock
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES, decode_json, shortened
from advanced_mm.venue.protocol.gateway_protocol import GatewayProtocol
from advanced_mm.venue.protocol.info_routing import RejectedRequest, UnknownCoinError
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.protocol.subscriptions.time_step import CADENCE_GRID_MS, Step
from advanced_mm.venue.server.answers import Answers
from advanced_mm.venue.server.loopback import loopback_only
from advanced_mm.venue.server.loopback_server import LoopbackServer
from advanced_mm.venue.server.stream import StreamHub, StreamLimits

__all__ = ["PaperServer"]


class PaperServer(LoopbackServer):
    """A loopback Hyperliquid: POST /info and /exchange, GET /ws, and GET /health for monitoring.

    It answers only this machine, see `loopback`.

    Parameters
    ----------
    exchange
        Markets and accounts, at their start time.
    clock
        Market time; it must not be behind the exchange's.
    port
        Port on 127.0.0.1, 0 for any free one.
    limits
        When websocket connections are closed.
    gateway
        Rate limits, faults and the admin interface; None for none of them.

    Raises
    ------
    InputError
        If ``port`` is not a port number.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: MarketClock,
        port: int = 0,
        limits: StreamLimits | None = None,
        gateway: GatewayProtocol | None = None,
    ) -> None:
        super().__init__(clock, port, CADENCE_GRID_MS)
        self.exchange = exchange
        self._gateway = gateway
        # Clients take nonces from their own clock, whatever the market time.
        self.answers = Answers(exchange, lambda: time.time_ns() // 1_000_000, gateway)
        self._hub = StreamHub(self.answers, limits, gateway)

    def _application(self) -> web.Application:
        app = web.Application(
            middlewares=[loopback_only, *([self._gateway.middleware] if self._gateway else [])],
            client_max_size=LARGEST_BYTES,
        )
        app.router.add_post("/info", self._answer_info)
        app.router.add_post("/exchange", self._answer_action)
        app.router.add_get("/ws", self._hub.handle)
        app.router.add_get("/health", self._answer_health)
        app.on_shutdown.append(self._close_streams)
        if self._gateway is not None:
            self._gateway.add_routes(app, self)
        return app

    @property
    def _now_ms(self) -> int:
        return self.exchange.now_ms

    async def _step(self, previous_ms: int, now_ms: int) -> None:
        updates = self.exchange.advance(now_ms)
        await self._hub.publish(Step(previous_ms, now_ms, updates))

    async def _answer_info(self, request: web.Request) -> web.Response:
        return await self._answer(request, self.answers.info)

    async def _answer_action(self, request: web.Request) -> web.Response:
        response = await self._answer(request, self.answers.action)
        self._hub.publish_events()
        return response

    async def _answer(self, request: web.Request, answer: Callable[[object], Json]) -> web.Response:
        try:
            body = decode_json(await request.read())
        except ValueError as error:
            text = f"Failed to parse the request body as JSON: {error}"
            return web.Response(status=400, text=text)
        try:
            return web.json_response(answer(body))
        except RejectedRequest as error:
            reason = shortened(str(error))
            text = f"Failed to deserialize the JSON body into the target type: {reason}"
            return web.Response(status=422, text=text)
        except UnknownCoinError:
            return web.json_response(None, status=500)

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "market_time_ms": self.exchange.now_ms,
                "coins": list(self.exchange.venue.markets),
                "clients": self._hub.clients,
                "uptime_seconds": round(self._clock.uptime_s, 3),
            }
        )

    async def _close_streams(self, _: web.Application) -> None:
        await self._hub.close()
