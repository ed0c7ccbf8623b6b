"""Limits and faults over real sockets, with plain aiohttp clients.

- REST: 429 beyond 1200 of weight, charged for what is returned; address budget; websocket limits;
- REST faults: latency, 5xx before execution, replies dropped after it, by path or type;
- stream faults: messages duplicated, late but in order, lost, silence with and without pongs, cut;
- maintenance, halt; probability, count and duration of a fault; schedule; the fault board itself.
"""

import asyncio
import contextlib
import json
import random
import time

import aiohttp
import pytest
from pydantic import TypeAdapter

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock
from advanced_mm.venue.conditions.faults import (
    DelistedCoin,
    Fault,
    FaultBoard,
    HaltedCoin,
    HttpError,
    Latency,
)
from advanced_mm.venue.conditions.gateway import Gateway, TimedFault
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

FAULT = TypeAdapter(Fault)
USER = "0x" + "1" * 40
OFF = LimitSwitches(rest=False, websocket=False, address=False)


def fault(kind, **fields):
    return FAULT.validate_python({"kind": kind, **fields})


@pytest.fixture
def behind_a_gateway(scripted):
    """A server of one scripted market, its gateway and a client session."""

    @contextlib.asynccontextmanager
    async def opened(switches=OFF, schedule=(), speed=1.0):
        market = scripted.Market()
        exchange = Exchange([market], Rules())
        gateway = Gateway(exchange, switches, schedule=schedule)
        server = PaperServer(exchange, MarketClock(exchange.now_ms, speed), gateway=gateway)
        await server.start()
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
                yield server, gateway, session, market
        finally:
            await server.stop()

    return opened


async def info(session, server, **body):
    async with session.post(f"{server.rest_url}/info", json=body) as answer:
        return answer.status, await answer.json()


