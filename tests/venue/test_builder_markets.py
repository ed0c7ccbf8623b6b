"""Builder-deployed markets, as unmodified ccxt, Hyperliquid's SDK and Freqtrade trade on them."""

import asyncio
import time
from dataclasses import replace

import aiohttp
import ccxt.async_support
import ccxt.pro
import pytest
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.resolvers import ExchangeResolver
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.rules import Rules

PAIR = "XYZ-XYZ100/USDC:USDC"
COIN = "xyz:XYZ100"
LIMIT = {"limit": {"tif": "Gtc"}}
DONE = {"status": "ok", "response": {"type": "default"}}
POOR = "Insufficient margin to place order."


def still(coin):
    """A market at its own scale in which nothing happens."""
    calm = {"sigma": 0.0, "lambda_plus": 0.0, "lambda_minus": 0.0}
    market = replace(SyntheticParameters.for_coin(coin), **calm)
    return SyntheticMarket(market, int(time.time() * 1000), seed=1)


@pytest.fixture
async def venue(scripted):
    """A venue of two main and two builder-deployed markets."""
    markets = [still(coin) for coin in ("ETH", COIN, "kPEPE", "xyz:TSLA")]
    async with scripted.serving(*markets, rules=Rules(sub_account_volume=0)) as server:
        yield server


@pytest.fixture
async def client(venue, scripted, wallet):
    client = ccxt.async_support.hyperliquid(scripted.ccxt_options(venue, wallet))
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


# ccxt


async def test_ccxt_lists_them_under_its_own_names(client):
    market = client.markets[PAIR]
    assert (market["id"], market["baseName"], market["info"]["name"]) == ("110000", COIN, COIN)
    assert (market["info"]["dex"], market["info"]["hip3"]) == ("xyz", True)
    assert market["precision"] == {"amount": 1e-4, "price": 1.0}
    assert market["limits"]["leverage"]["max"] == 20
    tesla, pepe = client.markets["XYZ-TSLA/USDC:USDC"], client.markets["KPEPE/USDC:USDC"]
    assert (tesla["id"], pepe["id"], pepe["info"]["name"]) == ("110001", "1", "kPEPE")
    assert (pepe["precision"]["amount"], pepe["precision"]["price"]) == (1.0, 1e-6)
    assert client.markets["ETH/USDC:USDC"]["id"] == "0"
    book = await client.fetch_order_book(PAIR)
    assert (book["bids"][0][0], book["asks"][0][0]) == (25000.0, 25001.0)
    bars = await client.fetch_ohlcv(PAIR, "1m", limit=1)
    assert 24_999 < bars[0][4] < 25_002


async def test_ccxt_trades_on_them_once_money_is_there(client):
    with pytest.raises(ccxt.InsufficientFunds, match="Insufficient margin"):
        await client.create_order(PAIR, "limit", "buy", 0.01, 24_990.0)
    reply = await client.enable_user_dex_abstraction(True, {"type": "userDexAbstraction"})
    assert reply == DONE
    placed = await client.create_order(PAIR, "limit", "buy", 0.01, 24_990.0)
    (resting,) = await client.fetch_open_orders(PAIR)
    assert (resting["id"], resting["symbol"], resting["price"]) == (placed["id"], PAIR, 24_990.0)
    assert await client.fetch_open_orders("ETH/USDC:USDC") == []
    held = await client.fetch_balance({"dex": "xyz"})
    assert held["USDC"]["total"] == pytest.approx(0.01 * 24_990 / 20)  # the order's margin
    await client.cancel_order(placed["id"], PAIR)
    assert (await client.fetch_balance({"dex": "xyz"}))["USDC"]["total"] == 0
    await client.create_order(PAIR, "limit", "buy", 0.01, 25_010.0, {"timeInForce": "IOC"})
    (position,) = await client.fetch_positions([PAIR])
    assert (position["symbol"], position["contracts"]) == (PAIR, 0.01)
    assert position["marginMode"] == "isolated"
    assert await client.fetch_positions(["ETH/USDC:USDC"]) == []
    (trade,) = await client.fetch_my_trades(PAIR)
    assert (trade["symbol"], trade["price"]) == (PAIR, 25_001.0)


