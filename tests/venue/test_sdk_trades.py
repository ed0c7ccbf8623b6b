"""Hyperliquid's own Python SDK, unmodified, trades on the venue over real sockets.

The SDK is synchronous: each test drives it in a thread of its own while the venue runs.
"""

import asyncio
import queue

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from advanced_mm.venue.engine.rules import Rules

LIMIT = {"limit": {"tif": "Gtc"}}
POST_ONLY = {"limit": {"tif": "Alo"}}


class Trader:
    """The SDK's two halves for one wallet."""

    def __init__(self, server, wallet, **options):
        self.info = Info(server.rest_url, skip_ws=True)
        self.exchange = Exchange(wallet, server.rest_url, **options)
        self.address = options.get("vault_address") or options.get("account_address")
        self.address = self.address or wallet.address

    def close(self):
        self.info.session.close()
        self.exchange.session.close()
        self.exchange.info.session.close()

    def open_account(self):
        return self.info.user_state(self.address)

    def open_oids(self):
        return [order["oid"] for order in self.info.open_orders(self.address)]

    def buy(self, size, price, kind=LIMIT, **options):
        return status(self.exchange.order("ETH", True, size, price, kind, **options))

    def sell(self, size, price, kind=LIMIT, **options):
        return status(self.exchange.order("ETH", False, size, price, kind, **options))


def status(reply):
    assert reply["status"] == "ok", reply
    (one,) = reply["response"]["data"]["statuses"]
    return one


@pytest.fixture
def trade(scripted, wallet):
    """Run a function of a trader and its market in a thread, at a venue that stands still."""

    async def run(work, rules=None, **options):
        market = scripted.Market()
        async with scripted.serving(market, rules=rules) as server:

            def in_thread():
                trader = Trader(server, wallet, **options)
                try:
                    trader.open_account()
                    return work(trader, market, server)
                finally:
                    trader.close()

            return await asyncio.to_thread(in_thread)

    return run


async def test_orders_are_placed_found_modified_and_cancelled(trade):
    def work(trader, market, server):
        oid = trader.buy(0.1, 2990.0)["resting"]["oid"]
        assert trader.open_oids() == [oid]
        found = trader.info.query_order_by_oid(trader.address, oid)
        assert (found["status"], found["order"]["status"]) == ("order", "open")
        reply = trader.exchange.modify_order(oid, "ETH", True, 0.1, 2991.0, LIMIT)
        newer = status(reply)["resting"]["oid"]
        assert trader.open_oids() == [newer] != [oid]
        assert status(trader.exchange.cancel("ETH", newer)) == "success"
        error = status(trader.exchange.cancel("ETH", newer))["error"]
        assert error == "Order was never placed, already canceled, or filled. asset=0"
        history = trader.info.historical_orders(trader.address)
        assert [entry["status"] for entry in history] == ["canceled", "canceled"]
        return True

    assert await trade(work)


async def test_orders_go_by_the_clients_name(trade):
    def work(trader, market, server):
        name = Cloid.from_int(7)
        placed = trader.buy(0.1, 2990.0, cloid=name)["resting"]
        assert placed["cloid"] == name.to_raw()
        found = trader.info.query_order_by_cloid(trader.address, name)
        assert found["order"]["order"]["oid"] == placed["oid"]
        reply = trader.exchange.modify_order(
            name, "ETH", True, 0.2, 2990.0, POST_ONLY, cloid=Cloid.from_int(8)
        )
        assert status(reply)["resting"]["cloid"] == Cloid.from_int(8).to_raw()
        assert status(trader.exchange.cancel_by_cloid("ETH", Cloid.from_int(8))) == "success"
        assert trader.open_oids() == []
        return True

    assert await trade(work)


async def test_a_market_order_opens_and_closes_a_position(trade):
    def work(trader, market, server):
        filled = status(trader.exchange.market_open("ETH", True, 0.5))["filled"]
        assert (filled["totalSz"], filled["avgPx"]) == ("0.5", "3000.1")
        (entry,) = trader.info.user_state(trader.address)["assetPositions"]
        position = entry["position"]
        assert (position["szi"], position["entryPx"]) == ("0.5", "3000.1")
        assert position["leverage"]["type"] == "cross"
        assert status(trader.exchange.market_close("ETH"))["filled"]["totalSz"] == "0.5"
        assert trader.info.user_state(trader.address)["assetPositions"] == []
        fills = trader.info.user_fills(trader.address)
        assert [fill["dir"] for fill in fills] == ["Close Long", "Open Long"]
        assert [fill["crossed"] for fill in fills] == [True, True]
        assert [fill["startPosition"] for fill in fills] == ["0.5", "0.0"]
        by_time = trader.info.user_fills_by_time(trader.address, fills[0]["time"])
        assert by_time[-1] == fills[0]
        return True

    assert await trade(work)


