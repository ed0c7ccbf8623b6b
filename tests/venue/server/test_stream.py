"""The websocket over real sockets: acknowledgements, streams, refusals, closed connections."""

import asyncio
import contextlib
import itertools
import json

import aiohttp
import pytest

from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.price_grid import PriceGrid
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server import stream
from advanced_mm.venue.server.server import PaperServer
from advanced_mm.venue.server.stream import StreamLimits

START_MS = 1_800_000_000_000


class ScriptedMarket:
    """A market that publishes given blocks, and a book of 20 levels around 100."""

    spec = CoinSpec("ETH", 2, 10, 0.1)
    mid = 100.05

    def __init__(self, updates=()):
        self._updates = list(updates)
        self.now_ms = START_MS

    def advance(self, until_ms):
        self.now_ms = until_ms
        due = [update for update in self._updates if update.time_ms <= until_ms]
        self._updates = self._updates[len(due) :]
        return due

    def book(self, levels):
        bids = tuple(Level(round(100 - i / 10, 1), 1.5, 2) for i in range(levels))
        asks = tuple(Level(round(100.1 + i / 10, 1), 2.5, 3) for i in range(levels))
        return Book(self.now_ms, bids, asks)


def one_print(tid, price=100.1, side=1):
    return Print(price, 0.25, side, tid, "0x" + f"{tid:064x}")


@contextlib.asynccontextmanager
async def serving(market, speed=1.0, limits=None, ran_to_ms=START_MS):
    exchange = Exchange([market], Rules())
    exchange.advance(ran_to_ms)
    lived_s = asyncio.get_running_loop().time
    server = PaperServer(exchange, MarketClock(ran_to_ms, speed, lived_s), limits=limits)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def connected(server):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.ws_url, autoping=True) as socket,
    ):
        yield socket


async def subscribe(socket, **subscription):
    await socket.send_json({"method": "subscribe", "subscription": subscription})
    reply = await socket.receive_json(timeout=10)
    assert reply == {
        "channel": "subscriptionResponse",
        "data": {"method": "subscribe", "subscription": subscription},
    }


async def receive_for(socket, seconds):
    messages = []
    lived_s = asyncio.get_running_loop().time
    deadline = lived_s() + seconds
    while (left := deadline - lived_s()) > 0:
        with contextlib.suppress(TimeoutError):
            messages.append(await socket.receive_json(timeout=left))
    return messages


async def test_a_ping_is_answered_with_pong():
    async with serving(ScriptedMarket()) as server, connected(server) as socket:
        await socket.send_json({"method": "ping"})
        assert await socket.receive_json(timeout=10) == {"channel": "pong"}


async def test_the_first_message_of_trades_replays_the_30_newest_prints_then_each_block_is_one():
    past = [MarketUpdate(START_MS + i, None, (one_print(i),)) for i in range(1, 41)]
    block = MarketUpdate(START_MS + 150, None, (one_print(50, side=-1), one_print(51, side=-1)))
    market = ScriptedMarket([*past, block])
    async with serving(market, ran_to_ms=START_MS + 100) as server, connected(server) as socket:
        await subscribe(socket, type="trades", coin="ETH")
        replayed = await socket.receive_json(timeout=10)
        assert replayed["channel"] == "trades"
        assert [trade["hash"] for trade in replayed["data"]] == [
            one_print(tid).hash for tid in range(11, 41)
        ]
        live = await socket.receive_json(timeout=10)
        assert [trade["hash"] for trade in live["data"]] == [
            one_print(tid).hash for tid in (50, 51)
        ]
        tids = [trade["tid"] for trade in (*replayed["data"], *live["data"])]
        assert tids == sorted(set(tids))
        first = live["data"][0]
        assert (first["side"], first["time"], first["coin"]) == ("A", START_MS + 150, "ETH")
        assert (float(first["px"]), float(first["sz"])) == (100.1, 0.25)
        assert first["hash"] == "0x" + f"{50:064x}"


async def test_bbo_gives_the_touch_at_once_and_on_change_with_null_for_an_empty_side():
    changed = MarketUpdate(START_MS + 100, Quote(99.9, 3.0, None, 0.0))
    async with serving(ScriptedMarket([changed])) as server, connected(server) as socket:
        await subscribe(socket, type="bbo", coin="ETH")
        now = (await socket.receive_json(timeout=10))["data"]
        assert [float(side["px"]) for side in now["bbo"]] == [100.0, 100.1]
        later = (await socket.receive_json(timeout=10))["data"]
        assert (later["time"], later["coin"]) == (START_MS + 100, "ETH")
        assert later["bbo"][1] is None
        assert float(later["bbo"][0]["px"]) == 99.9
        assert float(later["bbo"][0]["sz"]) == 3.0


