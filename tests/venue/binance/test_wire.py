"""Requests and streams as they are on the wire, for what ccxt does not show."""

import asyncio
import hashlib
import hmac
import json
import time

import aiohttp
import pytest

from advanced_mm.venue.binance.depth import BookChanges, UpdateIds
from advanced_mm.venue.binance.local import PAPER_KEY, PAPER_SECRET
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.streams import StreamName
from advanced_mm.venue.binance.weights import BannedError, LimitedError, OrderCount, RequestWeight
from advanced_mm.venue.spot.orders import SpotRefusedError

SYMBOL = "ETHUSDC"


@pytest.fixture
async def ask(venue):
    """Ask the exchange: path, method, parameters; signed, if ``signed``."""
    async with aiohttp.ClientSession(venue.server.rest_url) as session:

        async def asked(path, method="GET", signed=True, **params):
            if signed:
                params["timestamp"] = int(time.time() * 1000)
            query = "&".join(f"{name}={value}" for name, value in params.items())
            if signed:
                digest = hmac.new(PAPER_SECRET.encode(), query.encode(), hashlib.sha256)
                query += f"&signature={digest.hexdigest()}"
            headers = {"X-MBX-APIKEY": PAPER_KEY}
            async with session.request(method, f"{path}?{query}", headers=headers) as response:
                return response.status, await response.json()

        asked.session = session
        yield asked


async def messages(socket, count, seconds=20.0):
    async with asyncio.timeout(seconds):
        return [json.loads((await socket.receive()).data) for _ in range(count)]


WRONG = (
    ({"side": "UP"}, -1117),
    ({"type": "PEGGED"}, -1116),
    ({"timeInForce": "GTX"}, -1115),
    ({"timeInForce": ""}, -1102),
    ({"price": "1e3"}, -1100),
    ({"price": "2990.000000001"}, -1111),
    ({"quantity": "-1"}, -1100),
    ({"stopPrice": "2990"}, -1106),
    ({"symbol": "ETHBTC"}, -1121),
    ({"newClientOrderId": "a!b"}, -1100),
    ({"recvWindow": "60001"}, -1131),
)


async def test_what_a_request_must_not_be(ask):
    good = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": "2990", "quantity": "1",
    }  # fmt: skip
    for wrong, code in WRONG:
        status, answer = await ask("/api/v3/order", "POST", **(good | wrong))
        assert (status, answer["code"]) == (400, code), wrong


async def test_an_unknown_path_is_not_found(ask):
    assert (await ask("/api/v3/nothing"))[0] == 404


async def test_an_order_is_amended_in_place(ask, venue):
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "price": "3000"}
    _, placed = await ask("/api/v3/order", "POST", **order, quantity="1")
    assert set(placed) == {
        "symbol", "orderId", "orderListId", "clientOrderId", "transactTime",
    }  # fmt: skip
    named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
    status, changed = await ask("/api/v3/order/amend/keepPriority", "PUT", **named, newQty="0.4")
    assert (status, changed["amendedOrder"]["origQty"]) == (200, "0.40000000")
    status, answer = await ask("/api/v3/order", "DELETE", **named,
                               cancelRestrictions="ONLY_PARTIALLY_FILLED")  # fmt: skip
    assert (status, answer["code"]) == (400, -2011)
    assert (await ask("/api/v3/account/commission", symbol=SYMBOL))[0] == 200


async def test_a_listen_key_names_the_users_stream(ask, venue):
    path = "/api/v3/userDataStream"
    status, key = await ask(path, "POST", signed=False)
    assert status == 200
    assert (await ask(path, "PUT", signed=False, **key))[0] == 200
    async with ask.session.ws_connect(f"{venue.server.ws_url}/{key['listenKey']}") as socket:
        await venue.client.create_order("ETH/USDC", "limit", "buy", 1, 2990)
        report, position = await messages(socket, 2)
    assert (report["e"], report["x"], report["X"]) == ("executionReport", "NEW", "NEW")
    assert position["B"] == [
        {"a": "ETH", "f": "3.00000000", "l": "0.00000000"},
        {"a": "USDC", "f": "7010.00000000", "l": "2990.00000000"},
    ]
    assert (await ask(path, "DELETE", signed=False, **key))[0] == 200
    assert (await ask(path, "PUT", signed=False, **key))[1]["code"] == -1125


