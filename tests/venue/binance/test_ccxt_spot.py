"""Unmodified ccxt and ccxt.pro on the loopback Binance, over real sockets."""

import asyncio
from functools import partial

import ccxt
import ccxt.pro
import pytest

from advanced_mm.venue.binance.local import spot_venue
from advanced_mm.venue.conditions.faults import (
    CutConnections,
    DroppedReply,
    HttpError,
    Latency,
    Silence,
)

PAIR = "ETH/USDC"
POST_ONLY = {"postOnly": True}
ZERO = "0.00000000"


async def rest(venue):
    """The account's balances as REST tells them."""
    balance = await venue.client.fetch_balance()
    return {asset: (balance[asset]["free"], balance[asset]["used"]) for asset in ("ETH", "USDC")}


async def test_markets_are_loaded_with_their_filters(venue):
    market = venue.client.market(PAIR)
    assert (market["spot"], market["active"]) == (True, True)
    assert market["precision"]["price"] == 0.1
    assert market["precision"]["amount"] == 0.0001
    assert market["limits"]["cost"]["min"] == 5
    assert await venue.client.fetch_time() > 1.7e12
    ticker = await venue.client.fetch_ticker(PAIR)
    assert (ticker["bid"], ticker["ask"]) == (3000.0, 3001.0)
    assert len(await venue.client.fetch_ohlcv(PAIR, "1m")) == 1
    assert (await venue.client.fetch_trading_fee(PAIR))["maker"] == 0.001


async def test_an_order_lives_over_rest(venue):
    client = venue.client
    placed = await client.create_order(
        PAIR, "limit", "buy", 1, 2990, {**POST_ONLY, "clientOrderId": "mine"}
    )
    assert (placed["status"], placed["clientOrderId"], placed["postOnly"]) == ("open", "mine", True)
    assert await rest(venue) == {"ETH": (3, 0), "USDC": (7010, 2990)}
    (resting,) = await client.fetch_open_orders(PAIR)
    assert (resting["id"], resting["remaining"]) == (placed["id"], 1)
    changed = await client.edit_order(placed["id"], PAIR, "limit", "buy", 2, 2980, POST_ONLY)
    assert (changed["price"], changed["amount"]) == (2980, 2)
    assert changed["id"] != placed["id"]
    await client.cancel_order(changed["id"], PAIR)
    old, new = await client.fetch_orders(PAIR)
    assert (old["status"], new["status"]) == ("canceled", "canceled")
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(changed["id"], PAIR)
    taken = await client.create_order(PAIR, "market", "sell", 0.5)
    assert (taken["status"], taken["average"]) == ("closed", 3000)
    (fill,) = await client.fetch_my_trades(PAIR)
    assert (fill["order"], fill["takerOrMaker"]) == (taken["id"], "taker")
    assert fill["fee"] == {"currency": "USDC", "cost": 1.5}
    assert await rest(venue) == {"ETH": (2.5, 0), "USDC": (11_498.5, 0)}


async def test_an_order_lives_over_the_order_socket(venue):
    client, market = venue.client, venue.market
    orders = asyncio.create_task(client.watch_orders(PAIR))
    await heard(venue, users=1)  # both would subscribe at once
    trades = asyncio.create_task(client.watch_my_trades(PAIR))
    placed = await client.create_order_ws(PAIR, "limit", "buy", 2, 3000, POST_ONLY)
    assert [one["status"] for one in await orders] == ["open"]
    market.trade(3000.0, 1.5, -1)  # 1.0 of others stands in front
    (fill,) = await trades
    assert (fill["order"], fill["amount"], fill["takerOrMaker"]) == (placed["id"], 0.5, "maker")
    assert fill["fee"] == {"currency": "ETH", "cost": 0.0005}
    seen = await client.fetch_order_ws(placed["id"], PAIR)
    assert (seen["status"], seen["filled"], seen["remaining"]) == ("open", 0.5, 1.5)
    # ccxt 4.5.90 leaves the answer as it came: it does not know there that the account is spot.
    told = (await client.fetch_balance_ws())["info"]["balances"]
    amounts = {one["asset"]: (one["free"], one["locked"]) for one in told}
    assert amounts == {"USDC": ("4000.00000000", "4500.00000000"), "ETH": ("3.49950000", ZERO)}
    changed = await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 1.5, 2999, POST_ONLY)
    assert [one["id"] for one in await client.fetch_open_orders_ws(PAIR)] == [changed["id"]]
    (ended,) = await client.cancel_all_orders_ws(PAIR)
    assert ended["status"] == "canceled"
    cached = {one["id"]: one["status"] for one in client.orders}
    assert cached == {placed["id"]: "canceled", changed["id"]: "canceled"}


