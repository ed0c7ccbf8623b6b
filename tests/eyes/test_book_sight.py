"""One book from three channels."""

import pytest

from advanced_mm.eyes.book_sight import BookSight


def level(price, size=1.0):
    return {"px": str(price), "sz": str(size), "n": 1}


def book(at, bid, levels=5):
    sides = [[level(bid - i) for i in range(levels)], [level(bid + 1 + i) for i in range(levels)]]
    return {"coin": "ETH", "time": at, "levels": sides, "fast": levels <= 5}


def touch(at, bid, ask):
    sides = [None if one is None else level(one, 7.0) for one in (bid, ask)]
    return {"coin": "ETH", "time": at, "bbo": sides}


def bids(sight):
    return [float(one["px"]) for one in sight.levels()[0]]


@pytest.fixture
def sight():
    one = BookSight()
    one.book(book(1000, 100, 20))
    return one


def test_the_newest_message_has_the_best_prices(sight):
    assert sight.touch(touch(2000, 98, 99))
    assert bids(sight) == [98, *range(97, 80, -1)]
    assert sight.levels()[0][0]["sz"] == "7.0"
    assert sight.time_ms == 2000
    assert sight.book(book(3000, 103))
    assert bids(sight) == [*range(103, 80, -1)]


def test_an_older_message_changes_nothing(sight):
    sight.touch(touch(2000, 98, 99))
    assert not sight.touch(touch(1999, 50, 51))
    assert not sight.book(book(999, 50, 20))
    assert bids(sight)[0] == 98


def test_a_change_of_price_or_size_at_the_touch_is_one(sight):
    assert sight.touch(touch(2000, 100, 101))  # other sizes
    assert not sight.touch(touch(2001, 100, 101))
    assert sight.touch(touch(2002, 100, 102))


@pytest.mark.parametrize("sides", [(None, 101), (100, None), (101, 101)])
def test_no_book_of_one_side_and_none_that_is_crossed(sight, sides):
    sight.touch(touch(2000, *sides))
    assert sight.levels() is None
    sight.book(book(3000, 100))
    assert sight.levels() is not None


def test_malformed_levels_raise_and_change_nothing(sight):
    for bad in (touch(2000, float("nan"), 101), touch(2000, -1, 101), {"time": 2000, "bbo": [1]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            sight.touch(bad)
    assert sight.time_ms == 1000
