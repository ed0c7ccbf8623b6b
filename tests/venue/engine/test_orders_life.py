"""The form of orders, reduce-only, stops, siblings, and the dead man's switch."""

import pytest

from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.order_checks import is_tick
from advanced_mm.venue.engine.orders import Fill, OrderEvent, OrderStatus, TimeInForce
from advanced_mm.venue.engine.rules import Rules

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
IOC, ALO = TimeInForce.IOC, TimeInForce.ALO


@pytest.fixture
def veteran(deep):
    """Alice and Bob have traded enough for a dead man's switch."""
    for address in (ALICE, BOB):
        deep.exchange.accounts.open(address).volume = 10**12
    return deep


@pytest.fixture
def deep(bench):
    bench.mark(100.0)
    bench.wait(0)
    return bench


def status(bench, oid, address=ALICE):
    return bench.exchange.order(address, oid).status


@pytest.mark.parametrize(
    ("price", "size_decimals", "fits"),
    [
        # The venue's own examples: five figures, 6 - szDecimals decimals, integers always.
        ("1234.5", 1, True), ("1234.56", 1, False), ("0.001234", 0, True), ("0.0012345", 0, False),
        ("0.01234", 1, True), ("0.012345", 1, False), ("123456", 0, True), ("123456.0", 5, True),
        ("3000.1", 4, True), ("3000.15", 4, False), ("99.95", 4, True), ("12345.6", 3, False),
    ],
)  # fmt: skip
def test_prices_keep_five_figures_or_are_integers(price, size_decimals, fits):
    units = CoinUnits(size_decimals)
    try:
        assert is_tick(units.parse_price(price), units) == fits
    except ValueError:
        assert not fits


@pytest.mark.parametrize(
    ("side", "price", "size", "sentence"),
    [
        (1, 100.0, 0.0, "Order has zero size."),
        (1, 0.0, 1.0, "Order has invalid price."),
        (1, 99.951, 1.0, None),
        (1, 3000.01, 1.0, "Price must be divisible by tick size."),
        (1, 99.95, 0.1, "Order must have minimum value of $10."),
        (1, 99.95, 0.1001, None),
        (1, 4.9, 10.0, "Order price cannot be more than 95% away from the reference price"),
        (-1, 195.1, 1.0, "Order price cannot be more than 95% away from the reference price"),
        (-1, 195.0, 1.0, None),
    ],
)
def test_the_form_of_orders(deep, side, price, size, sentence):
    assert deep.place(ALICE, side, price, size).error == sentence


def test_only_what_reduces_is_accepted_and_no_more(deep):
    assert deep.place(ALICE, -1, 101.0, 1.0, reduce_only=True).error == (
        "Reduce only order would increase position."
    )
    deep.place(ALICE, 1, 100.05, 5.0, IOC)
    assert deep.place(ALICE, 1, 99.0, 1.0, reduce_only=True).error is not None
    first = deep.resting(ALICE, -1, 101.0, 8.0, reduce_only=True)
    assert deep.exchange.order(ALICE, first).remaining == 50_000
    second = deep.resting(ALICE, -1, 102.0, 3.0, reduce_only=True)
    deep.place(ALICE, -1, 99.95, 3.0, IOC)
    assert deep.exchange.order(ALICE, first).remaining == 20_000
    assert deep.exchange.order(ALICE, second).remaining == 20_000
    deep.mark(101.5)
    assert deep.position(ALICE) == 0
    assert status(deep, first) is OrderStatus.FILLED
    assert status(deep, second) is OrderStatus.REDUCE_ONLY_CANCELED


def test_one_print_through_two_reduce_only_orders_closes_and_no_more(deep):
    deep.place(ALICE, 1, 100.05, 5.0, IOC)
    for price in (101.0, 101.1):
        deep.resting(ALICE, -1, price, 4.0, reduce_only=True)
    deep.block((101.5, 1.0, 1))
    assert deep.fills(ALICE)[1:] == [(101.0, -4.0, False), (101.1, -1.0, False)]
    assert deep.position(ALICE) == 0


def test_the_smallest_rest_can_be_closed(deep):
    deep.place(ALICE, 1, 100.05, 1.0, IOC)
    deep.place(ALICE, -1, 99.95, 0.95, IOC)
    assert deep.place(ALICE, -1, 99.95, 0.05, IOC).error is not None
    assert deep.place(ALICE, -1, 99.95, 0.05, IOC, reduce_only=True).error is None
    assert deep.position(ALICE) == 0


