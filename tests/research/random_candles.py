"""Candles of a random market for tests: quiet seconds, a hole nobody observed, a tick."""

import numpy as np
import pandas as pd

from advanced_mm.research.candles import CANDLE_COLUMNS, Candles

__all__ = ["GAP", "candles_of", "first", "random_candles"]

GAP = slice(2_000, 2_040)


def candles_of(step_seconds: int = 1, tick: float | None = None, **values) -> Candles:
    """Candles of some arrays; what is not given is flat at the close, or NaN."""
    close = np.asarray(values["close"], float)
    frame = pd.DataFrame(index=range(len(close)))
    for name in CANDLE_COLUMNS:
        otherwise = close if name in ("open", "high", "low") else np.nan
        frame[name] = np.broadcast_to(values.get(name, otherwise), close.shape).astype(float)
    frame.index = pd.date_range("2026-01-05", periods=len(close), freq=f"{step_seconds}s", tz="UTC")
    return Candles(frame, step_seconds, "test market", tick=tick)


def random_candles(rows: int = 5_000, seed: int = 3, step_seconds: int = 1) -> Candles:
    """A trade every other second, of random sizes, at prices on a grid."""
    rng = np.random.default_rng(seed)
    trades = rng.poisson(0.7, rows)
    trades[0] = 1
    price = 100 + 0.02 * np.cumsum(rng.normal(size=rows)) + rng.choice([-0.02, 0.02], rows)
    last = np.maximum.accumulate(np.where(trades > 0, np.arange(rows), 0))
    close = np.round(price, 2)[last]
    opened = np.where(trades > 1, np.round(close + rng.choice([-0.02, 0, 0.02], rows), 2), close)
    volume = trades * rng.exponential(5.0, rows)
    average = (opened + close) / 2 + 0.001 * (trades > 2)
    bought = volume * rng.uniform(size=rows)
    candles = candles_of(
        step_seconds,
        tick=0.01,
        open=opened,
        high=np.maximum(opened, close) + 0.01 * (trades > 2),
        low=np.minimum(opened, close),
        close=close,
        volume=volume,
        quote_volume=volume * average,
        trades=trades,
        taker_buy_volume=bought,
        taker_buy_quote_volume=bought * average,
    )
    candles.frame.iloc[GAP] = np.nan
    return candles


def first(candles: Candles, rows: int) -> Candles:
    """The first rows of candles."""
    return Candles(candles.frame.iloc[:rows], candles.step_seconds, "prefix", tick=candles.tick)
