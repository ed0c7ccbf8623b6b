"""What every loopback venue's server does: a port of this machine, markets driven by a clock."""

import asyncio
import contextlib
import logging
import os
from abc import ABC, abstractmethod

from aiohttp import web

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock

__all__ = ["LoopbackServer"]

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
MAX_PORT = 65_535
PUMP_S = 0.05
LAG_WARNING_S = 5.0


class LoopbackServer(ABC):
    """A venue on 127.0.0.1 whose markets follow a clock, which several venues may share.

    Parameters
    ----------
    clock
        Market time; it must not be behind the markets'.
    port
        Port, 0 for any free one.
    grid_ms
        The markets are stepped to each multiple of it, market ms, so that no cadence is missed.
    option
        The command line's option for the port, for messages.

    Raises
    ------
    InputError
        If ``port`` is not a port number.
    """

    def __init__(self, clock: MarketClock, port: int, grid_ms: int, option: str = "--port") -> None:
        if not 0 <= port <= MAX_PORT:
            raise InputError(f"port is {port}, must be between 0 and {MAX_PORT}")
        self._clock = clock
        self._port = port
        self._grid_ms = grid_ms
        self._option = option
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

    @abstractmethod
    def _application(self) -> web.Application:
        """Return what is served."""

    @property
    @abstractmethod
    def _now_ms(self) -> int:
        """Time that the markets have reached, exchange ms."""

    @abstractmethod
    async def _step(self, previous_ms: int, now_ms: int) -> None:
        """Run the markets from one time to another and publish what happened."""

    async def start(self) -> None:
        """Listen and run the markets.

        Raises
        ------
        InputError
            If the port cannot be used.
        """
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise InputError(
                f"port {self._port} on {HOST} cannot be used ({os.strerror(error.errno or 0)}): "
                f"choose another with {self._option}, or 0 for a free one"
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
        previous_ms = self._now_ms
        while True:
            until_ms = self._clock.now_ms
            while previous_ms < until_ms:
                grid_ms = (previous_ms // self._grid_ms + 1) * self._grid_ms
                now_ms = min(grid_ms, until_ms)
                await self._step(previous_ms, now_ms)
                previous_ms = now_ms
                await asyncio.sleep(0)
            self._warn_if_late(until_ms)
            await asyncio.sleep(PUMP_S)

    def _warn_if_late(self, market_ms: int) -> None:
        late_s = (self._clock.now_ms - market_ms) / 1000 / self._clock.speed
        if late_s > 1.0 and self._clock.uptime_s > self._next_lag_warning_s:
            self._next_lag_warning_s = self._clock.uptime_s + LAG_WARNING_S
            logger.warning("market time is %.1f s behind its clock: lower --speed", late_s)
