"""The spread against its own average, and the least that the price step allows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.marketdata.records import Float1D
from advanced_mm.research.candles import Candles
from advanced_mm.research.statistics.series import forward, newey_west, price_series

__all__ = ["LeastSpread", "SpreadBursts", "least_spread", "spread_bursts"]

_FEWEST: Final = 20
_UNITS: Final = 10**9
"""Prices are counted in these parts of a unit to find their common step."""


@dataclass(frozen=True)
class SpreadBursts:
    """What followed a spread of more than ``factor`` times its moving average.

    Spreads are in bp of the mid, volatilities in bp of the price a second (root mean square of the
    changes of the log mid over the next ``ahead_seconds``). ``t`` belongs to the difference of the
    two variances, by Newey and West; NaN where there were too few bursts to tell, and then so is
    ``volatility_after_bp``.
    """

    factor: float
    window_seconds: int
    ahead_seconds: int
    last_bp: float
    average_bp: float
    mean_bp: float
    median_bp: float
    bursts: int
    share: float
    volatility_after_bp: float
    volatility_otherwise_bp: float
    t: float

    @property
    def wide_now(self) -> bool:
        """Whether the last known spread was such a burst."""
        return self.last_bp > self.factor * self.average_bp


@dataclass(frozen=True)
class LeastSpread:
    """The price step as a share of the price: no spread is narrower.

    ``tick`` in quote currency; ``inferred`` if the source did not name it and the common step of
    its prices stands in; ``ticks`` is the median spread in ticks, None without a known spread.
    """

    tick: float
    bp: float
    inferred: bool
    ticks: float | None


def spread_bursts(
    candles: Candles, factor: float = 2.0, window_seconds: int = 300, ahead_seconds: int = 60
) -> SpreadBursts | None:
    """Compare the spread with its average over the window before it.

    None if the source has no spread: the range of a candle is none.
    """
    if "spread" not in candles.frame or not candles.frame["spread"].notna().any():
        return None
    series, step = price_series(candles), candles.step_seconds
    window, ahead = max(window_seconds // step, 2), max(ahead_seconds // step, 1)
    spread = 1e4 * candles.frame["spread"] / np.exp(series.log_price)
    # The average ends before the spread that it is compared with.
    average = spread.rolling(window, min_periods=max(window // 2, 1)).mean().shift()
    burst = (spread > factor * average).to_numpy()
    comparable = np.isfinite(spread.to_numpy()) & np.isfinite(average.to_numpy())
    square = _next_squares(series.log_price, ahead) / step
    square[~comparable] = np.nan
    known = np.isfinite(square)
    fit = None
    if (known & burst).sum() >= _FEWEST:
        fit = newey_west(square, burst[:, None].astype(float), ahead)
    last = spread.last_valid_index()
    bursts = int((burst & comparable).sum())
    return SpreadBursts(
        factor=factor,
        window_seconds=window * step,
        ahead_seconds=ahead * step,
        last_bp=float(spread[last]),
        average_bp=float(average[last]),
        mean_bp=float(spread.mean()),
        median_bp=float(spread.median()),
        bursts=bursts,
        share=bursts / int(comparable.sum()) if comparable.any() else float("nan"),
        volatility_after_bp=_root(square[known & burst]) if fit else float("nan"),
        volatility_otherwise_bp=_root(square[known & ~burst]),
        t=float(fit[1][0]) if fit else float("nan"),
    )


def least_spread(candles: Candles) -> LeastSpread | None:
    """Return the price step in bp of the last price, None if prices tell no step."""
    close = candles.frame["close"].dropna()
    if close.empty:
        return None
    tick, inferred = candles.tick, candles.tick is None
    if tick is None:
        tick = _common_step(candles.frame)
    if not tick:
        return None
    ticks = None
    if "spread" in candles.frame and candles.frame["spread"].notna().any():
        ticks = float(candles.frame["spread"].median() / tick)
    return LeastSpread(tick, 1e4 * tick / float(close.iloc[-1]), inferred, ticks)


def _next_squares(log_price: Float1D, ahead: int) -> Float1D:
    """Return the mean square of the next changes, bp², NaN where one of them is unknown."""
    change = 1e4 * forward(log_price, 1)
    # Row k holds the change from k to k + 1, so the mean must begin at k.
    return np.array(pd.Series(change**2)[::-1].rolling(ahead).mean()[::-1], dtype=np.float64)


def _root(squares: Float1D) -> float:
    return float(np.sqrt(squares.mean())) if len(squares) else float("nan")


def _common_step(frame: pd.DataFrame) -> float:
    prices = np.unique(frame[["high", "low", "close"]].to_numpy(float))
    units = np.rint(prices[np.isfinite(prices)] * _UNITS).astype(np.int64)
    return float(np.gcd.reduce(units)) / _UNITS if len(units) > 1 else 0.0