async def test_ccxt_watches_them(venue, scripted, wallet):
    client = ccxt.pro.hyperliquid(scripted.ccxt_options(venue, wallet))
    try:
        async with asyncio.timeout(10):
            tickers = await client.watch_tickers([PAIR])
            assert tickers[PAIR]["last"] == 25_000.5
            book = await client.watch_order_book(PAIR)
            assert book["symbol"] == PAIR
    finally:
        await client.close()


# The SDK


@pytest.fixture
def trade(venue, wallet):
    """Run a function of the SDK's two halves in a thread."""

    async def run(work):
        def in_thread():
            info = Info(venue.rest_url, skip_ws=True, perp_dexs=["", "xyz"])
            exchange = Exchange(wallet, venue.rest_url, perp_dexs=["", "xyz"])
            try:
                info.user_state(wallet.address)
                return work(info, exchange, wallet.address)
            finally:
                for one in (info, exchange, exchange.info):
                    one.session.close()

        return await asyncio.to_thread(in_thread)

    return run


def status(reply):
    assert reply["status"] == "ok", reply
    return reply["response"]["data"]["statuses"][0]


def value(info, address, dex=""):
    return float(info.user_state(address, dex)["marginSummary"]["accountValue"])


async def test_the_sdk_sends_money_there_trades_and_takes_it_back(trade):
    def work(info, exchange, address):
        assert info.name_to_asset(COIN) == 110_000
        assert list(info.all_mids("xyz")) == [COIN, "xyz:TSLA"]
        assert COIN not in info.all_mids()
        poor = status(exchange.order(COIN, True, 0.01, 24_990.0, LIMIT))
        assert poor == {"error": f"{POOR} asset=110000"}
        assert exchange.send_asset(address, "", "xyz", "USDC", 1_000.0) == DONE
        assert (value(info, address), value(info, address, "xyz")) == (9_000.0, 1_000.0)
        oid = status(exchange.order(COIN, True, 0.01, 24_990.0, LIMIT))["resting"]["oid"]
        assert [one["oid"] for one in info.open_orders(address, "xyz")] == [oid]
        assert [one["oid"] for one in info.frontend_open_orders(address, "xyz")] == [oid]
        assert info.open_orders(address) == []
        assert status(exchange.cancel(COIN, oid)) == "success"
        assert status(exchange.market_open(COIN, True, 0.02))["filled"]["avgPx"] == "25001.0"
        (entry,) = info.user_state(address, "xyz")["assetPositions"]
        assert (entry["position"]["coin"], entry["position"]["szi"]) == (COIN, "0.02")
        assert entry["position"]["leverage"]["type"] == "isolated"
        assert info.user_state(address)["assetPositions"] == []
        assert [one["coin"] for one in info.user_fills(address)] == [COIN]
        assert status(exchange.market_close(COIN))["filled"]["totalSz"] == "0.02"
        left = float(info.user_state(address, "xyz")["withdrawable"])
        fees = 0.02 * (25_000 + 25_001) * 0.00045
        assert left == pytest.approx(1_000 - 0.02 - fees)
        assert exchange.send_asset(address, "xyz", "", "USDC", round(left, 6)) == DONE
        assert value(info, address, "xyz") == 0
        assert value(info, address) == pytest.approx(10_000 - 0.02 - fees)
        return True

    assert await trade(work)


