"""The dry desk: filters, money, fees, and what is told."""

from decimal import Decimal

import pytest

from advanced_mm.errors import InputError
from advanced_mm.maker.dry.account import DryFunds, Fees
from advanced_mm.maker.dry.desk import DryDesk
from advanced_mm.maker.exchange import (
    Book,
    Change,
    Fill,
    MarketRules,
    OrderGoneError,
    OrderRefusedError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Trade,
)

D = Decimal
SPOT, PERP = "SUI/USDC", "SUI/USDC:USDC"
FEES = Fees(maker=D("0.001"), taker=D("0.002"))


def rules(symbol, spot):
    return MarketRules(symbol, spot, D("0.5"), D("0.1"), D("0.2"), D(10), 3)


def desk_of(symbol=SPOT, capital=1000, leverage=5):
    desk = DryDesk(
        {symbol: rules(symbol, symbol == SPOT)}, DryFunds(D(capital), D(leverage)), FEES, "run"
    )
    desk.on_book(Book(symbol, 1000, ((99.0, 5.0), (98.0, 7.0)), ((101.0, 4.0), (102.0, 6.0))))
    desk.told()
    return desk


def request(side, size, price=None, symbol=SPOT, number=1, **more):
    limit = None if price is None else D(str(price))
    return OrderRequest(symbol, side, D(str(size)), f"c{number}", price=limit, **more)


def test_half_of_a_spot_account_is_held_in_base_at_the_first_mid():
    assert desk_of().account().balances == {"USDC": D(500), "SUI": D(5)}


def test_a_perpetual_account_is_all_quote():
    account = desk_of(PERP).account()
    assert (account.balances, account.positions, account.equity) == ({"USDC": D(1000)}, {}, D(1000))


def test_a_filled_bid_is_told_and_paid_for_with_the_fee_off_what_was_bought():
    desk = desk_of()
    placed = desk.place(request("buy", 2, 99.5))
    desk.on_trade(Trade(SPOT, 2000, "sell", 99.0, 1.5))
    book, opened, fill, update, account = desk.told()
    assert opened == OrderUpdate(placed, OrderStatus.OPEN, 1000)
    assert book.bids == ((99.5, 0.5), (99.0, 5.0), (98.0, 7.0))
    assert isinstance(fill, Fill)
    assert (fill.price, fill.size, fill.fee, fill.fee_currency) == (
        D("99.5"), D("1.5"), D("0.0015"), "SUI",
    )  # fmt: skip
    assert fill.maker
    assert (fill.client_id, fill.order_id, fill.time_ms) == ("c1", placed.order_id, 2000)
    assert (update.status, update.order.filled) == (OrderStatus.OPEN, D("1.5"))
    assert account.balances == {"USDC": D("350.75"), "SUI": D("6.4985")}
    desk.on_trade(Trade(SPOT, 2001, "sell", 99.0, 1.5))
    statuses = [one.status for one in desk.told() if isinstance(one, OrderUpdate)]
    assert statuses == [OrderStatus.FILLED]
    assert [one.size for one in desk.fills] == [D("1.5"), D("0.5")]


def test_books_are_shown_with_own_orders_in_them():
    desk = desk_of()
    desk.place(request("buy", 1, 99))
    desk.place(request("sell", 2, 103, number=2))
    desk.place(request("sell", 1, 97, number=3, trigger_price=D(97)))
    (book,) = (one for one in desk.told() if isinstance(one, Book))
    assert book.bids == ((99.0, 6.0), (98.0, 7.0))
    assert book.asks == ((101.0, 4.0), (102.0, 6.0), (103.0, 2.0))
    for order in desk.orders(SPOT):
        desk.cancel(order)
    assert desk.told()[0].bids == ((99.0, 5.0), (98.0, 7.0))


def test_a_perpetual_s_round_trip_costs_its_loss_and_its_fees():
    desk = desk_of(PERP)
    desk.place(request("buy", 5, symbol=PERP))  # 4 at 101, 1 at 102
    account = desk.account()
    assert account.positions == {PERP: D(5)}
    assert account.equity == 1000 - 4 - 2 - D("0.002") * 506  # at the mid of 100
    desk.place(request("sell", 5, symbol=PERP, reduce_only=True, number=2))
    assert desk.account().positions == {PERP: D(0)}
    assert desk.account().equity == 1000 - (506 - 495) - D("0.002") * (506 + 495)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request("buy", 1, 99.7), "price 99.7 is not on the market's price grid"),
        (request("buy", 1.05, 99), "size 1.05 is not a multiple of 0.1"),
        (request("buy", 0.1, 99), "of at least 0.2"),
        (request("buy", 0.2, 49), "value 9.8 is below the least of 10"),
        (request("buy", 1, 101), "post-only order at 101 would take"),
        (request("buy", 6, 99), "balance or margin is too small for 6"),
        (request("sell", 5.1, 102), "balance or margin is too small for 5.1"),
        (request("sell", 1, 102, reduce_only=True), "is no reduction"),
    ],
)
def test_what_an_exchange_refuses_is_refused(asked, why):
    desk = desk_of()
    with pytest.raises(OrderRefusedError, match=why):
        desk.place(asked)
    assert desk.orders(SPOT) == desk.told() == []


