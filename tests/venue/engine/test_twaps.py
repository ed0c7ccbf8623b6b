"""TWAPs: when parts are sent, how large they are, what they pay, and how a TWAP ends.

The book of the bench is 100.0 x 5, 99.9 x 4, 99.8 x 3 against 100.1 x 5, 100.2 x 4, 100.3 x 3.
"""

import pytest

from advanced_mm.venue.engine.orders import Fill, OrderStatus, TimeInForce
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import TwapEvent, TwapRequest, TwapStatus

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
PARTS = 11  # of five minutes
GONE = "TWAP was never placed, already canceled, or filled."


def request(bench, side=1, size=11.0, minutes=5, **more):
    prices = ("trigger_price", "stop_price")
    more = {k: bench.units.price_units(v) if k in prices else v for k, v in more.items()}
    return TwapRequest(bench.coin, side > 0, bench.units.lots(size), minutes, **more)


def begin(bench, *args, **more):
    twap = bench.exchange.place_twap(ALICE, request(bench, *args, **more))
    assert not isinstance(twap, str), twap
    return twap


def refusal(bench, *args, **more):
    sentence = bench.exchange.place_twap(ALICE, request(bench, *args, **more))
    assert isinstance(sentence, str)
    return sentence


def sizes(bench):
    return [abs(size) for _, size, _ in bench.fills(ALICE)]


def told(bench):
    return [(event.twap.status, event.error) for event in bench.exchange.accounts.open(ALICE).twaps]


def refill(bench, bids=None, asks=None):
    """Restore the book."""
    bench.block(bids=bids or bench.bids, asks=asks or bench.asks)


def wait(bench, parts):
    for _ in range(parts):
        bench.wait(29_900)
        refill(bench)


def test_a_twap_is_sent_in_equal_parts_thirty_seconds_apart(bench):
    twap = begin(bench)
    bench.wait(100)
    assert sizes(bench) == [1.0]
    wait(bench, PARTS - 2)
    assert len(sizes(bench)) == PARTS - 1
    assert told(bench) == [(TwapStatus.ACTIVATED, None)]
    wait(bench, 1)
    assert sizes(bench) == [1.0] * PARTS
    assert told(bench)[-1] == (TwapStatus.FINISHED, None)
    last = bench.exchange.accounts.open(ALICE).twaps[-1].twap
    assert (last.executed_lots, last.executed_value) == (
        bench.units.lots(11.0),
        sum(fill.lots * fill.price for fill in bench.exchange.fills(ALICE)),
    )
    times = [fill.time_ms for fill in bench.exchange.fills(ALICE)]
    assert times == [times[0] + 30_000 * n for n in range(PARTS)]
    assert {fill.twap_id for fill in bench.exchange.fills(ALICE)} == {twap.twap_id}
    assert bench.exchange.twaps.of(ALICE) == []
    wait(bench, 2)
    assert len(sizes(bench)) == PARTS


def test_parts_are_taker_orders_of_nobodys_transaction(bench):
    begin(bench)
    updates = bench.wait(100)
    (fill,) = (one for one in bench.exchange.take_events() if isinstance(one, Fill))
    assert (fill.crossed, fill.hash) == (True, "0x" + "0" * 64)
    (printed,) = (one for update in updates for one in update.prints)
    assert (printed.hash, printed.tid) == (fill.hash, fill.tid)
    (order,) = bench.exchange.history(ALICE)
    assert (order.request.tif, order.request.twap_id) == (TimeInForce.IOC, 1)


def test_parts_do_not_go_beyond_three_percent_of_the_mark(bench):
    begin(bench, size=110.0)  # ten a part
    far = ((100.1, 2.0), (103.0, 3.0), (103.2, 50.0))
    refill(bench, asks=far)
    bench.wait(100)
    assert bench.fills(ALICE) == [(100.1, 2.0, True), (103.0, 3.0, True)]  # 103.05 is the limit
    assert told(bench) == [(TwapStatus.ACTIVATED, None)]


def test_what_is_lacking_is_caught_up_with_three_parts_at_once(bench):
    nobody = {"bids": ((100.0, 5.0),), "asks": ((130.0, 5.0),)}
    begin(bench)
    for _ in range(5):  # nothing within the limit
        refill(bench, **nobody)
        bench.wait(29_900)
    assert sizes(bench) == []
    statuses = {one.status for one in bench.exchange.history(ALICE)}
    assert statuses == {OrderStatus.IOC_CANCEL_REJECTED}
    refill(bench)
    wait(bench, 6)
    assert sizes(bench) == [3.0, 3.0, 2.0, 1.0, 1.0, 1.0]
    assert told(bench)[-1] == (TwapStatus.FINISHED, None)