async def read(socket, channel, seconds=20.0):
    """The next message of a channel."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.receive_json()
            if message["channel"] == channel:
                return message


async def silent(socket, seconds=0.3):
    """Whether no message arrives."""
    try:
        async with asyncio.timeout(seconds):
            await socket.receive()
    except TimeoutError:
        return True
    return False


def subscribe(kind="bbo", **fields):
    return {"method": "subscribe", "subscription": {"type": kind, "coin": "ETH", **fields}}


async def test_rest_weight_is_counted_and_refused_with_429(behind_a_gateway):
    async with behind_a_gateway(LimitSwitches()) as (server, gateway, session, _):
        candles = {"coin": "ETH", "interval": "1m", "startTime": 0}
        weighed = 0
        for _ in range(30):
            assert (await info(session, server, type="meta"))[0] == 200
            weighed += 20
        status, bars = await info(session, server, type="candleSnapshot", req=candles)
        assert status == 200
        weighed += 20 + len(bars) // 60
        used = gateway.rest["127.0.0.1"].minute.used(time.monotonic())
        assert used == weighed
        while weighed + 2 <= 1200:
            assert (await info(session, server, type="allMids"))[0] == 200
            weighed += 2
        assert await info(session, server, type="l2Book", coin="ETH") == (429, None)
        assert gateway.rest["127.0.0.1"].refused == 1


async def test_limits_that_are_off_do_not_refuse(behind_a_gateway):
    async with behind_a_gateway() as (server, gateway, session, _):
        for _ in range(70):
            assert (await info(session, server, type="meta"))[0] == 200
        gateway.exchange.accounts.open(USER).requests_used = 10**9
        assert gateway.spend(USER, 1, cancels=False) is None
        for _ in range(31):
            async with session.ws_connect(server.ws_url):
                pass


async def test_the_budget_of_an_address_grows_with_what_it_trades(behind_a_gateway):
    async with behind_a_gateway(LimitSwitches()) as (_, gateway, _, _):
        account = gateway.exchange.accounts.open(USER)
        account.requests_used = 9_998
        assert gateway.spend(USER, 1, cancels=False) is None
        assert account.requests_used == 9_999
        assert gateway.spend(USER, 1, cancels=False) is None  # the one in 10 s
        assert "(10001 > 9999)" in str(gateway.spend(USER, 1, cancels=False))
        assert account.requests_used == 10_000
        account.volume = 5_000_000
        assert gateway.spend(USER, 1, cancels=False) is None
        assert gateway.spend(USER, 50, cancels=True) is None
        assert gateway.addresses.refused == 1


async def test_bought_requests_add_to_the_budget_of_an_address(behind_a_gateway):
    async with behind_a_gateway(LimitSwitches()) as (_, gateway, _, _):
        account = gateway.exchange.accounts.open(USER)
        account.requests_used = 9_999
        assert gateway.exchange.reserve_requests(USER, USER, 2) is None
        assert gateway.spend(USER, 2, cancels=False) is None
        assert "(10001 > 9999)" in str(gateway.spend(USER, 2, cancels=False))


async def test_websocket_limits(behind_a_gateway):
    async with behind_a_gateway(LimitSwitches()) as (server, gateway, session, _):
        async with contextlib.AsyncExitStack() as stack:
            sockets = [
                await stack.enter_async_context(session.ws_connect(server.ws_url))
                for _ in range(10)
            ]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(server.ws_url)
            assert refused.value.status == 429
            for i in range(10):
                await sockets[i].send_json(subscribe("orderUpdates", user=f"0x{i:040x}"))
                assert (await read(sockets[i], "subscriptionResponse"))["data"]["method"]
            await sockets[0].send_json(subscribe("userFills", user=f"0x{10:040x}"))
            error = await read(sockets[0], "error")
            assert error["data"] == "Cannot track more than 10 total users."
            counter = gateway.streams["127.0.0.1"]
            assert (counter.connections, counter.subscriptions, len(counter.users)) == (10, 10, 10)
        async with asyncio.timeout(20):
            while gateway.streams["127.0.0.1"].connections:
                await asyncio.sleep(0.01)
        assert counter.subscriptions == 0


async def test_what_is_refused_uses_up_no_limit(behind_a_gateway):
    async with behind_a_gateway(LimitSwitches()) as (server, gateway, session, _):
        for _ in range(40):  # no handshakes: no new connections
            async with session.get(f"{server.rest_url}/ws") as answer:
                assert answer.status == 400
        async with session.ws_connect(server.ws_url) as rude:
            for number in range(110):
                await rude.send_json({"method": "post", "id": str(number), "request": {}})
                assert "Error parsing" in (await read(rude, "error"))["data"]
                user = f"0x{number:040x}"
                await rude.send_json(subscribe("noSuchStream", user=user))
                await rude.send_json(subscribe("activeAssetData", user=user, coin="NOPE"))
                for _ in range(2):
                    assert "Invalid subscription" in (await read(rude, "error"))["data"]
            counter = gateway.streams["127.0.0.1"]
            assert (counter.posts, counter.subscriptions, len(counter.users)) == (0, 0, 0)
            assert (counter.refused, counter.messages(time.monotonic())) == (0, 330)
            async with session.ws_connect(server.ws_url) as socket:
                await socket.send_json(subscribe("userFills", user=USER))
                assert (await read(socket, "subscriptionResponse"))["data"]["method"]
                request = {"type": "info", "payload": {"type": "allMids"}}
                await socket.send_json({"method": "post", "id": 1, "request": request})
                assert (await read(socket, "post"))["data"]["id"] == 1
                for variant in ({}, {"more": 1}, {"coin": "BTC"}):  # one and the same
                    await socket.send_json(subscribe("userFills", user=USER, **variant))
                    assert "Already subscribed" in (await read(socket, "error"))["data"]
                assert counter.subscriptions == 1
            async with asyncio.timeout(20):
                while counter.subscriptions:
                    await asyncio.sleep(0.01)


async def test_posts_are_under_way_until_they_are_answered_or_lost(behind_a_gateway):
    async with (
        behind_a_gateway(LimitSwitches()) as (server, gateway, session, _),
        session.ws_connect(server.ws_url) as socket,
    ):
        request = {"type": "info", "payload": {"type": "allMids"}}

        async def post(first, last):
            for number in range(first, last):
                await socket.send_json({"method": "post", "id": number, "request": request})

        late = gateway.set_fault(fault("delayed_messages", milliseconds=500, channels=["post"]))
        await post(0, 101)
        answered = [(await read(socket, "post"))["data"]["id"] for _ in range(100)]
        assert answered == list(range(100))
        refusal = (await read(socket, "error"))["data"]
        assert refusal == "Cannot have more than 100 posts in flight."
        counter = gateway.streams["127.0.0.1"]
        assert counter.posts == 0
        gateway.faults.clear(late.number)
        gateway.set_fault(fault("dropped_messages", channels=["post"], count=150))
        await post(0, 150)
        await post(150, 151)
        assert (await read(socket, "post"))["data"]["id"] == 150
        assert (counter.posts, counter.refused) == (0, 1)


async def test_latency_of_some_requests(behind_a_gateway):
    async with behind_a_gateway() as (server, gateway, session, _):
        gateway.set_fault(fault("latency", milliseconds=200, requests=["allMids"], count=2))
        lived_s = asyncio.get_running_loop().time
        for kind, least, most in (("meta", 0, 0.2), ("allMids", 0.2, 1), ("allMids", 0.2, 1)):
            started = lived_s()
            assert (await info(session, server, type=kind))[0] == 200
            assert least <= lived_s() - started < most
        assert gateway.faults.active == []


async def test_errors_come_before_execution(behind_a_gateway):
    async with behind_a_gateway() as (server, gateway, session, _):
        gateway.set_fault(fault("http_error", status=503, requests=["/info"], count=1))
        user = {"type": "clearinghouseState", "user": USER}
        assert await info(session, server, **user) == (503, None)
        assert gateway.exchange.accounts.get(USER) is None
        assert (await info(session, server, **user))[0] == 200
        assert gateway.exchange.accounts.get(USER) is not None


async def test_replies_are_dropped_after_execution(behind_a_gateway):
    async with behind_a_gateway() as (server, gateway, session, _):
        user = {"type": "clearinghouseState", "user": USER}
        gateway.set_fault(fault("dropped_reply", count=1))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await info(session, server, **user)
        assert gateway.exchange.accounts.get(USER) is not None
        gateway.set_fault(fault("dropped_reply", how="withhold", count=1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await info(session, server, **user)
        assert (await info(session, server, **user))[0] == 200


async def test_messages_twice_late_in_order_and_lost(behind_a_gateway):
    async with (
        behind_a_gateway() as (server, gateway, session, market),
        session.ws_connect(server.ws_url) as socket,
    ):
        await socket.send_json(subscribe())
        await read(socket, "bbo")
        gateway.set_fault(fault("duplicated_messages", channels=["bbo"], count=1))
        market.quote(3001.0, 3001.1)
        first = await read(socket, "bbo")
        assert await read(socket, "bbo") == first
        gateway.set_fault(fault("dropped_messages", channels=["bbo"], count=1))
        market.quote(3002.0, 3002.1)
        assert await silent(socket)
        gateway.set_fault(fault("delayed_messages", milliseconds=300, count=1))
        started = asyncio.get_running_loop().time()
        market.quote(3003.0, 3003.1)
        async with asyncio.timeout(20):
            while gateway.faults.active:
                await asyncio.sleep(0.005)
        market.quote(3004.0, 3004.1)
        prices = [(await read(socket, "bbo"))["data"]["bbo"][0]["px"] for _ in range(2)]
        assert prices == ["3003.0", "3004.0"]
        assert asyncio.get_running_loop().time() - started >= 0.3
        market.quote(3005.0, 3005.1)  # nothing is late any more
        assert (await read(socket, "bbo"))["data"]["bbo"][0]["px"] == "3005.0"


async def test_one_channel_of_one_coin_is_lost(scripted):
    """Its messages never arrive; other channels, the other coin and acknowledgements do."""
    markets = scripted.Market(), scripted.Market("BTC", start_ms=None)
    exchange = Exchange(markets, Rules())
    gateway = Gateway(exchange, OFF)
    server = PaperServer(exchange, MarketClock(exchange.now_ms), gateway=gateway)
    await server.start()
    try:
        gateway.set_fault(fault("dropped_messages", channels=["trades", "candle"], coins=["BTC"]))
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.ws_url) as socket,
        ):
            for coin in ("ETH", "BTC"):
                for kind, more in (("trades", {}), ("bbo", {}), ("candle", {"interval": "1m"})):
                    await socket.send_json(subscribe(kind, **{"coin": coin, **more}))
            heard = set()
            async with asyncio.timeout(20):
                while len(heard) < 10:
                    for market in markets:
                        market.trade(3000.1, 0.5, 1)
                    heard.add(named(await socket.receive_json()))
            for market in markets:
                market.trade(3000.1, 0.5, 1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        heard.add(named(await socket.receive_json()))
            assert {("trades", "ETH"), ("candle", "ETH"), ("bbo", "ETH"), ("bbo", "BTC")} < heard
            assert ("subscriptionResponse", "BTC trades") in heard
            assert not {("trades", "BTC"), ("candle", "BTC")} & heard
        with pytest.raises(
            InputError, match="coin 'DOGE' is not traded here: give one of ETH, BTC"
        ):
            gateway.set_fault(fault("dropped_messages", coins=["DOGE"]))
    finally:
        await server.stop()


def named(message):
    """Channel and coin of a message; of an acknowledgement, those it acknowledges."""
    channel, data = message["channel"], message["data"]
    if channel == "subscriptionResponse":
        return channel, f"{data['subscription']['coin']} {data['subscription']['type']}"
    first = data[0] if isinstance(data, list) else data
    return channel, first.get("coin", first.get("s"))


@pytest.mark.parametrize("pongs", [True, False])
async def test_silence_with_an_open_connection(behind_a_gateway, pongs):
    async with (
        behind_a_gateway() as (server, gateway, session, market),
        session.ws_connect(server.ws_url) as socket,
    ):
        await socket.send_json(subscribe())
        await read(socket, "bbo")
        silence = gateway.set_fault(fault("silence", pongs=pongs))
        market.quote(3001.0, 3001.1)
        await socket.send_json({"method": "ping"})
        if pongs:
            assert await socket.receive_json() == {"channel": "pong"}
        assert await silent(socket)
        assert not socket.closed
        gateway.faults.clear(silence.number)
        market.quote(3002.0, 3002.1)
        assert (await read(socket, "bbo"))["data"]["bbo"][0]["px"] == "3002.0"


async def test_connections_are_cut_and_may_be_refused(behind_a_gateway):
    async with behind_a_gateway() as (server, gateway, session, _):
        async with session.ws_connect(server.ws_url) as socket:
            gateway.set_fault(fault("cut"))
            message = await asyncio.wait_for(socket.receive(), 5)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert gateway.faults.active == []
        refusing = gateway.set_fault(fault("cut", refuse=True))
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(server.ws_url)
        gateway.faults.clear(refusing.number)
        async with session.ws_connect(server.ws_url) as socket:
            await socket.send_json({"method": "ping"})
            assert await socket.receive_json() == {"channel": "pong"}


async def test_a_posted_action_is_executed_and_its_reply_lost(behind_a_gateway):
    async with (
        behind_a_gateway() as (server, gateway, session, _),
        session.ws_connect(server.ws_url) as socket,
    ):
        gateway.set_fault(fault("dropped_messages", channels=["post"], count=1))
        request = {"type": "info", "payload": {"type": "clearinghouseState", "user": USER}}
        await socket.send_json({"method": "post", "id": 1, "request": request})
        assert await silent(socket)
        assert gateway.exchange.accounts.get(USER) is not None
        await socket.send_json({"method": "post", "id": 2, "request": request})
        assert (await read(socket, "post"))["data"]["id"] == 2


async def test_maintenance_and_halt_end_by_themselves(behind_a_gateway):
    schedule = [
        TimedFault(0.0, fault("maintenance", seconds=0.3)),
        TimedFault(0.0, fault("halt", coin="ETH", seconds=0.3)),
    ]
    async with behind_a_gateway(schedule=schedule) as (_, gateway, _, _):
        exchange = gateway.exchange
        async with asyncio.timeout(20):
            while not (exchange.post_only and "ETH" in exchange.order_manager.halted):
                await asyncio.sleep(0.005)
        (outcome,) = exchange.place(USER, [OrderRequest("ETH", True, 290_000, 100)])
        assert outcome.error == "Trading is halted."
        async with asyncio.timeout(20):
            while exchange.post_only or exchange.order_manager.halted:
                await asyncio.sleep(0.005)
        (outcome,) = exchange.place(USER, [OrderRequest("ETH", True, 290_000, 100)])
        assert outcome.order is not None


async def test_a_fault_of_a_foreign_coin_is_refused(behind_a_gateway):
    async with behind_a_gateway() as (_, gateway, _, _):
        with pytest.raises(InputError, match="coin 'DOGE' is not traded here: give one of ETH"):
            gateway.set_fault(HaltedCoin(coin="DOGE"))
        with pytest.raises(InputError, match="coin 'DOGE' is not traded here"):
            gateway.set_fault(DelistedCoin(coin="DOGE"))
        with pytest.raises(InputError, match="DOGE"):
            Gateway(gateway.exchange, schedule=[TimedFault(5.0, HaltedCoin(coin="DOGE"))])


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_probability_count_and_time_of_a_fault():
    clock, changes = Clock(), []
    board = FaultBoard(7, clock, lambda: changes.append(len(board._active)))
    board.set(HttpError(probability=0.3, requests=("order",)))
    struck = sum(bool(board.strike(HttpError, "/exchange", "order")) for _ in range(10_000))
    assert abs(struck - 3000) < 4 * (10_000 * 0.3 * 0.7) ** 0.5
    assert board.strike(HttpError, "/exchange", "cancel") == []
    assert board.active[0].struck == struck
    board.set(Latency(milliseconds=5, count=3))
    assert [bool(board.strike(Latency, "/info")) for _ in range(5)] == [True] * 3 + [False] * 2
    board.set(HaltedCoin(coin="ETH", seconds=2.5))
    clock.now_s += 2.4
    assert board.holds(HaltedCoin)
    clock.now_s += 0.1
    assert not board.holds(HaltedCoin)
    assert board.clear(1) == 1
    assert board.clear(1) == 0
    assert changes == [1, 2, 1, 2, 1, 0]


def test_the_same_seed_strikes_the_same():
    def strikes(seed):
        board = FaultBoard(seed, Clock())
        board.set(Latency(milliseconds=50, probability=0.5, distribution="exponential"))
        return [
            [one.draw_s(source) for one, source in board.strike(Latency, "/info")]
            for _ in range(50)
        ]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)


@pytest.mark.parametrize(
    ("distribution", "mean", "deviation"),
    [("constant", 80, 0), ("uniform", 80, 80 / 3**0.5), ("exponential", 80, 80)],
)
def test_delays_have_their_distribution(distribution, mean, deviation):
    latency = Latency(milliseconds=80, least_ms=20, distribution=distribution)
    source = random.Random(3)
    drawn = [1000 * latency.draw_s(source) for _ in range(20_000)]
    average = sum(drawn) / len(drawn)
    assert min(drawn) >= 20
    assert average == pytest.approx(20 + mean, abs=4 * deviation / 20_000**0.5 + 1e-9)


def test_lognormal_delays_have_their_median():
    latency = Latency(milliseconds=40, distribution="lognormal", sigma=0.8)
    source = random.Random(4)
    drawn = sorted(1000 * latency.draw_s(source) for _ in range(20_001))
    assert drawn[10_000] == pytest.approx(40, rel=4 * 1.2533 * 0.8 / 20_000**0.5)
    assert json.loads(latency.model_dump_json())["kind"] == "latency"
