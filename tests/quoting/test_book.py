"""The touch that quotes are priced from: the book of the others."""

from types import SimpleNamespace

import pytest

from advanced_mm.quoting.book import OwnSizes, touch_of

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


def trades(*prices, pair="ETH/USDC:USDC", size=2.0):
    orders = [SimpleNamespace(safe_placement_price=one, safe_remaining=size) for one in prices]
    return [SimpleNamespace(pair=pair, open_orders=orders)]


def test_a_quote_is_not_priced_off_our_own_order_that_has_just_been_moved():
    """Until a book comes that is newer than the move, it shows the order where it was."""
    own, published = OwnSizes(), 1_760_000_000.0
    alone = {**BOOK, "bids": [[3000.0, 2.0], *BOOK["bids"]]}

    def bid(*prices, book_s=published, now_s):
        sizes = own.at("ETH/USDC:USDC", trades(*prices), book_s, now_s)
        return touch_of("ETH/USDC:USDC", alone, sizes).bid

    assert bid(3000.0, now_s=published + 0.1) == 2999.9
    assert bid(2999.8, now_s=published + 0.2) == 2999.9  # moved, and the book is older
    assert bid(now_s=published + 0.3) == 2999.9  # withdrawn after that
    assert bid(book_s=published + 0.4, now_s=published + 0.5) == 3000.0  # another maker's


def test_an_order_that_is_gone_is_forgotten_even_if_no_newer_book_comes():
    own = OwnSizes()
    pair, others = "ETH/USDC:USDC", trades(3000.0, pair="BTC/USDC:USDC")
    assert own.at(pair, trades(3000.0), 9.0, 10.0) == {3000.0: 2.0}
    assert own.at("BTC/USDC:USDC", others, 9.0, 10.0) == {3000.0: 2.0}
    assert own.at(pair, [], 9.0, 10.5) == {3000.0: 2.0}
    assert own.at(pair, trades(2999.0), 9.0, 11.4) == {3000.0: 2.0, 2999.0: 2.0}
    assert own.at(pair, trades(2999.0), 9.0, 11.6) == {2999.0: 2.0}


def test_what_was_filled_of_our_order_is_not_another_maker_s():
    """Until a book comes that is newer than the fill, it shows the order as large as it was."""
    own, pair, price = OwnSizes(), "ETH/USDC:USDC", 3000.0
    alone = {**BOOK, "bids": [[price, 2.0], *BOOK["bids"]]}

    def bid(size, *, book_s=9.0, now_s):
        held = trades(price, size=size) if size else []
        return touch_of(pair, alone, own.at(pair, held, book_s, now_s)).bid

    assert bid(2.0, now_s=10.0) == 2999.9
    assert bid(0.5, now_s=10.1) == 2999.9
    assert bid(0.2, now_s=10.2) == 2999.9  # filled on, before a newer book comes
    assert bid(0.0, now_s=10.3) == 2999.9
    assert bid(0.0, book_s=10.35, now_s=10.4) == price  # another maker's
    assert bid(2.0, book_s=10.5, now_s=10.6) == 2999.9
    assert bid(0.5, book_s=10.5, now_s=10.7) == 2999.9
    assert bid(0.5, book_s=10.75, now_s=10.8) == price
