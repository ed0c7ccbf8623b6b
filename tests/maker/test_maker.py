"""The maker on an exchange in memory: what rests, what is counted, what is withdrawn.

- the ladder rests, follows the touch, and touches no order that is right
- fills are counted once, and the account agrees to the last unit
- lost replies, vanished requests, refusals: nothing is doubled, nothing is lost
- a kill file, a stop and a fault of its own leave nothing at rest
- a restart adopts its orders and leaves others' alone
"""

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal

import pytest

from advanced_mm.errors import InputError
from advanced_mm.journal import JournalWriter, Look, QuoteEnded, QuoteSent, read_journal
from advanced_mm.maker import Limits, MarketSetup
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.exchange import (
    OrderRefusedError,
    OrderStatus,
    OrderUpdate,
    WouldTakeError,
)
from advanced_mm.maker.running import Maker
from advanced_mm.performance.assess import assess
from advanced_mm.performance.from_journal import journal_records
from advanced_mm.performance.mids import SeenMids
from advanced_mm.policies import Ladder, Level, build
from tests.maker.scripted import PERP, SPOT, Clock, ScriptedExchange
from tests.skipped_time import in_skipped_time

ETH, SUI = PERP.symbol, SPOT.symbol
BINS = build("spot", {"bin_step": 20, "perpetual_inventory": 0.333})
"""For 1000 USDC with ETH at 3000."""


class Steps:
    """Levels at so many bp from the mid."""

    name = "steps"

    def __init__(self, *depths_bp, size=0.1):
        self.depths_bp, self.size = depths_bp, size

    def ladder(self, state):
        def side(sign):
            return tuple(
                Level(state.mid * (1 + sign * bp / 1e4), self.size) for bp in self.depths_bp
            )

        return Ladder(side(-1), side(1))


def eth(policy=None, **limits):
    return MarketSetup(
        exchange="x", symbol=ETH, policy=policy or Steps(2, 4, 6), limits=Limits(**limits)
    )


@contextlib.asynccontextmanager
async def running(exchange, *setups, journal=None, **options):
    if not exchange.books:
        exchange.book(ETH, 3000.0, 3000.2)
    maker = Maker({"x": exchange}, setups or [eth()], journal, exchange.clock, **options)
    task = asyncio.create_task(maker.run())
    try:
        yield maker, task
    finally:
        await maker.stop()
        await task


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def quoting(exchange, orders=6):
    await until(lambda: len(exchange.orders) == orders)


def asked(exchange, kind):
    return [one for what, items in exchange.requests if what == kind for one in items or ()]


@in_skipped_time
async def test_the_ladder_rests_rounded_away_from_the_mid_in_one_request():
    x = ScriptedExchange()
    async with running(x):
        await quoting(x)
        prices = [price for price, _ in x.resting(ETH, "buy")]
        assert prices == [Decimal(one) for one in ("2999.4", "2998.8", "2998.2")]
        asks = [price for price, _ in x.resting(ETH, "sell")]
        assert asks == [Decimal(one) for one in ("3000.8", "3001.4", "3002")]
        assert [kind for kind, _ in x.requests].count("place") == 1


@in_skipped_time
async def test_it_follows_the_touch_with_edits_and_keeps_the_client_ids():
    x = ScriptedExchange()
    async with running(x):
        await quoting(x)
        before = {one.client_id for one in x.orders.values()}
        x.clock.ms += 100
        x.book(ETH, 3000.4, 3000.6)
        await until(lambda: x.resting(ETH, "sell")[0][0] == Decimal("3001.2"))
        assert {one.client_id for one in x.orders.values()} == before
        assert not asked(x, "cancel")
        assert max(x.most_at_once.values()) == 1


@in_skipped_time
async def test_an_order_that_is_right_is_never_touched():
    x = ScriptedExchange()
    async with running(x):
        await quoting(x)
        count = len(asked(x, "place"))
        for _ in range(20):
            x.clock.ms += 100
            x.tell_book(ETH)
            await asyncio.sleep(0.005)
        assert len(asked(x, "place")) == count
        assert not asked(x, "edit") + asked(x, "cancel")