async def test_money_at_one_exchange_is_no_good_at_another(trade):
    def work(info, exchange, address):
        assert exchange.send_asset(address, "", "xyz", "USDC", 9_990.0) == DONE
        poor = status(exchange.order("ETH", True, 0.1, 2_990.0, LIMIT))
        assert poor["error"].startswith(POOR)
        too_much = exchange.send_asset(address, "", "xyz", "USDC", 11.0)
        assert too_much["response"] == "Insufficient balance for transfer."
        nowhere = exchange.send_asset(address, "", "abc", "USDC", 1.0)
        assert nowhere["response"] == "Invalid perp dex: abc"
        other = exchange.send_asset(address, "", "xyz", "PURR:0xc1fb593aeffbeb02", 1.0)
        assert other["response"] == "Insufficient balance for token transfer"
        return True

    assert await trade(work)


async def test_margin_there_is_isolated_and_stays_with_its_position(trade):
    def work(info, exchange, address):
        assert exchange.user_dex_abstraction(address, True) == DONE
        assert info.query_user_abstraction_state(address) == "dexAbstraction"
        assert info.query_user_dex_abstraction_state(address) is True
        cross = exchange.update_leverage(10, COIN, is_cross=True)
        assert cross["response"] == "Cross margin is not allowed for this asset."
        assert exchange.update_leverage(10, COIN, is_cross=False) == DONE
        status(exchange.market_open(COIN, False, 0.02))
        kept = exchange.update_isolated_margin(-1.0, COIN)["response"]
        assert kept.startswith("Cannot remove isolated margin for this asset.")
        before = value(info, address, "xyz")
        assert before == pytest.approx(0.02 * 25_000 / 10, rel=0.01)
        assert exchange.update_isolated_margin(5.0, COIN) == DONE
        assert value(info, address, "xyz") == pytest.approx(before + 5.0)
        refused = exchange.send_asset(address, "", "xyz", "USDC", 1.0)["response"]
        assert refused == "Action disabled when DEX abstraction is active"
        whole = value(info, address) + value(info, address, "xyz")
        assert exchange.user_dex_abstraction(address, False) == DONE
        assert value(info, address) + value(info, address, "xyz") == pytest.approx(whole)
        assert info.query_user_abstraction_state(address) == "disabled"
        unified = exchange.user_set_abstraction(address, "unifiedAccount")["response"]
        assert "unifiedAccount is not supported" in unified
        return True

    assert await trade(work)


async def test_an_agent_may_make_one_purse_only_where_nothing_was_decided(trade):
    def work(info, exchange, address):
        assert info.query_user_abstraction_state(address) == "default"
        assert info.query_user_dex_abstraction_state(address) is None
        assert exchange.agent_enable_dex_abstraction() == DONE
        assert info.query_user_dex_abstraction_state(address) is True
        assert exchange.agent_enable_dex_abstraction()["status"] == "err"
        assert exchange.agent_set_abstraction("i") == DONE
        assert info.query_user_dex_abstraction_state(address) is False
        return True

    assert await trade(work)


async def test_sub_accounts_have_money_everywhere_too(trade):
    def work(info, exchange, address):
        sub = exchange.create_sub_account("one")["response"]["data"]
        assert exchange.send_asset(sub, "", "xyz", "USDC", 100.0) == DONE
        assert value(info, sub, "xyz") == 100.0
        assert value(info, sub) == 0.0
        assert exchange.user_dex_abstraction(sub, True) == DONE
        assert (value(info, sub), value(info, sub, "xyz")) == (100.0, 0.0)
        stranger = exchange.user_dex_abstraction("0x" + "12" * 20, True)
        assert "is not registered" in stranger["response"]
        return True

    assert await trade(work)


# Freqtrade


