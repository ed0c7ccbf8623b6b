"""Unmodified ccxt trades on the venue over real sockets: REST, and ccxt.pro's streams."""

import asyncio
import contextlib

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from advanced_mm.quoting.exchange.dead_mans_switch import DeadMansSwitch

PAIR = "ETH/USDC:USDC"
CLOID = "0x" + "12" * 16


@pytest.fixture
async def trading(scripted, wallet):
    """(client, market, server): a client with an account at a venue that stands still."""
    market = scripted.Market()
    async with scripted.serving(market) as server:
        client = ccxt.async_support.hyperliquid(scripted.ccxt_options(server, wallet))
        try:
            await client.load_markets()
            yield client, market, server
        finally:
            await client.close()


async def open_ids(client):
    return [order["id"] for order in await client.fetch_open_orders(PAIR)]


async def test_an_order_is_placed_found_and_cancelled(trading):
    client, _, _ = trading
    placed = await client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
    assert await open_ids(client) == [placed["id"]]
    found = await client.fetch_order(placed["id"], PAIR)
    assert (found["status"], found["side"], found["type"]) == ("open", "buy", "limit")
    assert (found["price"], found["amount"], found["filled"]) == (2990.0, 0.1, 0.0)
    await client.cancel_order(placed["id"], PAIR)
    assert await open_ids(client) == []
    assert (await client.fetch_order(placed["id"], PAIR))["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound, match="never placed, already canceled, or filled"):
        await client.cancel_order(placed["id"], PAIR)
    assert [o["id"] for o in await client.fetch_canceled_orders(PAIR)] == [placed["id"]]


async def test_an_order_goes_by_the_clients_name_too(trading):
    client, _, _ = trading
    name = {"clientOrderId": CLOID}
    placed = await client.create_order(PAIR, "limit", "sell", 0.1, 3010.0, name)
    assert placed["clientOrderId"] == CLOID
    found = await client.fetch_order(None, PAIR, name)
    assert (found["id"], found["clientOrderId"]) == (placed["id"], CLOID)
    await client.cancel_orders([], PAIR, name)
    assert await open_ids(client) == []


async def test_a_batch_is_placed_and_cancelled_in_one_action_each(trading):
    client, _, _ = trading
    asked = [
        {"symbol": PAIR, "type": "limit", "side": side, "amount": 0.1, "price": price}
        for side, price in (("buy", 2990.0), ("buy", 2991.0), ("sell", 3010.0))
    ]
    placed = await client.create_orders(asked)
    ids = [order["id"] for order in placed]
    assert sorted(await open_ids(client)) == sorted(ids)
    await client.cancel_orders(ids, PAIR)
    assert await open_ids(client) == []


async def test_an_edit_replaces_the_order_by_one_with_a_new_number(trading):
    client, _, _ = trading
    placed = await client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
    edited = await client.edit_order(placed["id"], PAIR, "limit", "buy", 0.2, 2995.0)
    assert edited["id"] != placed["id"]
    found = await client.fetch_order(edited["id"], PAIR)
    assert (found["price"], found["amount"], found["status"]) == (2995.0, 0.2, "open")
    assert await open_ids(client) == [edited["id"]]
    with pytest.raises(ccxt.ExchangeError, match="Cannot modify canceled or filled order"):
        await client.edit_order(placed["id"], PAIR, "limit", "buy", 0.3, 2995.0)


async def test_a_post_only_order_that_would_match_is_refused_with_the_touch(trading):
    client, _, _ = trading
    with pytest.raises(ccxt.InvalidOrder, match=r"bbo was 3000@3000\.1\. asset=0"):
        await client.create_order(PAIR, "limit", "buy", 0.1, 3000.1, {"postOnly": True})
    (refused,) = await client.fetch_orders(PAIR)
    assert (refused["status"], refused["info"]["status"]) == ("rejected", "badAloPxRejected")
    placed = await client.create_order(PAIR, "limit", "buy", 0.1, 3000.0, {"postOnly": True})
    found = await client.fetch_order(placed["id"], PAIR)
    assert (found["timeInForce"], found["postOnly"]) == ("ALO", True)


@pytest.mark.parametrize(
    ("amount", "price", "sentence"),
    [
        (0.003, 3000.0, r"Order must have minimum value of \$10\. asset=0"),
        (100.0, 2999.0, r"Insufficient margin to place order\. asset=0"),
    ],
)
async def test_refusals_come_in_the_venues_words(trading, amount, price, sentence):
    client, _, _ = trading
    with pytest.raises((ccxt.InvalidOrder, ccxt.InsufficientFunds), match=sentence):
        await client.create_order(PAIR, "limit", "buy", amount, price)


async def test_a_resting_order_is_filled_in_parts_as_the_queue_lets_it(trading, scripted):
    client, market, _ = trading
    placed = await client.create_order(PAIR, "limit", "buy", 0.4, 3000.0, {"postOnly": True})
    market.trade(3000.0, 1.1, -1)  # 1.0 stands in front of it

    async def partly():
        order = await client.fetch_order(placed["id"], PAIR)
        return order if order["filled"] > 0 else None

    order = await scripted.until(partly)
    assert (order["filled"], order["remaining"]) == (pytest.approx(0.1), pytest.approx(0.3))
    assert order["status"] == "open"
    market.trade(3000.0, 5.0, -1)

    async def whole():
        order = await client.fetch_order(placed["id"], PAIR)
        return order if order["status"] == "closed" else None

    await scripted.until(whole)
    fills = await client.fetch_my_trades(PAIR)
    assert [one["amount"] for one in fills] == [pytest.approx(0.1), pytest.approx(0.3)]
    assert {one["order"] for one in fills} == {placed["id"]}
    assert {one["takerOrMaker"] for one in fills} == {"maker"}
    assert {one["price"] for one in fills} == {3000.0}
    assert sum(one["fee"]["cost"] for one in fills) == pytest.approx(0.4 * 3000 * 0.00015)
    since = await client.fetch_my_trades(PAIR, since=fills[-1]["timestamp"])
    assert since[-1]["id"] == fills[-1]["id"]
    (position,) = await client.fetch_positions([PAIR])
    assert (position["side"], position["contracts"], position["entryPrice"]) == (
        "long",
        0.4,
        3000.0,
    )


async def test_a_market_order_takes_what_is_there_and_pays_the_takers_fee(trading):
    client, _, _ = trading
    order = await client.create_order(PAIR, "market", "buy", 1.5, 3000.0)
    # 1.0 at 3000.1 and 0.5 at 3000.2
    assert order["average"] == pytest.approx((3000.1 + 0.5 * 3000.2) / 1.5)
    assert order["filled"] == 1.5
    (position,) = await client.fetch_positions([PAIR])
    assert (position["contracts"], position["marginMode"]) == (1.5, "cross")
    balance = await client.fetch_balance()
    cost = 3000.1 + 0.5 * 3000.2
    value = 10_000 - cost * (1 + 0.00045) + 1.5 * 3000.05
    assert balance["USDC"]["total"] == pytest.approx(value, abs=1e-5)
    (interest,) = (await client.fetch_open_interests([PAIR])).values()
    assert interest["openInterestAmount"] == 1.5


async def test_reduce_only_closes_and_never_opens(trading):
    client, _, _ = trading
    with pytest.raises(ccxt.InvalidOrder, match="Reduce only order would increase position"):
        await client.create_order(PAIR, "limit", "sell", 0.1, 3010.0, {"reduceOnly": True})
    await client.create_order(PAIR, "market", "buy", 0.2, 3000.0)
    await client.create_order(PAIR, "market", "sell", 0.5, 3000.0, {"reduceOnly": True})
    assert await client.fetch_positions([PAIR]) == []


async def test_a_stop_sleeps_and_wakes_when_the_mark_gets_there(trading, scripted):
    client, market, _ = trading
    await client.create_order(PAIR, "market", "buy", 0.2, 3000.0)
    stop = await client.create_order(
        PAIR, "market", "sell", 0.2, 2980.0, {"stopLossPrice": 2990.0, "reduceOnly": True}
    )
    found = await client.fetch_order(stop["id"], PAIR)
    assert (found["status"], found["triggerPrice"], found["type"]) == ("open", 2990.0, "market")
    assert found["info"]["order"]["triggerCondition"] == "Price below 2990.0"
    market.quote(2985.0, 2985.1)

    async def closed():
        return not await client.fetch_positions([PAIR])

    await scripted.until(closed)
    assert (await client.fetch_order(stop["id"], PAIR))["status"] == "closed"


async def test_stop_and_take_profit_go_with_their_parent(trading):
    client, _, _ = trading
    await client.create_order(
        PAIR,
        "limit",
        "buy",
        0.1,
        2990.0,
        {"stopLoss": {"triggerPrice": 2950.0}, "takeProfit": {"triggerPrice": 3050.0}},
    )
    orders = await client.fetch_open_orders(PAIR)
    assert sorted(o["info"]["orderType"] for o in orders) == [
        "Limit",
        "Stop Limit",
        "Take Profit Limit",
    ]


async def test_leverage_and_isolated_margin_are_set(trading):
    client, _, _ = trading
    await client.set_leverage(5, PAIR)
    await client.set_margin_mode("isolated", PAIR, {"leverage": 10})
    await client.create_order(PAIR, "market", "sell", 1.0, 3000.0)
    (position,) = await client.fetch_positions([PAIR])
    assert (position["marginMode"], position["leverage"], position["side"]) == (
        "isolated",
        10,
        "short",
    )
    before = position["collateral"]
    assert before == pytest.approx(300, abs=2)
    await client.add_margin(PAIR, 100)
    (position,) = await client.fetch_positions([PAIR])
    assert position["collateral"] == pytest.approx(before + 100, abs=1e-3)
    with pytest.raises(ccxt.ExchangeError, match="Invalid leverage value"):
        await client.set_leverage(26, PAIR)


async def test_a_dead_mans_switch_cancels_everything_at_its_time(trading, scripted):
    client, _, server = trading
    await client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
    with pytest.raises(ccxt.ExchangeError, match="until enough volume traded"):
        await client.cancel_all_orders_after(5_500)
    server.exchange.accounts.open(client.walletAddress.lower()).volume = 10**12
    with pytest.raises(ccxt.ExchangeError, match="too early"):
        await client.cancel_all_orders_after(1_000)
    reply = await client.cancel_all_orders_after(5_500)
    assert reply == {"status": "ok", "response": {"type": "default"}}
    due_ms = server.exchange.accounts.open(client.walletAddress.lower()).scheduled_ms
    server.exchange.advance(due_ms)
    assert await open_ids(client) == []
    (order,) = await client.fetch_orders(PAIR)
    assert order["info"]["status"] == "scheduledCancel"


async def test_a_bot_s_switch_is_set_lifted_and_strikes(scripted, wallet):
    async with scripted.serving(scripted.Market()) as server:
        address = wallet.address.lower()
        server.exchange.accounts.open(address).volume = 10**12

        def trade():
            client = ccxt.hyperliquid(scripted.ccxt_options(server, wallet))
            client.load_markets()
            client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
            switch = DeadMansSwitch(client, 10.0)
            switch.refresh(healthy=True)
            due_ms = server.exchange.accounts.open(address).scheduled_ms
            switch.lift()
            lifted = server.exchange.accounts.open(address).scheduled_ms
            DeadMansSwitch(client, 10.0).refresh(healthy=True)
            return due_ms, lifted

        due_ms, lifted = await asyncio.to_thread(trade)
        assert 9_000 < due_ms - server.exchange.now_ms <= 10_100
        assert lifted is None
        server.exchange.advance(server.exchange.now_ms + 11_000)
        assert server.exchange.open_orders(address) == []


async def test_a_sub_account_trades_with_the_masters_key(trading, scripted, wallet):
    client, _, server = trading
    await client.fetch_balance()
    server.exchange.accounts.open(client.walletAddress.lower()).volume = 10**11
    created = await client.create_sub_account("maker")
    address = created["response"]["data"]
    transfer = {"type": "subAccountTransfer", "subAccountUser": address, "isDeposit": True}
    nonce = client.incrementing_nonce()
    action = {**transfer, "usd": 2_000_000_000}
    await client.private_post_exchange(
        {"action": action, "nonce": nonce, "signature": client.sign_l1_action(action, nonce)}
    )
    master, sub = (
        await client.fetch_balance(),
        await client.fetch_balance({"user": address}),
    )
    assert (master["USDC"]["total"], sub["USDC"]["total"]) == (8_000, 2_000)
    options = scripted.ccxt_options(server, wallet, subAccountAddress=address, vaultAddress=address)
    own = ccxt.async_support.hyperliquid(options)
    try:
        placed = await own.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
        assert await open_ids(own) == [placed["id"]]
        assert await open_ids(client) == []
        await own.cancel_order(placed["id"], PAIR)
        assert await open_ids(own) == []
    finally:
        await own.close()


async def test_the_default_builder_fee_is_approved_and_its_builder_named(scripted, wallet):
    async with scripted.serving(scripted.Market()) as server:
        options = scripted.ccxt_options(server, wallet, builderFee=True)
        client = ccxt.async_support.hyperliquid(options)
        try:
            await client.fetch_balance()
            placed = await client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
            assert client.options["approvedBuilderFee"] is True
            assert await open_ids(client) == [placed["id"]]
        finally:
            await client.close()


async def test_the_synchronous_client_trades_too(scripted, wallet):
    async with scripted.serving(scripted.Market()) as server:

        def trade():
            client = ccxt.hyperliquid(scripted.ccxt_options(server, wallet))
            client.load_markets()
            placed = client.create_order(PAIR, "limit", "buy", 0.1, 2990.0)
            ids = [order["id"] for order in client.fetch_open_orders(PAIR)]
            client.cancel_order(placed["id"], PAIR)
            return placed["id"], ids, client.fetch_open_orders(PAIR)

        placed, during, after = await asyncio.to_thread(trade)
        assert (during, after) == ([placed], [])


@contextlib.asynccontextmanager
async def streaming(scripted, wallet, server):
    client = ccxt.pro.hyperliquid(scripted.ccxt_options(server, wallet))
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def test_pro_places_edits_and_cancels_over_the_websocket(scripted, wallet):
    async with (
        scripted.serving(scripted.Market()) as server,
        streaming(scripted, wallet, server) as client,
        asyncio.timeout(20),
    ):
        await client.fetch_balance()
        placed = await client.create_order_ws(PAIR, "limit", "buy", 0.1, 2990.0)
        edited = await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 0.1, 2991.0)
        assert await open_ids(client) == [edited["id"]]
        await client.cancel_order_ws(edited["id"], PAIR)
        assert await open_ids(client) == []
        with pytest.raises(ccxt.ExchangeError, match="Post only order would have immediately"):
            await client.create_order_ws(PAIR, "limit", "buy", 0.1, 3001.0, {"postOnly": True})