@in_skipped_time
async def test_our_own_orders_do_not_move_the_price_they_are_priced_from():
    x = ScriptedExchange()
    async with running(x, eth(Steps(0.1))) as (maker, _):
        await quoting(x, 2)
        x.clock.ms += 100
        x.tell_book(ETH)  # our orders are the touch now
        await asyncio.sleep(0.05)
        assert maker.views()[0].mid == pytest.approx(3000.1)


@in_skipped_time
async def test_a_fill_told_twice_is_counted_once_and_the_account_agrees():
    x = ScriptedExchange()
    async with running(x) as (maker, _):
        await quoting(x)
        order = next(iter(x.orders.values()))
        x.fill(order.order_id, "0.03", told=3)
        await until(lambda: maker.views()[0].fills == 1)
        await asyncio.sleep(0.02)
        assert maker.views()[0].fills == 1
        assert Decimal(str(maker.views()[0].inventory)) == x.positions[ETH]


@in_skipped_time
async def test_spot_counts_fees_in_the_base_currency():
    x = ScriptedExchange(SPOT, balances={"SUI": "1000", "USDC": "1000"})
    x.book(SUI, 2.0, 2.0002)
    setup = MarketSetup(exchange="x", symbol=SUI, policy=Steps(2, 4, size=50.0))
    async with running(x, setup) as (maker, _):
        await quoting(x, 4)
        bid = next(one for one in x.orders.values() if one.side == "buy")
        x.fill(bid.order_id)
        await until(lambda: maker.views()[0].fills == 1)
        view = maker.views()[0]
        assert Decimal(repr(view.inventory)) == x.balances["SUI"]
        assert Decimal(repr(round(view.quote_balance, 10))) == x.balances["USDC"]


@in_skipped_time
async def test_spot_orders_beyond_the_balance_are_cut_the_worst_first():
    x = ScriptedExchange(SPOT, balances={"SUI": "75", "USDC": "1000"})
    x.book(SUI, 2.0, 2.0002)
    setup = MarketSetup(exchange="x", symbol=SUI, policy=Steps(2, 4, size=50.0))
    async with running(x, setup) as (maker, _):
        await quoting(x, 4)
        assert [size for _, size in x.resting(SUI, "sell")] == [Decimal(50), Decimal(25)]
        assert maker.views()[0].reason.startswith("balance")


@pytest.mark.parametrize("fault", ["lost", "vanish"])
@pytest.mark.parametrize("kind", ["place", "edit", "cancel"])
@in_skipped_time
async def test_a_lost_reply_neither_doubles_nor_loses_an_order(kind, fault):
    x = ScriptedExchange()
    getattr(x, fault)[kind] = 1
    policy = Steps(2, 4, 6)
    async with running(x, eth(policy)):
        await quoting(x)
        if kind == "cancel":
            policy.depths_bp = (2,)
        x.clock.ms += 100
        x.book(ETH, 3000.4, 3000.6)
        rests = 2 if kind == "cancel" else 6
        await until(
            lambda: len(x.orders) == rests and x.resting(ETH, "buy")[0][0] == Decimal("2999.8")
        )
        await until(lambda: getattr(x, fault)[kind] == 0)
        await asyncio.sleep(0.02)
        assert len(x.orders) == rests
        assert max(x.most_at_once.values()) == 1


@in_skipped_time
async def test_an_exchange_that_is_down_is_withdrawn_from_as_soon_as_it_answers():
    x = ScriptedExchange()
    async with running(x) as (maker, _):
        await quoting(x)
        x.down = True
        x.clock.ms += 100
        x.book(ETH, 3000.4, 3000.6)
        await until(lambda: maker.views() and maker.views()[0].reason.startswith("in doubt"))
        order = next(iter(x.orders.values()))
        x.fill(order.order_id, told=0)  # nobody tells it
        x.reconnect()
        await asyncio.sleep(0.1)
        x.down = False
        x.tell_book(ETH)
        await until(lambda: x.resting(ETH, "buy")[0][0] == Decimal("2999.8") and len(x.orders) == 6)
        await until(lambda: maker.views()[0].fills == 1)
        assert Decimal(str(maker.views()[0].inventory)) == x.positions[ETH]


