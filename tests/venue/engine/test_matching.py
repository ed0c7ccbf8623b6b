"""Matching in scripted markets whose fills are known in advance."""

import pytest

from advanced_mm.venue.engine.orders import OrderStatus, TimeInForce
from advanced_mm.venue.engine.rules import Rules

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
NOBODY = "0x" + "0" * 40
ALO, GTC, IOC = TimeInForce.ALO, TimeInForce.GTC, TimeInForce.IOC


def prints(updates):
    return [
        (p.price, p.size, p.side, p.users or (NOBODY, NOBODY)) for u in updates for p in u.prints
    ]


def touches(updates):
    return [
        (u.quote.bid, u.quote.bid_size, u.quote.ask, u.quote.ask_size) for u in updates if u.quote
    ]


def test_a_print_trades_with_what_is_in_front_first(bench):
    bench.resting(ALICE, -1, 100.1, 2.0)
    assert bench.fills(ALICE) == []
    bench.block((100.1, 5.0, 1))
    assert bench.fills(ALICE) == []
    bench.block((100.1, 0.5, 1))
    assert bench.fills(ALICE) == [(100.1, -0.5, False)]


def test_a_print_is_split_at_our_order_and_keeps_its_size(bench):
    bench.resting(ALICE, -1, 100.1, 2.0)
    updates = bench.block((100.1, 8.0, 1))
    assert prints(updates) == [
        (100.1, 5.0, 1, (NOBODY, NOBODY)),
        (100.1, 2.0, 1, (NOBODY, ALICE)),
        (100.1, 1.0, 1, (NOBODY, NOBODY)),
    ]
    assert len({p.hash for u in updates for p in u.prints}) == 1
    assert bench.fills(ALICE) == [(100.1, -2.0, False)]


def test_a_walk_through_fills_us_on_top_at_our_price(bench):
    bench.resting(ALICE, -1, 100.1, 2.0)
    updates = bench.block((100.1, 1.0, 1), (100.2, 0.3, 1))
    assert prints(updates) == [
        (100.1, 1.0, 1, (NOBODY, NOBODY)),
        (100.1, 2.0, 1, (NOBODY, ALICE)),
        (100.2, 0.3, 1, (NOBODY, NOBODY)),
    ]


def test_a_bid_is_met_by_sellers_alone(bench):
    bench.resting(ALICE, 1, 100.0, 1.0)
    bench.block((100.1, 50.0, 1))
    assert bench.fills(ALICE) == []
    assert prints(bench.block((99.9, 0.1, -1)))[0] == (100.0, 1.0, -1, (ALICE, NOBODY))
    assert bench.position(ALICE) == 1.0


def test_an_order_inside_the_spread_is_alone_there(bench):
    bench.block(asks=[(100.2, 5.0)])
    bench.resting(ALICE, -1, 100.1, 2.0)
    updates = bench.block((100.1, 0.5, 1))
    assert touches(updates) == [(100.0, 5.0, 100.1, 2.0), (100.0, 5.0, 100.1, 1.5)]
    assert [u.time_ms for u in updates] == [bench.exchange.now_ms - 100, bench.exchange.now_ms]
    assert bench.fills(ALICE) == [(100.1, -0.5, False)]


@pytest.mark.parametrize("printed", [False, True])
def test_a_quote_that_moves_through_us_fills_us_whole_at_our_price(make_bench, printed):
    bench = make_bench(Rules(print_run_overs=printed))
    bench.resting(ALICE, -1, 100.2, 2.0)
    updates = bench.block(bids=[(100.2, 0.5)], asks=[(100.3, 1.0)])
    assert prints(updates) == ([(100.2, 2.0, 1, (NOBODY, ALICE))] if printed else [])
    assert touches(updates) == [(100.2, 0.5, 100.3, 1.0)]
    assert bench.fills(ALICE) == [(100.2, -2.0, False)]


def test_two_accounts_fill_in_the_order_in_which_they_came(bench):
    bench.resting(ALICE, -1, 100.1, 1.0)
    bench.resting(BOB, -1, 100.1, 1.0)
    bench.block((100.1, 6.5, 1))
    assert bench.fills(ALICE) == [(100.1, -1.0, False)]
    assert bench.fills(BOB) == [(100.1, -0.5, False)]


def test_the_better_price_fills_first(bench):
    bench.resting(BOB, -1, 100.2, 1.0)
    bench.resting(ALICE, -1, 100.1, 1.0)
    updates = bench.block((100.3, 0.1, 1))
    assert prints(updates) == [
        (100.1, 1.0, 1, (NOBODY, ALICE)),
        (100.2, 1.0, 1, (NOBODY, BOB)),
        (100.3, 0.1, 1, (NOBODY, NOBODY)),
    ]