def freqtrade_config(server, wallet, **changes):
    rest = server.rest_url
    urls = {"api": {"public": rest, "private": rest, "ws": {"public": server.ws_url}}}
    pricing = {"price_side": "same", "use_order_book": True, "order_book_top": 1}
    return {
        "dry_run": False,
        "runmode": RunMode.LIVE,
        "stake_currency": "USDC",
        "trading_mode": TradingMode.FUTURES,
        "margin_mode": MarginMode.ISOLATED,
        "candle_type_def": CandleType.FUTURES,
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "order_types": {},
        "order_time_in_force": {},
        "exchange": {
            "name": "hyperliquid",
            "walletAddress": wallet.address,
            "privateKey": wallet.key.to_0x_hex(),
            "pair_whitelist": [PAIR],
            "enable_ws": False,
            "hip3_dexes": ["xyz"],
            "ccxt_config": {
                "enableRateLimit": False,
                "urls": urls,
                "options": {"builderFee": False},
            },
            **changes,
        },
    }


async def test_freqtrades_exchange_trades_on_them(scripted, wallet):
    async with scripted.serving(
        still("ETH"), still(COIN), rules=Rules(dex_abstraction=True)
    ) as server:

        def work():
            config = freqtrade_config(server, wallet)
            exchange = ExchangeResolver.load_exchange(config, validate=True)
            try:
                assert PAIR in exchange.get_markets(tradable_only=True, active_only=True)
                assert exchange.get_max_leverage(PAIR, 100) == 20
                assert exchange.get_rate(PAIR, refresh=True, side="entry", is_short=False) == 25_000
                order = exchange.create_order(
                    pair=PAIR,
                    ordertype="limit",
                    side="buy",
                    amount=0.01,
                    rate=25_001.0,
                    leverage=2.0,
                    time_in_force="GTC",
                )
                filled = exchange.fetch_order(order["id"], PAIR)
                assert (filled["status"], filled["average"]) == ("closed", 25_001.0)
                (position,) = exchange.fetch_positions()
                assert (position["symbol"], position["leverage"]) == (PAIR, 2)
                total = exchange.get_balances()["USDC"]["total"]
                assert total == pytest.approx(10_000 - 0.01 * 0.5 - 250.01 * 0.00045)
                resting = exchange.create_order(
                    pair=PAIR,
                    ordertype="limit",
                    side="sell",
                    amount=0.01,
                    rate=25_100.0,
                    leverage=2.0,
                    reduceOnly=True,
                    time_in_force="GTC",
                )
                exchange.cancel_order(resting["id"], PAIR)
                assert exchange.fetch_order(resting["id"], PAIR)["status"] == "canceled"
            finally:
                exchange.close()
            return True

        assert await asyncio.to_thread(work)


# What no client asks for in these words


async def ask(server, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.rest_url + "/info", json=body) as answer,
    ):
        return answer.status, await answer.json()


USER = "0x" + "ab" * 20


@pytest.mark.parametrize(
    "body",
    [
        {"type": "meta"},
        {"type": "metaAndAssetCtxs"},
        {"type": "allMids"},
        {"type": "clearinghouseState", "user": USER},
        {"type": "openOrders", "user": USER},
        {"type": "frontendOpenOrders", "user": USER},
    ],
)
async def test_an_exchange_that_is_not_here_is_answered_null(venue, body):
    assert await ask(venue, {**body, "dex": "nope"}) == (200, None)
    status, known = await ask(venue, {**body, "dex": "xyz"})
    assert status == 200
    assert known is not None


async def test_the_exchanges_are_listed_as_documented(venue):
    _, dexs = await ask(venue, {"type": "perpDexs"})
    assert dexs[0] is None
    (listed,) = dexs[1:]
    assert (listed["name"], listed["fullName"]) == ("xyz", "XYZ")
    assert [coin for coin, _ in listed["assetToStreamingOiCap"]] == [COIN, "xyz:TSLA"]
    _, meta = await ask(venue, {"type": "meta", "dex": "xyz"})
    assert meta["collateralToken"] == 0
    first = meta["universe"][0]
    assert (first["name"], first["onlyIsolated"]) == (COIN, True)
    assert (first["marginMode"], first["szDecimals"]) == ("strictIsolated", 4)
    _, main = await ask(venue, {"type": "meta", "dex": ""})
    assert [one["name"] for one in main["universe"]] == ["ETH", "kPEPE"]
    assert "onlyIsolated" not in main["universe"][0]
    assert (await ask(venue, {"type": "allPerpMetas"}))[1] == [main, meta]


