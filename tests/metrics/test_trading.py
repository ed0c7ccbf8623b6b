"""A bot's or maker's own metrics: what is counted of events and loops, and of clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.journal import (
    AccountMarked,
    Fill,
    Funding,
    GuardChanged,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
)
from advanced_mm.metrics.trading import TradingMetrics
from advanced_mm.metrics.watch import BotWatch

WHO = {"time_ms": 1, "coin": "ETH", "bot": "b"}
ALL = {**WHO, "coin": ""}
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def told(metrics):
    return {(s.metric, *s.labels): s.value for s in metrics.samples()}


def sent(side):
    return QuoteSent(
        **WHO, order="o", side=side, price=1, size=1, mid=1, depth=0, tick=1, inventory=0, units=0,
        purpose="entry",
    )  # fmt: skip


def filled(side, price, size, fee, after=None, mid=None):
    return Fill(
        **WHO, fill="f", order="o", side=side, price=price, size=size, fee=fee,
        position_after=after, mid=mid,
    )  # fmt: skip


def recorded(*events):
    metrics = TradingMetrics("b")
    for event in events:
        metrics.recorded(event)
    return told(metrics)


def test_nothing_is_told_of_what_is_not_known():
    assert recorded() == {}


def test_quotes_fills_and_money_are_counted():
    found = recorded(
        sent("bid"), sent("bid"), sent("ask"),
        QuoteEnded(**WHO, order="o", outcome="cancelled", why="", filled_size=0, age_seconds=1),
        filled("bid", 100.0, 2.0, 0.03, 2.0), filled("ask", 101.0, 0.5, -0.01, 1.5),
        Funding(**WHO, amount=-0.2),
    )  # fmt: skip
    assert found == {
        ("quotes_sent_total", "b", "ETH", "bid"): 2,
        ("quotes_sent_total", "b", "ETH", "ask"): 1,
        ("quotes_ended_total", "b", "ETH", "cancelled"): 1,
        ("fills_total", "b", "ETH", "bid"): 1,
        ("fills_total", "b", "ETH", "ask"): 1,
        ("turnover_quote_total", "b", "ETH"): 250.5,
        ("fees_quote", "b", "ETH"): pytest.approx(0.02),
        ("funding_quote", "b", "ETH"): -0.2,
        ("inventory_base", "b", "ETH"): 1.5,
    }


def test_what_fills_were_better_than_the_mid_adds_up():
    found = recorded(
        filled("bid", 100.0, 2.0, 0.0, mid=100.5), filled("ask", 101.0, 0.5, 0.0, mid=101.2)
    )
    assert found["spread_captured_quote", "b", "ETH"] == pytest.approx(1.0 - 0.1)


def test_a_maker_s_profit_and_requests_are_told_once_they_are_known():
    metrics = TradingMetrics("m")
    metrics.earned("m.x", "ETH", None)
    metrics.allowed("m.x", None)
    assert told(metrics) == {}
    metrics.earned("m.x", "ETH", -2.5)
    metrics.allowed("m.x", 900)
    assert told(metrics) == {
        ("market_profit_quote", "m.x", "ETH"): -2.5,
        ("requests_left", "m.x"): 900,
    }


def test_a_look_corrects_the_inventory_and_marks_tell_of_the_account():
    found = recorded(
        filled("bid", 100.0, 2.0, 0.0, 2.0), Look(**WHO, what="minute", position=1.0),
        AccountMarked(**ALL, profit=3.0, peak=5.0, day_start=0.0),
        RequestsUsed(**ALL, used=900, allowed=1500),
    )  # fmt: skip
    assert found["inventory_base", "b", "ETH"] == 1.0
    assert found["account_profit_quote", "b"] == 3.0
    assert found["requests_left", "b"] == 600


def test_guards_and_refusals_are_there_while_they_last():
    def guard(does):
        return GuardChanged(
            **WHO, guard="volatility", does=does, sides="both", widen=1.0, reason=None
        )

    pause = [guard("widen"), guard("pause"), RefusalChanged(**WHO, kind="toxic", reason="toxic: 3")]
    assert recorded(*pause) == {
        ("guard_active", "b", "ETH", "volatility", "pause"): 1,
        ("refused", "b", "ETH", "toxic"): 1,
    }
    assert recorded(*pause, guard("over"), RefusalChanged(**WHO, kind="", reason=None)) == {}


def test_the_time_of_loops_is_from_their_beginning_to_their_end():
    metrics = TradingMetrics("b")
    metrics.looped(10.0, 9.0)
    metrics.looped(11.0, 10.25)
    metrics.looped(12.0, 11.5)
    found = told(metrics)
    assert found["loops_total", "b"] == 3
    assert found["loop_seconds_total", "b"] == 0.75
    assert found["loop_timestamp_seconds", "b"] == 12.0


def test_a_clock_is_judged_by_the_freshest_of_several_books_not_by_a_stale_one():
    metrics = TradingMetrics("b")
    for second in range(4):
        metrics.book("ETH", second, second + 30.4)
    assert told(metrics) == {}, "too few books"
    metrics.book("ETH", 4.0, 34.2)
    for seen in range(35, 80):  # the same book again
        metrics.book("ETH", 4.0, float(seen))
    assert told(metrics) == {("clock_offset_seconds", "ETH"): pytest.approx(30.2)}
    for second in range(100, 106):  # the clock was set: the minute before is forgotten
        metrics.book("ETH", second, second + 0.3)
    assert told(metrics)["clock_offset_seconds", "ETH"] == pytest.approx(0.3)


def test_with_all_of_it_off_a_loop_leaves_nothing_behind():
    watch = BotWatch("b", alerts=False, port=None)
    watch.loop(NOW, NOW)
    assert told(watch.metrics) == {}
    assert not watch.is_due(NOW)
    assert watch.messages(NOW) == []


def test_a_bot_looks_every_five_seconds_also_after_the_clock_was_put_back():
    watch = BotWatch("b", alerts=True, port=None)
    due = [watch.is_due(NOW + timedelta(seconds=s)) for s in (0, 3, 4.9, 5, 6, -3600, -3599)]
    assert due == [True, False, False, True, False, True, False]


def test_a_loop_that_came_late_is_told_once_it_has_come_and_that_it_is_over():
    watch = BotWatch("b", alerts=True, port=None)

    def loop(second):
        at = NOW + timedelta(seconds=second)
        watch.loop(at, at)
        return watch.messages(at)

    assert [loop(s) for s in (0, 1, 20)] == [[], [], []]
    late, over = loop(60)
    assert late.startswith("Critical: LoopLate (`b`): `no loop has begun for half a minute`.")
    assert over == "Over: LoopLate (`b`)."
    assert loop(61) == []


def test_a_bot_s_own_limit_counts_where_it_allows_more():
    watch = BotWatch(
        "b", alerts=True, port=None, limits={"ParametersStale": 600.0, "DataStale": 10.0}
    )
    watch.metrics.parameters("ETH", NOW, NOW)
    names = [m.split()[1] for m in watch.messages(NOW + timedelta(seconds=500))]
    assert names == ["DataStale"]
    assert not watch.messages(NOW + timedelta(seconds=119))[1:]
    told_now = watch.messages(NOW + timedelta(seconds=601))
    assert any("ParametersStale" in message for message in told_now)
