"""A maker whose world breaks: what still rests when it has ended, and what it says of it.

- an exchange that is down delays no withdrawal at another one, and what may rest is named
- a maker that is cancelled, or fails by itself, withdraws as one that is stopped
- a start that is refused takes the quotes of an earlier run off the book
"""

import asyncio
from decimal import Decimal

import pytest

from advanced_mm.errors import InputError
from advanced_mm.maker import MarketSetup
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.exchange import Book, Fill, OrderRefusedError, WouldTakeError
from advanced_mm.maker.exchange_time import ExchangeTime
from advanced_mm.maker.running import Maker
from tests.maker.scripted import SPOT, Clock, ScriptedExchange
from tests.maker.test_maker import ETH, SUI, Steps, asked, eth, quoting, running, until
from tests.skipped_time import in_skipped_time


@pytest.fixture
def short_end(monkeypatch):
    monkeypatch.setattr("advanced_mm.maker.running.withdrawal._WITHDRAW_SECONDS", 0.3)
    monkeypatch.setattr("advanced_mm.maker.hedge_desk._WITHDRAW_SECONDS", 0.3)


def two_exchanges():
    clock = Clock()
    x = ScriptedExchange(clock=clock)
    y = ScriptedExchange(SPOT, name="y", clock=clock, balances={"SUI": "900", "USDC": "900"})
    x.may_arm = True
    x.book(ETH, 3000.0, 3000.2)
    y.book(SUI, 2.0, 2.0002)
    setups = [eth(), MarketSetup(exchange="y", symbol=SUI, policy=Steps(2, size=50.0))]
    return x, y, Maker({"x": x, "y": y}, setups, None, clock)


@in_skipped_time
async def test_an_exchange_that_stays_down_is_named_and_its_switch_stays_armed(short_end):
    x, y, maker = two_exchanges()
    task = asyncio.create_task(maker.run())
    await until(lambda: len(x.orders) == 6 and len(y.orders) == 2 and x.armed)
    x.down = True
    await maker.stop()
    await task
    assert not y.orders
    assert maker.left_behind == [f"{ETH} on x"]
    assert x.armed[-1] is not None


@in_skipped_time
async def test_a_hedge_that_cannot_be_withdrawn_delays_no_quote():
    class Desk:
        needs = ()
        set_aside = Decimal(0)
        left_open = ""

        def __init__(self):
            self.release = asyncio.Event()

        async def open(self, room):
            pass

        def saw(self, exchange, event):
            pass

        async def step(self, now_ms):
            pass

        async def withdraw(self):
            await self.release.wait()
            return False

        def profit(self, time_ms):
            return 0.0

    x, desk = ScriptedExchange(), Desk()
    setup = MarketSetup(exchange="x", symbol=ETH, policy=Steps(2, 4, 6), desk=desk)
    async with running(x, setup) as (maker, task):
        await quoting(x)
        maker.end("asked")
        await until(lambda: not x.orders)
        assert not task.done()
        desk.release.set()
        await task
        assert "hedge" in maker.left_behind[0]


@in_skipped_time
async def test_a_cancelled_maker_withdraws():
    x = ScriptedExchange()
    x.book(ETH, 3000.0, 3000.2)
    maker = Maker({"x": x}, [eth()], None, x.clock)
    task = asyncio.create_task(maker.run())
    await quoting(x)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not x.orders
    assert asked(x, "cancel")


@in_skipped_time
async def test_a_kill_file_that_cannot_be_read_withdraws(tmp_path):
    class Unreadable:
        broken = False

        def exists(self):
            if self.broken:
                raise PermissionError("no")
            return False

    x, kill = ScriptedExchange(), Unreadable()
    x.book(ETH, 3000.0, 3000.2)
    maker = Maker({"x": x}, [eth()], None, x.clock, kill_file=kill)
    task = asyncio.create_task(maker.run())
    await quoting(x)
    kill.broken = True
    with pytest.raises(PermissionError):
        await task
    assert not x.orders


@in_skipped_time
async def test_a_keeper_that_fails_ends_all_and_nothing_rests():
    x, y, maker = two_exchanges()
    task = asyncio.create_task(maker.run())
    await until(lambda: len(x.orders) == 6 and len(y.orders) == 2)
    x.gate = asyncio.Event()  # a round is on its way
    x.clock.ms += 100
    before = len(x.requests)
    x.book(ETH, 3003.0, 3003.2)
    await until(lambda: len(x.requests) > before)
    y.cancel = None  # a mistake of the maker's own, such as calling what is no function
    y.edit = None
    x.clock.ms += 100
    y.book(SUI, 2.1, 2.1002)
    await asyncio.sleep(0.05)
    del y.cancel, y.edit
    x.gate.set()
    await task
    assert maker.why_ended.startswith("an error")
    assert not x.orders
    assert not y.orders