def test_a_twap_may_end_without_having_found_everything(bench):
    begin(bench)
    for _ in range(PARTS - 2):
        refill(bench, bids=((100.0, 5.0),), asks=((130.0, 5.0),))
        bench.wait(29_900)
    refill(bench)
    wait(bench, 3)
    assert sizes(bench) == [3.0, 3.0]
    (last,) = (e.twap for e in bench.exchange.accounts.open(ALICE).twaps if e.twap.status.ended)
    assert last.status is TwapStatus.FINISHED
    assert last.executed_lots == bench.units.lots(6.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"minutes": 4}, "Invalid TWAP duration: 4 min(s)"),
        ({"minutes": 1441}, "Invalid TWAP duration: 1441 min(s)"),
        ({"size": 0.0}, "Order has zero size."),
        ({"size": 0.9995}, "TWAP order value too small. Min is $100."),
        ({"reduce_only": True}, "Reduce-only TWAP order would increase position."),
        ({"trigger_price": 100.0, "trigger_above": True}, "Invalid TP/SL price."),
    ],
)
def test_what_is_refused(bench, changes, sentence):
    assert refusal(bench, **changes) == sentence
    assert told(bench) == []


def test_the_least_and_the_longest_are_taken(bench):
    begin(bench, size=0.9996)
    begin(bench, minutes=1440)
    assert [one.twap_id for one in bench.exchange.twaps.of(ALICE)] == [1, 2]


def test_want_of_margin_ends_a_twap_with_the_reason(make_bench):
    bench = make_bench(Rules(play_money=20))
    begin(bench, size=110.0)
    bench.wait(100)
    assert told(bench) == [
        (TwapStatus.ACTIVATED, None),
        (TwapStatus.ERROR, "Insufficient margin to place order."),
    ]
    wait(bench, 2)
    assert sizes(bench) == []


def test_a_reduce_only_twap_takes_no_more_than_there_is(bench):
    bench.place(ALICE, 1, 100.1, 1.5, TimeInForce.IOC)
    begin(bench, side=-1, reduce_only=True)
    refill(bench)
    bench.wait(100)
    wait(bench, 1)
    assert bench.position(ALICE) == 0
    assert sizes(bench) == [1.5, 1.0, 0.5]
    wait(bench, 1)
    assert sizes(bench) == [1.5, 1.0, 0.5]
    assert bench.exchange.twaps.of(ALICE)[0].status is TwapStatus.ACTIVATED


def test_a_cancel_ends_its_owners_twap_alone(bench):
    twap = begin(bench)
    bench.wait(100)
    cancel = bench.exchange.cancel_twap
    assert cancel(BOB, bench.coin, twap.twap_id) == GONE
    assert cancel(ALICE, bench.coin, twap.twap_id + 1) == GONE
    assert cancel(ALICE, bench.coin, twap.twap_id) is None
    assert cancel(ALICE, bench.coin, twap.twap_id) == GONE
    wait(bench, 2)
    assert sizes(bench) == [1.0]
    assert told(bench)[-1] == (TwapStatus.TERMINATED, None)


def test_a_halt_and_a_post_only_period_leave_parts_out(bench):
    begin(bench)
    bench.exchange.halt(bench.coin, True)
    bench.wait(100)
    bench.exchange.halt(bench.coin, False)
    bench.exchange.post_only = True
    wait(bench, 1)
    assert sizes(bench) == []
    bench.exchange.post_only = False
    wait(bench, 1)
    assert sizes(bench) == [3.0]


def test_a_trigger_begins_it_and_a_stop_ends_it(bench):
    begin(bench, trigger_price=101.0, stop_price=102.0)
    bench.wait(60_000)
    assert told(bench) == [(TwapStatus.WAITING, None)]
    bench.mark(101.05)
    bench.wait(100)
    assert told(bench)[-1] == (TwapStatus.ACTIVATED, None)
    assert sizes(bench) == [1.0]
    bench.mark(102.05)
    bench.wait(100)
    assert told(bench)[-1] == (TwapStatus.STOPPED, None)
    bench.wait(60_000)
    assert sizes(bench) == [1.0]


def test_random_parts_differ_by_a_fifth_at_most_and_come_to_the_whole(bench):
    begin(bench, randomize=True)
    bench.wait(100)
    wait(bench, PARTS)
    assert sum(sizes(bench)) == pytest.approx(11.0)
    assert len(set(sizes(bench))) > PARTS // 2
    executed = [sum(sizes(bench)[: n + 1]) for n in range(PARTS)]
    assert all(abs(done - n - 1) <= 0.2 + 1e-9 for n, done in enumerate(executed))


def test_it_is_told_as_it_happens(bench):
    bench.exchange.take_events()
    begin(bench)
    (event,) = (one for one in bench.exchange.take_events() if isinstance(one, TwapEvent))
    assert (event.account, event.twap.executed_lots) == (ALICE, 0)
    bench.wait(100)
    assert event.twap.executed_lots == 0  # a copy of its earlier state
