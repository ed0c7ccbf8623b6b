"""The plan leads from what rests to what is wanted, touching as little as it can.

- applied to the resting orders, it gives the wanted ladder
- an order whose price and size are right is never touched
- no more orders are touched than must be
- within the tolerance orders keep their place, and never meet the other side's
"""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.maker.diff import EXACT, Tolerance, plan
from advanced_mm.maker.exchange import Change, RestingOrder
from advanced_mm.maker.wanted import Wanted, WantedOrder

prices = st.integers(1, 30)
sizes = st.integers(1, 4)
sides = st.lists(st.tuples(prices, sizes), max_size=8, unique_by=lambda one: one[0])


def orders(side, levels, start=0):
    return [
        RestingOrder(f"o{start + n}", f"c{start + n}", "X", side, Decimal(price), Decimal(size))
        for n, (price, size) in enumerate(levels)
    ]


def ladder(bids, asks):
    def side(name, levels, sign):
        return tuple(
            WantedOrder(name, Decimal(price), Decimal(size))
            for price, size in sorted(levels, key=lambda one: sign * one[0])
        )

    return Wanted(
        side("buy", bids, -1), side("sell", [(price + 30, size) for price, size in asks], 1)
    )


def applied(todo, resting):
    gone = {one.order_id for one in todo.cancels} | {one.order.order_id for one in todo.changes}
    left = [one for one in resting if one.order_id not in gone]
    found = [(one.side, one.price, one.left) for one in left]
    found += [(one.order.side, one.price, one.size) for one in todo.changes]
    return sorted(found + [(one.side, one.price, one.size) for one in todo.places])


def as_rows(wanted):
    return sorted((one.side, one.price, one.size) for one in (*wanted.bids, *wanted.asks))


both_sides = st.lists(st.tuples(prices, sizes), max_size=8)  # what rests may repeat a price


@given(sides, sides, both_sides, both_sides)
def test_the_plan_leads_to_the_wanted_ladder_with_the_fewest_requests(bids, asks, old, older):
    want = ladder(bids, asks)
    resting = orders("buy", old) + orders("sell", [(p + 30, s) for p, s in older], len(old))
    todo = plan(want, resting)
    assert applied(todo, resting) == as_rows(want)
    touched = {one.order_id for one in todo.cancels} | {o.order.order_id for o in todo.changes}
    assert touched.isdisjoint({one.order_id for one in todo.kept})
    rows = set(as_rows(want))
    right = {(one.side, one.price, one.left) for one in resting} & rows
    assert len(todo.kept) == len(right)  # each that is right is kept
    fewest = sum(
        max(len(side), sum(o.side == name for o in resting)) - sum(row[0] == name for row in right)
        for name, side in (("buy", want.bids), ("sell", want.asks))
    )
    assert todo.requests == fewest


@given(sides, both_sides, st.integers(0, 3), st.integers(0, 100))
def test_within_the_tolerance_as_many_as_can_be_keep_their_place(bids, old, reach, share):
    want = ladder(bids, [])
    resting = orders("buy", old)
    by = Tolerance(Decimal(reach) / 100, Decimal(share) / 100)
    todo = plan(want, resting, by)
    assert len(applied(todo, resting)) == len(want.bids)
    kept = {(one.price, one.left) for one in todo.kept}
    assert all(
        any(
            abs(price - one.price) <= one.price * by.price
            and abs(size - one.size) <= one.size * by.size
            for one in want.bids
        )
        for price, size in kept
    )
    assert plan(want, resting, EXACT).requests >= todo.requests


def test_an_order_of_the_right_price_is_changed_in_size_rather_than_moved():
    want = ladder([(20, 1), (19, 2)], [])
    resting = orders("buy", [(20, 4), (10, 2)])
    assert plan(want, resting).changes == (
        Change(resting[0], Decimal(20), Decimal(1)),
        Change(resting[1], Decimal(19), Decimal(2)),
    )


def test_what_was_filled_counts_by_what_is_left():
    (order,) = orders("buy", [(20, 4)])
    half = RestingOrder(
        order.order_id, order.client_id, "X", "buy", order.price, order.size, Decimal(2)
    )
    assert plan(ladder([(20, 2)], []), [half]).requests == 0
    (change,) = plan(ladder([(20, 4)], []), [half]).changes
    assert change.size == 4


def test_orders_that_retreat_go_first():
    resting = orders("buy", [(20, 1)]) + orders("sell", [(22, 1)], 1)
    want = Wanted(
        (WantedOrder("buy", Decimal(22), Decimal(1)),),
        (WantedOrder("sell", Decimal(24), Decimal(1)),),
    )
    assert [one.order.side for one in plan(want, resting).changes] == ["sell", "buy"]


def test_an_order_kept_for_its_place_never_meets_one_of_the_other_side():
    resting = orders("buy", [(100, 1)])
    want = Wanted(
        (WantedOrder("buy", Decimal(99), Decimal(1)),),
        (WantedOrder("sell", Decimal(100), Decimal(1)),),
    )
    todo = plan(want, resting, Tolerance(Decimal("0.02")))
    assert [one.price for one in todo.changes] == [99]
