"""Fills of a dry order against books and trades that can be followed by hand."""

from decimal import Decimal

import pytest

from advanced_mm.maker.dry.queue import DryQueue
from advanced_mm.maker.exchange import Book, RestingOrder, Trade

SYMBOL = "SUI/USDC"


def book(bids=((99.0, 5.0), (98.0, 7.0)), asks=((101.0, 4.0), (102.0, 6.0)), time_ms=1000):
    return Book(SYMBOL, time_ms, tuple(bids), tuple(asks))


def trade(side, price, size, time_ms=2000):
    return Trade(SYMBOL, time_ms, side, price, size)


def order(side, price, size, number=1, **more):
    exact = (Decimal(str(price)), Decimal(str(size)))
    return RestingOrder(str(number), f"c{number}", SYMBOL, side, *exact, **more)


@pytest.fixture
def queue():
    shown = DryQueue(spot=True)
    shown.on_book(book())
    return shown


def traded(executions):
    return [(one.order.order_id, float(one.price), float(one.size)) for one in executions]


def test_at_its_price_an_order_waits_for_what_stood_ahead(queue):
    queue.rest(order("buy", 99, 2), 1000)
    assert traded(queue.on_trade(trade("sell", 99.0, 3.0))) == []  # 2 of the 5 are still ahead
    assert traded(queue.on_trade(trade("sell", 99.0, 2.5))) == [("1", 99.0, 0.5)]
    assert traded(queue.on_trade(trade("sell", 99.0, 9.0))) == [("1", 99.0, 1.5)]
    assert queue.orders == {}


def test_what_leaves_the_queue_ahead_brings_it_forward(queue):
    queue.rest(order("buy", 99, 2), 1000)
    queue.on_book(book(bids=((99.0, 1.0), (98.0, 7.0))))
    queue.on_book(book(bids=((99.0, 8.0), (98.0, 7.0))))  # 7 more, behind it
    assert traded(queue.on_trade(trade("sell", 99.0, 1.5))) == [("1", 99.0, 0.5)]


def test_a_trade_through_its_price_fills_no_more_than_was_traded(queue):
    queue.rest(order("sell", 101, 2), 1000)
    assert traded(queue.on_trade(trade("buy", 101.5, 0.75))) == [("1", 101.0, 0.75)]
    assert traded(queue.on_trade(trade("buy", 102.0, 5.0))) == [("1", 101.0, 1.25)]


def test_one_print_is_divided_best_price_first(queue):
    queue.rest(order("buy", 98.5, 2, number=1), 1000)
    queue.rest(order("buy", 100, 1, number=2), 1000)
    queue.rest(order("buy", 98.5, 4, number=3), 1000)
    filled = traded(queue.on_trade(trade("sell", 98.0, 5.0)))
    assert filled == [("2", 100.0, 1.0), ("1", 98.5, 2.0), ("3", 98.5, 2.0)]


def test_trades_of_the_other_side_or_of_before_fill_nothing(queue):
    queue.rest(order("buy", 100, 1), 1000)
    assert queue.on_trade(trade("buy", 99.0, 5.0)) == []
    assert queue.on_trade(trade("sell", 99.0, 5.0, time_ms=999)) == []


def test_beyond_the_levels_shown_the_queue_is_unknown_until_it_is_shown(queue):
    queue.rest(order("buy", 97, 1), 1000)
    assert queue.on_trade(trade("sell", 97.0, 100.0)) == []
    queue.on_book(book(bids=((98.0, 7.0), (97.0, 3.0))))
    assert traded(queue.on_trade(trade("sell", 97.0, 3.5))) == [("1", 97.0, 0.5)]


def test_an_order_that_the_other_side_has_reached_fills_by_what_is_there_once(queue):
    queue.rest(order("buy", 100, 3), 1000)
    crossed = book(bids=((98.0, 7.0),), asks=((99.5, 1.0), (102.0, 6.0)))
    assert traded(queue.on_book(crossed)) == [("1", 100.0, 1.0)]
    assert queue.on_book(crossed) == []
    more = book(bids=((98.0, 7.0),), asks=((99.5, 1.5), (102.0, 6.0)))
    assert traded(queue.on_book(more)) == [("1", 100.0, 1.5)]


def test_a_taker_walks_the_book_and_finds_it_emptier_until_it_changes(queue):
    assert traded(queue.take(order("buy", 0, 5))) == [("1", 101.0, 4.0), ("1", 102.0, 1.0)]
    assert traded(queue.take(order("buy", 0, 9))) == [("1", 102.0, 5.0)]
    queue.on_book(book(asks=((101.0, 4.5), (102.0, 6.0))))
    assert traded(queue.take(order("buy", 0, 9))) == [("1", 101.0, 4.5)]


def test_a_limit_ends_the_walk(queue):
    assert traded(queue.take(order("buy", 101, 9), Decimal(101))) == [("1", 101.0, 4.0)]
    assert queue.crosses("buy", Decimal(101))
    assert not queue.crosses("buy", Decimal("100.5"))
    assert queue.crosses("sell", Decimal(99))


@pytest.mark.parametrize("price", [97.0, 103.0])
def test_a_spot_trigger_waits_for_a_trade_from_where_the_price_is(queue, price):
    queue.on_trade(trade("buy", 100.0, 1.0))
    waiting = order("sell", price, 1, trigger_price=Decimal(str(price)))
    queue.wait_for(waiting, 1000, reduce_only=False)
    assert queue.due() == []
    queue.on_trade(trade("sell", price, 1.0))
    assert [own.order for own in queue.due()] == [waiting]
    assert queue.orders == {}


def test_a_perpetual_s_trigger_waits_for_the_mid():
    queue = DryQueue(spot=False)
    queue.on_book(book())
    queue.wait_for(order("sell", 97, 1, trigger_price=Decimal(97)), 1000, reduce_only=False)
    queue.on_trade(trade("sell", 97.0, 1.0))
    assert queue.due() == []
    queue.on_book(book(bids=((96.0, 1.0),), asks=((98.0, 1.0),)))
    assert len(queue.due()) == 1
