"""Several units, one order at a time: which side rests, what is held, and what may be added."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.model import ModelParameters, solve
from advanced_mm.parameter_files import Settings
from advanced_mm.quoting import Quote
from advanced_mm.quoting.inventory import Inventories
from advanced_mm.quoting.layers import holding_of, offers_at

numbers = st.floats(0.2, 5.0)
problems = st.builds(
    lambda flow, kappa, cost, phi, drift, fee, most, short: ModelParameters(
        lambda_plus=flow[0],
        lambda_minus=flow[1],
        kappa_plus=kappa[0],
        kappa_minus=kappa[1],
        epsilon_plus=cost[0] / kappa[0],
        epsilon_minus=cost[1] / kappa[1],
        impact_slope_plus=cost[0] / 10,
        phi=phi,
        fee=fee / kappa[0],
        drift=drift,
        q_min=-most if short else 0,
        q_max=0 if short else most,
        sides="one",
    ),
    st.tuples(numbers, numbers),
    st.tuples(numbers, numbers),
    st.tuples(st.floats(0, 2), st.floats(0, 2)),
    st.floats(1e-4, 0.1),
    st.floats(-0.3, 0.3),
    st.floats(-0.2, 1),
    st.integers(2, 6),
    st.booleans(),
)


@given(problems)
@settings(max_examples=60)
def test_the_side_that_rests_is_the_one_worth_more_and_never_leaves_the_bounds(problem):
    """Worth lambda*exp(-kappa*d)*(d - move - fee + dh), written out for the depths solved for."""
    solved = solve(problem)
    h = solved.h.tolist()
    for q in range(problem.q_min, problem.q_max + 1):
        depths = dict(zip(("ask", "bid"), solved.depths(q), strict=True))
        (resting,) = (side for side, depth in depths.items() if math.isfinite(depth))
        offers = offers_at(problem, h, q)
        assert set(offers) <= {"ask", "bid"} - ({"ask"} if q == problem.q_min else set()) - (
            {"bid"} if q == problem.q_max else set()
        )
        assert resting in offers
        assert offers[resting].depth == pytest.approx(depths[resting], rel=1e-6, abs=1e-9)
        best = max(offers.values(), key=lambda offer: offer.worth)
        assert offers[resting].worth >= best.worth - 1e-6 * max(abs(best.worth), 1e-3)
        gain = h[q - problem.q_min + (1 if resting == "bid" else -1)] - h[q - problem.q_min]
        if resting == "bid":
            rate = problem.lambda_minus * math.exp(-problem.kappa_minus * depths["bid"])
            worth = rate * (depths["bid"] - problem.epsilon_minus - problem.fee + gain)
            assert offers["bid"].worth == pytest.approx(worth, rel=1e-6, abs=1e-9)


def test_without_a_drift_only_one_unit_is_ever_held():
    """One order at a time earns the same between any two neighbours, and more units cost phi."""
    params = {"kappa_plus": 1.0, "kappa_minus": 1.0, "phi": 1e-3, "sides": "one"}
    flow = {"lambda_plus": 1.0, "lambda_minus": 2.0}
    none = solve(ModelParameters(**params, **flow, q_min=0, q_max=4))
    assert [math.isfinite(d) for d in none.bid_depth] == [True, False, False, False, False]
    up = solve(ModelParameters(**params, **flow, q_min=0, q_max=4, drift=5e-3))  # target 2.5
    assert [math.isfinite(d) for d in up.bid_depth] == [True, True, True, False, False]


def order(side, amount, filled=0.0):
    return SimpleNamespace(ft_order_side=side, ft_amount=amount, safe_filled=filled)


def trade(amount, open_orders=(), unit=1.0, *, short=False, stake=None):
    return SimpleNamespace(
        amount=amount,
        stake_amount=3000.0 * amount,
        is_short=short,
        entry_side="sell" if short else "buy",
        exit_side="buy" if short else "sell",
        orders=[order("sell" if short else "buy", unit, unit), *open_orders],
        open_orders=list(open_orders),
        open_rate=3000.0,
        leverage=1.0,
    )


@pytest.mark.parametrize(
    ("held", "units"),
    [
        (trade(0.0, [order("buy", 1.0)]), 0),
        (trade(0.0, [order("buy", 1.0, 0.4)]), 0),  # it goes on filling
        (trade(0.0, [order("buy", 1.0, 0.6)]), 1),
        (trade(0.3), 1),  # and nothing rests
        (trade(1.0, [order("buy", 1.0, 0.4)]), 1),
        (trade(1.0, [order("buy", 1.0, 0.5)]), 2),
        (trade(2.0, [order("sell", 1.0, 0.6)]), 1),
        (trade(3.0), 3),
        (trade(7.0), 3),
        (trade(1.0, unit=0.0), 3),  # of unknown size: nothing is added
    ],
)
def test_inventory_is_the_amount_in_the_books_to_the_nearest_unit(held, units):
    assert holding_of(held, 3).units == units


def test_a_unit_is_no_more_than_it_is_worth_now():
    """After a change of the configuration the position is reduced, not multiplied."""
    held = holding_of(trade(1.0), 3, stake=1000.0)
    assert held.unit == pytest.approx(1 / 3)
    assert (held.units, held.room) == (3, pytest.approx(0.0))
    assert holding_of(trade(1.0, unit=0.5), 3, stake=3000.0).unit == 0.5


def quote(side, units, price=3000.0):
    opens = (side == "bid") == (units >= 0) if units else True
    return Quote(side, units, price, 3000.0, 1.0, 0.1, "r1", opens=opens)


def adjusted(held, wanted, most=3, **others):
    given = {"factor": 1.0, "unit_stake": None, "least": 11.0, "proposed": 3000.0, "clamp": 0.02}
    bounds = {"q_min": -most} if held.is_short else {"q_max": most}
    mode = Settings(inventory_mode="layered", **bounds)
    return Inventories(mode).adjustment(held, wanted, **given | others)


@given(
    st.floats(0.05, 5.0),
    st.floats(0.1, 2.0),
    st.floats(0.05, 1.0),
    st.integers(2, 6),
    st.booleans(),
)
def test_no_adjustment_leaves_the_limit_or_turns_the_position(amount, unit, factor, most, short):
    held = trade(amount, unit=unit, short=short)
    side = "ask" if short else "bid"
    units = holding_of(held, most).units * (-1 if short else 1)
    added = adjusted(held, quote(side, units), most, factor=factor)
    assert isinstance(added, float) == (abs(units) < most)
    if isinstance(added, float):
        assert added >= 11.0
        assert amount + added / 3000.0 <= max(most * unit, amount) * (1 + 1e-9)
    taken = adjusted(held, quote("bid" if short else "ask", units), most)
    if taken is None:
        assert Inventories(Settings(inventory_mode="layered", q_max=2)).closes_all(
            trade(amount, unit=unit)
        )
    else:  # as Freqtrade turns it into an amount
        offered = -taken * amount / held.stake_amount
        assert offered == pytest.approx(unit)
        assert amount - offered >= 0.5 * unit * (1 - 1e-6)


def test_an_adjustment_is_refused_below_the_minimum_and_where_freqtrade_would_move_it():
    small = adjusted(trade(1.0, unit=1.0), quote("bid", 1), least=3001.0)
    assert "a unit of 3000.00 is less than can be closed in parts, 3001.00" in small.reason
    assert adjusted(trade(1.0), quote("bid", 1), factor=0.1, least=1500.0) == 1500.0
    far = adjusted(trade(1.0, unit=1.0), quote("bid", 1, price=2900.0))
    assert "raise custom_price_max_distance_ratio" in far.reason