@pytest.mark.parametrize(
    ("side", "take_profit", "price", "before", "at"),
    [
        (-1, False, 98.0, 98.1, 98.0),
        (-1, True, 102.0, 101.9, 102.0),
        (1, False, 102.0, 101.9, 102.0),
        (1, True, 98.0, 98.1, 98.0),
    ],
)
def test_a_stop_sleeps_until_the_mark_is_there(deep, side, take_profit, price, before, at):
    deep.place(ALICE, -side, 100.0 - side * 0.05, 5.0, IOC)
    stop = deep.place(
        ALICE, side, price + side * 2, 5.0, trigger=(price, True, take_profit), reduce_only=True
    ).order
    assert (stop.status, stop.resting) == (OrderStatus.OPEN, False)
    deep.mark(before)
    assert status(deep, stop.oid) is OrderStatus.OPEN
    deep.exchange.take_events()
    deep.mark(at)
    assert deep.position(ALICE) == 0
    events = deep.exchange.take_events()
    told = [e.order.status for e in events if isinstance(e, OrderEvent)]
    assert told == [OrderStatus.TRIGGERED, OrderStatus.FILLED]
    assert [e.crossed for e in events if isinstance(e, Fill)] == [True]


def test_a_stop_limit_rests_at_its_price(deep):
    deep.place(ALICE, 1, 100.05, 5.0, IOC)
    stop = deep.place(ALICE, -1, 99.0, 5.0, trigger=(98.0, False, False), reduce_only=True).order
    deep.mark(98.0)
    order = deep.exchange.order(ALICE, stop.oid)
    assert (order.status, order.resting) == (OrderStatus.TRIGGERED, True)
    deep.mark(99.5)
    assert deep.fills(ALICE)[-1] == (99.0, -5.0, False)


def test_a_stop_that_would_wake_at_once_is_refused(deep):
    for side, take_profit, price in ((-1, False, 100.0), (1, False, 99.0), (1, True, 101.0)):
        outcome = deep.place(ALICE, side, 100.0, 1.0, trigger=(price, True, take_profit))
        assert outcome.error == "Invalid TP/SL price."


def test_a_stop_goes_with_its_position(deep):
    deep.place(ALICE, 1, 100.05, 5.0, IOC)
    stop = deep.place(ALICE, -1, 90.0, 5.0, trigger=(95.0, True, False), reduce_only=True).order
    deep.place(ALICE, -1, 99.95, 5.0, IOC)
    assert status(deep, stop.oid) is OrderStatus.REDUCE_ONLY_CANCELED


def test_children_wait_for_their_parent_and_the_first_filled_ends_the_other(deep):
    parent, profit, loss = (
        deep.request(1, 99.0, 5.0),
        deep.request(-1, 102.0, 5.0, trigger=(102.0, False, True), reduce_only=True),
        deep.request(-1, 90.0, 5.0, trigger=(95.0, True, False), reduce_only=True),
    )
    outcomes = deep.exchange.place(ALICE, [parent, profit, loss], "normalTpsl")
    oids = [one.order.oid for one in outcomes]
    deep.mark(102.5)
    assert status(deep, oids[1]) is OrderStatus.OPEN  # triggers are not checked yet
    deep.mark(98.9)
    assert deep.position(ALICE) == 5.0
    deep.mark(102.5)
    assert status(deep, oids[1]) is OrderStatus.FILLED
    assert status(deep, oids[2]) in (
        OrderStatus.SIBLING_FILLED_CANCELED, OrderStatus.REDUCE_ONLY_CANCELED,
    )  # fmt: skip
    assert deep.exchange.open_orders(ALICE) == []


def test_of_two_stops_of_a_position_the_first_filled_ends_the_other(deep):
    deep.place(ALICE, 1, 100.05, 5.0, IOC)
    both = [
        deep.request(-1, 102.0, 2.0, trigger=(102.0, False, True), reduce_only=True),
        deep.request(-1, 90.0, 2.0, trigger=(95.0, True, False), reduce_only=True),
    ]
    oids = [one.order.oid for one in deep.exchange.place(ALICE, both, "positionTpsl")]
    deep.mark(95.0)
    assert status(deep, oids[1]) is OrderStatus.FILLED
    assert status(deep, oids[0]) is OrderStatus.SIBLING_FILLED_CANCELED
    assert deep.position(ALICE) == 3.0


