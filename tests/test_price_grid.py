"""The price grid: the venue's rules, and no rounding towards the mid."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.price_grid import PriceGrid

prices = st.floats(0.001, 150_000)
size_decimals = st.integers(0, 5)


@pytest.mark.parametrize(
    ("price", "decimals", "tick"),
    [(3330.8, 4, 0.1), (0.22851, 0, 1e-5), (64123.0, 5, 1.0), (123456.0, 5, 1.0), (21.5, 2, 0.001)],
)
def test_ticks_of_known_coins(price, decimals, tick):
    assert PriceGrid(decimals).tick(price) == tick


@given(prices, st.floats(0, 10), size_decimals)
def test_quotes_lie_on_the_venues_grid_and_never_nearer_than_the_depth(mid, depth, decimals):
    assume(mid - depth > 0.0005)
    grid = PriceGrid(decimals)
    bid, ask = grid.bid(mid, depth), grid.ask(mid, depth)
    slack = 1e-12 * mid
    assert bid <= mid - depth + slack
    assert ask >= mid + depth - slack
    assert mid - depth - bid < grid.tick(mid - depth) + slack
    assert ask - (mid + depth) < grid.tick(ask) + slack
    for price in (bid, ask):
        if price > 0:
            digits = f"{price:.10f}".rstrip("0").rstrip(".")
            significant = digits.replace(".", "").lstrip("0")
            assert price == int(price) or len(significant) <= 5
            assert len(digits.partition(".")[2]) <= 6 - decimals


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
