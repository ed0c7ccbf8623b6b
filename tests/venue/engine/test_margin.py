"""Margin, liquidation and funding against the closed forms of the venue's documentation.

Initial margin is size * mark / leverage, maintenance half of that at the coin's maximum leverage,
and liq_price = price - side * margin_available / size / (1 - l * side), l = 1 / (2 * maximum).
"""

from decimal import Decimal

import pytest

from advanced_mm.markets.market import CoinSpec
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import (
    FundingPayment,
    OrderRequest,
    OrderStatus,
    TimeInForce,
)
from advanced_mm.venue.engine.rules import Rules

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
IOC = TimeInForce.IOC
USDC = 10**6
GREATEST = 25
SHARE = 1 / (2 * GREATEST)
TAKER, MAKER = 0.00045, 0.00015
POOR = "Insufficient margin to place order."


@pytest.fixture
def deep(bench):
    """A deep market around 100."""
    bench.mark(100.0)
    return bench


def usdc(bench, address):
    return bench.exchange.accounts.open(address).usdc / USDC


def liquidation_price(bench, address):
    account = bench.exchange.accounts.open(address)
    return bench.exchange.margin.liquidation_price(account, "ETH")


def closed_form(price, side, available, size):
    return price - side * available / size / (1 - SHARE * side)


@pytest.mark.parametrize("side", [1, -1])
def test_a_cross_position_is_liquidated_where_the_formula_says(deep, side):
    paid = 100.0 + side * 0.05
    deep.place(ALICE, side, paid, 500.0, IOC)
    value = 10_000 - 500 * 0.05 - 500 * paid * TAKER
    expected = closed_form(100.0, side, value - 500 * 100.0 * SHARE, 500)
    assert liquidation_price(deep, ALICE) == pytest.approx(expected, abs=1e-4)
    assert usdc(deep, ALICE) == pytest.approx(10_000 - side * 500 * paid - 500 * paid * TAKER)
    deep.mark(expected + side * 0.02)
    assert deep.position(ALICE) == side * 500
    deep.mark(expected - side * 0.02)
    assert deep.position(ALICE) == 0
    last = deep.exchange.fills(ALICE)[-1]
    assert (last.liquidation, last.crossed) == (True, True)
    # Closed half a tick from the mark: nearly the maintenance margin is left, less the fee.
    closing = last.price / 100
    left = 10_000 + side * 500 * (closing - paid) - 500 * (paid + closing) * TAKER
    assert usdc(deep, ALICE) == pytest.approx(left, abs=1e-6)


def test_the_price_does_not_depend_on_where_the_mark_stands(deep):
    deep.place(ALICE, 1, 100.05, 500.0, IOC)
    before = liquidation_price(deep, ALICE)
    deep.mark(95.0)
    assert liquidation_price(deep, ALICE) == pytest.approx(before, abs=1e-4)


def test_a_liquidation_cancels_orders_and_takes_what_the_book_has(deep):
    deep.place(ALICE, 1, 100.05, 500.0, IOC)
    resting = deep.resting(ALICE, 1, 50.0, 1.0)
    stop = deep.place(ALICE, -1, 40.0, 1.0, trigger=(50.0, True, False)).order.oid
    # The book has 200: the remainder waits for the next block.
    thin = {"bids": [(79.95, 200.0)], "asks": [(80.05, 200.0)]}
    deep.block(**thin)
    assert deep.position(ALICE) == 300
    for oid in (resting, stop):
        assert deep.exchange.order(ALICE, oid).status is OrderStatus.LIQUIDATED_CANCELED
    deep.block(**thin)
    deep.block(**thin)
    assert deep.position(ALICE) == 0


def test_the_insurance_pays_what_is_lost_beyond_the_account(deep):
    deep.place(ALICE, 1, 100.05, 1_900.0, IOC)
    deep.mark(50.0)
    assert deep.position(ALICE) == 0
    assert usdc(deep, ALICE) == 0
    # Opened at two prices (1000 of 1900 at the touch), closed at two.
    account = deep.exchange.accounts.open(ALICE)
    traded = sum(
        (-1 if one.is_buy else 1) * one.price * one.lots for one in deep.exchange.fills(ALICE)
    )
    assert deep.exchange.clearing.insurance == 10_000 * USDC + traded - account.fees < 0