async def test_books_come_with_20_levels_every_5_s_and_with_fast_5_levels_every_half_second():
    # 20 market seconds in one real second.
    async with serving(ScriptedMarket(), speed=20.0) as server, connected(server) as socket:
        await subscribe(socket, type="l2Book", coin="ETH")
        await subscribe_later(socket, type="l2Book", coin="ETH", fast=True)
        books = [m["data"] for m in await receive_for(socket, 1.0) if m["channel"] == "l2Book"]
        slow = [b["time"] for b in books if len(b["levels"][0]) == 20][1:]
        fast = [b["time"] for b in books if len(b["levels"][0]) == 5][1:]
        assert slow and all(t % 5_000 == 0 for t in slow)
        assert set(b - a for a, b in itertools.pairwise(slow)) <= {5_000}
        assert len(fast) > 10
        assert set(b - a for a, b in itertools.pairwise(fast)) == {500}


async def subscribe_later(socket, **subscription):
    """Subscribe where other messages may come before the acknowledgement."""
    await socket.send_json({"method": "subscribe", "subscription": subscription})
    while (await socket.receive_json(timeout=10))["channel"] != "subscriptionResponse":
        pass


async def test_the_candle_stream_follows_each_print():
    blocks = [MarketUpdate(START_MS + 100 * i, None, (one_print(i, 100.0 + i),)) for i in (1, 2)]
    async with serving(ScriptedMarket(blocks)) as server, connected(server) as socket:
        await subscribe(socket, type="candle", coin="ETH", interval="1m")
        bars = [(await socket.receive_json(timeout=10))["data"] for _ in range(3)]
        assert [bar["n"] for bar in bars] == [0, 1, 2]
        assert [float(bars[-1][k]) for k in "ohlc"] == [101.0, 102.0, 101.0, 102.0]
        assert (bars[-1]["s"], bars[-1]["i"], float(bars[-1]["v"])) == ("ETH", "1m", 0.5)


async def test_all_mids_come_each_market_second():
    async with serving(ScriptedMarket(), speed=10.0) as server, connected(server) as socket:
        await subscribe(socket, type="allMids")
        messages = await receive_for(socket, 0.75)
        assert all(
            m == {"channel": "allMids", "data": {"mids": {"ETH": "100.05"}}} for m in messages
        )
        assert 3 <= len(messages) <= 9


async def test_the_figures_of_a_coin_come_each_market_second():
    async with serving(ScriptedMarket(), speed=10.0) as server, connected(server) as socket:
        await subscribe(socket, type="activeAssetCtx", coin="ETH")
        messages = await receive_for(socket, 0.75)
        assert 3 <= len(messages) <= 9
        for message in messages:
            assert message["channel"] == "activeAssetCtx"
            assert message["data"] == {
                "coin": "ETH",
                "ctx": server.answers.views.markets.context("ETH"),
            }
        assert messages[0]["data"]["ctx"]["midPx"] == "100.05"
        assert messages[0]["data"]["ctx"]["impactPxs"] == ["100.0", "100.1"]


@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "noSuchStream", "coin": "ETH"},
        {"type": "bbo", "coin": "NOPE"},
        {"type": "bbo"},
        {"type": "candle", "coin": "ETH", "interval": "7m"},
        {"type": "l2Book", "coin": "ETH", "fast": "yes"},
        {"coin": "ETH"},
        "bbo",
        None,
    ],
)
async def test_an_invalid_subscription_is_named_on_the_error_channel(subscription):
    async with serving(ScriptedMarket()) as server, connected(server) as socket:
        await socket.send_json({"method": "subscribe", "subscription": subscription})
        text = json.dumps(subscription, separators=(",", ":"))
        expected = {"channel": "error", "data": f"Invalid subscription {text}"}
        assert await socket.receive_json(timeout=10) == expected


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"method":"dance"}'])
async def test_a_message_that_is_no_request_is_named_on_the_error_channel(text):
    async with serving(ScriptedMarket()) as server, connected(server) as socket:
        await socket.send_str(text)
        message = await socket.receive_json(timeout=10)
        assert message["channel"] == "error"
        expected = f"Error parsing JSON into valid websocket request: {text}"
        assert message["data"] == expected


async def test_subscriptions_are_held_once_and_end_on_request():
    async with serving(ScriptedMarket(), speed=20.0) as server, connected(server) as socket:
        mids = {"type": "allMids"}
        await subscribe(socket, **mids)
        await socket.send_json({"method": "subscribe", "subscription": mids})
        await socket.send_json({"method": "unsubscribe", "subscription": mids})
        await socket.send_json({"method": "unsubscribe", "subscription": mids})
        messages = await receive_for(socket, 0.3)
        others = [m for m in messages if m["channel"] != "allMids"]
        assert others == [
            {"channel": "error", "data": 'Already subscribed: {"type":"allMids"}'},
            {
                "channel": "subscriptionResponse",
                "data": {"method": "unsubscribe", "subscription": mids},
            },
            {"channel": "error", "data": 'Already unsubscribed: {"type":"allMids"}'},
        ]
        assert await receive_for(socket, 0.3) == []


