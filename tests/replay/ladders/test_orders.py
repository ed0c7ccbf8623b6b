"""A ladder on the venue's grid, and which orders may stay."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.maker.diff import Tolerance, plan
from advanced_mm.maker.exchange import MarketRules, RestingOrder
from advanced_mm.maker.grid import Grid as ExchangeGrid
from advanced_mm.maker.wanted import wanted
from advanced_mm.policies import Ladder, Level
from advanced_mm.replay.ladders.orders import (
    Grid,
    Resting,
    Tolerances,
    budget,
    matched,
    wanted_orders,
)
from advanced_mm.replay.layout import Ended

GRID = Grid(np.array([1.0]), np.array([2]), tick=0.05, size_step=100_000, min_value=10.0)
"""Prices are multiples of 0.1, two steps of the recording; sizes of 0.001."""
EXACT = Tolerances(ticks=1.0, min_age=0, max_age=2**62, size=0.25)
UNIT = 100_000_000


def ladder(bids=(), asks=()):
    return Ladder(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))


def resting(price: int, left: float = UNIT, sent: int = 0, number: int = 1) -> Resting:
    return Resting(number, number - 1, 0, price, left, sent)


def test_prices_are_rounded_away_from_the_market_and_sizes_down() -> None:
    found = wanted_orders(ladder([(99.97, 1.0009)], [(100.13, 0.9999)]), 2000, 2004, GRID)
    assert found == ([(1998, 100_000_000)], [(2004, 99_900_000)])


def test_levels_that_would_take_rest_at_the_best_price_that_does_not_and_become_one() -> None:
    asked = ladder([(100.9, 1.0), (100.2, 2.0), (99.0, 1.0)], [(101.0, 1.0)])
    bids, _ = wanted_orders(asked, 2000, 2004, GRID)  # bid 100.0, ask 100.2
    assert bids == [(2002, 3 * UNIT), (1980, UNIT)]
    _, asks = wanted_orders(ladder(asks=[(99.0, 1.0), (100.3, 1.0)]), 2000, 2004, GRID)
    assert asks == [(2002, UNIT), (2006, UNIT)]


def test_orders_below_the_least_value_are_left_out() -> None:
    assert wanted_orders(ladder([(100.0, 0.0999), (99.0, 0.2)]), 2000, 2004, GRID)[0] == [
        (1980, 20_000_000)
    ]


def test_what_is_at_its_price_stays_and_the_rest_is_sent_or_goes() -> None:
    mine = [resting(2000, number=1), resting(1990, number=2), resting(1980, number=3)]
    wanted = [(2000, UNIT), (1998, UNIT), (1980, 2 * UNIT)]
    missing, gone = matched(mine, wanted, 10, EXACT, GRID)
    assert missing == [(1998, UNIT), (1980, 2 * UNIT)]  # the last is of another size
    assert [(order.number, why) for order, why in gone] == [(3, Ended.DRIFTED), (2, Ended.DRIFTED)]


def test_within_the_tolerance_of_prices_each_level_keeps_one_order() -> None:
    loose = Tolerances(ticks=3.0, min_age=0, max_age=100, size=0.25)
    mine = [resting(2002, number=1), resting(2000, number=2)]
    missing, gone = matched(mine, [(2000, UNIT)], 50, loose, GRID)
    assert (missing, [order.number for order, _ in gone]) == ([], [1])
    # An order that is off and too old goes, though it is near enough.
    missing, gone = matched([resting(2002)], [(2000, UNIT)], 200, loose, GRID)
    assert (missing, [why for _, why in gone]) == ([(2000, UNIT)], [Ended.EXPIRED])


@pytest.mark.parametrize(("per_unit", "free", "second"), [(True, 1.5 * UNIT, 0.5), (False, 150, 0)])
def test_the_best_prices_are_covered_first(per_unit: bool, free: float, second: float) -> None:
    found = budget([(2000, UNIT), (1980, UNIT)], free, GRID, per_unit)
    assert found[0] == (2000, UNIT)
    expected = second or 50 / 99.0
    assert found[1][1] == pytest.approx(expected * UNIT, abs=GRID.size_step)
    assert budget([(2000, UNIT)], -1.0, GRID, per_unit) == []


SPOT = MarketRules(
    "ETH/USDC", True, Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(10), 200
)


@given(
    st.lists(st.tuples(st.integers(990, 999), st.integers(50, 900)), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(990, 999), st.integers(50, 900)), max_size=8),
)
def test_it_keeps_what_the_maker_of_real_exchanges_keeps(
    levels: list[tuple[int, int]], rest: list[tuple[int, int]]
) -> None:
    """The same orders reach the grid, and the same of those at rest stay (prices in 0.1)."""
    asked = Ladder(
        tuple(Level(price / 10, size / 1000) for price, size in sorted(dict(levels).items())[::-1])
    )
    ours = wanted_orders(asked, 1998, 2002, GRID)
    theirs = wanted(asked, SPOT, ExchangeGrid(SPOT), (99.9, 100.1), 100)
    as_ours = [(round(one.price * 20), int(one.size * UNIT)) for one in theirs.bids]
    assert ours[0] == as_ours
    there = [(price * 2, size * UNIT // 1000) for price, size in dict(rest).items()]
    mine = [resting(price, size, number=n) for n, (price, size) in enumerate(there)]
    _, gone = matched(mine, ours[0], 10, EXACT, GRID)
    stays = {order.price for order in mine} - {order.price for order, _ in gone}
    at_rest = [
        RestingOrder(str(n), "", "ETH/USDC", "buy", Decimal(p) / 20, Decimal(s) / UNIT)
        for n, (p, s) in enumerate(there)
    ]
    kept = plan(theirs, at_rest, Tolerance(size=Decimal("0.25"))).kept
    assert {round(one.price * 20) for one in kept} == stays
