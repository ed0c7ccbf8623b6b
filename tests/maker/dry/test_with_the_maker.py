"""The maker on a dry exchange: it quotes, fills, keeps its books and withdraws."""

import asyncio
import logging
from decimal import Decimal

import pytest

from advanced_mm.maker.dry import DryExchange, DryFunds, Fees
from advanced_mm.maker.exchange import Book, MarketRules, Trade
from advanced_mm.maker.limits import Limits
from advanced_mm.maker.running import Maker
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.policies import build
from tests.skipped_time import in_skipped_time

D = Decimal
SPOT, PERP = "SUI/USDC", "SUI/USDC:USDC"


class Streams:
    """Public streams of one market, as the test tells them."""

    name = "public"

    def __init__(self, symbol):
        self.symbol, self.told = symbol, asyncio.Queue()
        self.time_ms = 1_800_000_000_000

    async def open(self, symbols):
        spot = self.symbol == SPOT
        return {
            one: MarketRules(one, spot, D("0.0001"), D("0.1"), D("0.1"), D(5), 200)
            for one in symbols
        }

    async def events(self):
        while (event := await self.told.get()) is not None:
            yield event

    def book(self, mid):
        self.time_ms += 10
        levels = range(1, 4)
        bids = tuple((round(mid - 0.001 * n, 4), 50.0) for n in levels)
        asks = tuple((round(mid + 0.001 * n, 4), 50.0) for n in levels)
        self.told.put_nowait(Book(self.symbol, self.time_ms, bids, asks))

    def trade(self, side, price, size):
        self.time_ms += 10
        self.told.put_nowait(Trade(self.symbol, self.time_ms, side, price, size))

    def allowance(self):
        return 1000

    async def close(self):
        self.told.put_nowait(None)


async def until(true, seconds=3.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
@in_skipped_time
async def test_ladders_rest_fill_and_are_withdrawn_at_the_kill_file(symbol, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    streams = Streams(symbol)
    dry = DryExchange(streams, DryFunds(D(1000)), Fees(D("0.001"), D("0.001")), latency_s=0.001)
    policy = build("spot", {"bin_step": 20, "perpetual_inventory": 0 if symbol == SPOT else 400})
    limits = Limits(target_inventory=200 if symbol == SPOT else 0, large_order_multiple=None)
    kill = tmp_path / "maker.stop"
    setup = MarketSetup(exchange="dry", symbol=symbol, policy=policy, limits=limits)
    maker = Maker({"dry": dry}, [setup], None, lambda: streams.time_ms, "test", kill)
    running = asyncio.create_task(maker.run())
    streams.book(2.5)
    await until(lambda: maker.views() and len(maker.views()[0].bids) == 10)
    (view,) = maker.views()
    assert (len(view.asks), view.bids[0][0], view.asks[0][0]) == (10, 2.495, 2.505)
    held = view.inventory
    assert held == (200 if symbol == SPOT else 0)
    streams.trade("sell", 2.4949, 7.0)
    streams.book(2.5)
    await until(lambda: maker.views()[0].fills == 1)
    fee = 0.007 if symbol == SPOT else 0  # of what was bought
    assert maker.views()[0].inventory == pytest.approx(held + 7 - fee)
    assert maker.views()[0].profit == pytest.approx(7 * 0.005 - 7 * 2.495 * 0.001, abs=1e-4)
    await maker.keepers[0].reconcile()
    kill.touch()
    await asyncio.wait_for(running, 3)
    assert await asyncio.wait_for(dry.open_orders(symbol), 1) == []
    assert not [one for one in caplog.messages if "differs" in one or "failed" in one]
