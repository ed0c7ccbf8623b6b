"""Profit of closed and open trades, with few questions to the database."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from advanced_mm.quoting.trade_profit import TradeProfit

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ETH, BTC = "ETH/USDC:USDC", "BTC/USDC:USDC"


def trade(number, pair=ETH, amount=2.0, open_rate=3000.0):
    return SimpleNamespace(
        id=number, pair=pair, amount=amount,
        calculate_profit=lambda rate: SimpleNamespace(total_profit=amount * (rate - open_rate)),
    )  # fmt: skip


def test_open_trades_are_valued_at_the_mid():
    profit = TradeProfit(lambda: 100.0)
    assert profit.now([], {}, NOON) == 100.0
    assert profit.now([trade(1)], {ETH: 2990.0}, NOON) == 80.0
    both = [trade(1), trade(2, BTC, open_rate=60_000.0)]
    assert profit.now(both, {ETH: 2990.0}, NOON) is None
    assert profit.now(both, {ETH: 2990.0, BTC: 60_005.0}, NOON) == 90.0
    assert profit.now([trade(3, BTC, amount=0.0)], {}, NOON) == 100.0  # an entry that rests


def test_the_database_is_asked_when_a_trade_came_or_went_and_once_a_minute():
    asked = []
    profit = TradeProfit(lambda: asked.append(1) or 10.0)
    for seconds, trades in ((0, [trade(1)]), (1, [trade(1)]), (2, []), (3, []), (63, [])):
        profit.now(trades, {ETH: 3000.0}, NOON + timedelta(seconds=seconds))
    assert len(asked) == 3