@pytest.mark.parametrize(
    ("share", "ahead"),
    [("proportional", 1.5 - 2.0 * 1.5 / 4.0), (1.0, 0.0), (0.25, 1.0), (0.0, 1.5)],
)
def test_cancels_come_off_the_front_by_the_share_that_is_set(make_bench, share, ahead):
    bench = make_bench(Rules(cancels_ahead=share, queue_position=0.5))
    # Behind half of 5.0; 1.0 is printed ahead, which leaves 1.5 of 4.0; then 2.0 are cancelled.
    oid = bench.resting(ALICE, -1, 100.1, 2.0)
    bench.block((100.1, 1.0, 1))
    bench.block(asks=[(100.1, 2.0), (100.2, 4.0)])
    assert bench.exchange.order(ALICE, oid).ahead == pytest.approx(ahead * 1e4)


def test_a_book_that_has_not_seen_the_prints_yet_is_no_news(bench):
    oid = bench.resting(ALICE, -1, 100.2, 1.0)  # behind the touch, behind 4.0
    bench.block((100.1, 5.0, 1), (100.2, 1.0, 1))  # the book stays for now
    bench.wait(300)
    bench.block(asks=[(100.1, 5.0), (100.2, 2.0)])  # 3.0 would be expected: 1.0 was cancelled
    assert bench.exchange.order(ALICE, oid).ahead == pytest.approx(2.0e4)


def test_what_is_added_later_stands_behind_us(bench):
    bench.resting(ALICE, -1, 100.1, 1.0)
    bench.block((100.1, 2.0, 1), asks=[(100.1, 50.0)])
    bench.block((100.1, 3.5, 1))
    assert bench.fills(ALICE) == [(100.1, -0.5, False)]


def test_no_more_is_in_front_than_is_shown(bench):
    bench.resting(ALICE, -1, 100.1, 1.0)
    bench.block(bids=[(100.0, 5.0)], asks=[(100.2, 4.0)])  # the background left the level
    bench.block(bids=[(100.0, 5.0)], asks=[(100.1, 9.0)])  # and came back behind us
    bench.block((100.1, 0.7, 1))
    assert bench.fills(ALICE) == [(100.1, -0.7, False)]


def test_beyond_the_visible_depth_the_last_level_counts(bench):
    oid = bench.resting(ALICE, -1, 101.0, 1.0)
    assert bench.exchange.order(ALICE, oid).ahead == 3.0e4
    oid = bench.resting(ALICE, 1, 99.85, 1.0)  # there is nobody between two levels
    assert bench.exchange.order(ALICE, oid).ahead == 0.0


def test_post_only_is_refused_where_it_would_match(bench):
    outcome = bench.place(ALICE, 1, 100.1, 1.0, ALO)
    assert outcome.error == ("Post only order would have immediately matched, bbo was 100@100.1.")
    assert outcome.order is None
    assert bench.exchange.open_orders(ALICE) == []
    assert bench.place(ALICE, 1, 100.0, 1.0, ALO).order.resting


def test_an_immediate_order_takes_what_is_there_and_goes(bench):
    outcome = bench.place(ALICE, 1, 100.2, 20.0, IOC)
    assert bench.fills(ALICE) == [(100.1, 5.0, True), (100.2, 4.0, True)]
    assert outcome.average_price == pytest.approx((5 * 100.1 + 4 * 100.2) / 9)
    assert outcome.order.status is OrderStatus.CANCELED
    assert bench.exchange.open_orders(ALICE) == []
    refused = bench.place(ALICE, 1, 100.2, 1.0, IOC)
    assert refused.error == "Order could not immediately match against any resting orders."


def test_what_was_taken_is_gone_until_the_next_block(bench):
    assert bench.place(ALICE, 1, 100.1, 5.0, IOC).order.status is OrderStatus.FILLED
    book = bench.exchange.venue.markets["ETH"].book(5)
    assert [(level.price, level.size) for level in book.asks] == [(100.2, 4.0), (100.3, 3.0)]
    updates = bench.wait(50)
    assert prints(updates) == [(100.1, 5.0, 1, (ALICE, NOBODY))]
    assert touches(updates) == [(100.0, 5.0, 100.2, 4.0)]
    assert bench.place(BOB, 1, 100.1, 1.0, IOC).error is not None
    assert touches(bench.block((100.0, 0.1, -1))) == [(100.0, 5.0, 100.1, 5.0)]
    assert bench.place(BOB, 1, 100.1, 1.0, IOC).error is None


def test_the_rest_of_a_crossing_order_rests_and_is_run_over_by_the_returning_quote(bench):
    outcome = bench.place(ALICE, 1, 100.1, 7.0, GTC)
    assert outcome.order.resting
    assert outcome.order.remaining == 2.0e4
    assert touches(bench.wait(1)) == [(100.1, 2.0, 100.2, 4.0)]
    bench.block(bids=[(99.9, 5.0)], asks=[(100.0, 5.0)])
    assert bench.fills(ALICE) == [(100.1, 5.0, True), (100.1, 2.0, False)]


