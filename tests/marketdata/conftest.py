"""Messages in the venue's format, and a fake venue on a real socket with scripted behaviour."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from tests.lived_time import pytest_asyncio_loop_factories  # noqa: F401

Behaviour = Callable[["FakeVenue", web.WebSocketResponse], Awaitable[None]]


def bbo(time_ms: int, bid: Any = 100.0, ask: Any = 100.1, coin: str = "ETH") -> dict[str, Any]:
    def level(price: Any) -> Any:
        return None if price is None else {"px": str(price), "sz": "1.5", "n": 2}

    return {
        "channel": "bbo",
        "data": {"coin": coin, "time": time_ms, "bbo": [level(bid), level(ask)]},
    }


def trades(*prints: tuple[int, int], price: Any = 100.1, coin: str = "ETH") -> dict[str, Any]:
    """Prints given as (exchange ms, tid); odd tids sell. Three in a row share a hash."""
    return {
        "channel": "trades",
        "data": [
            {
                "coin": coin,
                "side": "A" if tid % 2 else "B",
                "px": str(price),
                "sz": "0.5",
                "hash": f"0x{tid // 3 + 1:064x}",
                "time": time_ms,
                "tid": tid,
                "users": ["0x1", "0x2"],
            }
            for time_ms, tid in prints
        ],
    }


def book(time_ms: int, levels: int = 5, coin: str = "ETH") -> dict[str, Any]:
    sides = [
        [
            {"px": f"{100.0 + sign * 0.1 * (level + 1):.1f}", "sz": "2.0", "n": 1}
            for level in range(levels)
        ]
        for sign in (-1, 1)
    ]
    return {"channel": "l2Book", "data": {"coin": coin, "time": time_ms, "levels": sides}}


def speak(recorder: Recorder, start_s: int, seconds: int) -> None:
    """Let a recorder hear all channels for some seconds, then bbo and book alone for 20 more."""
    for tenth in range(10 * (seconds + 20)):
        now_s = start_s + tenth / 10
        time_ms = round(1000 * now_s)
        recorder.handle(bbo(time_ms), now_s)
        if tenth < 10 * seconds and tenth % 4 == 0:
            recorder.handle(trades((time_ms, time_ms)), now_s)
        if tenth % 5 == 0:
            recorder.handle(book(time_ms), now_s)
        if tenth % 10 == 0:
            recorder.look(now_s)


class FakeVenue:
    """Each connection is served by the next behaviour; the last one serves all later ones."""

    def __init__(self) -> None:
        self.behaviours: Sequence[Behaviour] = []
        self.meta: Any = {"universe": [{"name": "ETH", "szDecimals": 4}]}
        self.dexs: dict[str, Any] | None = None
        """``meta`` answers of the builder-deployed exchanges; None if the venue has none."""
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.subscriptions: list[list[dict[str, Any]]] = []
        self.pings = 0
        self.url = ""

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        behaviour = self.behaviours[min(self.connections, len(self.behaviours) - 1)]
        self.connections += 1
        self.subscriptions.append([])
        subscribed = self.subscriptions[-1]
        acting = asyncio.create_task(behaviour(self, socket))
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            request_body = json.loads(message.data)
            if request_body["method"] == "ping":
                self.pings += 1
                await socket.send_json({"channel": "pong"})
            else:
                subscribed.append(request_body["subscription"])
                await socket.send_json({"channel": "subscriptionResponse", "data": request_body})
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        return socket

    async def info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked.append(asked)
        if asked == {"type": "meta"} and self.meta is not None:
            return web.json_response(self.meta)
        if asked == {"type": "perpDexs"} and self.dexs is not None:
            return web.json_response([None, *({"name": dex} for dex in self.dexs)])
        if asked["type"] == "meta" and asked.get("dex", "") in (self.dexs or {}):
            return web.json_response(self.dexs[asked["dex"]])
        return web.Response(status=500)


@pytest.fixture
async def venue() -> AsyncIterator[FakeVenue]:
    fake = FakeVenue()
    app = web.Application()
    app.router.add_get("/ws", fake.websocket)
    app.router.add_post("/info", fake.info)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    yield fake
    await runner.cleanup()


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "data")


@pytest.fixture(scope="session")
def wire() -> SimpleNamespace:
    """Builders of the venue's messages."""
    return SimpleNamespace(bbo=bbo, trades=trades, book=book, speak=speak)


@pytest.fixture(scope="session")
def recordings() -> Path:
    folder = Path(__file__).parents[2].parent / "shared/hyperliquid"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    return folder