@pytest.mark.parametrize(
    ("subscription", "channel", "told"),
    [
        ({"type": "allMids", "dex": "xyz"}, "allMids", lambda d: (d["dex"], set(d["mids"]))),
        ({"type": "assetCtxs", "dex": "xyz"}, "assetCtxs", lambda d: (d["dex"], len(d["ctxs"]))),
        (
            {"type": "clearinghouseState", "user": USER, "dex": "xyz"},
            "clearinghouseState",
            lambda d: (d["dex"], d["clearinghouseState"]["withdrawable"]),
        ),
        (
            {"type": "allDexsClearinghouseState", "user": USER},
            "allDexsClearinghouseState",
            lambda d: [(dex, one["withdrawable"]) for dex, one in d["clearinghouseStates"]],
        ),
        (
            {"type": "allDexsAssetCtxs"},
            "allDexsAssetCtxs",
            lambda d: [(dex, len(ctxs)) for dex, ctxs in d["ctxs"]],
        ),
    ],
)
async def test_streams_of_an_exchange_and_of_all(venue, subscription, channel, told):
    expected = {
        "allMids": ("xyz", {COIN, "xyz:TSLA"}),
        "assetCtxs": ("xyz", 2),
        "clearinghouseState": ("xyz", "0.0"),
        "allDexsClearinghouseState": [("", "10000.0"), ("xyz", "0.0")],
        "allDexsAssetCtxs": [("", 2), ("xyz", 2)],
    }
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.ws_url) as socket:
        await socket.send_json({"method": "subscribe", "subscription": subscription})
        assert (await socket.receive_json(timeout=10))["channel"] == "subscriptionResponse"
        message = await socket.receive_json(timeout=10)
        assert message["channel"] == channel
        assert told(message["data"]) == expected[channel]
        nowhere = {"type": "allMids", "dex": "nope"}
        await socket.send_json({"method": "subscribe", "subscription": nowhere})
        while (refusal := await socket.receive_json(timeout=10))["channel"] != "error":
            pass
        assert refusal["data"].startswith("Invalid subscription")


async def test_limits_and_status_of_an_exchange(venue):
    _, limits = await ask(venue, {"type": "perpDexLimits", "dex": "xyz"})
    assert [coin for coin, _ in limits["coinToOiCap"]] == [COIN, "xyz:TSLA"]
    assert await ask(venue, {"type": "perpDexLimits", "dex": "nope"}) == (200, None)
    account = venue.exchange.accounts.open(USER)
    account.deposit("xyz", 250_000_000)
    _, status = await ask(venue, {"type": "perpDexStatus", "dex": "xyz"})
    assert status == {"totalNetDeposit": "250.0"}
    _, main = await ask(venue, {"type": "perpDexStatus", "dex": ""})
    assert main == {"totalNetDeposit": "10000.0"}
    _, funding = await ask(venue, {"type": "predictedFundings"})
    assert [coin for coin, _ in funding] == ["ETH", "kPEPE"]
    assert await ask(venue, {"type": "perpsAtOpenInterestCap", "dex": "xyz"}) == (200, [])


async def test_what_was_sent_is_in_the_ledger(venue):
    venue.exchange.accounts.open(USER)
    assert venue.exchange.send_asset(USER, "", USER, "xyz", 5_000_000) is None
    body = {"type": "userNonFundingLedgerUpdates", "user": USER, "startTime": 0}
    _, ledger = await ask(venue, body)
    (sent,) = [one["delta"] for one in ledger if one["delta"]["type"] == "send"]
    assert (sent["sourceDex"], sent["destinationDex"]) == ("", "xyz")
    assert (sent["amount"], sent["token"]) == ("5.0", "USDC")
