"""The maker's Binance on the loopback spot exchange, over real sockets."""

import contextlib
from decimal import Decimal

import ccxt
import pytest

from advanced_mm.errors import InputError
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Change,
    Fill,
    OrderDoubtError,
    OrderGoneError,
    OrderRefusedError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Reconnected,
    WouldTakeError,
)
from advanced_mm.maker.exchanges import BinanceSpotExchange
from advanced_mm.maker.exchanges import binance as module
from advanced_mm.venue.binance.local import spot_venue
from tests.maker.exchanges.told import now_ms, opened
from tests.venue.conftest import ScriptedMarket, until

ETH = "ETH/USDC"
ids = ClientIds("test", "binance", ETH)


@contextlib.asynccontextmanager
async def trading():
    market = ScriptedMarket()
    async with spot_venue(market) as venue:
        x = BinanceSpotExchange("bin", venue.ccxt_options(), now_ms)
        async with opened(x, ETH) as (_, told):
            yield x, told, market, venue


def bid(price, size="0.1", **options):
    return OrderRequest(ETH, "buy", Decimal(size), ids.new(), Decimal(price), **options)


async def test_a_ladder_is_placed_moved_amended_and_cancelled():
    async with trading() as (x, told, _, _):
        placed = await x.place([bid("2990"), bid("2991"), bid("3000.1"), bid("3000", "0.0001")])
        assert isinstance(placed[2], WouldTakeError)
        assert isinstance(placed[3], OrderRefusedError)
        assert sorted(one.price for one in await x.open_orders(ETH)) == [2990, 2991]
        changes = [Change(one, one.price + 1, Decimal("0.2")) for one in placed[:2]]
        moved = await x.edit(changes)
        assert [one.client_id for one in moved] == [one.client_id for one in placed[:2]]
        assert {one.order_id for one in moved}.isdisjoint({one.order_id for one in placed[:2]})
        (smaller,) = await x.edit([Change(moved[0], moved[0].price, Decimal("0.05"))])
        assert (smaller.order_id, smaller.size) == (moved[0].order_id, Decimal("0.05"))
        there = {one.order_id: one for one in await x.open_orders(ETH)}
        assert there == {smaller.order_id: smaller, moved[1].order_id: moved[1]}
        assert await x.cancel([*moved, moved[0]]) == [None, None, None]  # one was gone already
        (late,) = await x.edit(changes[:1])
        assert isinstance(late, OrderGoneError)
        assert await x.open_orders(ETH) == []
        await until(lambda: told.of(OrderUpdate)[-1].status is OrderStatus.CANCELLED)
        own = {one.client_id for one in placed[:2]}
        assert {one.order.client_id for one in told.of(OrderUpdate)} == own


async def test_fills_balances_and_touches_are_streamed():
    async with trading() as (x, told, market, _):
        before = (await x.account()).balances
        (order,) = await x.place([bid("3000", "0.4")])
        market.trade(3000.0, 1.3, -1)
        await until(lambda: told.of(Fill))
        (fill,) = told.of(Fill)
        assert (fill.client_id, fill.size, fill.maker) == (order.client_id, Decimal("0.3"), True)
        (same,) = await x.fills_since(ETH, fill.time_ms)
        assert (same.fill_id, same.fee) == (fill.fill_id, fill.fee)
        after = (await x.account()).balances
        base_fee = fill.fee if fill.fee_currency == "ETH" else 0
        assert after["ETH"] - before["ETH"] == fill.size - base_fee
        await until(lambda: told.of(Account)[-1:])
        assert told.of(Account)[-1].balances == after
        market.quote(3001.0, 3001.1)
        await until(lambda: told.of(Book)[-1].bids[0][0] == 3001.0)


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_lost_reply_is_in_doubt_until_no_request_can_arrive(monkeypatch, arrives):
    async with trading() as (x, _, _, _):
        ask = x._client.ask

        async def lost(method, params):
            if arrives:
                await ask(method, params)
            raise ccxt.RequestTimeout("no reply")

        x._client.ask = lost
        asked = bid("2990")
        (reply,) = await x.place([asked])
        assert isinstance(reply, OrderDoubtError)
        with pytest.raises(OrderDoubtError, match="may still arrive"):
            await x.look_up(ETH, [asked.client_id])
        monkeypatch.setattr(module, "_VOID_SECONDS", 0.0)
        (found,) = await x.look_up(ETH, [asked.client_id])
        assert (found is not None) == arrives
        if found is not None:
            assert (found.status, found.order.price) == (OrderStatus.OPEN, 2990)


async def test_a_lost_connection_comes_back_and_says_so():
    async with trading() as (x, told, market, _):
        socket = x._client.clients[x._client.api_url]
        await socket.connection.close()
        await until(lambda: told.of(Reconnected))
        (order,) = await x.place([bid("2990")])
        market.quote(3001.0, 3001.1)
        await until(lambda: told.of(Book)[-1].bids[0][0] == 3001.0)
        assert [one.order_id for one in await x.open_orders(ETH)] == [order.order_id]


async def test_missing_keys_and_markets_are_one_sentence():
    async with spot_venue(ScriptedMarket()) as venue:
        keyless = BinanceSpotExchange("bin", {**venue.ccxt_options(), "secret": ""}, now_ms)
        with pytest.raises(InputError, match="lacks BINANCE_API_SECRET"):
            await keyless.open([ETH])
        await keyless.close()
        x = BinanceSpotExchange("bin", venue.ccxt_options(), now_ms)
        with pytest.raises(InputError, match="no open spot market 'ETH/USDC:USDC'"):
            await x.open(["ETH/USDC:USDC"])
        await x.close()
        wrong = BinanceSpotExchange("bin", venue.ccxt_options("a" * 64), now_ms)
        with pytest.raises(InputError, match="does not accept the keys"):
            await wrong.open([ETH])
        await wrong.close()
