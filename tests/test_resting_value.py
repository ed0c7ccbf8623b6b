"""The benchmark's arithmetic: what a resting quote is worth, and where the rest is lost."""

import json
from dataclasses import replace
from math import exp

import numpy as np
import pytest

from advanced_mm.journal import QuoteSent
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.parameter_files import Settings
from advanced_mm.performance.intervals import Figure
from benchmarks import strategy
from benchmarks.answered_calls import Call
from benchmarks.resting_value import PARTS, Stay, Worth, promise, stays, worth
from benchmarks.strategy_outcome import Outcome, limits

MARKET = SyntheticParameters(sigma=0.4)
SETTINGS = Settings(phi=0.0)
FEE = SETTINGS.fee_rate * 3000
AT_ONCE = promise(MARKET, SETTINGS, 3000.0, 0.0)
BID = Stay(0, 10_000, "bid", 0, 2998.8, 1.2, 0.1, "open")


def law(depth):
    """λe^(−κδ)(δ − ε − c): without a penalty, equal sides gain nothing by inventory."""
    return exp(-2 * depth) * (depth - 0.18 - FEE)


def looked_at(orders, mids, end_ms=10_000, promised=AT_ONCE):
    times = np.array(sorted(mids))
    values = np.array([mids[at] for at in sorted(mids)])
    return worth(orders, times, values, promised, 0, end_ms)


def test_an_instant_maker_is_promised_the_closed_form():
    best = 0.5 + 0.18 + FEE
    assert AT_ONCE.depth["bid", 0] == pytest.approx(best)
    assert AT_ONCE.at(0) == AT_ONCE.at(1) == pytest.approx(law(best))
    assert ("ask", 0) not in AT_ONCE.rate


def test_quotes_that_age_are_promised_less():
    at = [promise(MARKET, SETTINGS, 3000.0, seconds).at(0) for seconds in (0.0, 0.2, 1.2)]
    assert at[0] > at[1] > at[2] > 0
    # κ²σ²t/2 at the mean age, σ² with the jumps of both sides: 2·0.6·E J²
    assert at[1] / at[0] == pytest.approx(exp(-4 * (0.16 + 1.2 * 0.12) * 0.1 / 2), rel=0.02)


def test_a_quote_that_rests_where_it_was_put_loses_by_its_depth_alone():
    found = looked_at([BID], {-1: 3000.0})
    assert found.value == pytest.approx(law(1.2))
    assert found.lost["estimates"] == pytest.approx(found.promised - law(1.2))
    for part in ("dead", "age", "ticks"):
        assert found.lost[part] == pytest.approx(0, abs=1e-12)
    assert (found.resting, found.depth) == pytest.approx((1.0, 1.2))


def test_a_mid_that_leaves_the_quote_is_age():
    found = looked_at([BID], {-1: 3000.0, 5_000: 3000.5})
    assert found.value == pytest.approx((law(1.2) + law(1.7)) / 2)
    assert found.lost["age"] == pytest.approx((law(1.2) - law(1.7)) / 2)
    assert found.lost["ticks"] == pytest.approx(0, abs=1e-12)


def test_a_mid_beyond_the_quote_counts_as_there():
    assert looked_at([BID], {-1: 2990.0}).value == pytest.approx(law(0.0))


@pytest.mark.parametrize(("side", "price"), [("bid", 2998.7), ("ask", 3001.3)])
def test_rounding_away_from_the_mid_is_ticks(side, price):
    order = Stay(0, 10_000, side, int(side == "ask"), price, 1.23, 0.1, "open")
    found = looked_at([order], {-1: 3000.0})
    assert found.value == pytest.approx(law(1.3))
    assert found.lost["ticks"] == pytest.approx(law(1.23) - law(1.3))
    assert found.lost["age"] == pytest.approx(0, abs=1e-12)


def test_time_without_a_quote_loses_the_promise_and_says_after_what():
    orders = [
        replace(BID, ended_ms=2_000, ended="canceled"),
        replace(BID, placed_ms=3_000, ended_ms=6_000, ended="filled"),
        Stay(8_000, 10_000, "ask", 1, 3001.2, 1.2, 0.1, "open"),
    ]
    found = looked_at(orders, {-1: 3000.0})
    assert found.resting == pytest.approx(0.7)
    assert found.dead_after == pytest.approx(
        {"canceled": 0.1 * found.promised, "filled": 0.2 * found.promised}
    )
    assert found.lost["dead"] == pytest.approx(sum(found.dead_after.values()))


def test_depths_for_another_age_than_the_promise_s_lose_by_that():
    older = promise(MARKET, SETTINGS, 3000.0, 2.2)
    order = replace(BID, depth=1.2)
    times, mids = np.array([-1]), np.array([3000.0])
    found = worth([order], times, mids, AT_ONCE, 0, 10_000, older)
    best, older_best = AT_ONCE.depth["bid", 0], older.depth["bid", 0]
    assert found.lost["counted age"] == pytest.approx(law(best) - law(older_best))
    assert found.lost["estimates"] == pytest.approx(law(older_best) - law(1.2))