def test_a_debt_beside_an_isolated_position_is_the_insurances(deep):
    deep.exchange.update_leverage(ALICE, "ETH", False, 10)
    deep.place(ALICE, 1, 100.05, 100.0, IOC)
    account = deep.exchange.accounts.open(ALICE)
    account.usdc = -3
    deep.wait(200)
    assert (account.usdc, deep.exchange.clearing.insurance) == (0, -3)
    assert deep.position(ALICE) == 100.0


def test_an_isolated_position_that_is_run_over_costs_its_margin_and_the_insurance_the_rest(deep):
    deep.exchange.update_leverage(ALICE, "ETH", False, 10)
    deep.place(ALICE, 1, 100.05, 100.0, IOC)
    free = usdc(deep, ALICE)
    deep.mark(80.0)
    assert deep.position(ALICE) == 0
    fee = 100 * 79.95 * TAKER
    assert usdc(deep, ALICE) == pytest.approx(free - fee, abs=1e-6)
    lost = 100 * (100.05 - 79.95) - 1000.5
    assert deep.exchange.clearing.insurance == pytest.approx(-lost * USDC, abs=1)


@pytest.mark.parametrize("side", [1, -1])
def test_an_isolated_position_has_its_own_margin_and_its_own_end(deep, side):
    assert deep.exchange.update_leverage(ALICE, "ETH", False, 10) is None
    paid = 100.0 + side * 0.05
    deep.place(ALICE, side, paid, 100.0, IOC)
    position = deep.exchange.accounts.open(ALICE).positions["ETH"]
    margin = 100 * paid / 10
    assert position.usdc / USDC == pytest.approx(margin - side * 100 * paid)
    assert usdc(deep, ALICE) == pytest.approx(10_000 - margin - 100 * paid * TAKER)
    available = margin - 100 * 0.05 - 100 * 100.0 * SHARE
    expected = closed_form(100.0, side, available, 100)
    assert liquidation_price(deep, ALICE) == pytest.approx(expected, abs=1e-4)
    free = usdc(deep, ALICE)
    deep.mark(expected + side * 0.02)
    assert deep.position(ALICE) == side * 100
    deep.mark(expected - side * 0.02)
    assert deep.position(ALICE) == 0
    closing = deep.exchange.fills(ALICE)[-1].price / 100
    back = margin + side * 100 * (closing - paid)
    assert 0 < back < margin
    assert usdc(deep, ALICE) == pytest.approx(free + back - 100 * closing * TAKER, abs=1e-6)


def test_isolated_margin_comes_back_in_proportion(deep):
    deep.exchange.update_leverage(ALICE, "ETH", False, 10)
    deep.place(ALICE, 1, 100.05, 100.0, IOC)
    free = usdc(deep, ALICE)
    deep.place(ALICE, -1, 99.95, 40.0, IOC)
    worth = 1_000.5 + 100 * (99.95 - 100.05)
    assert usdc(deep, ALICE) == pytest.approx(free + 0.4 * worth - 40 * 99.95 * TAKER, abs=1e-6)


def test_margin_can_be_added_and_taken_down_to_what_must_stay(deep):
    exchange = deep.exchange
    assert exchange.update_isolated_margin(ALICE, "ETH", True, USDC) is not None
    exchange.update_leverage(ALICE, "ETH", False, 10)
    deep.place(ALICE, 1, 100.05, 100.0, IOC)
    before = liquidation_price(deep, ALICE)
    assert exchange.update_isolated_margin(ALICE, "ETH", True, 500 * USDC) is None
    moved = liquidation_price(deep, ALICE)
    assert moved == pytest.approx(before - 500 / 100 / (1 - SHARE), abs=1e-4)
    # Its value is 1000.5 - 5 + 500, of which 100 * 100 / 10 must stay.
    assert exchange.update_isolated_margin(ALICE, "ETH", True, -round(495.51 * USDC)) is not None
    assert exchange.update_isolated_margin(ALICE, "ETH", True, -round(495.49 * USDC)) is None
    assert exchange.update_isolated_margin(ALICE, "ETH", True, 20_000 * USDC) is not None


