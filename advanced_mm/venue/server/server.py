"""The venue on a socket: REST, websocket and the pump that drives the markets."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable

from aiohttp import web

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES, decode_json, shortened
from advanced_mm.venue.protocol.gateway_protocol import GatewayProtocol
from advanced_mm.venue.protocol.info_routing import RejectedRequest, UnknownCoinError
from advanced_mm.venue.protocol.messages.wire_views import Json
from advanced_mm.venue.protocol.subscriptions.time_step import CADENCE_GRID_MS, Step
from advanced_mm.venue.server.answers import Answers
from advanced_mm.venue.server.loopback import loopback_only
from advanced_mm.venue.server.stream import StreamHub, StreamLimits

__all__ = ["PaperServer"]

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
MAX_PORT = 65_535
PUMP_S = 0.05
LAG_WARNING_S = 5.0


class PaperServer:
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
        if not 0 <= port <= MAX_PORT:
            raise InputError(f"port is {port}, must be between 0 and {MAX_PORT}")
        self.exchange = exchange
        self._clock = clock
        self._port = port
        self._gateway = gateway
        # Clients take nonces from their own clock, whatever the market time.
        self.answers = Answers(exchange, lambda: time.time_ns() // 1_000_000, gateway)
        self._hub = StreamHub(self.answers, limits, gateway)
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None
        self._next_lag_warning_s = LAG_WARNING_S

    @property
    def rest_url(self) -> str:
        """Address of the REST interface, without a path."""
        return f"http://{HOST}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Address of the websocket."""
        return f"ws://{HOST}:{self._port}/ws"

    async def start(self) -> None:
        """Listen and run the markets.

        Raises
        ------
        InputError
            If the port cannot be used.
        """
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
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise InputError(
                f"port {self._port} on {HOST} cannot be used ({os.strerror(error.errno or 0)}): "
                "choose another with --port, or 0 for a free one"
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
        """Advance the markets to the clock in a loop, publishing at every cadence."""
        previous_ms = self.exchange.now_ms
        while True:
            until_ms = self._clock.now_ms
            while previous_ms < until_ms:
                grid_ms = (previous_ms // CADENCE_GRID_MS + 1) * CADENCE_GRID_MS
                now_ms = min(grid_ms, until_ms)
                updates = self.exchange.advance(now_ms)
                await self._hub.publish(Step(previous_ms, now_ms, updates))
                previous_ms = now_ms
                await asyncio.sleep(0)
            self._warn_if_late(until_ms)
            await asyncio.sleep(PUMP_S)

    def _warn_if_late(self, market_ms: int) -> None:
        late_s = (self._clock.now_ms - market_ms) / 1000 / self._clock.speed
        if late_s > 1.0 and self._clock.uptime_s > self._next_lag_warning_s:
            self._next_lag_warning_s = self._clock.uptime_s + LAG_WARNING_S
            logger.warning("market time is %.1f s behind its clock: lower --speed", late_s)

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