async def test_the_user_stream_tells_of_balances(venue):
    balance = asyncio.create_task(venue.client.watch_balance())
    await heard(venue, users=1)
    await venue.client.create_order(PAIR, "limit", "sell", 1, 3010)
    told = await balance
    assert (told["ETH"]["free"], told["ETH"]["used"]) == (2, 1)


async def test_what_the_exchange_does_not_accept(venue):
    refused = (
        (1, 3001, POST_ONLY, ccxt.OrderImmediatelyFillable, "immediately match and take"),
        (10, 2990, {}, ccxt.InsufficientFunds, "insufficient balance"),
        (0.001, 2990, {}, ccxt.BadRequest, "NOTIONAL"),
        (1, 500, {}, ccxt.InvalidOrder, "PERCENT_PRICE_BY_SIDE"),
    )
    for size, price, params, error, why in refused:
        for place in (venue.client.create_order, venue.client.create_order_ws):
            with pytest.raises(error, match=why):
                await place(PAIR, "limit", "buy", size, price, params)
    assert await venue.client.fetch_open_orders(PAIR) == []


async def test_an_edit_that_would_take_leaves_no_order(venue):
    client = venue.client
    placed = await client.create_order_ws(PAIR, "limit", "buy", 1, 2990, POST_ONLY)
    with pytest.raises(ccxt.BaseError, match="cancel-replace partially failed"):
        await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 1, 3001, POST_ONLY)
    assert await client.fetch_open_orders(PAIR) == []
    with pytest.raises(ccxt.BaseError, match="cancel-replace failed"):
        await client.edit_order_ws(placed["id"], PAIR, "limit", "buy", 1, 2990, POST_ONLY)
    assert await client.fetch_open_orders(PAIR) == []


async def test_a_stop_rests_and_sells(venue):
    client, market = venue.client, venue.market
    stop = await client.create_order(PAIR, "market", "sell", 1, None, {"stopLossPrice": 2990})
    assert (await client.fetch_open_orders(PAIR))[0]["triggerPrice"] == 2990
    market.trade(2989.0, 0.5, -1)
    market.quote(2988.0, 2989.0)

    async def sold():
        return (await client.fetch_order(stop["id"], PAIR))["status"] == "closed"

    await _until(sold)


async def test_books_trades_and_candles_are_streamed(venue):
    client, market = venue.client, venue.market
    book = await client.watch_order_book(PAIR)
    assert (book["bids"][0][0], book["asks"][0][0], len(book["bids"])) == (3000, 3001, 20)
    touch = asyncio.create_task(client.watch_bids_asks([PAIR]))
    trades = asyncio.create_task(client.watch_trades(PAIR))
    candles = asyncio.create_task(client.watch_ohlcv(PAIR, "1m"))
    await heard(venue, streams=4)
    market.trade(3001.0, 0.3, 1)
    market.quote(3001.0, 3002.0)
    assert (await touch)[PAIR]["bid"] == 3001
    (trade,) = await trades
    assert (trade["side"], trade["price"], trade["amount"]) == ("buy", 3001, 0.3)
    await client.create_order(PAIR, "limit", "buy", 2, 3001.5)  # inside the spread

    async def shown():
        watched = await client.watch_order_book(PAIR)
        return watched["bids"][0] == [3001.5, 2]

    await _until(shown)
    fetched = await client.fetch_order_book(PAIR)
    assert client.orderbooks[PAIR]["bids"][:20] == fetched["bids"][:20]
    assert client.orderbooks[PAIR]["asks"][:20] == fetched["asks"][:20]
    assert (await candles)[-1][4:] == [3001, 0.3]


async def test_a_lost_reply_is_cleared_up_by_the_clients_own_id(venue):
    client, line = venue.client, venue.server.line
    for by in ("create_order", "create_order_ws"):
        line.set_fault(DroppedReply(requests=("order.place",), count=1))
        with pytest.raises(ccxt.NetworkError):
            await getattr(client, by)(PAIR, "limit", "buy", 1, 2990, {"clientOrderId": by})
        found = await client.fetch_order(None, PAIR, {"origClientOrderId": by})
        assert (found["status"], found["clientOrderId"]) == ("open", by)
        await client.cancel_order(None, PAIR, {"origClientOrderId": by})
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order(None, PAIR, {"origClientOrderId": "never"})