def test_orders_need_margin_together(deep):
    deep.exchange.update_leverage(ALICE, "ETH", True, 10)
    deep.resting(ALICE, 1, 99.0, 600.0)  # 5940 of margin
    assert deep.place(ALICE, 1, 99.0, 420.0).error == POOR
    deep.resting(ALICE, -1, 101.0, 600.0)  # the other side needs none of its own
    deep.resting(ALICE, 1, 99.0, 400.0)
    assert deep.place(ALICE, -1, 101.0, 500.0).error == POOR


def test_orders_beside_an_isolated_position_need_margin_of_their_own_alone(deep):
    deep.exchange.update_leverage(ALICE, "ETH", False, 10)
    deep.place(ALICE, 1, 100.05, 600.0, IOC)  # 6003 of margin and 27 of fees are gone
    assert deep.place(ALICE, 1, 99.0, 402.0).error == POOR  # 3979.8 of 3969.9865
    deep.resting(ALICE, 1, 99.0, 400.0)
    deep.resting(ALICE, -1, 101.0, 600.0)


def test_what_closes_needs_no_margin(deep):
    deep.exchange.update_leverage(ALICE, "ETH", True, 1)
    deep.place(ALICE, 1, 100.05, 99.0, IOC)
    assert deep.place(ALICE, 1, 99.0, 2.0).error == POOR
    assert deep.place(ALICE, -1, 101.0, 99.0).error is None


def test_a_maker_who_cannot_afford_his_fill_any_more_is_cancelled(deep):
    deep.exchange.update_leverage(ALICE, "ETH", True, 10)
    oid = deep.resting(ALICE, 1, 99.0, 900.0)
    assert deep.exchange.transfer(ALICE, BOB, 990 * USDC) is None
    deep.place(ALICE, 1, 100.05, 9.0, IOC)
    # A second coin's loss would do the same; here the leverage does.
    account = deep.exchange.accounts.open(ALICE)
    account.usdc -= 2_000 * USDC
    deep.block((98.9, 1.0, -1))
    assert deep.exchange.order(ALICE, oid).status is OrderStatus.MARGIN_CANCELED
    assert deep.position(ALICE) == 9.0


@pytest.mark.parametrize("switch", [False, True])
def test_what_may_be_filled_does_not_depend_on_the_steps_that_led_there(make_bench, switch):
    """A mark used for margins is dropped once nothing is held any more."""

    def end_of(steps):
        bench = make_bench(Rules(play_money=1_000, schedule_cancel_volume=0))
        bench.mark(100.0)
        exchange = bench.exchange
        exchange.update_leverage(ALICE, "ETH", True, 20)
        if switch:
            assert exchange.schedule_cancel(ALICE, exchange.now_ms + 100_000_000) is None
        bench.place(ALICE, 1, 100.05, 1.0, IOC)
        bench.resting(ALICE, -1, 100.2, 1.0)
        bench.wait(100 - exchange.now_ms % 100)
        start = exchange.now_ms
        bench.market.write(start + 20, (), [(100.3, 1000.0)], [(100.4, 1000.0)])
        bench.market.write(start + 40, (), [(199.9, 1000.0)], [(200.1, 1000.0)])
        bench.market.write(start + 80, (), [(199.0, 1000.0)], [(199.1, 1000.0)])
        for step in steps:
            exchange.advance(start + step)
        oid = bench.resting(ALICE, 1, 199.8, 70.0)
        exchange.advance(start + 90)
        return exchange.order(ALICE, oid).status

    assert end_of([30, 60]) is end_of([60]) is end_of([25, 41, 60]) is OrderStatus.FILLED


def test_leverage_has_its_bounds(deep):
    exchange = deep.exchange
    for leverage in (0, 26):
        assert exchange.update_leverage(ALICE, "ETH", True, leverage) == "Invalid leverage value"
    assert exchange.update_leverage(ALICE, "ETH", True, 25) is None
    deep.place(ALICE, 1, 100.05, 500.0, IOC)
    assert "Cannot switch" in exchange.update_leverage(ALICE, "ETH", False, 25)
    assert exchange.update_leverage(ALICE, "ETH", True, 6) is None  # 8333 of 9952
    assert exchange.update_leverage(ALICE, "ETH", True, 5) is not None  # 10000
    assert exchange.accounts.open(ALICE).leverage["ETH"].value == 6