def test_stops_of_no_size_close_whatever_is_held_when_they_wake(deep):
    deep.place(ALICE, 1, 100.05, 2.0, IOC)
    stop = deep.request(-1, 90.0, 0.0, trigger=(95.0, True, False), reduce_only=True)
    (outcome,) = deep.exchange.place(ALICE, [stop], "positionTpsl")
    assert outcome.order.request.lots == 20_000
    deep.place(ALICE, 1, 100.05, 3.0, IOC)
    deep.mark(95.0)
    assert deep.position(ALICE) == 0
    assert status(deep, outcome.order.oid) is OrderStatus.FILLED
    assert deep.exchange.place(ALICE, [stop], "positionTpsl")[0].error is not None  # nothing held


def test_a_changed_parent_keeps_its_stops(deep):
    """Its price is moved, its size reduced in place, and it is changed to fill at once."""
    requests = [
        deep.request(1, 99.0, 5.0),
        deep.request(-1, 90.0, 5.0, trigger=(95.0, True, False), reduce_only=True),
    ]
    parent, stop = (one.order.oid for one in deep.exchange.place(ALICE, requests, "normalTpsl"))
    for changed in (deep.request(1, 99.5, 5.0), deep.request(1, 99.5, 4.0)):
        (outcome,) = deep.exchange.modify(ALICE, [(parent, changed)])
        parent = outcome.order.oid
        assert status(deep, stop) is OrderStatus.OPEN
    deep.exchange.modify(ALICE, [(parent, deep.request(1, 100.05, 4.0))])
    assert deep.position(ALICE) == 4.0
    deep.mark(95.0)
    assert deep.position(ALICE) == 0
    assert status(deep, stop) is OrderStatus.FILLED


def test_an_order_is_not_lost_to_a_change_that_would_meet_itself_alone(bench):
    oid = bench.resting(ALICE, 1, 100.05, 1.0)
    (outcome,) = bench.exchange.modify(ALICE, [(oid, bench.request(-1, 100.05, 1.0, IOC))])
    assert outcome.error is not None
    assert status(bench, oid) is OrderStatus.OPEN


def test_a_post_only_change_towards_the_own_other_quote_keeps_the_order(bench):
    bid = bench.resting(ALICE, 1, 100.0, 1.0, tif=ALO)
    ask = bench.resting(ALICE, -1, 100.05, 1.0, tif=ALO)
    up = [(bid, bench.request(1, 100.05, 1.0, ALO)), (ask, bench.request(-1, 100.1, 1.0, ALO))]
    refused, moved = bench.exchange.modify(ALICE, up)
    assert refused.error.startswith("Post only")
    assert status(bench, bid) is OrderStatus.OPEN
    assert moved.error is None
    (moved,) = bench.exchange.modify(ALICE, up[:1])  # the ask has made room
    assert moved.error is None
    # An order may be replaced at its own price.
    (turned,) = bench.exchange.modify(
        ALICE, [(moved.order.oid, bench.request(-1, 100.05, 1.0, ALO))]
    )
    assert turned.error is None


def test_a_change_that_was_accepted_is_not_refused_once_the_order_is_gone(make_bench):
    """With too little margin, a modify that needs less is accepted, a new order is not."""
    bench = make_bench(Rules(play_money=1_000))
    bench.mark(100.0)
    bench.exchange.update_leverage(ALICE, "ETH", True, 20)
    bench.place(ALICE, 1, 100.05, 100.0, IOC)
    requests = [
        bench.request(1, 95.0, 80.0),
        bench.request(-1, 80.0, 80.0, trigger=(90.0, True, False), reduce_only=True),
    ]
    parent, stop = (one.order.oid for one in bench.exchange.place(ALICE, requests, "normalTpsl"))
    bench.mark(97.0)
    (outcome,) = bench.exchange.modify(ALICE, [(parent, bench.request(1, 94.5, 80.0))])
    assert outcome.error is None
    assert bench.place(ALICE, 1, 94.5, 80.0).error is not None
    assert status(bench, stop) is OrderStatus.OPEN
    bench.cancel(ALICE, outcome.order.oid)
    assert status(bench, stop) is OrderStatus.CANCELED


def test_a_changed_stop_goes_on_waiting_for_its_parent(deep):
    requests = [
        deep.request(1, 99.0, 5.0),
        deep.request(-1, 90.0, 5.0, trigger=(95.0, True, False), reduce_only=True),
    ]
    parent, stop = (one.order.oid for one in deep.exchange.place(ALICE, requests, "normalTpsl"))
    closer = deep.request(-1, 90.0, 5.0, trigger=(99.5, True, False), reduce_only=True)
    (outcome,) = deep.exchange.modify(ALICE, [(stop, closer)])
    deep.mark(99.4)
    assert status(deep, outcome.order.oid) is OrderStatus.OPEN
    deep.mark(98.0)
    assert status(deep, parent) is OrderStatus.FILLED
    assert status(deep, outcome.order.oid) is OrderStatus.FILLED
    assert deep.position(ALICE) == 0