def test_a_taker_meets_the_background_in_front_and_then_us(bench):
    bench.resting(BOB, -1, 100.1, 1.0)
    bench.place(ALICE, 1, 100.1, 5.4, IOC)
    assert bench.fills(ALICE) == [(100.1, 5.0, True), (100.1, 0.4, True)]
    assert bench.fills(BOB) == [(100.1, -0.4, False)]
    ours = [one for a in (ALICE, BOB) for one in bench.exchange.fills(a) if one.lots == 4000]
    assert len({one.tid for one in ours}) == 1
    assert prints(bench.wait(1))[-1] == (100.1, 0.4, 1, (ALICE, BOB))


def test_an_account_never_trades_with_itself(bench):
    oid = bench.resting(ALICE, -1, 100.05, 1.0)
    bench.resting(BOB, -1, 100.05, 1.0)
    bench.place(ALICE, 1, 100.05, 1.0, IOC)
    assert bench.exchange.order(ALICE, oid).status is OrderStatus.SELF_TRADE_CANCELED
    assert bench.fills(ALICE) == [(100.05, 1.0, True)]
    assert bench.fills(BOB) == [(100.05, -1.0, False)]
    own = bench.resting(ALICE, -1, 100.05, 1.0)
    assert bench.place(ALICE, 1, 100.05, 1.0, IOC).error is not None
    assert bench.exchange.order(ALICE, own).status is OrderStatus.SELF_TRADE_CANCELED


def test_a_cancelled_order_fills_no_more(bench):
    oid = bench.resting(ALICE, -1, 100.1, 1.0)
    assert bench.cancel(ALICE, oid).order.status is OrderStatus.CANCELED
    bench.block((100.3, 9.0, 1))
    assert bench.fills(ALICE) == []


def test_a_cancel_that_comes_too_late_is_told_so(bench):
    oid = bench.resting(ALICE, -1, 100.1, 1.0)
    bench.block((100.2, 0.1, 1))
    gone = "Order was never placed, already canceled, or filled."
    assert bench.cancel(ALICE, oid).error == gone
    assert bench.cancel(ALICE, 5).error == gone
    assert bench.cancel(BOB, bench.resting(ALICE, -1, 100.1, 1.0)).error == gone
    assert bench.position(ALICE) == -1.0


def test_a_name_finds_its_order(bench):
    name = "0x" + "7" * 32
    bench.resting(ALICE, -1, 100.1, 1.0, cloid=name)
    assert bench.exchange.order(ALICE, name).remaining == 10_000
    assert bench.exchange.cancel_by_cloid(ALICE, [("ETH", name)])[0].error is None
    assert bench.exchange.cancel_by_cloid(ALICE, [("ETH", name)])[0].error is not None


def test_a_smaller_order_keeps_its_place_and_any_other_change_loses_it(bench):
    first = bench.resting(ALICE, -1, 100.1, 2.0)
    bench.resting(BOB, -1, 100.1, 1.0)
    smaller = bench.exchange.modify(ALICE, [(first, bench.request(-1, 100.1, 1.0))])[0].order
    assert smaller.oid != first
    assert bench.exchange.order(ALICE, first).status is OrderStatus.CANCELED
    bench.block((100.1, 5.5, 1))
    assert (bench.fills(ALICE), bench.fills(BOB)) == ([(100.1, -0.5, False)], [])
    bench.exchange.modify(ALICE, [(smaller.oid, bench.request(-1, 100.1, 0.8))])
    bench.block((100.1, 1.0, 1))
    assert bench.fills(BOB) == [(100.1, -1.0, False)]


def test_a_modify_of_what_is_gone_or_not_allowed_changes_nothing(bench):
    oid = bench.resting(ALICE, -1, 100.1, 1.0)
    crossing = bench.request(-1, 100.0, 1.0, ALO)
    assert "Post only" in bench.exchange.modify(ALICE, [(oid, crossing)])[0].error
    assert bench.exchange.order(ALICE, oid).resting
    bench.cancel(ALICE, oid)
    error = bench.exchange.modify(ALICE, [(oid, bench.request(-1, 100.2, 1.0))])[0].error
    assert error == "Cannot modify canceled or filled order"


def test_the_book_shows_us_at_our_prices(bench):
    bench.resting(ALICE, -1, 100.1, 1.0)
    bench.resting(BOB, -1, 100.1, 1.0)
    bench.resting(ALICE, 1, 99.85, 0.5)
    book = bench.exchange.venue.markets["ETH"].book(3)
    assert [(x.price, x.size, x.orders) for x in book.asks[:2]] == [
        (100.1, 7.0, 4),
        (100.2, 4.0, 2),
    ]
    assert [(x.price, x.size, x.orders) for x in book.bids] == [
        (100.0, 5.0, 2), (99.9, 4.0, 2), (99.85, 0.5, 1),
    ]  # fmt: skip