def test_orders_at_rest_count_against_the_balance_and_the_number():
    desk = desk_of()
    desk.place(request("buy", 4, 99))
    with pytest.raises(OrderRefusedError, match="balance"):
        desk.place(request("buy", 2, 98, number=2))
    desk.place(request("buy", 1, 98, number=2))
    desk.place(request("sell", 1, 103, number=3))
    with pytest.raises(OrderRefusedError, match="3 orders are at rest"):
        desk.place(request("sell", 1, 104, number=4))


def test_margin_covers_the_largest_position_and_never_keeps_one_from_closing():
    desk = desk_of(PERP, capital=100, leverage=2)
    desk.place(request("buy", 1.5, 99, PERP, 1))
    with pytest.raises(OrderRefusedError, match="margin"):
        desk.place(request("buy", 1, 98, PERP, 2))
    desk.place(request("sell", 1.5, 102, PERP, 3))  # the other way: never both
    desk.on_trade(Trade(PERP, 2000, "sell", 50.0, 9.0))
    desk.on_book(Book(PERP, 2001, ((50.0, 5.0),), ((51.0, 5.0),)))
    assert desk.account().equity < 30
    desk.place(request("sell", 1, 60, PERP, 4))


def test_an_order_made_smaller_keeps_its_place_and_one_moved_loses_it():
    desk = desk_of()
    first = desk.place(request("buy", 2, 99))
    desk.on_trade(Trade(SPOT, 2000, "sell", 99.0, 4.0))  # 1 of 5 left ahead
    smaller = desk.edit(Change(first, D(99), D(1)))
    assert smaller.order_id == first.order_id
    desk.on_trade(Trade(SPOT, 2001, "sell", 99.0, 1.2))
    assert desk.orders(SPOT)[0].filled == D("0.2")
    moved = desk.edit(Change(smaller, D(98), D(1)))
    assert (moved.price, moved.size, moved.client_id) == (D(98), D("0.8"), "c1")
    desk.on_trade(Trade(SPOT, 2002, "sell", 98.0, 6.9))
    assert desk.orders(SPOT)[0].filled == 0
    with pytest.raises(OrderRefusedError, match="would take"):
        desk.edit(Change(moved, D(101), D(1)))
    assert desk.orders(SPOT) == []
    assert desk.look_up(SPOT, "c1").status is OrderStatus.CANCELLED
    with pytest.raises(OrderGoneError, match="not at rest"):
        desk.edit(Change(moved, D(97), D(1)))


def test_a_trigger_trades_at_market_what_there_is_to_close():
    desk = desk_of(PERP)
    desk.place(request("buy", 3, symbol=PERP))
    stop = request("sell", 5, symbol=PERP, number=2, trigger_price=D(97), reduce_only=True)
    assert desk.place(stop).trigger_price == D(97)
    desk.on_book(Book(PERP, 2000, ((96.0, 2.0), (95.0, 9.0)), ((97.0, 1.0),)))
    assert [(one.price, one.size) for one in desk.fills][1:] == [(D(96), D(2)), (D(95), D(1))]
    assert desk.account().positions[PERP] == 0
    assert desk.look_up(PERP, "c2").status is OrderStatus.FILLED


def test_a_trigger_that_nothing_pays_for_is_cancelled():
    desk = desk_of()
    desk.place(request("sell", 6, number=2, trigger_price=D(97)))
    desk.on_trade(Trade(SPOT, 2000, "sell", 96.0, 1.0))
    assert desk.look_up(SPOT, "c2").status is OrderStatus.CANCELLED
    assert not desk.fills


def test_one_account_has_one_kind_of_market():
    with pytest.raises(InputError, match="one kind"):
        DryDesk({s: rules(s, s == SPOT) for s in (SPOT, PERP)}, DryFunds(D(1)), FEES, "run")
