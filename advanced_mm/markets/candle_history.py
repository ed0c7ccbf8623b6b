"""Made-up candles for the days before the venue was started.

A bot asks for thousands of bars at once, and a market that has just started has none. These bars
are a random walk that has the market's volatility and ends at its first price. Nothing in them was
traded; they contain no order flow and no edge. A backtest on them shows whether a strategy runs,
not whether it earns money.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advanced_mm.markets.candles import MINUTE_MS, Candle, CandleSeries

__all__ = ["MinuteFlow", "made_up_candles", "measure_flow"]

MAX_PRICE_DECIMALS = 6  # perpetuals: at most 6 - szDecimals decimals
SIGNIFICANT_FIGURES = 5
MOST_VOLATILITY = 0.03  # a minute; with more, prices reach zero or infinity within days
STEPS_A_MINUTE = 20  # of the walk inside a bar, so that high and low differ from open and close


@dataclass(frozen=True, slots=True)
class MinuteFlow:
    """Statistics of one minute of a market.

    ``volatility`` is the standard deviation of the log price over a minute, ``volume`` the mean
    traded size in base units, ``prints`` the mean number of prints. The defaults describe a large
    perpetual and are used if nothing was measured.
    """

    volatility: float = 5e-4
    volume: float = 50.0
    prints: float = 60.0


def measure_flow(series: CandleSeries, min_minutes: int = 5) -> MinuteFlow:
    """Measure the flow of the complete minutes of ``series``; return the default if too few."""
    bars = list(series.since(0))[1:-1]
    if len(bars) < min_minutes:
        return MinuteFlow()
    returns = np.diff(np.log([bar.close for bar in bars]))
    return MinuteFlow(
        volatility=float(np.std(returns, ddof=1)),
        volume=float(np.mean([bar.volume for bar in bars])),
        prints=float(np.mean([bar.prints for bar in bars])),
    )


def made_up_candles(
    minutes: int, end_ms: int, end_price: float, flow: MinuteFlow, size_decimals: int, seed: int
) -> list[Candle]:
    """Return one-minute bars of a geometric random walk that ends at ``end_price``.

    Parameters
    ----------
    minutes
        Number of bars; the last one starts one minute before ``end_ms``.
    end_ms
        Start of the minute after the bars, exchange ms, a whole minute.
    end_price
        Close of the last bar, quote currency.
    flow
        Volatility (capped at 0.03), volume and number of prints of a minute.
    size_decimals
        The coin's, for the venue's price and size rules.
    seed
        The same seed gives the same bars.
    """
    if minutes <= 0:
        return []
    rng = np.random.default_rng(seed)
    deviation = min(flow.volatility, MOST_VOLATILITY) / np.sqrt(STEPS_A_MINUTE)
    steps = rng.normal(0.0, deviation, minutes * STEPS_A_MINUTE)
    to_the_end = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
    path = _on_grid(end_price * np.exp(-to_the_end), size_decimals)
    # Row i holds the points of bar i including both ends: a bar opens at the previous close.
    points = np.lib.stride_tricks.sliding_window_view(path, STEPS_A_MINUTE + 1)[::STEPS_A_MINUTE]
    activity = rng.gamma(shape=2.0, scale=0.5, size=minutes)
    volume = np.round(flow.volume * activity, size_decimals)
    prints = 1 + rng.poisson(flow.prints * activity)
    opens_ms = range(end_ms - minutes * MINUTE_MS, end_ms, MINUTE_MS)
    columns = (points[:, 0], points.max(axis=1), points.min(axis=1), points[:, -1], volume, prints)
    rows = zip(opens_ms, *(column.tolist() for column in columns), strict=True)
    return [Candle(*row) for row in rows]


def _on_grid(prices: NDArray[np.float64], size_decimals: int) -> NDArray[np.float64]:
    """Round prices to the venue's rules: 5 significant figures, integers always valid.

    Prices below the finest step are set to it.
    """
    most = MAX_PRICE_DECIMALS - size_decimals
    digits = np.floor(np.log10(prices)).astype(int) + 1
    scale = 10.0 ** np.clip(SIGNIFICANT_FIGURES - digits, 0, most)
    return np.asarray(np.maximum(np.round(prices * scale), 1.0) / scale, dtype=np.float64)