async def test_a_connection_to_which_nothing_is_sent_is_closed_and_a_ping_keeps_it():
    limits = StreamLimits(idle_s=0.8)
    async with (
        serving(ScriptedMarket(), limits=limits) as server,
        connected(server) as silent,
        connected(server) as pinging,
    ):
        started = asyncio.get_running_loop().time()
        for _ in range(5):
            await asyncio.sleep(0.2)
            await pinging.send_json({"method": "ping"})
            assert await pinging.receive_json(timeout=10) == {"channel": "pong"}
        message = await silent.receive(timeout=10)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert asyncio.get_running_loop().time() - started < 5.0
        assert not pinging.closed


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_are_not_delayed(caplog):
    # Blocks of 2000 prints, about 0.4 MB a message: buffers on the way are full after a few.
    prints = tuple(one_print(i) for i in range(2_000))
    blocks = [
        MarketUpdate(START_MS + 100 * i, Quote(99.0 + i % 2, 1.0, 101.0, 1.0), prints)
        for i in range(1, 1_000)
    ]
    limits = StreamLimits(queue_messages=20)
    async with serving(ScriptedMarket(blocks), speed=5.0, limits=limits) as server:
        _, writer = await deaf_to_trades(server)
        async with connected(server) as client, aiohttp.ClientSession() as session:
            await subscribe(client, type="bbo", coin="ETH")
            while "cannot keep up" not in caplog.text:
                assert (await client.receive_json(timeout=10))["channel"] == "bbo"
            assert "cannot keep up" in caplog.text
            async with session.get(server.rest_url + "/health") as answer:
                assert (await answer.json())["clients"] == 1
        writer.close()


async def test_a_venue_ends_though_a_client_does_not_read(monkeypatch):
    monkeypatch.setattr(stream, "CLOSING_S", 0.1)
    prints = tuple(one_print(i) for i in range(2_000))
    quote = Quote(99.0, 1.0, 101.0, 1.0)
    blocks = [MarketUpdate(START_MS + 100 * i, quote, prints) for i in range(1, 200)]
    limits = StreamLimits(queue_bytes=1 << 30)
    async with serving(ScriptedMarket(blocks), speed=20.0, limits=limits) as server:
        _, writer = await deaf_to_trades(server)
        async with asyncio.timeout(20):
            while not server._hub._clients:
                await asyncio.sleep(0.01)
            (client,) = server._hub._clients
            while not client._transport.get_protocol()._paused:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            await server._hub.close()
        writer.close()


async def deaf_to_trades(server):
    """Subscribe to trades without ever reading one."""
    host, port = server.rest_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**10)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    text = json.dumps(
        {"method": "subscribe", "subscription": {"type": "trades", "coin": "ETH"}}
    ).encode()
    # A client's frame is masked; a mask of zeros leaves the text as it is.
    writer.write(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
    return reader, writer


async def test_every_price_and_size_on_the_stream_obeys_the_venues_rules():
    spec = SyntheticParameters().spec
    grid = PriceGrid(spec.size_decimals)

    def check(price, size):
        assert grid.bid(float(price), 0.0) == float(price)
        assert len(size.partition(".")[2]) <= spec.size_decimals
        assert float(size) > 0

    market = SyntheticMarket(SyntheticParameters(), START_MS, seed=2)
    async with serving(market, speed=60.0) as server, connected(server) as socket:
        for kind in ({"type": "trades"}, {"type": "bbo"}, {"type": "l2Book", "fast": True}):
            await subscribe_later(socket, coin="ETH", **kind)
        await subscribe_later(socket, type="candle", coin="ETH", interval="1m")
        seen = set()
        for message in await receive_for(socket, 0.7):
            data = message["data"]
            seen.add(message["channel"])
            match message["channel"]:
                case "trades":
                    levels = data
                case "bbo":
                    levels = [side for side in data["bbo"] if side is not None]
                case "l2Book":
                    levels = data["levels"][0] + data["levels"][1]
                case "candle":
                    levels = [{"px": data[k], "sz": data["v"]} for k in "ohlc" if data["n"]]
            for level in levels:
                check(level["px"], level["sz"])
        assert seen == {"trades", "bbo", "l2Book", "candle"}


async def test_stopping_the_venue_says_goodbye_to_its_clients():
    async with serving(ScriptedMarket()) as server, connected(server) as socket:
        await socket.send_json({"method": "ping"})
        await socket.receive_json(timeout=10)
        await server.stop()
        message = await socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.GOING_AWAY
