"""Sizes against values by hand, and the property they are made for."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.hedging.sizes import (
    active_hedge_size,
    delta_target,
    inventory_share,
    passive_hedge_size,
    stop_price,
    trigger_price,
)


def test_too_much_inventory_is_sold_down_to_the_target():
    # 10 units at 200 and 1000 of quote: the share is 2/3. Half of 3000 is 7.5 units. A formula
    # with N·i·q in place of N·i·p would buy 17.5.
    assert active_hedge_size(D(10), D(1000), D(200), D("0.5")) == D("2.5")


def test_too_little_inventory_is_bought_up_to_the_target():
    # 2 units at 200 and 1600: the share is 0.2; half of 2000 is 5 units.
    assert active_hedge_size(D(2), D(1600), D(200), D("0.5")) == D(-3)


amounts = st.decimals("0.001", "1000000", places=3)


@given(amounts, amounts, amounts, st.decimals("0.01", "0.99", places=2))
def test_the_share_is_at_the_target_after_the_trade(inventory, quote, price, target):
    sold = active_hedge_size(inventory, quote, price, target)
    after = inventory_share(inventory - sold, quote + sold * price, price)
    assert abs(after - target) < D("1e-18")


def test_an_account_worth_nothing_has_no_share():
    with pytest.raises(ZeroDivisionError):
        inventory_share(D(1), D(-5), D(5))


def test_triggers_and_stops_by_hand():
    assert (trigger_price(D(100), D("0.03"), 1), trigger_price(D(100), D("0.03"), -1)) == (103, 97)
    assert (stop_price(D(103), D("0.02"), 1), stop_price(D(97), D("0.02"), -1)) == (
        D("100.94"),
        D("98.94"),
    )


def test_part_of_the_inventory_is_hedged_on_either_side():
    assert (
        passive_hedge_size(D(8), D("0.5"), D(1)) == passive_hedge_size(D(-8), D("0.5"), D(1)) == 4
    )
    assert passive_hedge_size(D(8), D("0.5"), D("1.5")) == 6


def test_the_delta_target_offsets_inventory_beyond_its_own_target():
    assert delta_target(D(12), D(2), D("0.5")) == -5
    assert delta_target(D(-3), D(0), D(1)) == 3
