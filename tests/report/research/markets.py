"""A market made up in seconds: prices on ticks, a known spread, and lively hours."""

import numpy as np
import pandas as pd

from advanced_mm.report.research.study import Study
from advanced_mm.research.candles import CANDLE_COLUMNS, Candles
from advanced_mm.research.columns import columns

START = pd.Timestamp("2026-11-27T16:08:29Z")
PRICE = 3000.0
TICK = 0.1
LIVELY = range(13, 16)


def market(
    seconds: int,
    *,
    name: str = "ETH (recording)",
    spread_bp: float = 0.9,
    quotes: bool = True,
    step: int = 1,
    seed: int = 1,
) -> Candles:
    """Candles of a random walk of 0.5 bp a second, 1.5 in lively hours, when the spread doubles."""
    random = np.random.default_rng(seed)
    count = seconds // step
    index = pd.date_range(START, periods=count, freq=f"{step}s", name="time")
    lively = np.isin(index.hour, LIVELY)
    deviation = np.where(lively, 1.5, 0.5) * 1e-4 * PRICE * np.sqrt(step)
    mid = PRICE + np.cumsum(deviation * random.standard_normal(count))
    spread = np.where(lively, 2, 1) * spread_bp * 1e-4 * mid
    trades = random.poisson(np.where(lively, 3.0, 0.6) * step).astype(float)
    volume = trades * random.exponential(0.5, count)
    side = np.sign(random.standard_normal(count))
    close = np.where(trades > 0, mid + side * spread / 2, np.nan)
    close = pd.Series(close).ffill().bfill().to_numpy()
    opened = np.concatenate(([close[0]], close[:-1]))
    opened = np.where(trades > 0, opened, close)
    bought = volume * random.beta(4, 4, count)
    values = {
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
        "volume": volume,
        "quote_volume": volume * close,
        "trades": trades,
        "taker_buy_volume": bought,
        "taker_buy_quote_volume": bought * close,
    }
    assert tuple(values) == CANDLE_COLUMNS
    if quotes:
        values |= {"bid": mid - spread / 2, "ask": mid + spread / 2, "spread": spread}
    notes = ("Made up.",)
    return Candles(pd.DataFrame(values, index), step, name, missing=7, tick=TICK, notes=notes)


def study(candles: Candles, fee_bp: float = 1.5) -> Study:
    return Study(candles, columns(candles), fee_bp)
