"""Losses of closed trades, which a pause does not make forgotten."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from freqtrade.persistence import Trade
from freqtrade.plugins.protections.max_drawdown_protection import MaxDrawdown

from advanced_mm.quoting.guards.account import AccountGuard
from advanced_mm.quoting.guards.closed_losses import ClosedLossesGuard

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_day_of_losses_costs_little_more_than_the_drawdown_though_each_pause_ends():
    account, closed = AccountGuard(None, 0.05, HOUR), ClosedLossesGuard(0.05, HOUR)
    profit, lost = 0.0, []
    for minute in range(1440):
        now = NOON + minute * MINUTE
        account.saw(profit, 1000.0, now)
        if not account.verdicts() and closed.verdict(now) is None:
            profit -= 1.0
            lost.append(now)
            closed.closed([(now, -1.0)], 1000.0, now)
    assert 50 < -profit < 80
    assert min(b - a for a, b in pairwise(lost[51:])) >= HOUR


@pytest.mark.parametrize("at_once", [False, True])
def test_it_pauses_where_freqtrades_protection_does(monkeypatch, at_once):
    """For each trade of two days the same answer; at a start, for the last."""
    config = {
        "method": "MaxDrawdown",
        "calculation_mode": "equity",
        "trade_limit": 1,
        "max_allowed_drawdown": 0.05,
        "lookback_period": 1440,
        "stop_duration": 60,
    }
    theirs = MaxDrawdown({"timeframe": "1m"}, config)
    profits = [20.0, -30.0, -25.0, 5.0, 40.0, -1.0, 3.0, -20.0, -30.0, 60.0] * 3
    times = [NOON + k * 97 * MINUTE for k in range(len(profits))]
    told, answers = [], []

    def proxy(is_open, close_date=None, **_):
        return [one for one in told if close_date is None or one.close_date_utc > close_date]

    monkeypatch.setattr(Trade, "get_trades_proxy", proxy)
    ours = ClosedLossesGuard(0.05, HOUR)
    for at, profit in zip(times, profits, strict=True):
        told.append(SimpleNamespace(close_date_utc=at, close_date=at, close_profit_abs=profit))
        if at_once:
            ours = ClosedLossesGuard(0.05, HOUR)
            trades = [(one.close_date_utc, one.close_profit_abs) for one in told]
            ours.closed(trades, 1000.0, at)
        else:
            ours.closed([(at, profit)], 1000.0, at)
        locked = theirs.global_stop(at, "long", 1000.0) is not None
        answers.append(locked)
        assert (ours.verdict(at + 59 * MINUTE) is not None) == locked
        assert ours.verdict(at + HOUR) is None
    assert len(set(answers)) == 2


def test_without_a_limit_or_a_known_capital_nothing_is_judged():
    for most, capital in ((None, 1000.0), (0.05, None)):
        guard = ClosedLossesGuard(most, HOUR)
        guard.closed([(NOON, -900.0)], capital, NOON)
        assert guard.verdict(NOON) is None
