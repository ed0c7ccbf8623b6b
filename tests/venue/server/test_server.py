"""Unmodified ccxt against the venue, REST and websocket, and edge cases of the server."""

import asyncio
import contextlib
import itertools
import time

import aiohttp
import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from advanced_mm.errors import InputError
from advanced_mm.markets.clock import MarketClock
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.server.server import PaperServer

PAIR = "ETH/USDC:USDC"


@contextlib.asynccontextmanager
async def serving(port=0):
    """A venue that started five minutes ago, with two hours of candles before that."""
    now_ms = int(time.time() * 1000)
    exchange = Exchange([SyntheticMarket(SyntheticParameters(), now_ms - 300_000, seed=1)], Rules())
    exchange.advance(now_ms)
    venue = exchange.venue
    venue.markets["ETH"].make_up_past(120, seed=1)
    server = PaperServer(exchange, MarketClock(now_ms), port)
    await server.start()
    try:
        yield server, venue
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def client_of(server, kind=ccxt.async_support.hyperliquid):
    """A ccxt client pointed at the venue only by its configuration, as in venue.md."""
    rest, ws = server.rest_url, server.ws_url
    urls = {"api": {"public": rest, "private": rest, "ws": {"public": ws}}}
    user = "0x" + "1" * 40
    client = kind({"enableRateLimit": False, "urls": urls, "walletAddress": user})
    try:
        yield client
    finally:
        await client.close()


async def post(server, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.rest_url + "/info", json=body) as answer,
    ):
        return answer.status, await answer.text()


async def test_ccxt_loads_markets_with_the_venues_precision_and_limits():
    async with serving() as (server, _), client_of(server) as client:
        markets = await client.load_markets()
        eth = markets[PAIR]
        assert (eth["swap"], eth["active"], eth["id"], eth["baseName"]) == (True, True, "0", "ETH")
        assert eth["precision"] == {"amount": 0.0001, "price": 0.1, **_unset(eth)}
        assert eth["limits"]["leverage"]["max"] == 25
        assert eth["limits"]["cost"]["min"] == 10
        assert "PURR/USDC" in markets
        assert await client.fetch_time() == pytest.approx(time.time() * 1000, abs=10_000)
        assert (await client.fetch_status())["status"] == "ok"


def _unset(market):
    return {key: None for key in market["precision"] if key not in ("amount", "price")}


async def test_ccxt_reads_the_book_tickers_and_funding():
    async with serving() as (server, venue), client_of(server) as client:
        book = await client.fetch_order_book(PAIR)
        assert len(book["bids"]) == len(book["asks"]) == 20
        best_bid, best_ask = book["bids"][0][0], book["asks"][0][0]
        assert best_ask - best_bid == pytest.approx(0.1)
        assert book["timestamp"] == pytest.approx(time.time() * 1000, abs=10_000)
        ticker = await client.fetch_ticker(PAIR) if client.has["fetchTicker"] else None
        tickers = await client.fetch_tickers([PAIR])
        for one in filter(None, (ticker, tickers[PAIR])):
            assert one["bid"] < one["close"] < one["ask"]
            assert one["quoteVolume"] > 0
        rate = await client.fetch_funding_rate(PAIR)
        assert rate["fundingRate"] == 0.0000125
        history = await client.fetch_funding_rate_history(PAIR, limit=24)
        assert [one["timestamp"] % 3_600_000 for one in history] == [0] * 24
        assert venue.markets["ETH"].touch.bid == pytest.approx(best_bid, abs=20)


async def test_ccxt_reads_candles_of_all_intervals_without_a_gap():
    async with serving() as (server, _), client_of(server) as client:
        minutes = await client.fetch_ohlcv(PAIR, "1m", since=int(time.time() * 1000) - 7_200_000)
        times = [bar[0] for bar in minutes]
        assert {b - a for a, b in itertools.pairwise(times)} == {60_000}
        assert len(times) >= 119
        assert times[-1] == pytest.approx(time.time() * 1000, abs=61_000)
        for interval in ("5m", "15m", "1h", "4h", "1d", "3d", "1w", "1M"):
            bars = await client.fetch_ohlcv(PAIR, interval, limit=10)
            assert bars[-1][4] == pytest.approx(minutes[-1][4], rel=0.01)


