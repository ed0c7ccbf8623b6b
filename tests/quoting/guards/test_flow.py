"""Flow guard: a large market order, and the flow after it."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.quoting.guards.flow import FlowGuard, MarketOrder

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)


def order(seconds, size=1.0, buys=True):
    return MarketOrder(START_MS + round(1000 * seconds), buys, size)


def verdict_of(guard, seconds):
    return guard.verdict(START + timedelta(seconds=seconds))


@pytest.fixture
def guard():
    """After forty ordinary orders, the last a second before the start."""
    guard = FlowGuard(10.0, 5.0)
    guard.saw([order(number - 40, buys=number % 2 == 0) for number in range(40)])
    return guard


@pytest.mark.parametrize(("buys", "side"), [(True, "ask"), (False, "bid")])
def test_a_large_order_pauses_the_side_it_hits(guard, buys, side):
    assert verdict_of(guard, 0) is None
    guard.saw([order(0, 9.5, buys)])
    assert verdict_of(guard, 0) is None
    guard.saw([order(0.5, 13.0, buys)])
    verdict = verdict_of(guard, 1)
    assert (verdict.severity, verdict.sides) == ("pause", {side})
    assert verdict.reason.startswith("one-sided flow: a market order of ")


def test_the_parts_of_an_order_are_one(guard):
    guard.saw([order(0, 4.0), order(0, 4.0)])
    assert verdict_of(guard, 0.1) is None
    guard.saw([order(0, 4.0)])
    assert verdict_of(guard, 0.1).sides == {"ask"}


def test_the_pause_lasts_while_the_flow_is_one_sided(guard):
    guard.saw([order(0, 12.0)])
    guard.saw([order(second) for second in range(1, 9)])
    assert verdict_of(guard, 4.9) is not None
    assert verdict_of(guard, 8.5) is not None  # all of the last five seconds' bought
    guard.saw([order(9, 2.0, buys=False), order(9.5, 2.0, buys=False)])
    assert verdict_of(guard, 9.6) is None


def test_a_pause_ends_with_the_cooldown_if_nothing_follows_and_with_six_at_the_latest(guard):
    guard.saw([order(0, 12.0)])
    assert verdict_of(guard, 4.9) is not None
    assert verdict_of(guard, 5.1) is None
    guard.saw([order(10, 15.0)])
    guard.saw([order(10 + second) for second in range(1, 40)])
    assert verdict_of(guard, 39) is not None
    assert verdict_of(guard, 40.1) is None


def test_before_it_has_seen_enough_no_order_is_large():
    guard = FlowGuard(10.0, 5.0)
    guard.saw([order(number) for number in range(20)])
    guard.saw([order(20, 100.0)])
    assert verdict_of(guard, 20) is None
    never = FlowGuard(None, 5.0)
    never.saw([*(order(number) for number in range(40)), order(40, 100.0)])
    assert verdict_of(never, 40) is None