def test_a_changed_stop_stays_a_sibling(deep):
    deep.place(ALICE, 1, 100.05, 2.0, IOC)
    stop = deep.request(-1, 90.0, 2.0, trigger=(95.0, True, False), reduce_only=True)
    profit = deep.request(-1, 101.0, 2.0, trigger=(105.0, True, True), reduce_only=True)
    first, second = (
        o.order.oid for o in deep.exchange.place(ALICE, [stop, profit], "positionTpsl")
    )
    part = deep.request(-1, 90.0, 1.0, trigger=(96.0, True, False), reduce_only=True)
    (outcome,) = deep.exchange.modify(ALICE, [(first, part)])
    deep.mark(96.0)
    assert status(deep, outcome.order.oid) is OrderStatus.FILLED
    assert deep.position(ALICE) == 1.0
    assert status(deep, second) is OrderStatus.SIBLING_FILLED_CANCELED


def test_orders_of_ended_parents_end_once(deep):
    """Each of them is dropped after 2000 later orders, and none twice."""
    deep.place(ALICE, 1, 100.05, 2.0, IOC)
    requests = [
        deep.request(-1, 101.0, 2.0, reduce_only=True),
        deep.request(-1, 90.0, 2.0, trigger=(95.0, True, False), reduce_only=True),
    ]
    deep.exchange.place(ALICE, requests, "normalTpsl")
    deep.place(ALICE, -1, 99.95, 2.0, IOC)  # ends the parent, and with it the child
    account = deep.exchange.accounts.open(ALICE)
    assert account.ended_counts.total() == len(account.ended) == len({o.oid for o in account.ended})
    for _ in range(2001):
        deep.cancel(ALICE, deep.resting(ALICE, 1, 99.0, 1.0))
    assert account.ended_counts[OrderStatus.CANCELED] == 2002


@pytest.mark.parametrize(
    ("side", "price", "size", "tif", "reduce_only", "called"),
    [
        (1, 100.05, 1.0, ALO, False, "badAloPxRejected"),
        (1, 99.0, 1.0, IOC, False, "iocCancelRejected"),
        (1, 100.0, 0.01, TimeInForce.GTC, False, "minTradeNtlRejected"),
        (1, 100.0, 1e6, TimeInForce.GTC, False, "perpMarginRejected"),
        (-1, 101.0, 1.0, TimeInForce.GTC, True, "reduceOnlyRejected"),
    ],
)
def test_a_refused_order_can_be_asked_for(deep, side, price, size, tif, reduce_only, called):
    deep.exchange.take_events()
    outcome = deep.place(
        ALICE, side, price, size, tif, reduce_only=reduce_only, cloid="0x" + "1" * 32
    )
    assert outcome.order is None
    order = deep.exchange.order(ALICE, "0x" + "1" * 32)
    assert (order.status.value, order.status.refused, order.filled) == (called, True, 0)
    assert [one.order.status for one in deep.exchange.take_events()] == [order.status]
    assert deep.exchange.open_orders(ALICE) == []


def test_a_live_order_is_meant_before_one_that_has_ended(deep):
    name = "0x" + "2" * 32
    first = deep.resting(ALICE, 1, 99.0, 1.0, cloid=name)
    second = deep.resting(ALICE, 1, 98.0, 1.0, cloid=name)
    coin = deep.coin
    for oid in (second, first):
        (outcome,) = deep.exchange.cancel_by_cloid(ALICE, [(coin, name)])
        assert outcome.order.oid == oid
    assert deep.exchange.cancel_by_cloid(ALICE, [(coin, name)])[0].error is not None


def test_a_live_order_is_found_though_a_later_one_of_its_name_is_forgotten(deep):
    name = "0x" + "2" * 32
    live = deep.resting(ALICE, 1, 98.0, 1.0, cloid=name)
    assert deep.place(ALICE, 1, 100.05, 1.0, ALO, cloid=name).error is not None
    for _ in range(2001):
        deep.cancel(ALICE, deep.resting(ALICE, 1, 99.0, 1.0))
    assert deep.exchange.order(ALICE, name).oid == live


