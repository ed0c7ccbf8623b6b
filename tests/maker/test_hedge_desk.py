"""The hedge desk within the maker, on exchanges in memory.

- spot inventory is hedged on the perpetual, post-only first, the rest at market
- lost replies and requests: nothing is doubled
- a trigger that fires gets its stop, and the journal counts the hedge
- a restart goes on from the saved state, or takes over what is held
- the hedge may trade on the maker's own market
"""

import asyncio
import contextlib
from decimal import Decimal as D

import pytest

from advanced_mm.errors import InputError
from advanced_mm.hedging import HedgeSettings
from advanced_mm.journal import JournalWriter
from advanced_mm.maker import MarketSetup
from advanced_mm.maker.exchange import FundingPayment, MarketRules, OrderRefusedError
from advanced_mm.maker.hedge_desk import HedgeDesk
from advanced_mm.maker.running import Maker
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.policies import EMPTY
from tests.maker.scripted import SPOT, Clock, ScriptedExchange
from tests.skipped_time import in_skipped_time

SUI, PERP = SPOT.symbol, "SUI/USDC:USDC"
PERP_RULES = MarketRules(PERP, False, D("0.0001"), D("0.1"), D("0.1"), D(10), 1000)
DELTA = {"delta": {"delta_band": 5, "post_only_seconds": 5}}
PASSIVE = {
    "passive": {
        "passive_hedge_ratio": 0.03,
        "passive_hedge_sp_ratio": 0.02,
        "passive_hedge_proportion": 0.5,
        "passive_hedge_refresh_iqv_ratio": 0.1,
    }
}


class Quiet:
    """A policy that wants no orders: the hedge alone trades."""

    name = "quiet"

    def ladder(self, state):
        return EMPTY


class Pair:
    """A spot exchange with 100 SUI and a perpetual exchange, on one clock."""

    def __init__(self, inventory="100"):
        self.clock = Clock()
        self.spot = ScriptedExchange(
            SPOT, name="spot", clock=self.clock, balances={"SUI": inventory, "USDC": "400"}
        )
        self.perp = ScriptedExchange(PERP_RULES, name="perp", clock=self.clock)
        self.price(4.0)

    def price(self, mid):
        self.spot.book(SUI, mid - 0.001, mid + 0.001)
        self.perp.book(PERP, mid - 0.001, mid + 0.001)

    async def after(self, seconds, mid=4.0):
        """Let time pass on all clocks, with fresh books."""
        self.clock.ms += int(seconds * 1000)
        self.price(mid)
        await asyncio.sleep(0.01)

    def maker(self, desk, journal=None):
        for one in (self.spot, self.perp):
            one.closed, one._told = False, asyncio.Queue()
        self.price(4.0)
        setup = MarketSetup(exchange="spot", symbol=SUI, policy=Quiet(), desk=desk)
        return Maker({"spot": self.spot, "perp": self.perp}, [setup], journal, self.clock)

    def sold(self):
        return -self.perp.positions.get(PERP, D(0))

    def orders(self):
        return list(self.perp.orders.values())


def hedge(**hedges):
    settings = {"exchange": "perp", "symbol": PERP, **hedges}
    return HedgeDesk(HedgeSettings.read(settings))


@contextlib.asynccontextmanager
async def running(pair, desk, journal=None):
    maker = pair.maker(desk, journal)
    task = asyncio.create_task(maker.run())
    try:
        yield maker
    finally:
        await maker.stop()
        await task


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def posted(pair):
    await until(pair.orders)
    return pair.orders()[0]


@in_skipped_time
async def test_spot_inventory_is_hedged_post_only_and_the_rest_at_market():
    pair = Pair()
    async with running(pair, hedge(**DELTA)) as maker:
        order = await posted(pair)
        assert (order.side, order.price, order.size) == ("sell", D("4.001"), D(100))
        (request,) = pair.perp.requests[-1][1]
        assert request.post_only
        pair.perp.fill(order.order_id, 40, told=2)
        await pair.after(5.1)
        await until(lambda: pair.sold() == 100)
        assert pair.orders() == []
        await pair.after(30)
        assert pair.sold() == 100
        await pair.after(1, mid=3.9)
        # Sold 40 at 4.001 and 60 at 3.999, fees of 1 bp; the perpetual is worth 0.1 less a unit.
        expected = 40 * 4.001 + 60 * 3.999 - 390 - 1e-4 * (40 * 4.001 + 60 * 3.999)
        assert maker.keepers[0].setup.desk.profit(0) == pytest.approx(expected)