@in_skipped_time
async def test_a_refused_start_leaves_no_quotes_of_an_earlier_run():
    x = ScriptedExchange(balances={"USDC": "0"})
    x.book(ETH, 3000.0, 3000.2)
    x.put(ETH, "buy", "0.1", "2999", ClientIds("maker", "x", ETH).new())
    other = x.put(ETH, "buy", "0.1", "2998")
    maker = Maker({"x": x}, [eth()], None, x.clock)
    with pytest.raises(InputError, match="holds nothing"):
        await maker.run()
    assert list(x.orders) == [other.order_id]


@in_skipped_time
async def test_a_clock_that_is_set_back_freezes_nothing():
    x = ScriptedExchange()
    async with running(x):
        await quoting(x)
        x.clock.ms -= 3_600_000
        await until(lambda: not x.orders)  # how old the book is cannot be said
        now, x.clock.ms = x.clock.ms, x.clock.ms + 3_600_000
        x.clock.ms += 100  # the exchange's own clock goes on
        event_ms, x.clock.ms = x.clock.ms, now
        x.books[ETH] = (((3001.0, 5.0),), ((3001.2, 5.0),))
        x.tell(Book(ETH, event_ms, *x.books[ETH]))
        await quoting(x)
        assert x.resting(ETH, "buy")[0][0] > 3000


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ((), ((3000.2, 5.0),)),
        (((3000.0, 5.0),), ()),
        (((3000.3, 5.0),), ((3000.2, 5.0),)),
        (((float("nan"), 5.0),), ((3000.2, 5.0),)),
        (((0.0, 0.0),), ((3000.2, 5.0),)),
    ],
    ids=["no bid", "no ask", "crossed", "not a number", "zero"],
)
@in_skipped_time
async def test_a_book_without_a_price_pulls_the_quotes_and_ends_nothing(bids, asks):
    x = ScriptedExchange()
    async with running(x) as (maker, task):
        await quoting(x)
        x.clock.ms += 100
        x.tell(Book(ETH, x.clock(), bids, asks))
        await until(lambda: not x.orders)
        x.clock.ms += 100
        x.book(ETH, 3000.0, 3000.2)
        await quoting(x)
        assert not task.done()
        assert maker.views()[0].reason == ""


@in_skipped_time
async def test_books_that_come_ever_later_are_too_old_though_they_come():
    x = ScriptedExchange()
    async with running(x, eth(max_book_age_seconds=3.0)) as (maker, _):
        await quoting(x)
        for behind in (1000, 2500):
            x.clock.ms += 5000
            x.tell(Book(ETH, x.clock() - behind, *x.books[ETH]))
            await asyncio.sleep(0.02)
            assert len(x.orders) == 6
        x.clock.ms += 5000
        x.tell(Book(ETH, x.clock() - 4000, *x.books[ETH]))
        await until(lambda: not x.orders)
        assert "later than is usual" in maker.views()[0].reason


def test_the_exchanges_clock_is_learnt_from_the_quickest_message():
    time = ExchangeTime()
    assert time.heard(1_000_000, 1_600_050) == 0  # ten minutes behind ours, 50 ms on their way
    assert time.heard(1_001_000, 1_601_010) == 0
    assert time.heard(1_002_000, 1_604_010) == 2_000
    assert time.at(1_605_010) == 1_005_000
    for minute in range(12):  # our clock was set by an hour: not for ever all is late
        time.heard(1_010_000 + 60_000 * minute, 5_210_010 + 60_000 * minute)
    assert time.heard(2_000_000, 6_200_010) == 0


@in_skipped_time
async def test_an_hour_between_the_clocks_blinds_no_guard():
    x = ScriptedExchange()
    x.book(ETH, 3000.0, 3000.2)
    local = Clock(x.clock.ms + 3_600_000)
    maker = Maker({"x": x}, [eth(large_order_multiple=20.0)], None, local)
    task = asyncio.create_task(maker.run())
    await quoting(x)
    for size in [1.0] * 40 + [100.0]:
        for clock in (x.clock, local):
            clock.ms += 10
        x.trade(ETH, "sell", 3000.0, size)
    x.tell_book(ETH)
    await until(lambda: not x.resting(ETH, "buy"))
    assert len(x.resting(ETH, "sell")) == 3
    await maker.stop()
    await task


def moved(x, keeper):
    x.clock.ms += 1000
    x.book(ETH, 3100.0, 3100.2)
    x.tell_book(ETH)


def shaken(x, keeper):
    for second in range(12):  # each second another price, by ten times what is usual
        x.clock.ms += 1000
        price = 3000.0 + 3.0 * (-1) ** second
        x.tell(Book(ETH, x.clock(), ((price, 5.0),), ((price + 0.2, 5.0),)))


def lost(x, keeper):
    keeper.mark(x.clock())
    keeper.profit.filled(fill_of(x, "buy", 10_000, "1"))
    x.clock.ms += 100
    keeper.mark(x.clock())
    x.tell_book(ETH)


def held(x, keeper):
    for _ in range(4):
        order = x.put(ETH, "buy", "0.1", "2999", keeper.ids.new())
        x.fill(order.order_id)
    x.tell_book(ETH)