async def test_pro_watches_orders_fills_positions_and_balance(scripted, wallet):
    market = scripted.Market()
    async with (
        scripted.serving(market) as server,
        streaming(scripted, wallet, server) as client,
        asyncio.timeout(20),
    ):
        await client.fetch_balance()
        watched = asyncio.create_task(client.watch_orders(PAIR))
        fills = asyncio.create_task(client.watch_my_trades(PAIR))
        positions = asyncio.create_task(client.watch_positions([PAIR]))
        balance = await client.watch_balance()
        assert balance["USDC"]["total"] == 10_000
        placed = await client.create_order(PAIR, "limit", "buy", 0.1, 3000.0, {"postOnly": True})
        (order,) = await watched
        assert (order["id"], order["status"]) == (placed["id"], "open")
        watched = asyncio.create_task(client.watch_orders(PAIR))
        market.trade(3000.0, 2.0, -1)
        (order,) = await watched
        assert (order["status"], order["filled"]) == ("closed", 0.1)
        (fill,) = await fills
        assert (fill["order"], fill["amount"], fill["price"]) == (placed["id"], 0.1, 3000.0)
        assert fill["info"]["crossed"] is False
        (position,) = await positions
        assert position["contracts"] == 0.1
        await client.un_watch_my_trades()


async def test_pro_goes_on_after_its_connection_was_lost(scripted, wallet):
    market = scripted.Market()
    async with (
        scripted.serving(market) as server,
        streaming(scripted, wallet, server) as client,
        asyncio.timeout(30),
    ):
        await client.fetch_balance()
        placed = await client.create_order(PAIR, "limit", "buy", 0.1, 3000.0)
        watched = asyncio.create_task(client.watch_my_trades(PAIR))
        # Not before it has subscribed: a request that is cut off fails in another way.
        await scripted.until(lambda: any(server._hub._subscribers["userFills"].values()))
        (socket,) = server._hub._clients.values()
        await socket.close()
        with pytest.raises(ccxt.NetworkError):
            await watched
        market.trade(3000.0, 2.0, -1)
        (fill,) = await client.watch_my_trades(PAIR)
        assert fill["order"] == placed["id"]