async def test_combined_streams_name_their_messages(ask, venue):
    names = "ethusdc@aggTrade/ethusdc@depth5@100ms/ethusdc@miniTicker"
    url = venue.server.ws_url.removesuffix("/ws") + f"/stream?streams={names}"
    async with ask.session.ws_connect(url) as socket:
        (book,) = await messages(socket, 1)
        assert book["stream"] == "ethusdc@depth5@100ms"
        assert len(book["data"]["bids"]) == 5
        await socket.send_json({"method": "UNSUBSCRIBE", "params": ["ethusdc@depth5@100ms"],
                                "id": 7})  # fmt: skip
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 8})
        told = await messages(socket, 2)
        assert {"result": ["ethusdc@aggTrade", "ethusdc@miniTicker"], "id": 8} in told
        venue.market.trade(3001.0, 0.5, 1)
        async with asyncio.timeout(20):
            while (one := (await messages(socket, 1))[0])["stream"] != "ethusdc@aggTrade":
                pass
    assert (one["data"]["p"], one["data"]["m"]) == ("3001.00000000", False)


async def test_differences_make_up_the_book(ask, venue):
    client, market = venue.client, venue.market
    async with ask.session.ws_connect(f"{venue.server.ws_url}/ethusdc@depth@100ms") as socket:
        _, snapshot = await ask("/api/v3/depth", signed=False, symbol=SYMBOL, limit=100)
        market.quote(3001.0, 3002.0)
        await messages(socket, 1)
        await client.create_order("ETH/USDC", "limit", "buy", 2, 3001.5)
        _, snapshot = await ask("/api/v3/depth", signed=False, symbol=SYMBOL, limit=100)
        (change,) = await messages(socket, 1)
    assert change["U"] <= snapshot["lastUpdateId"] + 1 <= change["u"]
    assert change["b"][0] == snapshot["bids"][0] == ["3001.50000000", "2.00000000"]


def test_a_difference_covers_what_was_numbered_before_it(scripted):
    market, ids = scripted.Market(), UpdateIds(10)
    changes = BookChanges(ids, market.book(5))
    assert changes.difference(market.book(5)) is None
    ids.next()
    market.quote(3000.1, 3000.2)
    market.advance(market.now_ms + 100)
    change = changes.difference(market.book(5))
    assert (change["U"], change["u"]) == (11, 12)
    assert ["3000.10000000", "1.00000000"] in change["b"]
    assert ["2999.60000000", "0.00000000"] in change["b"]  # beyond what is shown
    assert ["3000.10000000", "0.00000000"] in change["a"]


@pytest.mark.parametrize(
    "text",
    ["ethusdc@depth7", "ethusdc@trade5", "ethusdc@kline", "ethusdc@kline_7m", "ethusdc@trade_1m",
     "ETHUSDC@trade", "ethusdc"],
)  # fmt: skip
def test_no_stream_is_called_so(text):
    assert StreamName.parse(text) is None


def test_weight_is_limited_by_the_minute_and_then_banned():
    weight = RequestWeight()
    weight.take(60.0, 6_000, limited=True)
    with pytest.raises(LimitedError) as caught:
        weight.take(90.0, 1, limited=True)
    assert (caught.value.code, caught.value.retry_s) == (-1003, 30)
    weight.take(120.0, 1, limited=True)  # the next minute
    for _ in range(11):
        with pytest.raises(LimitedError):
            weight.take(130.0, 6_000, limited=True)
    with pytest.raises(BannedError):
        weight.take(180.0, 1, limited=True)
    weight.take(251.0, 1, limited=True)


def test_orders_are_limited_in_ten_seconds():
    count = OrderCount()
    for _ in range(100):
        count.take(5.0, limited=True)
    with pytest.raises(LimitedError) as caught:
        count.take(14.9, limited=True)
    assert caught.value.code == -1015
    count.take(15.0, limited=True)
    assert count.counts(15.0) == (1, 101)


def test_numbers_are_read_as_the_exchange_reads_them():
    assert Params({"price": "1.50000000000"}).decimal("price") == 1.5
    for wrong in (".5", "1.", "+1", "1,5", "NaN"):
        with pytest.raises(SpotRefusedError):
            Params({"price": wrong}).decimal("price")