def test_the_parts_add_up_exactly():
    rng = np.random.default_rng(7)
    mids = dict(enumerate(3000 + np.cumsum(rng.normal(0, 0.05, 600)).round(1) - 0.05))
    times = 100 * np.arange(600)
    orders = [
        Stay(at, at + 350, side, int(side == "ask"), round(mids[at // 100], 1) + away, 1.1, 0.1, "")
        for at in range(0, 60_000, 500)
        for side, away in [[("bid", -1.2), ("ask", 1.3)][at % 1000 // 500]]
    ]
    promised = promise(MARKET, Settings(), 3000.0, 0.35)
    values, counted = np.array(list(mids.values())), promise(MARKET, Settings(), 3000.0, 2.2)
    found = worth(orders, times, values, promised, 0, 60_000, counted)
    assert set(found.lost) == set(PARTS)
    assert all(amount != 0 for amount in found.lost.values())
    assert found.value + sum(found.lost.values()) == pytest.approx(found.promised, rel=1e-12)


def test_orders_are_those_of_the_venue_with_the_depths_of_the_journal():
    sent = QuoteSent(
        time_ms=0, coin="ETH", bot="bot", order="7", side="bid", price=2999.0, size=1.0, mid=3000.0,
        depth=1.0, tick=0.1, inventory=0.0, units=0, purpose="entry", fair_price=3000.2,
    )  # fmt: skip
    known = {"oid": 7, "timestamp": 5}
    history = [
        {"order": {"oid": 8, "timestamp": 9}, "status": "open", "statusTimestamp": 9},
        {"order": known, "status": "canceled", "statusTimestamp": 8},
    ]
    (found,) = stays(history, {"7": sent})
    assert (found.placed_ms, found.ended_ms, found.ended) == (5, 8, "canceled")
    assert found.depth == pytest.approx(0.8)  # from the mid: the fair price is 0.2 above it


WORTH = Worth(0.05, 0.045, dict.fromkeys(PARTS, 0.001), {"filled": 0.00125}, 1.2, 0.97)


def outcome(**changed):
    kept = Outcome(
        calls=[Call(0.2, 0.1), Call(0.3, 0.1)],
        ages=[0.1, 0.3, 0.9],
        quote_age=0.4,
        weight=100.0,
        actions=90.0,
        worth=WORTH,
        own=replace(WORTH, promised=0.048),
        at_once=0.06,
        income=Figure(120.0, "USDC an hour", -10.0, 250.0, 20),
        edge=Figure(1.5, "bp", 0.5, 2.5, 40),
        orders=45.0,
        minutes=20.0,
    )
    return replace(kept, **changed)


REST_BOT = outcome(weight=250.0, calls=[], ages=[])


def test_the_limits_are_those_of_the_strategy_and_half_of_the_weight_over_rest():
    kept = limits({"REST": REST_BOT, "strategy": outcome()})
    assert [one.value for one in kept] == pytest.approx([0.15, 0.3, 100, 0.9, 0.9375])
    assert all(one.kept for one in kept)
    slow = outcome(calls=[Call(0.3, 0.1)], ages=[0.4], weight=126.0)
    slow = replace(slow, worth=replace(WORTH, value=0.04), own=replace(WORTH, value=0.04))
    missed = limits({"REST": REST_BOT, "strategy": slow})
    assert not any(one.kept for one in missed)
    unknown = outcome(calls=[], ages=[])
    assert not limits({"REST": REST_BOT, "strategy": unknown})[0].kept


def test_a_run_is_shown_as_a_table_or_as_json(monkeypatch, capsys):
    outcomes = {"REST": REST_BOT, "strategy": outcome(), "fixed": outcome()}
    monkeypatch.setattr(strategy, "trade", lambda minutes, folder: outcomes)
    monkeypatch.setattr(strategy, "configure_logging", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    assert strategy.main(["--quick"]) == 0
    shown = capsys.readouterr().out
    for cell in ("0.250 (0.290)", "90.0%", "+2.0%", "173 (0.4 s)", "+120 (-10 to +250)"):
        assert cell in shown, cell
    assert shown.count("kept: ") == 5
    outcomes["strategy"] = outcome(ages=[1.0])
    assert strategy.main(["--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["bots"]["REST"]["minutes"] == 20
    assert told["bots"]["strategy"]["share_of_promise"] == pytest.approx(0.9)
    assert sum(told["bots"]["fixed"]["lost"].values()) == pytest.approx(0.1)
    assert [one["kept"] for one in told["limits"]] == [True, False, True, True, True]