def test_a_dead_mans_switch_is_for_those_who_have_traded_a_million(deep):
    """The venue's own message; small accounts cannot rely on the switch."""
    exchange = deep.exchange
    said = exchange.schedule_cancel(ALICE, exchange.now_ms + 6_000)
    assert said == (
        "Cannot set scheduled cancel time until enough volume traded. "
        "Required: $1000000. Traded: $0."
    )
    exchange.accounts.open(ALICE).volume = 10**12
    assert exchange.schedule_cancel(ALICE, exchange.now_ms + 6_000) is None


def test_children_end_with_a_cancelled_parent(deep):
    requests = [
        deep.request(1, 99.0, 5.0),
        deep.request(-1, 90.0, 5.0, trigger=(95.0, True, False), reduce_only=True),
    ]
    outcomes = deep.exchange.place(ALICE, requests, "normalTpsl")
    deep.cancel(ALICE, outcomes[0].order.oid)
    assert deep.exchange.open_orders(ALICE) == []


def test_the_dead_mans_switch(veteran):
    deep = veteran
    exchange = deep.exchange
    early = exchange.schedule_cancel(ALICE, exchange.now_ms + 4_999)
    assert early == "Scheduled cancel time too early, must be at least 5 seconds from now."
    oid = deep.resting(ALICE, 1, 99.0, 1.0)
    stop = deep.place(ALICE, -1, 90.0, 1.0, trigger=(95.0, True, False)).order.oid
    bobs = deep.resting(BOB, 1, 99.0, 1.0)
    assert exchange.schedule_cancel(ALICE, exchange.now_ms + 5_033) is None
    due = exchange.now_ms + 5_033
    exchange.advance(due - 1)
    assert status(deep, oid) is OrderStatus.OPEN
    exchange.take_events()
    exchange.advance(due + 500)
    assert [status(deep, one) for one in (oid, stop)] == [OrderStatus.SCHEDULED_CANCEL] * 2
    assert [event.time_ms for event in exchange.take_events()] == [due, due]
    assert status(deep, bobs, BOB) is OrderStatus.OPEN


def test_the_switch_can_be_cleared_and_goes_off_ten_times_a_day(veteran):
    deep = veteran
    exchange = deep.exchange
    for _ in range(10):
        assert exchange.schedule_cancel(ALICE, exchange.now_ms + 5_000) is None
        deep.wait(5_000)
    assert exchange.schedule_cancel(ALICE, exchange.now_ms + 5_000) is not None
    oid = deep.resting(BOB, 1, 99.0, 1.0)
    exchange.schedule_cancel(BOB, exchange.now_ms + 5_000)
    exchange.schedule_cancel(BOB, None)
    deep.wait(9_000)
    assert status(deep, oid, BOB) is OrderStatus.OPEN
    deep.cancel(BOB, oid)
    deep.wait(86_400_000 - exchange.now_ms % 86_400_000)
    assert exchange.schedule_cancel(ALICE, exchange.now_ms + 5_000) is None


def test_memory_of_orders_and_fills_is_bounded(deep, monkeypatch):
    monkeypatch.setattr("advanced_mm.venue.engine.accounts.KEPT_ORDERS", 20)
    kept = deep.resting(ALICE, 1, 90.0, 1.0)
    first = deep.resting(ALICE, 1, 90.0, 1.0, cloid="0x" + "1" * 32)
    deep.cancel(ALICE, first)
    for _ in range(30):
        deep.cancel(ALICE, deep.resting(ALICE, 1, 90.0, 1.0))
    history = deep.exchange.history(ALICE)
    assert len(history) == 20
    assert deep.exchange.order(ALICE, first) is None
    assert deep.exchange.order(ALICE, "0x" + "1" * 32) is None
    assert deep.exchange.order(ALICE, kept).resting
    assert deep.exchange.accounts.open(ALICE).fills.maxlen == 10_000


def test_sub_accounts_begin_without_money(deep):
    accounts = deep.exchange.accounts
    sub = accounts.add_sub(ALICE, "long")
    assert accounts.get(sub).usdc == 0
    assert (accounts.master_of(sub), accounts.subs(ALICE)) == (ALICE, [sub])
    assert accounts.add_sub(ALICE, "short") != sub
    assert deep.exchange.transfer(ALICE, sub, 10**9) is None
    assert deep.place(sub, 1, 99.0, 5.0).error is None


def test_a_market_at_rest_with_nothing_of_ours_is_passed_through(deep):
    deep.exchange.accounts.open(ALICE)
    deep.market.write(deep.exchange.now_ms + 50, [(100.05, 1.0, 1, 0)])
    written = deep.market._script[0][0]
    (update,) = deep.wait(100)
    assert update is written
