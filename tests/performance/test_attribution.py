"""The parts add up to what a plain account of cash and position says, to the last digit."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.performance import attribute, total_of
from tests.performance.conftest import START_MS, fills_of

PRICES = st.integers(1, 10**8).map(lambda ticks: ticks / 1000)
SIZES = st.integers(1, 10**6).map(lambda lots: lots / 10_000)
MID = st.one_of(st.just(np.nan), PRICES)
FILL = st.tuples(
    st.integers(0, 5), st.sampled_from([-1, 1]), PRICES, SIZES,
    st.floats(-0.001, 0.001), MID, MID,
)  # fmt: skip


@st.composite
def streams(draw):
    rows = draw(st.lists(FILL, max_size=40))
    steps, sign, price, size, rate, mid, after = map(
        np.array, zip(*rows, strict=True) if rows else [[]] * 7
    )
    fills = fills_of(
        time_ms=START_MS + np.cumsum(steps.astype(np.int64)),  # several at one time, too
        sign=sign.astype(np.int64),
        price=price.astype(float),
        size=size.astype(float),
        fee=(rate * price * size).astype(float),
    )
    return fills, mid.astype(float), after.astype(float)


def plain_account(fills, opening, start_mark, end_mark, funding):
    """Cash and position, exactly."""
    cash, position = Fraction(0), Fraction(opening)
    for sign, price, size, fee in zip(fills.sign, fills.price, fills.size, fills.fee, strict=True):
        cash -= int(sign) * Fraction(float(price)) * Fraction(float(size)) + Fraction(float(fee))
        position += int(sign) * Fraction(float(size))
    start = Fraction(opening) * Fraction(start_mark)
    return cash + position * Fraction(end_mark) + Fraction(funding) - start


@settings(max_examples=300, deadline=None)
@given(
    streams(),
    st.integers(-1000, 1000).map(lambda lots: lots / 100),
    PRICES,
    PRICES,
    st.floats(-100, 100),
)
def test_the_parts_add_up_to_the_account(stream, opening, start_mark, end_mark, funding):
    fills, mid, after = stream
    found = attribute(
        fills, mid, after, end_mark, opening=opening, start_mark=start_mark, funding=funding
    )
    parts = found.parts
    exact = float(plain_account(fills, opening, start_mark, end_mark, funding))
    tolerance = 1e-9 * (parts.turnover + abs(opening) * start_mark + abs(funding))
    tolerance += 1e-15 * end_mark * (fills.size.sum() + abs(opening))
    assert parts.equity_change == pytest.approx(exact, abs=tolerance)
    assert sum(parts.parts.values()) == pytest.approx(exact, abs=tolerance)
    moved = opening * (end_mark - start_mark) + funding
    assert found.by_fill.total.sum() + moved == pytest.approx(exact, abs=tolerance)


@settings(max_examples=100, deadline=None)
@given(streams(), PRICES)
def test_the_inventory_is_the_position_times_the_moves_of_the_mid(stream, end_mark):
    """Σ q·Δmid along the path, adverse selection included: the form of the textbooks."""
    fills, mid, after = stream
    known = np.isfinite(mid)
    fills, mid, after = fills.rows(known), mid[known], after[known]
    parts = attribute(fills, mid, after, end_mark).parts
    position = np.cumsum(fills.signed_size)
    moved = float(position @ np.diff(mid, append=end_mark))
    scale = float((np.abs(position) * np.maximum(mid, end_mark)).sum())
    together = parts.inventory + parts.adverse_selection
    assert together == pytest.approx(moved, abs=1e-9 * (scale + parts.turnover + 1))


def test_a_round_trip_by_hand():
    """Bought 2 at 99 (mid 100), sold at 103 (mid 102); both times the mid moved against us."""
    fills = fills_of(
        time_ms=[0, 60_000], sign=np.array([1, -1]), price=np.array([99.0, 103.0]),
        size=np.array([2.0, 2.0]), fee=np.array([0.1, 0.2]),
    )  # fmt: skip
    mid, after = np.array([100.0, 102.0]), np.array([99.5, 102.25])
    parts = attribute(fills, mid, after, 102.0, funding=-0.05).parts
    assert parts.spread_captured == pytest.approx(4.0)
    assert parts.adverse_selection == pytest.approx(-1.0 - 0.5)
    assert parts.inventory == pytest.approx(2 * 2.5 + 2 * 0.25)
    assert parts.fees == pytest.approx(-0.3)
    assert parts.equity_change == pytest.approx(8.0 - 0.3 - 0.05)
    assert (parts.turnover, parts.fills) == (404.0, 2)


def test_without_a_mid_nothing_counts_as_spread_and_it_is_counted():
    fills = fills_of(time_ms=[0, 1], sign=np.array([1, 1]), price=np.array([99.0, 99.0]))
    found = attribute(fills, np.array([np.nan, 100.0]), np.array([101.0, np.nan]), 102.0)
    assert found.by_fill.spread.tolist() == [0.0, 1.0]
    assert found.by_fill.adverse.tolist() == [0.0, 0.0]
    assert found.by_fill.inventory.tolist() == [3.0, 2.0]
    assert (found.parts.with_mid, found.parts.with_markout) == (1, 0)


def test_nothing_traded_is_nothing_earned():
    nothing = attribute(fills_of(time_ms=[]), np.empty(0), np.empty(0), 100.0).parts
    assert total_of([nothing, nothing]).equity_change == 0
    assert total_of([]).fills == 0