@in_skipped_time
async def test_a_fill_that_was_never_told_is_missed_and_asked_for():
    x = ScriptedExchange()
    async with running(x) as (maker, _):
        await quoting(x)
        order = next(iter(x.orders.values()))
        x.fill(order.order_id, told=0)
        x.tell(OrderUpdate(replace(order, filled=order.size), OrderStatus.FILLED, x.clock()))
        await quoting(x)  # the level is placed anew
        x.clock.ms += 1_500
        x.tell_book(ETH)
        await until(lambda: maker.views()[0].fills == 1)
        assert Decimal(str(maker.views()[0].inventory)) == x.positions[ETH]


@in_skipped_time
async def test_quotes_are_pulled_when_the_book_is_old_and_come_back_with_it():
    x = ScriptedExchange()
    async with running(x, eth(max_book_age_seconds=2.0)) as (maker, _):
        await quoting(x)
        x.clock.ms += 2_500
        await quoting(x, 0)
        assert maker.views()[0].reason.startswith("book too old")
        x.tell_book(ETH)
        await quoting(x)


@in_skipped_time
async def test_a_post_only_refusal_is_no_error_and_the_order_comes_again():
    x = ScriptedExchange()
    x.refuse["place"] = [WouldTakeError("too late")] * 2
    async with running(x) as (maker, _):
        await quoting(x)
        assert not maker.keepers[0].guards.errors.verdict(None)


@in_skipped_time
async def test_refusals_in_a_row_pause_the_market():
    x = ScriptedExchange()
    x.refuse["place"] = [OrderRefusedError("no")] * 6
    async with running(x, eth(max_errors_in_a_row=5, volatility_limit=None)) as (maker, _):
        await until(lambda: maker.views() and maker.views()[0].reason.startswith("exchange errors"))
        assert not x.orders
        x.clock.ms += 61_000
        x.tell_book(ETH)
        await quoting(x)


@in_skipped_time
async def test_beyond_the_position_limit_only_what_reduces_is_quoted():
    x = ScriptedExchange()
    x.positions[ETH] = Decimal("0.25")
    async with running(x, eth(max_position_value=600.0)):
        await quoting(x, 3)
        assert x.resting(ETH, "buy") == []
        # What would sell more than is held would open a position; it may, up to the limit.
        assert sum(left for _, left in x.resting(ETH, "sell")) == Decimal("0.25")


@in_skipped_time
async def test_a_market_uses_no_more_than_its_capital_of_a_large_account():
    x = ScriptedExchange(balances={"USDC": "10000"})
    async with running(x, eth(BINS, capital=1000.0)) as (maker, _):
        await quoting(x, 20)
        bids = [one for one in x.orders.values() if one.side == "buy"]
        assert len(bids) == 10
        assert 950 < sum(float(one.price * one.size) for one in bids) <= 1000
        assert maker.views()[0].quote_balance == 10_000


def test_what_is_held_counts_against_the_capital():
    limits = Limits(capital=1000.0)
    assert limits.quote_balance(5000.0, 300.0) == 700
    assert limits.quote_balance(5000.0, -300.0) == 1300
    assert limits.quote_balance(500.0, 300.0) == 500
    assert Limits().quote_balance(5000.0, 300.0) == 5000


@in_skipped_time
async def test_a_kill_file_leaves_nothing_at_rest_and_forbids_the_next_start(tmp_path):
    x = ScriptedExchange()
    kill = tmp_path / "stop"
    async with running(x, kill_file=kill) as (maker, task):
        await quoting(x)
        x.put(ETH, "buy", 1, 2000)
        kill.touch()
        async with asyncio.timeout(2):
            await task
        assert [one.client_id for one in x.orders.values()] == ["somebody else's"]
        assert "kill file" in maker.why_ended
    with pytest.raises(InputError, match="kill file"):
        await Maker({"x": ScriptedExchange()}, [eth()], None, Clock(), kill_file=kill).run()