def fill_of(x, side, price, size):
    number = Decimal(price)
    return Fill("f", "o", "c", ETH, side, number, Decimal(size), Decimal(0), "USDC", True, 0)


@pytest.mark.parametrize(
    ("limits", "happens", "says", "left"),
    [
        ({"price_band": 0.02, "volatility_limit": None}, moved, "price band", None),
        ({"volatility_limit": 3.0, "price_band": None}, shaken, "volatility", 0),
        ({"max_drawdown": 0.1, "max_daily_loss": None}, lost, "drawdown", 0),
        ({"max_daily_loss": 0.1, "max_drawdown": None}, lost, "loss", 0),
        ({"max_position_value": 900.0}, held, "position", None),
    ],
)
@in_skipped_time
async def test_each_guard_pulls_what_would_enlarge_a_position(limits, happens, says, left):
    x = ScriptedExchange(balances={"USDC": "50000"})
    async with running(x, eth(**limits)) as (maker, task):
        await quoting(x)
        keeper = maker.keepers[0]
        for second in range(200):  # so that it is known what is usual
            x.clock.ms += 1000
            bid = 3000.0 + 0.1 * (second % 2)
            keeper.saw(Book(ETH, x.clock(), ((bid, 5.0),), ((3000.2, 5.0),)))
        x.tell_book(ETH)
        await quoting(x)
        happens(x, keeper)
        side = "sell" if x.positions.get(ETH, 0) < 0 else "buy"
        await until(lambda: says in maker.views()[0].reason and not x.resting(ETH, side))
        if left is not None:
            assert len(x.orders) == left
        assert not task.done()


@in_skipped_time
async def test_what_would_pay_too_much_funding_is_not_opened():
    x = ScriptedExchange(clock=Clock(1_700_002_740_000))  # a minute before the hour
    rates = {ETH: 1e-4}

    async def funding_rates():
        return rates

    x.funding_rates = funding_rates
    async with running(x, eth()) as (maker, _):
        await until(lambda: maker.views() and "funding" in maker.views()[0].reason)
        await until(lambda: not x.resting(ETH, "buy") and len(x.resting(ETH, "sell")) == 3)


@in_skipped_time
async def test_orders_that_come_too_late_again_and_again_are_sent_less_often():
    x = ScriptedExchange()
    async with running(x, eth(Steps(2))) as (_, task):
        await quoting(x, 2)
        for one in list(x.orders.values()):
            x._cancel(one)
        x.refuse["place"] = [WouldTakeError("too late") for _ in range(1000)]
        before = len(asked(x, "place"))
        for _ in range(60):
            x.clock.ms += 50
            x.book(ETH, 3000.0, 3000.2)
            await asyncio.sleep(0.003)
        assert 4 <= len(asked(x, "place")) - before <= 24  # of 120 without a pause
        x.refuse["place"].clear()
        x.clock.ms += 2_000
        x.book(ETH, 3000.0, 3000.2)
        await quoting(x, 2)
        assert not task.done()


@in_skipped_time
async def test_a_refused_cancel_leaves_the_order_known(monkeypatch):
    monkeypatch.setattr("advanced_mm.maker.running.requests._REFUSED_CANCEL_SECONDS", 0.05)
    x = ScriptedExchange()
    async with running(x, eth(Steps(2, 4, 6), max_book_age_seconds=3.0)):
        await quoting(x)
        x.refuse["cancel"] = [OrderRefusedError("too many requests") for _ in range(12)]
        x.clock.ms += 10_000
        await until(lambda: not x.orders)
        assert [kind for kind, _ in x.requests].count("cancel") == 3


@in_skipped_time
async def test_a_fill_before_the_orders_reply_is_counted_and_nothing_is_left():
    x = ScriptedExchange()
    async with running(x, eth(Steps(2))) as (maker, _):
        await quoting(x, 2)
        x.clock.ms += 1000
        order = x.resting(ETH, "buy")[0]
        x.fill(next(k for k, o in x.orders.items() if o.side == "buy"))
        await quoting(x, 2)
        x.gate = asyncio.Event()
        fresh = x._place

        def place_and_fill(asked_for):
            rests = fresh(asked_for)
            x.fill(rests.order_id)
            return rests

        x._place = place_and_fill
        x.fill(next(k for k, o in x.orders.items() if o.side == "buy"))
        await asyncio.sleep(0.02)
        x._place, gate, x.gate = fresh, x.gate, None
        gate.set()
        await quoting(x, 2)
        assert order is not None
        assert Decimal(str(maker.views()[0].inventory)) == x.positions[ETH]


@in_skipped_time
async def test_an_allowance_that_lasts_for_few_moves_is_told_before_the_first_order(caplog):
    x = ScriptedExchange()
    x.allowed = 1200
    async with running(x):
        await quoting(x)
    (told,) = [one.message for one in caplog.records if "lets this account" in one.message]
    assert "1200 orders now, enough to move a ladder of 6 orders 200 times" in told
