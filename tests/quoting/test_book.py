"""The touch that quotes are priced from: the book of the others."""

import pytest

from advanced_mm.quoting.book import touch_of

BOOK = {
    "bids": [[2999.9, 3.0], [2999.8, 1.0]],
    "asks": [[3000.1, 1.0], [3000.2, 4.0]],
    "timestamp": 1_760_000_000_000,
}


def test_the_touch_has_the_sizes_that_rest_there():
    touch = touch_of("ETH/USDC:USDC", BOOK, {})
    assert (touch.bid, touch.bid_size, touch.ask, touch.ask_size) == (2999.9, 3.0, 3000.1, 1.0)
    assert touch.imbalance == pytest.approx(0.5)


def test_our_own_orders_move_neither_the_price_nor_the_imbalance():
    beside = touch_of("ETH/USDC:USDC", BOOK, {2999.9: 2.0, 3000.3: 9.0})
    assert (beside.bid, beside.bid_size) == (2999.9, pytest.approx(1.0))
    assert beside.imbalance == pytest.approx(0.0)
    alone = touch_of("ETH/USDC:USDC", BOOK, {3000.1: 1.0})
    assert (alone.ask, alone.ask_size) == (3000.2, 4.0)
