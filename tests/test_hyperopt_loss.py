"""Hyperopt's objective on candles: profit less one deviation of holding, less the drawdown."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

LOSS = runpy.run_path(
    str(Path(__file__).parents[1] / "user_data/hyperopts/MarketMakingHyperOptLoss.py")
)
START = pd.Timestamp("2026-11-20T10:00Z")


def trades(*rows):
    """Profit, seconds from the order to its fill, and seconds held, of a unit at 3000 each."""
    found = []
    for k, (profit, rested, held) in enumerate(rows):
        opened = START + pd.Timedelta(minutes=10 * k)
        filled = opened + pd.Timedelta(seconds=rested)
        orders = [
            {"ft_is_entry": True, "order_filled_timestamp": filled.value // 10**6},
            {"ft_is_entry": False, "order_filled_timestamp": None},
        ]
        found.append({
            "pair": "ETH", "profit_abs": profit, "open_rate": 3000.0, "amount": 2.0,
            "open_date": opened, "close_date": filled + pd.Timedelta(seconds=held),
            "orders": orders,
        })  # fmt: skip
    return pd.DataFrame(found)


def market(sigma):
    """Candles whose minutes' returns alternate, so that their deviation is sigma."""
    signs = np.tile([1.0, -1.0], 50)
    return {"ETH": pd.DataFrame({"close": 3000 * np.exp(np.cumsum([0.0, *(sigma * signs)]))})}


def loss(results, sigma):
    return LOSS["MarketMakingHyperOptLoss"].hyperopt_loss_function(
        results=results, trade_count=len(results), min_date=START, max_date=START, config={},
        processed=market(sigma), backtest_stats={}, starting_balance=1000.0,
    )  # fmt: skip


def test_profit_counts_in_percent_of_the_balance():
    assert loss(trades((3.0, 5, 60), (2.0, 5, 60)), 0.0) == pytest.approx(-0.5)


def test_a_fall_below_the_high_is_charged_once_more():
    assert loss(trades((3.0, 5, 60), (-2.0, 5, 60), (1.0, 5, 60)), 0.0) == pytest.approx(-0.0)
    assert loss(trades((-2.0, 5, 60)), 0.0) == pytest.approx(0.4)


@pytest.mark.parametrize("rested", [0, 50])
def test_holding_is_charged_by_the_time_since_the_fill(rested):
    results = trades((10.0, rested, 60), (10.0, rested, 180))
    risk = 6000.0 * 0.001 * np.sqrt(1 + 3)
    assert loss(results, 0.001) == pytest.approx(-(20.0 - risk) / 10)


def test_no_trades_are_worth_nothing():
    assert loss(trades(), 0.001) == 0.0