async def test_refusals_are_the_venues_own(trade):
    def work(trader, market, server):
        post_only = trader.buy(0.1, 3000.1, POST_ONLY)["error"]
        assert post_only == (
            "Post only order would have immediately matched, bbo was 3000@3000.1. asset=0"
        )
        reduce_only = trader.sell(0.1, 3000.0, reduce_only=True)["error"]
        assert reduce_only == "Reduce only order would increase position. asset=0"
        tick = trader.buy(0.1, 2990.01)["error"]
        assert tick == "Price must be divisible by tick size. asset=0"
        ioc = trader.buy(0.1, 2999.0, {"limit": {"tif": "Ioc"}})["error"]
        assert ioc == "Order could not immediately match against any resting orders. asset=0"
        return True

    assert await trade(work)


async def test_a_stop_is_placed_and_cancelled(trade):
    def work(trader, market, server):
        trader.exchange.market_open("ETH", True, 0.5)
        stop = {"trigger": {"triggerPx": 2950.0, "isMarket": True, "tpsl": "sl"}}
        oid = trader.sell(0.5, 2900.0, stop, reduce_only=True)["resting"]["oid"]
        (order,) = trader.info.frontend_open_orders(trader.address)
        assert (order["oid"], order["isTrigger"], order["orderType"]) == (oid, True, "Stop Market")
        assert (order["triggerPx"], order["triggerCondition"]) == ("2950.0", "Price below 2950.0")
        assert status(trader.exchange.cancel("ETH", oid)) == "success"
        return True

    assert await trade(work)


async def test_leverage_isolated_margin_referrer_and_a_scheduled_cancel(trade):
    def work(trader, market, server):
        exchange, done = trader.exchange, {"status": "ok", "response": {"type": "default"}}
        assert exchange.update_leverage(7, "ETH", is_cross=False) == done
        exchange.market_open("ETH", True, 0.5)
        assert exchange.update_isolated_margin(50, "ETH") == done
        (entry,) = trader.info.user_state(trader.address)["assetPositions"]
        leverage = entry["position"]["leverage"]
        assert (leverage["type"], leverage["value"]) == ("isolated", 7)
        assert float(leverage["rawUsd"]) < 0
        assert exchange.set_referrer("ABC") == done
        for time_ms in (None, server.exchange.now_ms + 60_000):
            sentence = exchange.schedule_cancel(time_ms)["response"]
            assert sentence.startswith("Cannot set scheduled cancel time until enough volume")
        return True

    assert await trade(work)


async def test_a_sub_account_is_created_paid_and_trades(trade, wallet):
    def work(trader, market, server):
        assert trader.info.query_sub_accounts(trader.address) is None
        sentence = trader.exchange.create_sub_account("early")["response"]
        assert sentence == (
            "Cannot create sub-accounts until enough volume traded. Required: $1000. Traded: $0."
        )
        trader.exchange.market_open("ETH", True, 0.4)
        trader.exchange.market_close("ETH")
        address = trader.exchange.create_sub_account("maker")["response"]["data"]
        trader.exchange.sub_account_transfer(address, True, 3_000_000_000)
        (sub,) = trader.info.query_sub_accounts(trader.address)
        assert (sub["name"], sub["subAccountUser"]) == ("maker", address)
        assert sub["clearinghouseState"]["withdrawable"] == "3000.0"
        own = Trader(server, wallet, vault_address=address)
        try:
            oid = own.buy(0.1, 2990.0)["resting"]["oid"]
            assert (own.open_oids(), trader.open_oids()) == ([oid], [])
            role = trader.info.user_role(address)
            assert role == {"role": "subAccount", "data": {"master": wallet.address.lower()}}
        finally:
            own.close()
        stranger = Trader(server, Account.create(), vault_address=address)
        stranger.info.user_state(stranger.exchange.wallet.address)
        reply = stranger.exchange.order("ETH", True, 0.1, 2990.0, LIMIT)
        stranger.close()
        assert reply == {"status": "err", "response": f"Vault not registered: {address}"}
        return True

    assert await trade(work, rules=Rules(sub_account_volume=1_000))


async def test_an_agent_signs_for_its_owner_until_another_takes_its_name(trade, wallet):
    def work(trader, market, server):
        reply, key = trader.exchange.approve_agent()
        assert reply["status"] == "ok"
        agent = Trader(server, Account.from_key(key), account_address=wallet.address)
        oid = agent.buy(0.1, 2990.0)["resting"]["oid"]
        assert trader.open_oids() == [oid]
        role = trader.info.user_role(agent.exchange.wallet.address)
        assert role == {"role": "agent", "data": {"user": wallet.address.lower()}}
        _, other_key = trader.exchange.approve_agent("named")
        assert other_key != key
        assert agent.exchange.cancel("ETH", oid)["status"] == "ok"
        trader.exchange.approve_agent()
        stranger = agent.exchange.order("ETH", True, 0.1, 2990.0, LIMIT)
        agent.close()
        assert stranger["status"] == "err"
        assert stranger["response"].startswith("User or API Wallet 0x")
        (named,) = trader.info.extra_agents(trader.address)
        assert named["name"] == "named"
        return True

    assert await trade(work)


