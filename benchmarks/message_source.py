"""A venue that only speaks: frames of a synthetic market, at a rate or as fast as they are read.

Run by `collector.py` as a process of its own, so that making the frames costs the reader nothing.
It answers ``meta`` and accepts any subscription. When the last is there it prints ``begin``, sends
its frames, prints ``sent`` with their number, and stays connected.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from aiohttp import WSMsgType, web

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.recipes import coin_seed
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

CHANNELS = (
    {"type": "bbo"},
    {"type": "trades"},
    {"type": "l2Book"},
    {"type": "l2Book", "fast": True},
)
START_MS = 1_790_000_000_000
SPEED = 10.0
QUIET_S = 0.5  # after the last subscription, before the first frame
_TIME = re.compile(r'"time":(\d+)')
_TID = re.compile(r'"tid":(\d+)')


def coin_names(number: int) -> list[str]:
    return [f"C{i:02d}" for i in range(number)]


async def listen(coins: list[str], seconds: float) -> list[str]:
    """Return what a venue with these coins published in some market seconds."""
    markets = [
        SyntheticMarket(SyntheticParameters(coin=coin), START_MS, coin_seed(1, number, coin))
        for number, coin in enumerate(coins)
    ]
    server = PaperServer(Exchange(markets, Rules()), MarketClock(START_MS, SPEED))
    await server.start()
    frames: list[str] = []
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.ws_url, max_msg_size=0) as socket,
        ):
            for coin in coins:
                for channel in CHANNELS:
                    await socket.send_json(
                        {"method": "subscribe", "subscription": {**channel, "coin": coin}}
                    )
            end = time.monotonic() + seconds / SPEED + 1
            while time.monotonic() < end:
                frame = (await socket.receive()).data
                if '"channel":"subscriptionResponse"' not in frame:
                    frames.append(frame)
    finally:
        await server.stop()
    return frames


def _shifted(pattern: re.Pattern[str], name: str, frame: str, by: int) -> str:
    return pattern.sub(lambda found: f'"{name}":{int(found[1]) + by}', frame)


def later(frames: list[str], number: int, from_ms: int) -> Iterator[str]:
    """Yield some frames in turn, again and again: each round later, its trades with new numbers."""
    times = [int(match[1]) for frame in frames for match in _TIME.finditer(frame)]
    first, length = min(times), max(times) - min(times) + 1
    for place in range(number):
        turn, index = divmod(place, len(frames))
        shift = from_ms - first + turn * length
        moved = _shifted(_TIME, "time", frames[index], shift)
        yield _shifted(_TID, "tid", moved, turn * 10**10)


async def send(socket: web.WebSocketResponse, frames: list[str], rate: float | None) -> None:
    await asyncio.sleep(QUIET_S)
    print("begin", flush=True)
    began = time.monotonic()
    for place, frame in enumerate(frames):
        if rate is not None:
            ahead = place / rate - (time.monotonic() - began)
            if ahead > 0.005:
                await asyncio.sleep(ahead)
        await socket.send_str(frame)
    print("sent", len(frames), time.monotonic() - began, flush=True)


async def serve(frames: list[str], subscriptions: int, rate: float | None) -> None:
    coins = sorted({frame.split('"coin":"', 1)[1].split('"', 1)[0] for frame in frames})

    async def websocket(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        asked, sending = 0, None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            body = json.loads(message.data)
            if body["method"] == "ping":
                await socket.send_str('{"channel":"pong"}')
                continue
            asked += 1
            if asked == subscriptions:
                sending = asyncio.create_task(send(socket, frames, rate))
        if sending is not None:
            sending.cancel()
        return socket

    async def info(request: web.Request) -> web.Response:
        kind = (await request.json())["type"]
        if kind == "perpDexs":
            return web.json_response([None])
        return web.json_response({"universe": [{"name": one, "szDecimals": 4} for one in coins]})

    app = web.Application()
    app.router.add_get("/ws", websocket)
    app.router.add_post("/info", info)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("port", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("frames", type=Path, help="frames, one a line")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--subscriptions", type=int, required=True)
    parser.add_argument("--rate", type=float, help="messages a second; as fast as read without")
    options = parser.parse_args()
    stored = options.frames.read_text().splitlines()
    back_s = 0 if options.rate else 3600 * 12
    frames = list(later(stored, options.number, round((time.time() - back_s) * 1000)))
    asyncio.run(serve(frames, options.subscriptions, options.rate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
