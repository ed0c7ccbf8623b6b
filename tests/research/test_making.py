"""Columns for a market maker: the score row by row, and what the names must not promise."""

import numpy as np
import pytest

from advanced_mm.research.columns import COLUMNS, columns
from tests.research.random_candles import candles_of, random_candles


def points(done, row):
    """The score of a row, from what was known then."""
    now = done.iloc[row]
    hour = done.iloc[max(0, row - 3_599) : row + 1]
    volatility, risk = hour["volatility_300s"].dropna(), hour["inventory_risk_300s"].dropna()
    parts = (now["volatility_300s"], now["inventory_risk_300s"], now["reversal_rate_300s"])
    if min(len(volatility), len(risk)) < 300 or np.isnan(parts).any():
        return np.nan
    score = 0
    if now["volume_ratio_300s"] > 1.5:
        score += 20
    elif now["volume_ratio_300s"] > 1.2:
        score += 10
    low, high = np.quantile(volatility, [0.1, 0.9])
    place = (now["volatility_300s"] - low) / (high - low)
    if 0.3 <= place <= 0.7:
        score += 25
    elif 0.2 <= place <= 0.8:
        score += 15
    if now["reversal_rate_300s"] > 0.1:
        score += 20
    if now["inventory_risk_300s"] < np.quantile(risk, 0.3):
        score += 15
    if abs(now["order_flow_imbalance"]) < 0.1:
        score += 20
    return score


def test_the_score_is_the_sum_of_its_points():
    done = columns(random_candles())
    rows = [0, 500, 568, 569, 600, *range(700, 5_000, 43)]
    expected = [points(done, row) for row in rows]
    np.testing.assert_array_equal(done["mm_opportunity_score"].iloc[rows], expected)
    assert len({*expected}) > 8
    assert done["mm_opportunity_score"].min() >= 0
    assert done["mm_opportunity_score"].max() <= 100


def test_seconds_without_trades_do_not_move_the_inventory():
    rng = np.random.default_rng(1)
    trades = rng.uniform(size=20_000) < 0.1
    bought = trades * rng.choice([0.25, 0.75], 20_000)
    candles = candles_of(
        close=np.full(20_000, 10.0), volume=trades, trades=trades, taker_buy_volume=bought
    )
    done = columns(candles)
    drift = done["inventory_drift"]
    assert done["order_flow_imbalance"][~trades].isna().all()
    assert (drift.diff()[1:][~trades[1:]] == 0).all()
    assert drift.abs().max() < 4 * 0.25 * trades.sum() ** 0.5  # a random walk's reach
    as_zero = (np.where(trades, bought, 0.0) - 0.5).sum()
    assert as_zero < -8_000  # what a ratio of 0 without trades would make of it


def test_a_random_inventory_swings_as_a_random_walk():
    """Over w steps of size a, the variance about the mean is a² (w + 1) / 6 of a sample's."""
    rng = np.random.default_rng(2)
    bought = rng.choice([0.25, 0.75], 60_000)
    candles = candles_of(
        close=np.full(60_000, 10.0), volume=1.0, trades=1.0, taker_buy_volume=bought
    )
    done = columns(candles, ["inventory_risk_60s", "inventory_risk_300s"])
    for rows in (60, 300):
        variance = (done[f"inventory_risk_{rows}s"].iloc[rows:] ** 2).mean()
        assert variance == pytest.approx(0.25**2 * (rows + 1) / 6, rel=0.07)


def test_the_spread_is_a_tick_at_least_and_unknown_where_its_inputs_are():
    close = np.full(400, 20.0)
    quiet = {"close": close, "volume": 1.0, "trades": 1.0, "taker_buy_volume": 0.5}
    done = columns(candles_of(tick=0.01, **quiet))["optimal_spread_300s"]
    assert done.iloc[:200].isna().all()
    assert (done.iloc[300:] == 0.01 / 20).all()
    assert (columns(candles_of(**quiet))["optimal_spread_300s"].iloc[300:] == 0).all()


def test_the_position_loses_one_unit_at_one_deviation():
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, 20_000)))
    size = columns(candles_of(close=close, volume=1.0))["max_position_size"]
    change = close[300:] / close[:-300] - 1
    assert np.std(size.mean() * change) == pytest.approx(1.0, rel=0.15)


def test_the_index_of_activity_only_rises_and_does_not_say_income():
    done = columns(random_candles())
    total = done["theoretical_pnl_cumsum"].dropna()
    assert (total.diff().dropna() >= 0).all()
    assert total.iloc[-1] == pytest.approx(done["theoretical_pnl"].sum())
    for name in ("theoretical_pnl", "theoretical_pnl_cumsum"):
        assert "Not an income" in COLUMNS[name].meaning
    assert "Not the Sharpe ratio of an income" in COLUMNS["sharpe_ratio_300s"].meaning
