"""The price grid: the venue's rules, and no rounding towards the mid."""

import math
import re
from decimal import ROUND_FLOOR, Context, Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.price_grid import PriceGrid

prices = st.floats(0.001, 150_000)
size_decimals = st.integers(0, 5)
EXACT = Context(prec=700)  # digits that hold any sum or difference of two floats of these ranges


@pytest.mark.parametrize(
    ("price", "decimals", "tick"),
    [(3330.8, 4, 0.1), (0.22851, 0, 1e-5), (64123.0, 5, 1.0), (123456.0, 5, 1.0), (21.5, 2, 0.001)],
)
def test_ticks_of_known_coins(price, decimals, tick):
    assert PriceGrid(decimals).tick(price) == tick


@given(prices, st.floats(0, 10), size_decimals)
def test_quotes_lie_on_the_venues_grid_and_never_nearer_than_the_depth(mid, depth, decimals):
    assume(mid - depth > 1.001 * 10.0 ** (decimals - 6))  # a step at least
    grid = PriceGrid(decimals)
    bid, ask = grid.bid(mid, depth), grid.ask(mid, depth)
    slack = 1e-12 * mid
    assert bid <= mid - depth + slack
    assert ask >= mid + depth - slack
    assert mid - depth - bid < grid.tick(mid - depth) + slack
    assert ask - (mid + depth) < grid.tick(ask) + slack
    for price in (bid, ask):
        assert_on_the_grid(price, decimals)


def assert_on_the_grid(price: float, decimals: int) -> None:
    """The venue's rule, on the digits as they are written."""
    sign, digits, exponent = Decimal(repr(price)).normalize().as_tuple()
    assert not sign and any(digits)
    assert exponent >= 0 or (len(digits) <= 5 and -exponent <= 6 - decimals)


@given(st.floats(1e-9, 1e9), st.floats(0, 1e9), st.integers(0, 6), st.sampled_from([0, 1e-6, 0.1]))
@example(mid=0.0000004, depth=0.0, decimals=0, least_tick=0)  # under one step
@example(mid=1.0, depth=0.9999999, decimals=0, least_tick=0)
@example(mid=1000.0, depth=999.95, decimals=6, least_tick=0.1)
@example(mid=0.05, depth=0.0, decimals=4, least_tick=0.1)
@example(mid=0.01, depth=1e-275, decimals=4, least_tick=0)  # needs exact arithmetic
def test_whatever_comes_out_is_a_price_behind_the_mid_or_an_error(mid, depth, decimals, least_tick):
    grid = PriceGrid(decimals, least_tick)
    ask = grid.ask(mid, depth)
    assert math.isfinite(ask)
    assert Decimal(repr(ask)) >= EXACT.add(Decimal(repr(mid)), Decimal(repr(depth)))
    assert_on_the_grid(ask, decimals)
    below = EXACT.subtract(Decimal(repr(mid)), Decimal(repr(depth)))
    try:
        bid = grid.bid(mid, depth)
    except InputError as error:
        assert "cannot be quoted" in str(error)
        # Nothing was refused that could be quoted: the finest price of all lies above.
        assert below < Decimal(repr(max(10.0 ** (decimals - 6), least_tick)))
    else:
        assert 0 < Decimal(repr(bid)) <= below
        assert_on_the_grid(bid, decimals)


def test_a_bid_under_one_step_is_no_bid():
    with pytest.raises(
        InputError, match=r"cannot be quoted: .* step is 0\.01 there.* price is 0\b"
    ):
        PriceGrid(4).bid(0.014, 0.005)
    assert PriceGrid(4).bid(0.014, 0.004) == 0.01
    assert PriceGrid(4).ask(0.004, 0.001) == 0.01


@pytest.mark.parametrize("number", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_numbers_that_are_no_price_are_named(number):
    grid = PriceGrid(4)
    for ask_for in (grid.tick, lambda mid: grid.bid(mid, 0.0), lambda mid: grid.ask(mid, 0.0)):
        with pytest.raises(InputError, match=re.escape(f"{number}")):
            ask_for(number)
    if number:
        with pytest.raises(InputError, match=re.escape(f"a depth of {number}")):
            grid.ask(100.0, number)


def test_no_step_but_a_power_of_ten_or_none():
    with pytest.raises(InputError, match="price step = nan"):
        PriceGrid(4, math.nan)


@given(prices, size_decimals)
def test_a_grid_price_is_left_alone(price, decimals):
    grid = PriceGrid(decimals)
    on_grid = grid.ask(price, 0)
    assert grid.ask(on_grid, 0) == on_grid
    assert grid.bid(on_grid, 0) == on_grid


def test_a_client_with_a_coarser_precision_still_gets_prices_away_from_the_mid():
    """Freqtrade's precision of 0.1, loaded above 1000, when the price has fallen below."""
    grid = PriceGrid(4, least_tick=0.1)
    assert grid.tick(998.77) == 0.1
    assert grid.bid(998.77, 0.0) == 998.7
    assert grid.ask(998.77, 0.0) == 998.8
    assert grid.tick(12345.0) == 1.0


def test_what_cannot_be_quoted_is_refused():
    with pytest.raises(InputError, match="cannot be quoted"):
        PriceGrid(4).bid(1.0, 2.0)
    with pytest.raises(InputError, match="cannot be quoted"):
        PriceGrid(4).ask(math.inf, 2.0)
    with pytest.raises(InputError, match="szDecimals = 9"):
        PriceGrid(9)


def nearest_below(price: Decimal, decimals: int) -> Decimal:
    """The venue's rule read backwards: the longest of the decimals allowed that are no more than
    five figures, cut off; and whole numbers always.
    """
    found = price.to_integral_value(ROUND_FLOOR)
    for places in range(7 - decimals):
        cut = price.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR, EXACT)
        if len(cut.normalize().as_tuple().digits) <= 5:
            found = max(found, cut)
    return found


@given(
    st.floats(-6, 6).map(lambda exponent: float(f"{10**exponent:.12g}")),
    st.one_of(st.just(0.0), st.floats(1e-7, 0.5)),
    st.integers(0, 6),
)
@example(mid=0.000001, share=0.0, decimals=0)
@example(mid=99999.5, share=0.0, decimals=0)
@example(mid=1e6, share=1e-7, decimals=6)
def test_the_nearest_price_is_found_from_a_millionth_to_a_million(mid, share, decimals):
    """Exactly, on decimal numbers: no other price of the grid lies between it and the quote."""
    depth = share * mid
    grid, below = PriceGrid(decimals), EXACT.subtract(Decimal(repr(mid)), Decimal(repr(depth)))
    nearest = nearest_below(below, decimals)
    if nearest == 0:
        with pytest.raises(InputError, match="cannot be quoted"):
            grid.bid(mid, depth)
    else:
        assert Decimal(repr(grid.bid(mid, depth))) == nearest
    above = EXACT.add(Decimal(repr(mid)), Decimal(repr(depth)))
    ask = Decimal(repr(grid.ask(mid, depth)))
    step = Decimal(repr(grid.tick(float(above))))
    assert ask >= above
    assert ask - above < step
    assert nearest_below(ask, decimals) == ask
