"""What became of a request that was refused, cancelled or sent at a wrong time; what may be sent.

The clients' replies are made up, as no venue gives them on demand.
"""

import asyncio
from decimal import Decimal

import ccxt
import pytest

from advanced_mm.maker.exchange import (
    OrderDoubtError,
    OrderRefusedError,
    OrderRequest,
    RestingOrder,
)
from advanced_mm.maker.exchanges import BinanceSpotExchange, HyperliquidExchange
from advanced_mm.maker.exchanges.budget import ActionBudget
from tests.maker.exchanges.told import now_ms

ETH, SUI = "ETH/USDC:USDC", "SUI/USDC"
WALLET = {"walletAddress": "0x" + "1" * 40, "privateKey": "0x" + "2" * 64}


def order(symbol, number="1"):
    return RestingOrder(number, f"c{number}", symbol, "buy", Decimal(3000), Decimal("0.1"))


def request(symbol):
    return OrderRequest(symbol, "buy", Decimal("0.1"), "0x" + "a" * 32, Decimal(3000))


@pytest.fixture
async def hyperliquid():
    x = HyperliquidExchange("hl", WALLET, now_ms)
    x._assets[ETH] = 1
    yield x
    await x.close()


@pytest.fixture
async def binance():
    x = BinanceSpotExchange("spot", {"apiKey": "k", "secret": "s"}, now_ms)
    x._ids[SUI], x._types[SUI] = "SUIUSDC", ["LIMIT_MAKER"]
    yield x
    await x.close()


async def test_an_order_whose_cancel_was_refused_is_not_taken_as_gone(hyperliquid):
    async def act(sent):
        told = ["success", {"error": "Order was never placed, already canceled, or filled."}]
        return {"data": {"statuses": [*told, {"error": "Too many requests."}]}}

    hyperliquid._client.act = act
    replies = await hyperliquid.cancel([order(ETH, str(one)) for one in range(3)])
    assert replies[:2] == [None, None]
    assert isinstance(replies[2], OrderRefusedError)

    async def refuse(sent):
        raise ccxt.RateLimitExceeded("429")

    hyperliquid._client.act = refuse
    (reply,) = await hyperliquid.cancel([order(ETH)])
    assert isinstance(reply, OrderRefusedError)


async def test_what_a_cancelled_task_sent_is_made_void_before_it_counts_as_unknown(hyperliquid):
    silent, voided = asyncio.Event(), []

    async def act(sent):
        await silent.wait()

    async def post(sent):
        voided.append((sent["action"], sent["nonce"]))

    async def info(asked):
        return {"status": "unknownOid"}

    client = hyperliquid._client
    client.act, client.privatePostExchange, client.publicPostInfo = act, post, info
    placing = asyncio.create_task(hyperliquid.place([request(ETH)]))
    await asyncio.sleep(0.01)
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)
    assert await hyperliquid.look_up(ETH, [request(ETH).client_id]) == [None]
    assert [action["type"] for action, _ in voided] == ["noop"]
    await hyperliquid.look_up(ETH, [request(ETH).client_id])
    assert len(voided) == 1


async def test_an_answered_request_leaves_nothing_in_doubt(hyperliquid):
    async def act(sent):
        return {"data": {"statuses": [{"resting": {"oid": 7}}]}}

    hyperliquid._client.act = act
    (rests,) = await hyperliquid.place([request(ETH)])
    assert rests.order_id == "7"
    assert not hyperliquid._nonces


async def test_a_request_that_a_cancelled_task_sent_to_binance_is_waited_for(binance):
    async def send(params):
        await asyncio.Event().wait()

    binance._client.privatePostOrder = send
    placing = asyncio.create_task(binance.place([request(SUI)]))
    await asyncio.sleep(0.01)
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)
    with pytest.raises(OrderDoubtError, match="may still arrive"):
        await binance.look_up(SUI, [request(SUI).client_id])


async def test_a_clock_that_binance_refuses_is_asked_for_anew(binance):
    asked = []

    async def refuse(params):
        raise ccxt.InvalidNonce('binance {"code":-1021,"msg":"Timestamp ... recvWindow"}')

    async def ask():
        asked.append(1)
        binance._client.options["timeDifference"] = 5000

    binance._client.privateDeleteOrder, binance._client.load_time_difference = refuse, ask
    replies = await binance.cancel([order(SUI), order(SUI, "2")])
    assert all(isinstance(one, OrderRefusedError) for one in replies)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == [1]


def test_half_of_the_actions_may_be_sent_at_once_and_the_rest_comes_over_a_day():
    now = [0.0]
    budget = ActionBudget(lambda: now[0])
    assert budget.left() == 1000  # not told yet
    assert budget.in_all() is None
    budget.told(10_000)
    assert budget.left() == 4850
    budget.spent(4850)
    assert budget.left() == 0
    now[0] = 3600.0
    assert budget.left() == 4850 // 24
    budget.earned(500.0)
    assert budget.left() == 4850 // 24 + 500
    now[0] = 10 * 86_400.0
    assert budget.left() == (4850 + 500) // 2
    assert budget.in_all() == 10_000 - 4850 + 500
    budget.told(100)  # somebody else uses the account
    assert budget.left() == 0