@in_skipped_time
async def test_more_inventory_enlarges_the_hedge():
    pair = Pair()
    async with running(pair, hedge(**DELTA)):
        order = await posted(pair)
        pair.perp.fill(order.order_id)
        await pair.after(1)
        pair.spot.fill(pair.spot.put(SUI, "buy", 20, "3.9").order_id)
        await pair.after(1)
        order = await posted(pair)
        assert order.size == D("19.9")  # the fee was paid in SUI; sizes are rounded down


@pytest.mark.parametrize("fault", ["lost", "vanish"])
@in_skipped_time
async def test_a_lost_reply_doubles_nothing(fault):
    pair = Pair()
    getattr(pair.perp, fault)["place"] = 1
    async with running(pair, hedge(**DELTA)):
        await until(lambda: [k for k, _ in pair.perp.requests].count("place") == 1)
        for _ in range(4):
            await pair.after(1)
        assert [one.size for one in pair.orders()] == [D(100)]
        for _ in range(8):
            await pair.after(1)
        assert pair.sold() == 100


@in_skipped_time
async def test_a_refused_hedge_is_tried_again():
    pair = Pair()
    pair.perp.refuse["place"] = [OrderRefusedError("not now")]
    async with running(pair, hedge(**DELTA)):
        await until(lambda: not pair.perp.refuse["place"])
        for _ in range(2):
            await pair.after(1)
        assert [one.size for one in pair.orders()] == [D(100)]


@in_skipped_time
async def test_a_trigger_fires_and_gets_a_stop_that_only_reduces(tmp_path):
    pair = Pair()
    journal = JournalWriter(tmp_path, "maker", clock_ms=pair.clock)
    async with running(pair, hedge(**PASSIVE), journal):
        order = await posted(pair)
        assert (order.side, order.trigger_price, order.size) == ("sell", D("3.88"), D(50))
        await pair.after(1, mid=3.8)
        pair.perp.fill(order.order_id, maker=False)
        await pair.after(1, mid=3.8)
        await until(lambda: [o.trigger_price for o in pair.orders()] == [D("3.9576")])
        assert [(o.side, o.size) for o in pair.orders()] == [("buy", D(50))]
        assert pair.perp.requests[-1][1][0].reduce_only
        await pair.after(61, mid=3.8)
    assert [(o.side, o.size) for o in pair.orders()] == [("buy", D(50))]
    journal.close()
    (record,) = [one for one in journal_records(tmp_path) if one.coin == "SUI"]
    assert record.fills.size.tolist() == [-50.0] or record.fills.size.tolist() == [50.0]


@in_skipped_time
async def test_the_stop_outlives_the_maker_and_is_adopted(tmp_path):
    pair = Pair()
    journal = JournalWriter(tmp_path, "maker", clock_ms=pair.clock)
    async with running(pair, hedge(**PASSIVE), journal) as maker:
        order = await posted(pair)
        pair.perp.fill(order.order_id, maker=False)
        await pair.after(1, mid=3.8)
        await until(lambda: [o.trigger_price for o in pair.orders()] == [D("3.9576")])
    (stop,) = pair.orders()
    (said,) = maker.left_open
    assert "holds -50; its stop to buy 50 at 3.9576 rests" in said
    asked = len(pair.perp.requests)
    async with running(pair, hedge(**PASSIVE), journal) as maker:
        await pair.after(1, mid=3.8)
        await pair.after(1, mid=3.8)
        assert pair.orders() == [stop]
        assert len(pair.perp.requests) == asked or all(
            kind not in ("place", "cancel") for kind, _ in pair.perp.requests[asked:]
        )
        pair.perp.fill(stop.order_id, maker=False)
        await until(lambda: maker.keepers[0].setup.desk.state.passive.rounds == 1)
    assert maker.left_open == []
    journal.close()


@in_skipped_time
async def test_a_hedge_without_a_stop_is_named_at_the_end():
    pair = Pair()
    async with running(pair, hedge(**DELTA)) as maker:
        order = await posted(pair)
        pair.perp.fill(order.order_id, 30)
        await pair.after(1)
    assert pair.orders() == []
    assert "holds -30 without a stop until the maker runs again" in maker.left_open[0]


@in_skipped_time
async def test_a_restart_goes_on_from_the_saved_state(tmp_path):
    pair = Pair()
    journal = JournalWriter(tmp_path, "maker", clock_ms=pair.clock)
    async with running(pair, hedge(**DELTA), journal):
        order = await posted(pair)
        pair.perp.fill(order.order_id, 30)
        await pair.after(1)
    assert pair.orders() == []
    async with running(pair, hedge(**DELTA), journal) as maker:
        order = await posted(pair)
        assert order.size == D(70)
        assert maker.keepers[0].setup.desk.state.position == -30
    journal.close()


