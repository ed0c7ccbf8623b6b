"""The dry exchange over another's streams."""

import asyncio
from decimal import Decimal

import pytest

from advanced_mm.maker.dry import DryExchange, DryFunds, Fees
from advanced_mm.maker.exchange import (
    Account,
    Book,
    Fill,
    MarketRules,
    OrderRefusedError,
    OrderRequest,
    OrderUpdate,
    Reconnected,
    Trade,
)
from tests.skipped_time import in_skipped_time

D = Decimal
SYMBOL = "SUI/USDC:USDC"
BOOK = Book(SYMBOL, 1000, ((99.0, 5.0),), ((101.0, 4.0),))


class Streams:
    """An exchange that says what the test puts in."""

    name = "inner"

    def __init__(self):
        self.heard = asyncio.Queue()
        self.closed = False

    async def open(self, symbols):
        return {one: MarketRules(one, False, D(1), D("0.1"), D(0), D(0), 9) for one in symbols}

    async def events(self):
        while (event := await self.heard.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def allowance(self):
        return 7

    async def close(self):
        self.closed = True


async def opened():
    inner, waits = Streams(), []

    async def sleep(seconds):
        waits.append(seconds)
        await asyncio.sleep(0)

    dry = DryExchange(
        inner, DryFunds(D(1000)), Fees(D(0), D(0)), latency_s=0.1, sleep=sleep, run_id="run"
    )
    await dry.open([SYMBOL])
    return inner, dry, waits


@in_skipped_time
async def test_public_events_come_first_then_what_they_did():
    inner, dry, waits = await opened()
    events = dry.events()
    inner.heard.put_nowait(BOOK)
    assert await anext(events) == BOOK
    refused, placed = await dry.place(
        [
            OrderRequest(SYMBOL, "buy", D(1), "a", price=D(101)),
            OrderRequest(SYMBOL, "buy", D(1), "b", price=D(100)),
        ]
    )
    assert isinstance(refused, OrderRefusedError)
    assert waits == [0.1]
    assert (await anext(events)).bids == ((100.0, 1.0), (99.0, 5.0))
    assert (await anext(events)).order == placed
    assert await dry.open_orders(SYMBOL) == [placed]
    inner.heard.put_nowait(Trade(SYMBOL, 1001, "sell", 99.0, 3.0))
    kinds = [type(await anext(events)) for _ in range(5)]
    assert kinds == [Trade, Book, Fill, OrderUpdate, Account]
    assert [one.client_id for one in await dry.fills_since(SYMBOL, 1001)] == ["b"]
    assert await dry.fills_since(SYMBOL, 1002) == []
    assert [one and one.status for one in await dry.look_up(SYMBOL, ["a", "b"])] == [None, "filled"]
    assert (await dry.account()).positions == {SYMBOL: D(1)}
    assert dry.allowance() == 7
    assert await dry.arm(10) is False
    await dry.close()
    assert inner.closed
    assert [event async for event in events] == []


@in_skipped_time
async def test_the_inner_account_is_not_ours_but_its_reconnects_are():
    inner, dry, _ = await opened()
    events = dry.events()
    inner.heard.put_nowait(Account(1, {"USDC": D(5)}, {}))
    lost = Reconnected(2, "the socket broke")
    inner.heard.put_nowait(lost)
    assert await anext(events) == lost
    inner.heard.put_nowait(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await anext(events)
    await dry.close()


@in_skipped_time
async def test_cancelled_orders_are_gone_and_those_gone_count_as_cancelled():
    _, dry, _ = await opened()
    (placed,) = await dry.place([OrderRequest(SYMBOL, "buy", D(1), "b", price=D(100))])
    assert await dry.cancel([placed, placed]) == [None, None]
    assert await dry.open_orders(SYMBOL) == []
    await dry.close()


@in_skipped_time
async def test_a_spot_account_is_told_once_its_first_book_says_what_it_holds():
    inner = Streams()

    async def open_spot(symbols):
        return {one: MarketRules(one, True, D(1), D("0.1"), D(0), D(0), 9) for one in symbols}

    inner.open = open_spot
    dry = DryExchange(inner, DryFunds(D(1000)), Fees(D(0), D(0)), latency_s=0.0, run_id="run")
    await dry.open(["SUI/USDC"])
    asked = asyncio.create_task(dry.account())
    await asyncio.sleep(0.01)
    assert not asked.done()
    inner.heard.put_nowait(Book("SUI/USDC", 1000, ((99.0, 5.0),), ((101.0, 4.0),)))
    assert (await asyncio.wait_for(asked, 1)).balances == {"USDC": D(500), "SUI": D(5)}
    await dry.close()