async def test_a_request_that_fails_is_not_carried_out(venue):
    client, line = venue.client, venue.server.line
    for by in ("create_order", "create_order_ws"):
        line.set_fault(HttpError(requests=("/api/v3/order",), count=1))
        with pytest.raises(ccxt.BaseError):
            await getattr(client, by)(PAIR, "limit", "buy", 1, 2990)
    assert await client.fetch_open_orders(PAIR) == []


async def test_a_client_reconnects_after_a_cut(venue):
    client, line = venue.client, venue.server.line
    await client.watch_order_book(PAIR)
    watching = asyncio.create_task(client.watch_orders(PAIR))
    await heard(venue, users=1)
    line.set_fault(CutConnections())
    with pytest.raises(ccxt.NetworkError):
        await watching
    await heard(venue, users=0)
    await client.create_order(PAIR, "limit", "buy", 1, 2990)  # nobody listens
    watching = asyncio.create_task(client.watch_orders(PAIR))
    await heard(venue, users=1)
    await client.create_order_ws(PAIR, "limit", "buy", 1, 2980)
    assert [one["price"] for one in await watching] == [2980]
    assert (await client.watch_order_book(PAIR))["bids"][0][0] == 3000


async def test_delays_and_silence(venue):
    client, line = venue.client, venue.server.line
    line.set_fault(Latency(milliseconds=400, requests=("order.place",), count=1))
    slow = asyncio.create_task(client.create_order_ws(PAIR, "limit", "buy", 1, 2990))
    await asyncio.sleep(0.02)
    assert await client.fetch_open_orders_ws(PAIR) == []  # not held up, and not yet placed
    assert (await slow)["status"] == "open"
    line.set_fault(Silence())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.fetch_open_orders_ws(PAIR), 0.1)


async def test_keys_signatures_and_time_stamps_are_checked(venue):
    local = venue.local
    errors = {
        ("paper-key", "wrong", 0): (ccxt.AuthenticationError, "-1022"),
        ("nobody", "secret", 0): (ccxt.AuthenticationError, "-2015"),
        ("paper-key", "paper-secret", -20_000): (ccxt.InvalidNonce, "-1021"),
        ("paper-key", "paper-secret", 5_000): (ccxt.InvalidNonce, "-1021"),
    }
    for (key, secret, shift), (error, code) in errors.items():
        client = ccxt.pro.binance(local.ccxt_options(key, secret, fetchCurrencies=False,
                                                     fetchMargins=False))  # fmt: skip
        client.set_markets_from_exchange(venue.client)
        client.nonce = partial(_shifted, client, shift)
        try:
            with pytest.raises(error, match=code):
                await client.fetch_balance()
            with pytest.raises(ccxt.BaseError):
                await client.fetch_balance_ws()
        finally:
            await client.close()


async def test_the_weight_is_told_and_limited(venue, scripted):
    client = venue.client
    await client.fetch_balance()
    before = int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"])
    await client.fetch_balance()
    assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == before + 20
    await client.create_order(PAIR, "limit", "buy", 1, 2990)
    assert client.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "1"
    async with spot_venue(scripted.Market(), limited=True) as local:
        local.server.calls.charge("127.0.0.1", 5_990)
        other = ccxt.pro.binance(local.ccxt_options())
        try:
            with pytest.raises(ccxt.DDoSProtection, match="1 MINUTE"):
                await other.fetch_markets()
        finally:
            await other.close()


def test_the_synchronous_client_trades_too(scripted):
    async def run():
        async with spot_venue(scripted.Market(bid=3000.0, ask=3001.0)) as local:
            client = ccxt.binance(local.ccxt_options())
            placed = await asyncio.to_thread(
                client.create_order, PAIR, "limit", "buy", 1, 2990, POST_ONLY
            )
            client.session.close()
            return placed

    assert asyncio.run(run())["status"] == "open"


def _shifted(client, by_ms):
    return client.milliseconds() + by_ms


async def heard(venue, users=0, streams=0):
    """Wait until so many subscriptions are in force: of what was before, nobody is told."""
    hub = venue.server.hub

    async def there():
        told = sum(len(listener.users) for listener in hub._listeners)
        return told == users and len(hub._audience) >= streams

    await _until(there)


async def _until(condition, seconds=30.0):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)
