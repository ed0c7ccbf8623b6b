"""The maker's Hyperliquid on the loopback venue, over real sockets."""

import contextlib
from decimal import Decimal

import ccxt.pro
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
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Reconnected,
    TellsFunding,
    WouldTakeError,
)
from advanced_mm.maker.exchanges import HyperliquidExchange
from advanced_mm.maker.exchanges.errors import refusal
from advanced_mm.maker.exchanges.hyperliquid_client import HyperliquidClient
from tests.maker.exchanges import told
from tests.maker.exchanges.told import now_ms

ETH = "ETH/USDC:USDC"


@contextlib.asynccontextmanager
async def opened(scripted, wallet, server):
    x = HyperliquidExchange("hl", scripted.ccxt_options(server, wallet), now_ms)
    async with told.opened(x, ETH) as both:
        yield both


ids = ClientIds("test", "hl", ETH)


def bid(price, size="0.1", **options):
    return OrderRequest(ETH, "buy", Decimal(size), ids.new(), Decimal(price), **options)


async def test_a_ladder_is_placed_moved_and_cancelled_in_one_action_each(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (x, heard):
        placed = await x.place([bid("2990"), bid("2991"), bid("3000.1"), bid("3000", "0.001")])
        assert [type(one).__name__ for one in placed[2:]] == ["WouldTakeError", "OrderRefusedError"]
        assert sorted(one.price for one in await x.open_orders(ETH)) == [2990, 2991]
        changes = [Change(one, one.price + 1, Decimal("0.2")) for one in placed[:2]]
        moved = await x.edit(changes)
        assert [one.client_id for one in moved] == [one.client_id for one in placed[:2]]
        assert {one.order_id for one in moved}.isdisjoint({one.order_id for one in placed[:2]})
        assert sorted(await x.open_orders(ETH), key=lambda one: one.price) == moved
        assert await x.cancel([*moved, moved[0]]) == [None, None, None]  # one was gone already
        assert await x.open_orders(ETH) == []
        (late,) = await x.edit(changes[:1])
        assert isinstance(late, OrderGoneError)
        await scripted.until(lambda: len(heard.of(OrderUpdate)) >= 6)
        ends = [one.status for one in heard.of(OrderUpdate) if one.status is not OrderStatus.OPEN]
        assert set(ends) <= {OrderStatus.CANCELLED, OrderStatus.REFUSED}


async def test_fills_positions_and_touches_are_streamed(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (x, heard):
        (order,) = await x.place([bid("3000", "0.4")])
        market.trade(3000.0, 1.3, -1)
        await scripted.until(lambda: heard.of(Fill))
        (fill,) = heard.of(Fill)
        assert (fill.client_id, fill.size, fill.maker) == (order.client_id, Decimal("0.3"), True)
        assert await x.fills_since(ETH, fill.time_ms) == [fill]
        assert (await x.account()).positions == {ETH: Decimal("0.3")}
        await scripted.until(lambda: heard.of(Account)[-1:] and heard.of(Account)[-1].positions)
        market.quote(3001.0, 3001.1)
        await scripted.until(lambda: heard.of(Book)[-1].bids[0][0] == 3001.0)


async def test_funding_is_told_as_it_was_received(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (x, _):
        await x.place([OrderRequest(ETH, "buy", Decimal("0.2"), ids.new(), post_only=False)])
        began = server.exchange.now_ms
        assert await x.funding_since(ETH, began) == []
        server.exchange.advance(began + 3_600_000)
        (paid,) = await x.funding_since(ETH, began)
        assert isinstance(x, TellsFunding)
        assert (paid.symbol, paid.time_ms > began) == (ETH, True)
        (told,) = await x._client.publicPostInfo(
            {"type": "userFunding", "user": wallet.address.lower(), "startTime": began}
        )
        assert paid.amount == Decimal(told["delta"]["usdc"]) != 0


async def test_market_and_trigger_orders(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (x, _):
        buy = OrderRequest(ETH, "buy", Decimal("0.2"), ids.new(), post_only=False)
        (taken,) = await x.place([buy])
        assert taken.left == 0
        stop = OrderRequest(
            ETH, "sell", Decimal("0.2"), ids.new(), post_only=False, trigger_price=Decimal(2990)
        )
        (resting,) = await x.place([stop])
        (there,) = await x.open_orders(ETH)
        assert (there.order_id, there.trigger_price) == (resting.order_id, 2990)
        market.quote(2985.0, 2985.1)

        async def flat():
            return (await x.account()).positions.get(ETH, 0) == 0

        await scripted.until(flat)


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_lost_reply_is_in_doubt_until_it_is_looked_up(scripted, wallet, arrives):
    async with (
        scripted.serving(scripted.Market()) as server,
        opened(scripted, wallet, server) as (x, _),
    ):
        act, sent = x._client.act, []

        async def lost(request):
            sent.append(request)
            if arrives:
                await act(request)
            raise ccxt.RequestTimeout("no reply")

        x._client.act = lost
        asked = bid("2990")
        (reply,) = await x.place([asked])
        assert isinstance(reply, OrderDoubtError)
        x._client.act = act
        (found,) = await x.look_up(ETH, [asked.client_id])
        assert (found is not None) == arrives
        if found is not None:
            assert (found.status, found.order.price) == (OrderStatus.OPEN, 2990)
            return
        with pytest.raises(ccxt.ExchangeError, match=r"(?i)nonce"):
            await act(sent[0])  # it comes after all, and is void
        assert await x.open_orders(ETH) == []


async def test_a_lost_connection_comes_back_and_says_so(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (x, heard):
        (socket,) = server._hub._clients.values()
        await socket.close()
        # Meanwhile orders go by HTTP.
        await scripted.until(lambda: heard.of(Reconnected))
        (order,) = await x.place([bid("2990")])
        market.quote(3001.0, 3001.1)
        await scripted.until(lambda: heard.of(Book)[-1].bids[0][0] == 3001.0)
        assert await x.open_orders(ETH) == [order]


async def test_a_message_that_cannot_be_read_is_a_lost_connection(scripted, wallet):
    market = scripted.Market()
    async with scripted.serving(market) as server, opened(scripted, wallet, server) as (_, heard):
        (socket,) = server._hub._clients.values()
        await socket.send_str('{"channel": "l2Book", "data": {"coin": "ETH"')
        await scripted.until(lambda: heard.of(Reconnected))
        assert "cannot be read" in heard.of(Reconnected)[0].why
        market.quote(3001.0, 3001.1)
        await scripted.until(lambda: heard.of(Book)[-1].bids[0][0] == 3001.0)


async def test_missing_keys_and_markets_are_one_sentence(scripted, wallet):
    async with scripted.serving(scripted.Market()) as server:
        options = scripted.ccxt_options(server, wallet)
        keyless = HyperliquidExchange("hl", {**options, "privateKey": ""}, now_ms)
        with pytest.raises(InputError, match="lacks HYPERLIQUID_PRIVATE_KEY"):
            await keyless.open([ETH])
        await keyless.close()
        x = HyperliquidExchange("hl", options, now_ms)
        with pytest.raises(InputError, match="no perpetual 'ETH/USDC'"):
            await x.open(["ETH/USDC"])
        await x.close()


@pytest.mark.parametrize("vault", [None, "b" * 40])
def test_actions_are_signed_as_ccxt_signs_them(wallet, vault):
    config = {"walletAddress": wallet.address, "privateKey": wallet.key.hex()}
    ours, theirs = HyperliquidClient(config, print), ccxt.pro.hyperliquid(config)
    action = {
        "type": "order",
        "orders": [{"a": 3, "b": True, "p": "3000.1", "s": "0.1", "r": False, "c": ids.new()}],
        "grouping": "na",
    }
    for sandbox in (False, True):
        ours.options["sandboxMode"] = theirs.options["sandboxMode"] = sandbox
        signed = ours.sign_l1_action(action, 1_700_000_000_123, vault)
        assert signed == theirs.sign_l1_action(action, 1_700_000_000_123, vault)


def test_a_refusal_for_the_price_is_told_apart():
    text = "Post only order would have immediately matched, bbo was 3000@3000.1. asset=0"
    assert isinstance(refusal(text), WouldTakeError)
    assert not isinstance(refusal("Insufficient margin"), WouldTakeError)
