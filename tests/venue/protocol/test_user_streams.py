"""User streams and posts over a raw websocket: messages, their order, and their recipients."""

import contextlib
import itertools
import time

import aiohttp
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk

START = itertools.count(time.time_ns() // 1_000_000)


def signed(wallet, action):
    nonce = next(START)
    signature = sdk.sign_l1_action(wallet, action, None, nonce, None, False)
    return {"action": action, "nonce": nonce, "signature": signature}


def buy(price, size="0.1", tif="Alo", **fields):
    limit = {"limit": {"tif": tif}}
    wire = {"a": 0, "b": True, "p": price, "s": size, "r": False, "t": limit, **fields}
    return {"type": "order", "orders": [wire], "grouping": "na"}


@pytest.fixture
async def venue(scripted):
    market = scripted.Market()
    async with scripted.serving(market) as server, aiohttp.ClientSession() as session:
        yield market, server, session


@contextlib.asynccontextmanager
async def connected(venue, *subscriptions):
    _, server, session = venue
    async with session.ws_connect(server.ws_url) as socket:
        for subscription in subscriptions:
            await socket.send_json({"method": "subscribe", "subscription": subscription})
            reply = await socket.receive_json(timeout=10)
            assert reply["channel"] == "subscriptionResponse", reply
        yield socket


async def act(venue, wallet, action):
    _, server, session = venue
    body = signed(wallet, action)
    async with session.post(server.rest_url + "/exchange", json=body) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_a_users_events_come_to_its_subscribers_alone(venue, wallet):
    market, *_ = venue
    other = Account.create()
    async with (
        connected(venue, {"type": "orderUpdates", "user": wallet.address}) as own,
        connected(venue, {"type": "orderUpdates", "user": other.address}) as foreign,
    ):
        await act(venue, wallet, buy("2990"))
        await act(venue, other, buy("2991"))
        mine = await own.receive_json(timeout=10)
        theirs = await foreign.receive_json(timeout=10)
        assert [u["order"]["limitPx"] for u in mine["data"]] == ["2990.0"]
        assert [u["order"]["limitPx"] for u in theirs["data"]] == ["2991.0"]
        with pytest.raises(TimeoutError):
            await own.receive_json(timeout=0.2)
    assert market.now_ms > 0


async def test_fills_begin_with_a_snapshot_and_follow_at_once(venue, wallet):
    market, server, _ = venue
    server.answers.views.account(wallet.address.lower())
    await act(venue, wallet, buy("3000.1", tif="Ioc"))
    subscription = {"type": "userFills", "user": wallet.address}
    async with connected(venue, subscription) as socket:
        first = (await socket.receive_json(timeout=10))["data"]
        assert (first["isSnapshot"], first["user"]) == (True, wallet.address.lower())
        assert [fill["px"] for fill in first["fills"]] == ["3000.1"]
        await act(venue, wallet, buy("3000", tif="Gtc"))
        market.trade(3000.0, 2.0, -1)
        later = (await socket.receive_json(timeout=10))["data"]
        assert "isSnapshot" not in later
        (fill,) = later["fills"]
        assert (fill["px"], fill["crossed"], fill["dir"]) == ("3000.0", False, "Open Long")
        assert fill["startPosition"] == "0.1"


async def test_partial_fills_tell_what_is_left(venue, wallet):
    market, *_ = venue
    async with connected(venue, {"type": "orderUpdates", "user": wallet.address}) as socket:
        await act(venue, wallet, buy("3000", size="0.4", c="0x" + "9" * 32))
        assert (await socket.receive_json(timeout=10))["data"][0]["status"] == "open"
        market.trade(3000.0, 1.1, -1)
        (update,) = (await socket.receive_json(timeout=10))["data"]
        assert (update["status"], update["order"]["sz"]) == ("open", "0.3")
        assert update["order"]["cloid"] == "0x" + "9" * 32
        market.trade(3000.0, 9.0, -1)
        (update,) = (await socket.receive_json(timeout=10))["data"]
        assert (update["status"], update["order"]["sz"]) == ("filled", "0.0")


async def test_the_account_and_its_room_come_with_each_change(venue, wallet):
    user = wallet.address
    async with connected(venue, {"type": "clearinghouseState", "user": user}) as socket:
        state = (await socket.receive_json(timeout=10))["data"]
        assert state["clearinghouseState"]["marginSummary"]["accountValue"] == "10000.0"
        await act(venue, wallet, buy("3000.1", tif="Ioc"))
        state = (await socket.receive_json(timeout=10))["data"]["clearinghouseState"]
        assert state["assetPositions"][0]["position"]["szi"] == "0.1"
    room = {"type": "activeAssetData", "user": user, "coin": "ETH"}
    async with connected(venue, room) as socket:
        data = (await socket.receive_json(timeout=10))["data"]
        assert data["leverage"] == {"type": "cross", "value": 20}
        assert float(data["maxTradeSzs"][1]) > float(data["maxTradeSzs"][0])


async def test_funding_comes_on_its_streams(venue, wallet):
    _, server, _ = venue
    user = wallet.address
    async with connected(venue, {"type": "userEvents", "user": user}) as events:
        await act(venue, wallet, buy("3000.1", size="1", tif="Ioc"))
        assert (await events.receive_json(timeout=10))["data"]["fills"]
        server.exchange.advance(server.exchange.now_ms + 3_600_000)
        message = await events.receive_json(timeout=10)
        assert message["channel"] == "user"
        assert float(message["data"]["funding"]["usdc"]) < 0
    async with connected(venue, {"type": "userFundings", "user": user}) as fundings:
        data = (await fundings.receive_json(timeout=10))["data"]
        assert (data["isSnapshot"], len(data["fundings"])) == (True, 1)


async def test_a_liquidation_and_what_the_venue_cancels_are_told(venue, wallet):
    market, *_ = venue
    user = wallet.address
    async with connected(venue, {"type": "userEvents", "user": user}) as events:
        withdrawn, resting = [
            (await act(venue, wallet, buy(price)))["response"]["data"]["statuses"][0]["resting"]
            for price in ("2000", "2001")
        ]
        cancel = {"a": 0, "o": withdrawn["oid"]}  # cancelled by its owner, so not reported here
        await act(venue, wallet, {"type": "cancel", "cancels": [cancel]})
        await act(venue, wallet, buy("3002", size="20", tif="Ioc"))
        assert (await events.receive_json(timeout=10))["data"]["fills"]
        # 20 levels of 1 from 3000.1 on: 3001.05 on average. 9000 are lost at 2551.
        market.quote(2500.0, 2500.1)
        told = {}
        while "nonUserCancel" not in told:
            message = await events.receive_json(timeout=10)
            assert message["channel"] == "user"
            told |= message["data"]
        assert told["nonUserCancel"] == [{"coin": "ETH", **resting}]
        liquidation = told["liquidation"]
        assert liquidation["liquidated_user"] == user.lower()
        assert liquidation["lid"] == told["fills"][0]["oid"]
        assert told["fills"][0]["liquidation"]["liquidatedUser"] == user.lower()
        worth = float(liquidation["liquidated_ntl_pos"])
        assert worth == pytest.approx(20 * 2500.05, rel=0.02)
        fee = 20 * 3001.05 * 0.00045
        expected = 10_000 + worth - 20 * 3001.05 - fee
        assert float(liquidation["liquidated_account_value"]) == pytest.approx(expected, abs=0.01)


async def test_posts_answer_as_rest_does(venue, wallet):
    async with connected(venue) as socket:

        async def post(number, kind, payload):
            request = {"type": kind, "payload": payload}
            await socket.send_json({"method": "post", "id": number, "request": request})
            message = await socket.receive_json(timeout=10)
            assert (message["channel"], message["data"]["id"]) == ("post", number)
            return message["data"]["response"]

        user = {"type": "clearinghouseState", "user": wallet.address}
        info = await post(1, "info", user)
        assert (info["type"], info["payload"]["type"]) == ("info", "clearinghouseState")
        assert info["payload"]["data"]["withdrawable"] == "10000.0"
        action = await post(2, "action", signed(wallet, buy("2990")))
        assert action["type"] == "action"
        assert "resting" in action["payload"]["response"]["data"]["statuses"][0]
        for number, kind, payload in (
            (3, "info", {"type": "noSuchType"}),
            (4, "action", {}),
            (5, "gossip", {}),
        ):
            error = await post(number, kind, payload)
            assert error["type"] == "error"
            assert error["payload"].startswith("422 Failed to deserialize")
        unknown = await post(6, "info", {"type": "recentTrades", "coin": "NOPE"})
        assert (unknown["type"], unknown["payload"]) == ("error", "500 null")


@pytest.mark.parametrize(
    "subscription",
    [
        {"type": "userFills"},
        {"type": "userFills", "user": "0x12"},
        {"type": "activeAssetData", "user": "0x" + "1" * 40, "coin": "NOPE"},
    ],
)
async def test_what_names_no_account_is_no_subscription(venue, subscription):
    async with connected(venue) as socket:
        await socket.send_json({"method": "subscribe", "subscription": subscription})
        reply = await socket.receive_json(timeout=10)
        assert reply["channel"] == "error"
        assert reply["data"].startswith("Invalid subscription")


async def test_what_is_no_action_is_answered_422_over_rest(venue):
    _, server, session = venue
    async with session.post(server.rest_url + "/exchange", json={"action": {}}) as answer:
        assert answer.status == 422
        text = await answer.text()
        assert text.startswith("Failed to deserialize the JSON body into the target type")
