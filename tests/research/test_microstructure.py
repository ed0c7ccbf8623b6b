"""Microstructure columns against simulated markets of known spread, impact and memory."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.research.columns import columns
from advanced_mm.research.microstructure import tick_runs_of
from tests.research.random_candles import candles_of, random_candles

SPREAD = 4e-4


def bouncing(rows, seed, spread=SPREAD, sigma=5e-5, traded=1.0):
    """Last trades at the bid or the ask around a random walk; a share of seconds trades."""
    rng = np.random.default_rng(seed)
    mid = 100 * np.exp(np.cumsum(rng.normal(0, sigma, rows)))
    price = mid * (1 + spread / 2 * rng.choice([-1, 1], rows))
    trades = rng.uniform(size=rows) < traded
    trades[0] = True
    close = price[np.maximum.accumulate(np.where(trades, np.arange(rows), 0))]
    return candles_of(close=close, volume=trades, trades=trades)


@pytest.mark.parametrize("traded", [1.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_rolls_spread_is_within_a_tenth_of_a_simulated_bounce(traded, seed):
    candles = bouncing(10_000, seed, traded=traded)
    roll = columns(candles, ["roll_spread"])["roll_spread"]
    assert roll.mean() == pytest.approx(SPREAD, rel=0.1)


def test_rolls_spread_without_a_bounce_is_small_and_with_a_trend_none():
    walk = columns(bouncing(10_000, 1, spread=0.0), ["roll_spread"])["roll_spread"]
    assert walk.mean() < 5e-5  # a return's deviation: what chance leaves of the covariance
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1e-5, 5_001)
    trending = candles_of(close=100 * np.exp(np.cumsum(noise[1:] + noise[:-1])), volume=1.0)
    assert (columns(trending, ["roll_spread"])["roll_spread"].iloc[300:] == 0).all()


def test_rolls_spread_is_that_of_the_pairs_in_the_window():
    candles = random_candles()
    frame = candles.frame
    traded = frame[frame["volume"] != 0]
    change = traded["close"] / traded["close"].shift() - 1
    pairs = pd.DataFrame({"now": change, "before": change.shift()}).dropna()
    roll = columns(candles, ["roll_spread"])["roll_spread"]
    for row in (400, 1_999, 2_025, 2_339, 4_999):
        end = frame.index[row]
        here = pairs.loc[end - pd.Timedelta(seconds=299) : end]
        covariance = (here["now"] * here["before"]).mean() - here["now"].mean() * here[
            "before"
        ].mean()
        assert roll.iloc[row] == pytest.approx(2 * max(-covariance, 0) ** 0.5, rel=1e-6)
    assert roll.iloc[:269].isna().all()
    thin = bouncing(3_000, 9, traded=0.05)  # 15 trades in 300 s
    assert columns(thin, ["roll_spread"])["roll_spread"].isna().all()


def test_variance_ratios_are_those_of_the_hour_by_pandas():
    candles = random_candles()
    done = columns(candles)
    logs = np.log(candles.frame["close"]).diff()
    for horizon in (2, 5, 10):
        sums = np.log(candles.frame["close"]).diff(horizon)
        for row in (3_700, 4_999):
            part = slice(row - 3_599, row + 1)
            expected = sums.iloc[part].var() / (horizon * logs.iloc[part].var())
            value = done[f"variance_ratio_{horizon}"].iloc[row]
            assert value == pytest.approx(expected, rel=1e-9)


def test_variance_ratios_of_a_bounce_are_below_1_as_much_as_they_should():
    """With returns of autocorrelation ρ at lag 1: VR(q) = 1 + 2 ρ (1 − 1/q)."""
    sigma = 2e-4
    done = columns(bouncing(20_000, 5, sigma=sigma))
    rho = -(SPREAD**2 / 4) / (sigma**2 + SPREAD**2 / 2)
    for horizon in (2, 5, 10):
        mean = done[f"variance_ratio_{horizon}"].mean()
        assert mean == pytest.approx(1 + 2 * rho * (1 - 1 / horizon), abs=0.03)


def test_a_price_that_turns_every_second_has_reversal_rate_1():
    close = 100 + 0.01 * (np.arange(600) % 2)
    done = columns(candles_of(close=close, volume=1.0))
    assert list(done["price_reversal"].iloc[2:6]) == [1, -1, 1, -1]
    assert done["price_reversal"].iloc[:2].isna().all()
    assert done["reversal_rate_300s"].iloc[-1] == 1
    walking = columns(candles_of(close=100 + 0.01 * np.arange(600), volume=1.0))
    assert walking["reversal_rate_300s"].iloc[-1] == 0


def test_a_reversal_is_up_then_down_or_down_then_up():
    close = np.array([1.0, 2, 1, 1, 2, 3, 2, 2, 1, 2])
    done = columns(candles_of(close=close, volume=1.0))["price_reversal"]
    expected = [0, 0, 1, 0, 0, 0, 1, 0, 0, -1]
    expected[:2] = [np.nan, np.nan]
    np.testing.assert_array_equal(done, expected)


def test_tick_runs_are_numbered_and_their_length_is_that_of_the_moves_apart():
    change = np.array([1, 1, 1, 0, 0, -1, 1, 1, 0, 0, 0, 0, 0, 0])
    opened = np.full(len(change), 100.0)
    candles = candles_of(close=opened + change, open=opened)
    candles.frame.iloc[3] = np.nan
    done = columns(candles)
    expected = [1, 1, 1, np.nan, 2, 3, 4, 4, *[5] * 6]
    np.testing.assert_array_equal(done["tick_runs"], expected)
    runs = tick_runs_of(done)
    assert runs.all_runs == pytest.approx((3 + 1 + 1 + 2 + 6) / 5)
    assert runs.moves == pytest.approx((3 + 1 + 2) / 3)
    assert np.isnan(tick_runs_of(columns(candles_of(close=opened))).moves)


def test_amihuds_illiquidity_is_the_impact_of_a_simulated_market():
    impact = 3e-7  # fraction per quote currency
    rng = np.random.default_rng(4)
    turnover = rng.exponential(1_000.0, 5_000) * (rng.uniform(size=5_000) < 0.3)
    change = impact * turnover * rng.choice([-1, 1], 5_000)
    close = 50 * np.cumprod(1 + change)
    candles = candles_of(
        close=close, volume=turnover / close, quote_volume=turnover, trades=turnover > 0
    )
    done = columns(candles)
    quiet = turnover == 0
    assert done["amihud_illiq"][quiet].isna().all()
    np.testing.assert_allclose(done["amihud_illiq"][~quiet].iloc[1:], impact, rtol=1e-6)
    np.testing.assert_allclose(done["amihud_illiq_ma"].iloc[300:], impact, rtol=1e-6)


def test_a_calm_minute_after_a_wild_one_shows_in_the_cluster():
    scale = np.where(np.arange(600) < 540, 4e-4, 1e-4)
    close = 100 * np.cumprod(1 + scale * (-1.0) ** np.arange(600))
    done = columns(candles_of(close=close, volume=1.0))["vol_cluster"]
    assert done.iloc[530] == pytest.approx(1.0, rel=0.01)
    assert done.iloc[-1] == pytest.approx(1 / (0.8 * 16 + 0.2) ** 0.5, rel=0.01)
    still = columns(candles_of(close=np.full(600, 100.0), volume=1.0))["vol_cluster"]
    assert still.isna().all()


def test_the_bounce_is_within_the_candle():
    """Half at the bid, half at the ask: the last is half a spread from their average."""
    rng = np.random.default_rng(8)
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 2_000)))  # the trend does not matter
    candles = candles_of(
        close=mid + rng.choice([-0.01, 0.01], 2_000), volume=2.0, quote_volume=2 * mid
    )
    np.testing.assert_allclose(columns(candles)["ba_bounce_ma"].iloc[300:], 0.01, rtol=1e-6)
