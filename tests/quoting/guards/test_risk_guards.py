"""All guards together: what they say of an entry, and what they tell when it changes."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.parameter_files import Settings
from advanced_mm.quoting.guards import MarketOrder, RiskGuards, Ruling

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(milliseconds=50)
NOON_MS = round(NOON.timestamp() * 1000)


def rule(guards, side="bid", now=NOON, held=0.0):
    return guards.rule("ETH", side, 1.0, held, now)


@pytest.fixture
def told():
    return []


@pytest.fixture
def build(told):
    def built(**settings):
        guards = RiskGuards(Settings(**settings), told.append, most_stops=1)
        guards.saw("ETH", 2999.9, 3000.1, NOON)
        return guards

    return built


def test_a_quiet_market_is_quoted(build, told):
    assert rule(build()) == Ruling(None, 1.0)
    assert told == []


def test_each_guard_refuses_with_its_own_reason(build):
    kinds = {}
    for name, settings, act in (
        ("volatility", {}, lambda g: g.saw("ETH", 2979.9, 2980.1, LATER)),
        ("price_band", {"volatility_limit": None}, lambda g: g.saw("ETH", 2800, 2801, NOON)),
        ("halt", {}, lambda g: g.failed("order", "ETH", "Trading is halted.", NOON)),
        ("flow", {}, lambda g: g.traded("ETH", [
            *(MarketOrder(NOON_MS - 1000 + n, n % 2 == 0, 1.0) for n in range(40)),
            MarketOrder(NOON_MS, False, 30.0),
        ])),
        ("funding", {"funding_pause_seconds": 3600}, lambda g: g.funding("ETH", 0.001)),
        ("position", {"max_position_value": 100}, lambda g: None),
        ("spread", {"min_market_spread_bp": 1.0}, lambda g: None),
        ("errors", {"max_errors_in_a_row": 1}, lambda g: g.failed("order", None, "502", NOON)),
        ("daily_loss", {"max_drawdown": 1.0}, lambda g: [
            g.account.saw(profit, 1000, NOON) for profit in (0, -40)]),
        ("drawdown", {"max_daily_loss": None}, lambda g: [
            g.account.saw(profit, 1000, NOON) for profit in (0, -60)]),
        ("stops", {}, lambda g: g.stops.stopped([NOON])),
    ):  # fmt: skip
        guards = build(**settings)
        act(guards)
        ruling = rule(guards, held=100.0)
        assert ruling.refusal is not None, name
        assert [one.guard for one in guards.active("ETH")] == [name]
        kinds[name] = ruling.refusal.partition(":")[0]
        assert guards.rule("BTC", "bid", 1.0, 0.0, NOON).refusal == (
            ruling.refusal if name in ("errors", "daily_loss", "drawdown", "stops") else None
        )
    assert len(set(kinds.values())) == len(kinds)


def test_what_hits_one_side_leaves_the_other(build):
    guards = build(funding_pause_seconds=3600)
    guards.funding("ETH", 0.001)
    assert rule(guards, "bid").refusal is not None
    assert rule(guards, "ask").refusal is None


def test_the_widest_wins_and_a_pause_is_told_before_it(build):
    guards = build(price_band=0.01)
    for second in range(11):
        mid = 3000 + 1.6 * (second % 2) + 2 * second
        guards.saw("ETH", mid - 0.1, mid + 0.1, NOON + timedelta(seconds=second))
    later = NOON + timedelta(seconds=10)
    assert rule(guards, now=later) == Ruling(
        "volatility: the mid moves 2.6 times as much as usual, at most 2 allowed", 1.5
    )


def test_changes_are_told_once_and_their_end_too(build, told, caplog):
    guards = build(min_market_spread_bp=1.0, min_quote_age_seconds=0.0)
    for _ in range(3):
        rule(guards)
    guards.saw("ETH", 2999.0, 3001.0, LATER)
    for _ in range(3):
        rule(guards)
    assert [(one.coin, one.guard, one.verdict and one.verdict.severity) for one in told] == [
        ("ETH", "spread", "pause"),
        ("ETH", "spread", None),
    ]
    assert caplog.text.count("ETH: guard spread pauses entries: narrow spread") == 1


def test_a_touch_that_is_not_sane_is_left_out(build):
    guards = build()
    for bid, ask in ((0.0, 1.0), (3001.0, 3000.0), (1.0, float("inf")), (float("nan"), 1.0)):
        guards.saw("ETH", bid, ask, NOON)
    assert rule(guards).refusal is None


def test_a_spread_that_changes_with_each_message_does_not_take_an_entry_away_and_back(build):
    guards = build(min_market_spread_bp=1.0, min_quote_age_seconds=0.2)

    def refused(half, ms):
        now = NOON + timedelta(milliseconds=ms)
        guards.saw("ETH", 3000 - half, 3000 + half, now)
        return rule(guards, now=now).refusal is not None

    looks = [refused(0.2, 50), refused(0.1, 100), refused(0.2, 150), refused(0.2, 250)]
    assert looks == [False, True, True, True]
    assert not refused(0.2, 350)
