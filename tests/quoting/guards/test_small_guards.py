"""Guards that are one comparison: funding, spread, position, errors in a row."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.quoting.guards.errors import ErrorGuard
from advanced_mm.quoting.guards.funding import funding_verdict
from advanced_mm.quoting.guards.position import position_verdict, room
from advanced_mm.quoting.guards.spread import narrow_market, narrow_round_trip

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(("rate", "side"), [(0.0001, "bid"), (-0.0001, "ask")])
def test_shortly_before_the_hour_the_side_that_would_pay_is_not_opened(rate, side):
    for seconds, sides in ((3479, None), (3481, {side}), (3599, {side}), (3600, None)):
        verdict = funding_verdict(rate, 0.5, 120.0, NOON + timedelta(seconds=seconds))
        assert (verdict and verdict.sides) == sides
    reason = funding_verdict(rate, 0.5, 120.0, NOON - timedelta(seconds=60)).reason
    payer = "long" if rate > 0 else "short"
    assert reason == f"funding: a {payer} position pays 1.00 bp in 60 s, at most 0.5 bp allowed"


def test_usual_or_unknown_funding_and_any_are_paid():
    before = NOON - timedelta(seconds=60)
    assert funding_verdict(0.0000125, 0.5, 120.0, before) is None
    assert funding_verdict(None, 0.5, 120.0, before) is None
    assert funding_verdict(0.01, None, 120.0, before) is None


def test_a_market_narrower_than_wanted_is_left_alone():
    assert narrow_market(2999.9, 3000.1, 0.6) is None
    assert narrow_market(2999.9, 3000.1, 0.0) is None
    reason = narrow_market(2999.9, 3000.1, 0.7).reason
    assert reason == "narrow spread: the market's is 0.67 bp, at least 0.7 bp wanted"


def test_a_round_trip_must_pay_both_fees():
    assert narrow_round_trip(0.5, 0.5, 0.45, 3000.0) is None
    reason = narrow_round_trip(0.6, 0.2, 0.45, 3000.0)
    assert reason == (
        "narrow spread: a round trip at these quotes earns 2.67 bp, its fees are 3.00 bp"
    )
    assert narrow_round_trip(0.0, 0.0, -0.1, 3000.0) is None
    assert narrow_round_trip(0.0, 0.0, 0.0, 3000.0) is None


def test_a_position_at_its_limit_has_no_room():
    assert room(500.0, 2000.0) == room(-500.0, 2000.0) == 1500.0
    assert position_verdict(1999.0, 2000.0) is None
    assert position_verdict(1e12, None) is None
    verdict = position_verdict(-2100.0, 2000.0)
    assert verdict.reason == "position limit: 2100.00 held, at most 2000 allowed"
    assert room(2100.0, 2000.0) == 0.0


def test_errors_in_a_row_pause_and_a_success_ends_the_row():
    guard = ErrorGuard(3, 60.0)
    for _ in range(2):
        guard.failed("order", "502", NOON)
    guard.worked("question")  # a book says nothing about orders
    assert guard.verdict(NOON) is None
    guard.failed("order", "Insufficient margin", NOON + timedelta(seconds=1))
    verdict = guard.verdict(NOON + timedelta(seconds=6))
    assert verdict.reason == (
        "exchange errors: 3 in a row for orders, the last 5 s ago: Insufficient margin"
    )
    assert guard.verdict(NOON + timedelta(seconds=61)) is None  # one may try again
    guard.failed("order", "502", NOON + timedelta(seconds=62))
    assert guard.verdict(NOON + timedelta(seconds=62)) is not None
    guard.worked("order")
    assert guard.verdict(NOON + timedelta(seconds=62)) is None
    endless = ErrorGuard(None, 60.0)
    for _ in range(100):
        endless.failed("order", "502", NOON)
    assert endless.verdict(NOON) is None
