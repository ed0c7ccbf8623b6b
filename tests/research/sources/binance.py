"""A stand-in for Binance's public endpoints on this machine: exchangeInfo and klines."""

import asyncio
import threading
from contextlib import contextmanager
from itertools import islice

from aiohttp import web

T0_MS = 1_757_347_200_000  # 2025-09-08 16:00 UTC


class StandIn:
    """Serves klines of POLUSDT, one a step, those of `missing` left out as if nothing traded.

    ``fail_after`` answers with status 503 from that request for klines on; ``asked`` lists the
    queries.
    """

    def __init__(self):
        self.missing = set()
        self.fail_after = None
        self.asked = []
        self.url = ""

    def kline(self, time_ms, step_ms):
        k = time_ms // 1000
        price = 0.27 + 0.0001 * (k % 7)
        volume = 10.0 + k % 5
        return [
            time_ms,
            f"{price:.4f}",
            f"{price + 0.0002:.4f}",
            f"{price - 0.0001:.4f}",
            f"{price + 0.0001:.4f}",
            f"{volume:.1f}",
            time_ms + step_ms - 1,
            f"{volume * price:.8f}",
            3 + k % 4,
            f"{0.4 * volume:.4f}",
            f"{0.4 * volume * price:.8f}",
            "0",
        ]

    async def klines(self, request):
        query = request.query
        self.asked.append(dict(query))
        if self.fail_after is not None and len(self.asked) > self.fail_after:
            raise web.HTTPServiceUnavailable(text="down")
        if query["symbol"] != "POLUSDT":
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        step = {"1s": 1000, "1m": 60_000}[query["interval"]]
        limit, start = int(query["limit"]), int(query["startTime"])
        times = range(start + -start % step, start + 10 * limit * step, step)
        there = (at for at in times if at not in self.missing)
        return web.json_response([self.kline(at, step) for at in islice(there, limit)])

    async def exchange_info(self, request):
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "tickSize": "0.00010000"},
            {"filterType": "LOT_SIZE", "minQty": "0.1", "stepSize": "0.10000000"},
        ]
        market = {
            "symbol": "POLUSDT",
            "status": "TRADING",
            "baseAsset": "POL",
            "quoteAsset": "USDT",
            "orderTypes": ["LIMIT", "MARKET"],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "isSpotTradingAllowed": True,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "filters": filters,
        }
        return web.json_response({"timezone": "UTC", "symbols": [market]})


@contextmanager
def binance():
    """Serve a stand-in from a thread of its own."""
    here = StandIn()
    loop = asyncio.new_event_loop()

    async def start():
        app = web.Application()
        app.router.add_get("/api/v3/klines", here.klines)
        app.router.add_get("/api/v3/exchangeInfo", here.exchange_info)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        here.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v3"
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield here
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