@in_skipped_time
async def test_a_killed_maker_finds_its_order_and_does_not_send_it_twice(tmp_path):
    pair = Pair()
    journal = JournalWriter(tmp_path, "maker", clock_ms=pair.clock)
    desk = hedge(**DELTA)
    maker = pair.maker(desk, journal)
    task = asyncio.create_task(maker.run())
    order = await posted(pair)
    desk.withdraw = lambda: asyncio.sleep(0)  # as if killed: nothing is withdrawn
    await maker.stop()
    await task
    pair.perp.fill(order.order_id, 30, told=0)
    assert len(pair.orders()) == 1
    async with running(pair, hedge(**DELTA), journal) as maker:
        await pair.after(1)
        assert [one.order_id for one in pair.orders()] == [order.order_id]
        assert maker.keepers[0].setup.desk.state.position == -30
    journal.close()


@in_skipped_time
async def test_without_a_saved_state_strays_go_and_what_is_held_is_taken_over():
    pair = Pair()
    async with running(pair, hedge(**DELTA)) as maker:
        await posted(pair)
        stray = maker.ids(("perp", PERP)).new()
    pair.perp.put(PERP, "sell", 7, "4.5", stray)
    pair.perp.put(PERP, "sell", 8, "4.6", "somebody else's")
    pair.perp.positions[PERP] = D(-60)
    async with running(pair, hedge(**DELTA)):
        await until(lambda: any(one.size == 40 for one in pair.orders()))
        assert sorted(one.size for one in pair.orders()) == [D(8), D(40)]


@in_skipped_time
async def test_a_position_that_no_fill_explains_is_believed_after_a_while():
    pair = Pair()
    async with running(pair, hedge(**DELTA)) as maker:
        order = await posted(pair)
        pair.perp.fill(order.order_id)
        await pair.after(3)
        pair.perp.positions[PERP] = D(0)  # liquidated
        pair.perp.tell(await pair.perp.account())
        await until(lambda: maker._accounts["perp"].holdings.position(PERP) == 0)
        for _ in range(8):
            await pair.after(3)
        assert [(one.side, one.size) for one in pair.orders()] == [("sell", D(100))]


@in_skipped_time
async def test_the_hedge_may_trade_on_the_makers_own_market():
    pair = Pair("100")
    settings = {"exchange": "spot", "symbol": SUI, "init_iqv_ratio": 0.4,
                "active": {"active_hedge_iqv_ratio": 0.1}}  # fmt: skip
    desk = HedgeDesk(HedgeSettings.read(settings))
    async with running(pair, desk):
        await until(lambda: pair.spot.orders)
        (order,) = pair.spot.orders.values()
        # 100 at 4 and 400: the share is a half, the threshold 0.44 of 800, or 88 units.
        assert (order.side, order.size) == ("sell", D(12))
        pair.spot.fill(order.order_id)
        for _ in range(3):
            await pair.after(3)
        assert not pair.spot.orders
        assert desk.profit(0) == 0  # the maker counts it


@in_skipped_time
async def test_funding_counts():
    pair = Pair()

    async def funding_since(symbol, time_ms):
        return [FundingPayment(symbol, time_ms, D("1.5"))] if funded.pop() else []

    funded = [False, True]
    pair.perp.funding_since = funding_since
    desk = hedge(**DELTA)
    async with running(pair, desk):
        order = await posted(pair)
        pair.perp.fill(order.order_id)
        await pair.after(1)
        before = desk.profit(0)
        for _ in range(2):
            await pair.after(601)
            await pair.after(1)
        assert desk.profit(0) == pytest.approx(before + 1.5)


@in_skipped_time
async def test_a_hedge_that_is_no_perpetual_is_refused():
    pair = Pair()
    pair.perp.rules[PERP] = SPOT
    with pytest.raises(InputError, match="is a spot market, which cannot be sold short"):
        await pair.maker(hedge(**DELTA)).run()


def test_two_hedges_in_one_place_are_refused():
    pair = Pair()
    markets = [
        MarketSetup(exchange="spot", symbol=one, policy=Quiet(), desk=hedge(**DELTA))
        for one in (SUI, "ETH/USDC")
    ]
    with pytest.raises(InputError, match="could not be told apart"):
        Maker({"spot": pair.spot, "perp": pair.perp}, markets, None, pair.clock)