@in_skipped_time
async def test_a_start_with_the_kill_file_withdraws_what_a_dead_maker_left(tmp_path):
    x, kill = ScriptedExchange(), tmp_path / "stop"
    x.book(ETH, 3000.0, 3000.2)
    ids = ClientIds("maker", "x", ETH)
    for price in ("2998", "2999"):
        x.put(ETH, "buy", "0.1", price, ids.new())
    kill.touch()
    with pytest.raises(InputError, match="kill file"):
        await Maker({"x": x}, [eth()], None, x.clock, kill_file=kill).run()
    assert not x.orders


@in_skipped_time
async def test_a_round_under_way_is_withdrawn_too():
    x = ScriptedExchange()
    async with running(x) as (maker, _):
        await quoting(x)
        x.gate = asyncio.Event()
        x.clock.ms += 100
        x.book(ETH, 3000.4, 3000.6)
        await until(lambda: asked(x, "edit"))
        stopping = asyncio.create_task(maker.stop())
        await asyncio.sleep(0.05)
        x.gate.set()
        await stopping
        assert not x.orders


@in_skipped_time
async def test_a_stop_in_doubt_waits_for_the_truth():
    x = ScriptedExchange()
    async with running(x) as (maker, _):
        await quoting(x)
        x.down = True
        stopping = asyncio.create_task(maker.stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        x.down = False
        await stopping
        assert not x.orders


@in_skipped_time
async def test_a_restart_adopts_what_is_ours_and_leaves_the_rest():
    x = ScriptedExchange()
    x.book(ETH, 3000.0, 3000.2)
    ours = ClientIds("maker", "x", ETH).new()
    x.put(ETH, "buy", "0.1", "2999.4", ours)  # where the ladder wants it
    x.put(ETH, "buy", "0.1", "2900", ClientIds("maker", "x", ETH).new())
    x.put(ETH, "buy", 1, 2000)
    async with running(x):
        await quoting(x, 7)
        kept = [one for one in x.orders.values() if one.client_id == ours]
        assert [one.price for one in kept] == [Decimal("2999.4")]
        assert all(one.order.price != Decimal("2999.4") for one in asked(x, "edit"))
        assert len(asked(x, "edit")) == 1  # the one at 2900 became a level that lacked
        assert len(asked(x, "place")) == 4
    assert [one.client_id for one in x.orders.values()] == ["somebody else's"]


@in_skipped_time
async def test_orders_of_a_maker_of_another_name_forbid_the_start_unless_the_file_allows_them():
    x = ScriptedExchange()
    x.book(ETH, 3000.0, 3000.2)
    theirs = x.put(ETH, "buy", 1, 2000, ClientIds("another", "x", ETH).new())
    with pytest.raises(InputError, match="a maker of another name than 'maker' rest there"):
        await Maker({"x": x}, [eth()], None, x.clock).run()
    assert list(x.orders.values()) == [theirs]
    x.closed, x._told = False, asyncio.Queue()
    x.book(ETH, 3000.0, 3000.2)
    async with running(x, replace(eth(), other_makers=True)):
        await quoting(x, 7)
    assert list(x.orders.values()) == [theirs]


@in_skipped_time
async def test_the_allowance_of_the_exchange_is_kept_and_retreats_still_go():
    x = ScriptedExchange()
    async with running(x):
        await quoting(x)
        x.allowed = 0
        x.clock.ms += 100
        x.book(ETH, 2996.0, 2996.2)  # by no multiple of half a step, which would be a tie
        # The bids stand too high now: they cannot be changed, so they are withdrawn.
        await until(lambda: not x.resting(ETH, "buy"))
        assert len(x.resting(ETH, "sell")) == 3
        assert not asked(x, "edit")


@in_skipped_time
async def test_the_policys_error_withdraws_its_quotes():
    x = ScriptedExchange()
    policy = Steps(2)
    async with running(x, eth(policy)) as (maker, _):
        await quoting(x, 2)
        policy.depths_bp = (2, 1)  # not a ladder
        x.clock.ms += 100
        x.tell_book(ETH)
        await quoting(x, 0)
        assert maker.views()[0].reason.startswith("no ladder: the policy steps fails")


@pytest.mark.parametrize(
    ("setups", "exchange", "sentence"),
    [
        ([eth(Steps(2, size=0.001))], ScriptedExchange(), "takes none below 10 in value"),
        ([eth(), eth()], ScriptedExchange(), "set up twice"),
        ([], ScriptedExchange(), "has no markets"),
        (
            [MarketSetup(exchange="y", symbol=ETH, policy=Steps(2))],
            ScriptedExchange(),
            "'y' is not among the exchanges: x",
        ),
        (
            [MarketSetup(exchange="x", symbol=SUI, policy=Steps(2, size=50.0))],
            ScriptedExchange(SPOT, balances={"SUI": "1", "USDC": "4"}),
            "balances .* are below",
        ),
        ([eth()], ScriptedExchange(balances={"USDC": "0"}), "holds nothing to quote with"),
        (
            [eth(BINS)],
            ScriptedExchange(balances={"USDC": "50"}),
            "set it to 0.0167, or use more capital",
        ),
        ([eth(BINS)], ScriptedExchange(), "set it to 3.33, or set limits.capital"),
        (
            [
                MarketSetup(
                    exchange="x",
                    symbol=SUI,
                    policy=Steps(2, size=50.0),
                    limits=Limits(target_inventory=200.0, max_position_value=500.0),
                )
            ],
            ScriptedExchange(SPOT, balances={"SUI": "800", "USDC": "1000"}),
            "800 are held, worth 1,200 beyond target_inventory = 200",
        ),
        (
            [
                MarketSetup(
                    exchange="x",
                    symbol=SUI,
                    policy=Steps(2, size=50.0),
                    limits=Limits(target_inventory=200.0, capital=1000.0),
                )
            ],
            ScriptedExchange(SPOT, balances={"SUI": "800", "USDC": "1000"}),
            "800 are held, worth 1,600, where limits.capital lets the maker use 1000",
        ),
        ([eth(Steps(*range(1, 502)))], ScriptedExchange(), "has 1002 orders, at most 1000"),
    ],
)
@in_skipped_time
async def test_what_forbids_quoting_is_one_sentence_before_the_first_order(
    setups, exchange, sentence
):
    symbol = next(iter(exchange.rules))
    exchange.book(symbol, *((2.0, 2.0002) if symbol == SUI else (3000.0, 3000.2)))
    with pytest.raises(InputError, match=sentence):
        await Maker({"x": exchange}, setups, None, exchange.clock).run()
    assert not asked(exchange, "place")


@in_skipped_time
async def test_the_journal_judges_a_maker_as_it_does_a_bot(tmp_path):
    x = ScriptedExchange()
    journal = JournalWriter(tmp_path, "maker", clock_ms=x.clock, monotonic_ms=x.clock)
    async with running(x, journal=journal):
        await quoting(x)
        bid = next(one for one in x.orders.values() if one.side == "buy")
        x.clock.ms += 1000
        x.fill(bid.order_id)
        await quoting(x)
        x.clock.ms += 1000
        ask = next(one for one in x.orders.values() if one.side == "sell")
        x.fill(ask.order_id)
        await until(lambda: len(x.orders) == 6)
        x.clock.ms += 1000
        x.tell_book(ETH)
        await asyncio.sleep(0.02)
    journal.close()
    (record,) = journal_records(tmp_path)
    assert (record.coin, len(record.fills.price)) == ("ETH", 2)
    assert sorted(record.fills.sign) == [-1, 1]
    told = read_journal(tmp_path)
    sent, ended = (told.table(one).to_pylist() for one in (QuoteSent, QuoteEnded))
    assert {one["order"] for one in sent} == {one["order"] for one in ended}
    assert [one["outcome"] for one in ended].count("filled") == 2
    looks = told.table(Look).to_pylist()
    assert [one["what"] for one in looks] == ["start", "end"]
    assert (looks[0]["position"], looks[-1]["position"]) == (0.0, 0.0)


@in_skipped_time
async def test_the_reports_parts_add_up_to_what_the_account_gained(tmp_path):
    x = ScriptedExchange(SPOT, balances={"SUI": "500", "USDC": "1000"})
    x.book(SUI, 2.0, 2.0002)
    before = dict(x.balances)
    setup = MarketSetup(exchange="x", symbol=SUI, policy=Steps(2, 4, size=50.0), limits=Limits())
    journal = JournalWriter(tmp_path, "maker", clock_ms=x.clock, monotonic_ms=x.clock)
    async with running(x, setup, journal=journal):
        for side, bid in (("buy", 2.0), ("buy", 2.001), ("sell", 2.002), ("buy", 2.004)):
            x.clock.ms += 2000
            x.book(SUI, bid, round(bid + 0.0002, 4))
            await until(lambda: len(x.orders) == 4)
            best = max(x.orders.values(), key=lambda one: one.price if one.side == side else 0)
            x.fill(best.order_id)
            await until(lambda: len(x.orders) == 4)
        x.clock.ms += 2000
        x.tell_book(SUI)
        await asyncio.sleep(0.02)
    journal.close()
    (record,) = journal_records(tmp_path)
    found = assess(record, [SeenMids(record.seen)])
    first, last = 2.0001, 2.0041
    truth = sum(
        float(x.balances[one]) * at_end - float(before[one]) * at_begin
        for one, at_begin, at_end in (("SUI", first, last), ("USDC", 1.0, 1.0))
    )
    assert sum(found.parts.parts.values()) == pytest.approx(found.parts.equity_change)
    # A fee in the base currency counts at its fill's price, not at the last mid.
    assert found.parts.equity_change == pytest.approx(truth, abs=1e-4)
    end = read_journal(tmp_path).table(Look).to_pylist()[-1]
    assert (Decimal(repr(end["position"])), Decimal(repr(end["cash"]))) == (
        x.balances["SUI"], x.balances["USDC"],
    )  # fmt: skip


@in_skipped_time
async def test_fills_while_nothing_ran_reach_the_journal_at_the_next_start(tmp_path):
    x = ScriptedExchange()
    journal = JournalWriter(tmp_path, "maker", clock_ms=x.clock, monotonic_ms=x.clock)
    async with running(x, journal=journal):
        await quoting(x)
        x.fill(next(iter(x.orders)))
        await quoting(x)
    journal.close()
    late = x.put(ETH, "sell", "0.1", "3000.8", ClientIds("maker", "x", ETH).new())
    x.clock.ms += 5_000
    x.fill(late.order_id, told=0)
    x.closed = False
    x._told = asyncio.Queue()
    x.tell_book(ETH)
    journal = JournalWriter(tmp_path, "maker", clock_ms=x.clock, monotonic_ms=x.clock)
    async with running(x, journal=journal) as (maker, _):
        await quoting(x)
        assert Decimal(str(maker.views()[0].inventory)) == x.positions[ETH] == 0
    journal.close()
    (record,) = journal_records(tmp_path)
    assert len(record.fills.price) == 2


@in_skipped_time
async def test_two_exchanges_run_side_by_side_and_one_may_be_down():
    clock = Clock()
    x = ScriptedExchange(clock=clock)
    y = ScriptedExchange(SPOT, name="y", clock=clock, balances={"SUI": "900", "USDC": "900"})
    x.book(ETH, 3000.0, 3000.2)
    y.book(SUI, 2.0, 2.0002)
    setups = [eth(), MarketSetup(exchange="y", symbol=SUI, policy=Steps(2, size=50.0))]
    maker = Maker({"x": x, "y": y}, setups, None, clock)
    task = asyncio.create_task(maker.run())
    await until(lambda: len(x.orders) == 6 and len(y.orders) == 2)
    x.down = True
    x.reconnect()
    clock.ms += 100
    y.book(SUI, 2.1, 2.1002)
    await until(lambda: y.resting(SUI, "buy")[0][0] > Decimal("2.09"))
    x.down = False
    await maker.stop()
    await task
    assert not x.orders
    assert not y.orders