def test_money_moves_only_if_it_is_free(deep):
    exchange = deep.exchange
    deep.exchange.update_leverage(ALICE, "ETH", True, 5)
    deep.place(ALICE, 1, 100.05, 200.0, IOC)  # 4000 of margin; worth 9980.9955
    assert exchange.transfer(ALICE, BOB, 5_981 * USDC) is not None
    assert exchange.transfer(ALICE, BOB, round(5_980.9 * USDC)) is None
    assert usdc(deep, BOB) == pytest.approx(15_980.9)
    assert exchange.transfer(ALICE, BOB, -1) is not None


def test_funding_is_paid_at_each_whole_hour(make_bench):
    bench = make_bench(Rules(funding_rate=Decimal("0.0001")))
    hour = 3_600_000
    first = -(-bench.exchange.now_ms // hour) * hour
    bench.exchange.advance(first - 60_000)
    bench.mark(100.0)
    bench.place(ALICE, 1, 100.05, 30.0, IOC)
    bench.exchange.update_leverage(BOB, "ETH", False, 10)
    bench.place(BOB, -1, 99.95, 20.0, IOC)
    before, free = usdc(bench, ALICE), usdc(bench, BOB)
    bench.exchange.take_events()
    bench.exchange.advance(first - 1)
    assert bench.exchange.funding(ALICE) == []
    bench.exchange.advance(first + hour)
    paid = bench.exchange.funding(ALICE)
    assert [one.time_ms for one in paid] == [first, first + hour]
    assert [one.usdc for one in paid] == [-round(30 * 100 * 0.0001 * USDC)] * 2
    assert usdc(bench, ALICE) == pytest.approx(before - 2 * 0.3)
    assert usdc(bench, BOB) == free  # an isolated position's goes to its own margin
    position = bench.exchange.accounts.open(BOB).positions["ETH"]
    assert position.funding == 2 * round(20 * 100 * 0.0001 * USDC)
    assert len([e for e in bench.exchange.take_events() if isinstance(e, FundingPayment)]) == 4


def test_profit_and_entry_price_of_a_position(deep):
    deep.place(ALICE, 1, 100.05, 10.0, IOC)
    deep.mark(110.0)
    deep.place(ALICE, 1, 110.05, 10.0, IOC)
    position = deep.exchange.accounts.open(ALICE).positions["ETH"]
    assert position.entry_price == pytest.approx(10_505)  # price units of a cent
    assert position.unrealized(11_000) == pytest.approx(20 * (110 - 105.05) * USDC)
    deep.place(ALICE, -1, 109.95, 25.0, IOC)
    closing = deep.exchange.fills(ALICE)[-1]
    assert closing.closed_pnl == round(20 * (109.95 - 105.05) * USDC)
    assert deep.position(ALICE) == -5
    position = deep.exchange.accounts.open(ALICE).positions["ETH"]
    assert position.entry_price == pytest.approx(10_995)
    assert deep.exchange.accounts.open(ALICE).volume == pytest.approx(
        (10 * 100.05 + 10 * 110.05 + 25 * 109.95) * USDC
    )


def test_a_maker_pays_the_makers_fee(deep):
    deep.resting(ALICE, 1, 99.95, 10.0)
    deep.mark(99.0)
    fill = deep.exchange.fills(ALICE)[0]
    assert (fill.fee, fill.crossed) == (round(10 * 99.95 * MAKER * USDC), False)
    assert fill.waited_ms == 100


@pytest.mark.parametrize("is_cross", [True, False])
@pytest.mark.parametrize("side", [1, -1])
def test_an_order_that_would_cost_more_than_its_owner_has_is_refused(bench, side, is_cross):
    """Two accounts must not profit from a loss that one of them cannot pay."""
    bench.exchange.update_leverage(ALICE, "ETH", is_cross, 25)
    far = 190.0 if side > 0 else 10.0
    bench.resting(BOB, -side, far, 200.0)
    assert bench.place(ALICE, side, far, 150.0, IOC).error == POOR
    assert (usdc(bench, ALICE), usdc(bench, BOB)) == (10_000, 10_000)
    assert bench.place(ALICE, side, 100.1 if side > 0 else 100.0, 4.0, IOC).error is None
    if is_cross:  # the cost is covered in addition to the margin
        assert bench.place(ALICE, side, far, 80.0, IOC).error is None


def test_the_fee_of_an_isolated_position_must_be_there_beside_its_margin(deep):
    deep.exchange.update_leverage(ALICE, "ETH", False, 10)
    assert deep.place(ALICE, 1, 100.05, 998.0, IOC).error == POOR  # 9985 of margin, 45 of fees
    assert deep.place(ALICE, 1, 100.05, 990.0, IOC).error is None
    deep.wait(200)
    assert deep.exchange.clearing.insurance == 0
    assert usdc(deep, ALICE) > 0


def test_a_resting_order_far_from_the_mark_is_no_way_to_an_isolated_position_without_worth(bench):
    bench.exchange.update_leverage(ALICE, "ETH", False, 25)
    oid = bench.place(ALICE, 1, 150.0, 100.0).order.oid  # 12 of them are filled, the rest rests
    bench.place(BOB, -1, 150.0, 50.0, IOC)
    assert bench.exchange.order(ALICE, oid).status is OrderStatus.MARGIN_CANCELED
    assert bench.position(ALICE) == 12.0


def test_a_reduce_only_order_may_ask_for_more_than_there_is_to_close(deep):
    deep.exchange.update_leverage(ALICE, "ETH", True, 25)
    deep.place(ALICE, 1, 100.05, 900.0, IOC)
    outcome = deep.place(ALICE, -1, 90.0, 9_000_000.0, IOC, reduce_only=True)
    assert outcome.order.status is OrderStatus.FILLED
    assert deep.position(ALICE) == 0


def test_the_insurance_pays_what_a_stop_beyond_a_gap_leaves_owing(deep):
    deep.exchange.update_leverage(ALICE, "ETH", True, 25)
    deep.place(ALICE, 1, 100.05, 1_000.0, IOC)
    deep.place(ALICE, -1, 60.0, 1_000.0, trigger=(97.0, True, False), reduce_only=True)
    before = usdc(deep, ALICE)
    deep.mark(80.0)
    owing = before + 1_000 * 79.95 * (1 - TAKER)
    assert owing < 0
    assert usdc(deep, ALICE) == 0
    assert deep.exchange.clearing.insurance / USDC == pytest.approx(owing)


@pytest.mark.parametrize("steps", [(100,), (50, 100), (5, 20, 79, 81, 100)])
def test_a_fill_in_one_coin_is_afforded_alike_whatever_the_steps(make_market, steps):
    """Bitcoin falls at 10 ms, ether runs over a bid at 80 ms: both use the marks of 0 ms."""
    ether, bitcoin = (
        make_market(CoinSpec(coin, 4, 25, 0.1), [(99.95, 1000.0)], [(100.05, 1000.0)])
        for coin in ("ETH", "BTC")
    )
    exchange = Exchange([ether, bitcoin], Rules(play_money=1000))
    units, start_ms = CoinUnits(4), exchange.now_ms
    exchange.advance(start_ms)
    for coin, price, size in (("BTC", 100.05, 90.0), ("ETH", 99.0, 2.0)):
        request = OrderRequest(coin, True, units.price_units(price), units.lots(size))
        assert exchange.place(ALICE, [request])[0].error is None
    bitcoin.write(start_ms + 10, bids=[(40.0, 1000.0)], asks=[(40.1, 1000.0)])
    ether.write(start_ms + 80, bids=[(50.0, 1000.0)], asks=[(50.1, 1000.0)])
    for step in steps:
        exchange.advance(start_ms + step)
    assert [(one.coin, one.crossed) for one in exchange.fills(ALICE)[:2]] == [
        ("BTC", True),
        ("ETH", False),
    ]
