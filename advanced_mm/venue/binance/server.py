"""The spot exchange on a socket: REST, streams, websocket API, admin interface."""

import time
from collections.abc import Mapping

from aiohttp import web

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.price_gaps import GapMarket
from advanced_mm.venue.binance.account_requests import AccountRequests
from advanced_mm.venue.binance.admin import BinanceAdmin
from advanced_mm.venue.binance.calls import Calls
from advanced_mm.venue.binance.hub import Hub
from advanced_mm.venue.binance.line import BinanceLine
from advanced_mm.venue.binance.market_requests import MarketRequests
from advanced_mm.venue.binance.rest import Rest
from advanced_mm.venue.binance.signing import Signers
from advanced_mm.venue.binance.sockets import API_PATH, Sockets
from advanced_mm.venue.binance.streams import STEP_GRID_MS, MarketStreams
from advanced_mm.venue.protocol.client_json import LARGEST_BYTES
from advanced_mm.venue.protocol.subscriptions.time_step import Step
from advanced_mm.venue.server.loopback import loopback_only
from advanced_mm.venue.server.loopback_server import LoopbackServer
from advanced_mm.venue.spot.exchange import SpotExchange

__all__ = ["BinanceServer"]


class BinanceServer(LoopbackServer):
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
        super().__init__(clock, port, STEP_GRID_MS, option="--binance-port")
        self.exchange = exchange
        account = AccountRequests(exchange)
        market = MarketRequests(exchange, _wall_ms, lambda symbol: streams.last_id(symbol))
        streams = MarketStreams(exchange, market.views)
        self.hub = Hub(exchange, streams, account.views)
        signers = Signers(exchange.accounts, _wall_ms)
        self.calls = Calls(market, account, signers, time.monotonic, limited=limited)
        self.line = BinanceLine(exchange, seed=seed)
        self._parts = (
            Rest(self.calls, self.hub, self.line),
            Sockets(self.calls, self.hub, self.line),
            BinanceAdmin(exchange, self.line, self.calls, gaps or {}),
        )

    @property
    def ws_api_url(self) -> str:
        """Address of the websocket API."""
        return self.ws_url.removesuffix("/ws") + API_PATH

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[loopback_only], client_max_size=LARGEST_BYTES)
        app.router.add_get("/health", self._answer_health)
        for part in self._parts:
            part.add(app)
        app.cleanup_ctx.append(self.line.run)
        return app

    @property
    def _now_ms(self) -> int:
        return self.exchange.now_ms

    async def _step(self, previous_ms: int, now_ms: int) -> None:
        updates = self.exchange.advance(now_ms)
        await self.hub.publish(Step(previous_ms, now_ms, updates))

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "market_time_ms": self.exchange.now_ms,
                "symbols": list(self.exchange.markets),
                "clients": self.hub.listeners,
                "uptime_seconds": round(self._clock.uptime_s, 3),
            }
        )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