async def test_ccxt_sees_an_account_with_play_money_and_no_orders():
    async with serving() as (server, _), client_of(server) as client:
        balance = await client.fetch_balance()
        assert balance["USDC"]["total"] == balance["USDC"]["free"] == 10_000
        assert await client.fetch_positions([PAIR]) == []
        assert await client.fetch_open_orders(PAIR) == []
        assert await client.fetch_my_trades(PAIR) == []
        assert await client.fetch_trades(PAIR) == []
        (deposit,) = await client.fetch_deposits()
        assert deposit["amount"] == 10_000
        assert [line["amount"] for line in await client.fetch_ledger()] == [10_000]
        assert await client.fetch_withdrawals() == []
        fee = await client.fetch_trading_fee(PAIR)
        assert (fee["maker"], fee["taker"]) == (0.00015, 0.00045)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("1", PAIR)


async def test_ccxt_pro_streams_trades_book_and_candles():
    async with serving() as (server, _), client_of(server, ccxt.pro.hyperliquid) as client:
        async with asyncio.timeout(20):
            trades = await client.watch_trades(PAIR)
            assert len(trades) == 30
            more = await client.watch_trades(PAIR)
            book = await client.watch_order_book(PAIR)
            bars = await client.watch_ohlcv(PAIR, "1m")
            tickers = await client.watch_tickers([PAIR])
            ticker = await client.watch_ticker(PAIR)
            again = await client.watch_ticker(PAIR)
            months = await client.watch_ohlcv(PAIR, "1M")
            spot = await client.watch_balance({"type": "spot"})
            await client.un_watch_ticker(PAIR)
            await client.un_watch_trades(PAIR)
        assert more[-1]["timestamp"] >= trades[-1]["timestamp"]
        assert {one["side"] for one in trades} <= {"buy", "sell"}
        assert book["asks"][0][0] > book["bids"][0][0]
        assert bars[-1][0] == pytest.approx(time.time() * 1000, abs=61_000)
        for one in (ticker, again):
            assert one["bid"] < one["close"] < one["ask"]
            assert (one["symbol"], one["quoteVolume"] > 0) == (PAIR, True)
        assert spot["total"] == {}
        assert months[-1][5] >= bars[-1][5]
        assert tickers[PAIR]["last"] == pytest.approx(book["bids"][0][0], rel=0.01)


async def test_what_is_no_request_is_refused_with_the_venues_status():
    async with serving() as (server, _):
        status, text = await post(server, {"type": "noSuchType"})
        assert status == 422
        assert text.startswith("Failed to deserialize the JSON body into the target type")
        assert await post(server, {"type": "l2Book", "coin": "NOPE"}) == (200, "null")
        assert await post(server, {"type": "recentTrades", "coin": "NOPE"}) == (500, "null")
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.rest_url + "/info", data=b"{") as answer,
        ):
            assert answer.status == 400


async def test_health_tells_market_time_clients_and_uptime():
    async with serving() as (server, _), aiohttp.ClientSession() as session:
        async with (
            session.ws_connect(server.ws_url),
            session.get(server.rest_url + "/health") as answer,
        ):
            health = await answer.json()
        assert health["market_time_ms"] == pytest.approx(time.time() * 1000, abs=10_000)
        assert (health["clients"], health["coins"]) == (1, ["ETH"])
        assert 0 <= health["uptime_seconds"] < 10


async def test_a_taken_port_is_named_with_what_to_do():
    async with serving() as (server, _):
        port = int(server.rest_url.rpartition(":")[2])
        with pytest.raises(InputError, match=rf"port {port} .* choose another with --port"):
            async with serving(port):
                pass


async def test_a_market_that_fails_ends_the_server_with_its_error():
    class Failing(SyntheticMarket):
        def advance(self, until_ms):
            raise RuntimeError("broken market")

    now_ms = int(time.time() * 1000)
    exchange = Exchange([Failing(SyntheticParameters(), now_ms, seed=1)], Rules())
    server = PaperServer(exchange, MarketClock(now_ms))
    await server.start()
    with pytest.raises(RuntimeError, match="broken market"):
        async with asyncio.timeout(5):
            await server.serve_until(asyncio.Event())
