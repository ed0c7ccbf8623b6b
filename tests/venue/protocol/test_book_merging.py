"""Merged books: steps, sides, depth; nothing is lost, and no price looks better than it is."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.markets.market import Book, CoinSpec, Level
from advanced_mm.venue.protocol.messages.book_merging import (
    DEEPEST_LEVELS,
    merged_book,
    true_spread,
)

SPEC = CoinSpec("ETH", 4, 25, 0.01)


class Market:
    """The part of a market that merging uses."""

    def __init__(self, bids, asks, spec=SPEC):
        self.spec = spec
        self.asked = []
        self._sides = [
            tuple(Level(float(price), float(size), orders) for price, size, orders in side)
            for side in (bids, asks)
        ]

    def book(self, levels):
        self.asked.append(levels)
        return Book(1, self._sides[0][:levels], self._sides[1][:levels])


def ladder(start, step, count):
    """Return prices without floating-point error."""
    return [(Decimal(start) + Decimal(step) * n, "1.5", 2) for n in range(count)]


def prices(side):
    return [level.price for level in side]


@pytest.mark.parametrize(
    ("figures", "mantissa", "bids", "asks"),
    [
        (5, 1, [2999.9, 2999.8, 2999.7], [3000.2, 3000.3, 3000.4]),
        (5, 2, [2999.8, 2999.6], [3000.2, 3000.4]),
        (5, 5, [2999.5], [3000.5]),
        (4, 1, [2999.0], [3001.0]),
        (3, 1, [2990.0], [3010.0]),
        (2, 1, [2900.0], [3100.0]),
    ],
)
def test_bids_are_put_down_to_their_step_and_asks_up(figures, mantissa, bids, asks):
    market = Market(ladder("2999.99", "-0.1", 3), ladder("3000.11", "0.1", 3))
    book = merged_book(market, 20, figures, mantissa)
    assert (prices(book.bids), prices(book.asks)) == (bids, asks)
    assert sum(level.size for level in book.bids) == pytest.approx(4.5)
    assert sum(level.orders for level in book.asks) == 6
    assert true_spread(market) == pytest.approx(0.12)


def test_the_step_grows_with_the_price():
    market = Market(ladder("9.9", "-0.1", 3), ladder("99", "1", 4))
    assert prices(merged_book(market, 20, 2).asks) == [99.0, 100.0, 110.0]


def test_prices_of_few_figures_stay_as_they_are():
    market = Market([("0.03", "1", 1)], [("0.04", "1", 1)])
    book = merged_book(market, 20, 2)
    assert (prices(book.bids), prices(book.asks)) == ([0.03], [0.04])


def test_the_market_is_asked_for_more_until_there_are_levels_enough():
    market = Market(ladder("2999.9", "-0.1", 1_000), ladder("3000.1", "0.1", 1_000))
    book = merged_book(market, 20, 4)
    assert (len(book.bids), len(book.asks)) == (20, 20)
    assert all(level.size == pytest.approx(15.0) for level in book.bids[1:-1])
    assert market.asked == [20, 80, 320]
    shallow = Market(ladder("2999.9", "-0.1", 30), ladder("3000.1", "0.1", 30))
    merged_book(shallow, 20, 4)
    assert shallow.asked == [20, 80]


def test_it_is_not_asked_for_ever():
    market = Market(ladder("2999.9", "-0.01", 6_000), ladder("3000.1", "0.01", 6_000))
    assert len(merged_book(market, 20, 2).bids) == 1
    assert market.asked[-1] == DEEPEST_LEVELS


def test_an_empty_side_has_no_spread():
    market = Market([], ladder("3000.1", "0.1", 3))
    assert true_spread(market) is None
    assert merged_book(market, 20, 4).bids == ()


@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=60, unique=True),
    st.sampled_from([2, 3, 4, 5]),
    st.sampled_from([1, 2, 5]),
)
@settings(deadline=None)
def test_nothing_is_lost_and_nothing_looks_better(units, figures, mantissa):
    asks = [(Decimal(one) / 100, "0.5", 1) for one in sorted(units)]
    market = Market([], asks)
    merged = merged_book(market, len(asks), figures, mantissa).asks
    assert sum(level.size for level in merged) == pytest.approx(0.5 * len(asks))
    assert prices(merged) == sorted(set(prices(merged)))
    below = defaultdict(int)
    for level in merged:
        below[level.price] = sum(float(price) <= level.price + 1e-9 for price, _, _ in asks)
    reached = 0
    for level in merged:
        reached += level.orders
        assert reached <= below[level.price]