def test_nothing_trades_in_a_halted_coin_and_it_goes_on_at_the_new_price(bench):
    oid = bench.resting(ALICE, -1, 100.2, 1.0)
    bench.exchange.halt("ETH", True)
    assert bench.place(ALICE, 1, 100.0, 1.0).error == "Trading is halted."
    assert bench.block((100.3, 5.0, 1), bids=[(100.4, 1.0)], asks=[(100.5, 1.0)]) == []
    assert bench.exchange.order(ALICE, oid).resting
    bench.exchange.halt("ETH", False)
    assert bench.fills(ALICE) == [(100.2, -1.0, False)]
    assert touches(bench.wait(0)) == [(100.4, 1.0, 100.5, 1.0)]


def test_maintenance_takes_post_only_orders_alone(bench):
    oid = bench.resting(ALICE, 1, 99.9, 1.0)
    bench.exchange.post_only = True
    assert "Only post-only orders" in bench.place(ALICE, 1, 100.0, 1.0, GTC).error
    assert bench.place(ALICE, 1, 100.0, 1.0, ALO).error is None
    assert bench.cancel(ALICE, oid).error is None


def test_numbers_of_prints_rise_and_never_repeat(bench):
    tids = [p.tid for u in bench.block((100.1, 1.0, 1), (100.1, 1.0, 1)) for p in u.prints]
    bench.resting(ALICE, -1, 100.1, 1.0)
    bench.place(BOB, -1, 100.0, 1.0, IOC)
    for _ in range(3):
        updates = bench.block((100.1, 3.0, 1), (100.2, 1.0, 1), (100.0, 1.0, -1))
        tids += [p.tid for u in updates for p in u.prints]
    bench.exchange.cancel(ALICE, [("ETH", o.oid) for o in bench.exchange.open_orders(ALICE)])
    tids += [p.tid for u in bench.block((100.1, 3.0, 1)) for p in u.prints]
    assert len(tids) == 14
    assert tids == list(range(tids[0], tids[0] + 14))


@pytest.mark.parametrize("side", [1, -1])
def test_an_order_walks_as_deep_as_the_book_is_known(make_bench, side):
    bench = make_bench()
    bids = [(round(100.0 - i / 10, 1), 1.0) for i in range(45)]
    asks = [(round(100.1 + i / 10, 1), 1.0) for i in range(45)]
    bench.block(bids=bids, asks=asks)
    order = bench.place(ALICE, side, 103.0 if side > 0 else 97.1, 30.0).order
    assert order.filled == 300_000
    bench.wait(0)
    market = bench.exchange.venue.markets["ETH"]
    book = market.book(20)
    ours, theirs = (book.bids, book.asks) if side > 0 else (book.asks, book.bids)
    # All but the last 15 levels of one side are gone, and the touch agrees.
    assert (theirs[0].price, len(theirs)) == (103.1 if side > 0 else 97.0, 15)
    assert (ours[0].price, ours[0].size) == (100.0 if side > 0 else 100.1, 1.0)
    touch = market.touch
    assert (touch.bid, touch.ask) == (book.bids[0].price, book.asks[0].price)
    bench.block((100.0, 0.1, -1))  # the next block restores them
    assert market.touch.ask == 100.1
    assert market.touch.bid == 100.0


def test_what_returns_without_a_quote_meets_who_rests_where_it_stood(bench):
    assert bench.place(ALICE, 1, 100.1, 7.0).order.resting  # takes the 5.0 there, 2.0 rest
    updates = bench.block((100.1, 0.1, 1))  # a print without a quote: the touch is unchanged
    assert bench.fills(ALICE) == [(100.1, 5.0, True), (100.1, 2.0, False)]
    assert touches(updates)[-1] == (100.0, 5.0, 100.1, 3.0)


def test_the_rest_of_a_crossing_order_gets_what_returns_and_no_more(bench):
    """An order for six times the size shown fills in six blocks, not in one."""
    bench.place(ALICE, 1, 100.1, 28.0)
    got = []
    for _ in range(6):
        bench.block(bids=[(100.0, 5.0)], asks=[(100.1, 5.0), (100.2, 4.0)])
        got.append(bench.position(ALICE))
    assert got == [10.0, 15.0, 20.0, 25.0, 28.0, 28.0]
    assert all(price == 100.1 for price, _, _ in bench.fills(ALICE))


def test_a_touch_that_moved_on_fills_the_rest_whole(bench):
    bench.place(ALICE, 1, 100.1, 28.0)
    bench.block(bids=[(99.8, 5.0)], asks=[(99.9, 1.0)])
    assert bench.position(ALICE) == 28.0