async def test_a_builder_is_named_once_its_fee_is_approved(trade):
    builder = "0x" + "5" * 40

    def work(trader, market, server):
        named = {"b": builder, "f": 10}
        reply = trader.exchange.order("ETH", True, 0.1, 2990.0, LIMIT, builder=named)
        assert reply == {"status": "err", "response": "Builder fee has not been approved."}
        assert trader.exchange.approve_builder_fee(builder, "0.01%")["status"] == "ok"
        assert "resting" in trader.buy(0.1, 2990.0, builder=named)
        reply = trader.exchange.order("ETH", True, 0.1, 2990.0, LIMIT, builder={**named, "f": 11})
        assert reply["response"] == "Builder fee has not been approved."
        assert "resting" in trader.buy(0.1, 2991.0, builder={"b": "0x" + "6" * 40, "f": 0})
        trader.buy(0.1, 3000.1, builder=named)
        (fill,) = trader.info.user_fills(trader.address)
        assert float(fill["builderFee"]) == pytest.approx(300.01 * 0.0001, abs=1e-6)
        assert float(fill["fee"]) == pytest.approx(300.01 * (0.00045 + 0.0001), abs=1e-6)
        return True

    assert await trade(work)


async def test_an_expired_action_is_refused(trade):
    def work(trader, market, server):
        trader.exchange.set_expires_after(1)
        reply = trader.exchange.order("ETH", True, 0.1, 2990.0, LIMIT)
        assert reply == {"status": "err", "response": "Action already expired"}
        trader.exchange.set_expires_after(4_000_000_000_000)
        assert "resting" in trader.buy(0.1, 2990.0)
        return True

    assert await trade(work)


async def test_an_address_never_heard_of_is_named_in_the_refusal(scripted, wallet):
    async with scripted.serving(scripted.Market()) as server:

        def order():
            trader = Trader(server, wallet)
            reply = trader.exchange.order("ETH", True, 0.1, 2990.0, LIMIT)
            trader.close()
            return reply

        reply = await asyncio.to_thread(order)
    assert reply["status"] == "err"
    assert reply["response"].startswith("User or API Wallet 0x")
    assert reply["response"].endswith(" does not exist.")


async def test_the_sdks_websocket_tells_of_orders_fills_and_events(trade, wallet):
    def work(trader, market, server):
        told = {kind: queue.Queue() for kind in ("orderUpdates", "userFills", "userEvents")}
        info = Info(server.rest_url)
        try:
            for kind, messages in told.items():
                info.subscribe({"type": kind, "user": wallet.address}, messages.put)
            snapshot = told["userFills"].get(timeout=30)["data"]
            assert (snapshot["isSnapshot"], snapshot["fills"]) == (True, [])
            oid = trader.buy(0.1, 3000.0, POST_ONLY)["resting"]["oid"]
            (update,) = told["orderUpdates"].get(timeout=30)["data"]
            assert (update["order"]["oid"], update["status"]) == (oid, "open")
            market.trade(3000.0, 2.0, -1)
            (update,) = told["orderUpdates"].get(timeout=30)["data"]
            assert (update["status"], update["order"]["sz"]) == ("filled", "0.0")
            (fill,) = told["userFills"].get(timeout=30)["data"]["fills"]
            assert (fill["oid"], fill["px"], fill["sz"], fill["crossed"]) == (
                oid,
                "3000.0",
                "0.1",
                False,
            )
            event = told["userEvents"].get(timeout=30)
            assert (event["channel"], event["data"]["fills"]) == ("user", [fill])
        finally:
            info.disconnect_websocket()
            info.session.close()
        return True

    assert await trade(work)


async def test_the_sdks_websocket_tells_of_what_its_other_subscriptions_promise(trade, wallet):
    def work(trader, market, server):
        user, kinds = {"user": wallet.address}, ("userNonFundingLedgerUpdates", "webData2")
        told = {kind: queue.Queue() for kind in ("activeAssetCtx", *kinds)}
        info = Info(server.rest_url)
        try:
            info.subscribe({"type": "activeAssetCtx", "coin": "ETH"}, told["activeAssetCtx"].put)
            for kind in kinds:
                info.subscribe({"type": kind, **user}, told[kind].put)
            for _ in range(2):  # at once, and again
                data = told["activeAssetCtx"].get(timeout=30)["data"]
                assert (data["coin"], data["ctx"]["midPx"]) == ("ETH", "3000.05")
            assert trader.info.meta_and_asset_ctxs()[1] == [data["ctx"]]
            ledger = told["userNonFundingLedgerUpdates"].get(timeout=30)["data"]
            (deposit,) = ledger["nonFundingLedgerUpdates"]
            assert (ledger["isSnapshot"], deposit["delta"]["type"]) == (True, "deposit")
            page = told["webData2"].get(timeout=30)["data"]
            assert (page["openOrders"], page["clearinghouseState"]["withdrawable"]) == (
                [],
                "10000.0",
            )
            oid = trader.buy(0.1, 2990.0)["resting"]["oid"]
            while not page["openOrders"]:
                page = told["webData2"].get(timeout=30)["data"]
            assert [order["oid"] for order in page["openOrders"]] == [oid]
            assert info.user_non_funding_ledger_updates(wallet.address, 0) == [deposit]
        finally:
            info.disconnect_websocket()
            info.session.close()
        return True

    assert await trade(work)
