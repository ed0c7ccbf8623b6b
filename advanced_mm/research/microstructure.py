"""Columns of the market's microstructure: ranges, reversals, tick runs, illiquidity, bounce."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.research.column import Market, Register
from advanced_mm.research.flow import average_price, turnover
from advanced_mm.research.volatility import previous
from advanced_mm.research.windows import FloatArray, ratio

__all__ = ["TABLE", "TickRuns", "tick_runs_of"]

TABLE: Final = Register()
_BP: Final = 1e4
_WINDOW: Final = 300
_HOUR: Final = 3600
_LEAST_PAIRS: Final = 30


def _of_traded(market: Market, values: FloatArray, least: int) -> FloatArray:
    """Return the mean over the window of what only candles with trades have."""
    return market.window(_WINDOW).mean_of(values, least, market.candle("close"))


@TABLE.add
def hl_spread(market: Market) -> FloatArray:
    """Range of the candle.

    - formula: high − low
    - unit: quote currency
    - source: definition
    - note: A range, not a spread: it is 0 in a candle with one trade, and in a lively one it is the
      price's way through several spreads. Recordings have the true spread.
    """
    return market.candle("high") - market.candle("low")


@TABLE.add
def hl_spread_bps(market: Market) -> FloatArray:
    """Range of the candle in basis points.

    - formula: 10⁴ · hl_spread / close
    - unit: bp
    - source: definition
    - note: A range, not a spread.
    """
    return _BP * market["hl_spread"] / market.candle("close")


@TABLE.add
def price_change(market: Market) -> FloatArray:
    """Change of the price within the candle.

    - formula: close − open
    - unit: quote currency
    - source: definition
    - note: The step from the close before to the open is in returns, not in here.
    """
    return market.candle("close") - market.candle("open")


@TABLE.add
def price_change_bps(market: Market) -> FloatArray:
    """Change of the price within the candle in basis points.

    - formula: 10⁴ · price_change / open
    - unit: bp
    - source: definition
    """
    return _BP * market["price_change"] / market.candle("open")


@TABLE.add
def price_reversal(market: Market) -> FloatArray:
    """Whether the price turned: 1 from up to down, −1 from down to up, 0 otherwise.

    - formula: −sign(returns_t) if returns_t · returns_{t−1} < 0, else 0
    - unit: 1
    - source: definition
    - note: Only turns from one candle to the next count; one in between at the same price hides it.
    """
    change = market["returns"]
    product = change * previous(change)
    turned = np.where(product < 0, -np.sign(change), 0.0)
    return np.where(np.isnan(product), np.nan, turned)


@TABLE.over(_WINDOW)
def reversal_rate(market: Market, seconds: int) -> FloatArray:
    """Share of the candles in which the price turned.

    - formula: mean(|price_reversal| over w)
    - unit: fraction
    - source: definition
    - note: Of the absolute value: turns up and turns down alternate, so the mean of price_reversal
      itself is about 0 however often the price turns.
    """
    return market.window(seconds).mean(np.abs(market["price_reversal"]))


@TABLE.add
def tick_direction(market: Market) -> FloatArray:
    """Direction of the price within the candle.

    - formula: sign(price_change)
    - unit: 1
    - source: definition
    - note: The candle's, not that of its trades.
    """
    return np.sign(market["price_change"])


@TABLE.add
def tick_runs(market: Market) -> FloatArray:
    """Number of the run of candles of one direction, from 1.

    - formula: number of rows up to here at which tick_direction changed
    - unit: 1
    - source: definition
    - note: Candles without a change form runs as well.
    """
    direction = market["tick_direction"]
    known = ~np.isnan(direction)
    number = np.cumsum(known & (direction != previous(direction))).astype(float)
    number[~known] = np.nan
    return number


@TABLE.add
def amihud_illiq(market: Market) -> FloatArray:
    """Price impact of the volume.

    - formula: |returns| / quote volume
    - unit: fraction per quote currency
    - source: Amihud (2002), Illiquidity and Stock Returns, eq. 1
    - note: By quote volume, as Amihud defines it, so that markets of different prices compare.
      Unknown in a candle without trades.
    """
    return ratio(np.abs(market["returns"]), turnover(market))


@TABLE.add
def amihud_illiq_ma(market: Market) -> FloatArray:
    """Mean price impact of the volume over 300 s.

    - formula: mean(amihud_illiq over the candles with trades in 300 s)
    - unit: fraction per quote currency
    - source: Amihud (2002), eq. 2
    - note: A mean over the candles with trades only; one of them is enough.
    """
    return _of_traded(market, market["amihud_illiq"], 1)


@TABLE.add
def roll_spread(market: Market) -> FloatArray:
    """Effective spread by the price's bounce over 300 s.

    - formula: 2 √max(−cov(r_k, r_{k−1}), 0) over 300 s, r_k the returns between candles with trades
    - unit: fraction
    - source: Roll (1984), A Simple Implicit Measure of the Effective Bid-Ask Spread
    - note: 0 where the covariance is positive: there is no bounce to measure. √max(cov, 0) instead
      is 0 wherever there is a bounce. Candles without trades are skipped, since they repeat a price
      and thin the bounce out. NaN with less than 30 pairs of returns.
    """
    rows = np.flatnonzero(market.candle("volume") != 0)
    close = market.candle("close")[rows]
    change = np.full(market.rows, np.nan)
    change[rows] = close / previous(close) - 1.0
    before = np.full(market.rows, np.nan)
    before[rows] = previous(change[rows])
    before[np.isnan(change)] = np.nan
    change[np.isnan(before)] = np.nan
    product, now, then = (
        _of_traded(market, x, _LEAST_PAIRS) for x in (change * before, change, before)
    )
    return 2.0 * np.sqrt(np.maximum(now * then - product, 0.0))


@TABLE.add
def vol_cluster(market: Market) -> FloatArray:
    """Volatility of the last minute against that of the last five.

    - formula: std(returns over 60 s) / std(returns over 300 s)
    - unit: 1
    - source: after Engle (1982): volatility comes in clusters
    - note: Above 1 if it rises. It is no estimate of a GARCH model.
    """
    short, long = (market.window(seconds) for seconds in (60, 300))
    return ratio(short.deviation(market["returns"]), long.deviation(market["returns"]))


def _variance_ratio(market: Market, horizon: int) -> FloatArray:
    window = market.window(_HOUR)
    logs = np.log(market.candle("close"))
    sums = np.full(market.rows, np.nan)
    sums[horizon:] = logs[horizon:] - logs[:-horizon]
    of_one = window.deviation(market["log_returns"]) ** 2
    return ratio(window.deviation(sums) ** 2, horizon * of_one)


@TABLE.add
def variance_ratio_2(market: Market) -> FloatArray:
    """Variance of two candles' return against twice that of one, over 3600 s.

    - formula: var(Σ_2 log_returns over 3600 s) / (2 var(log_returns over 3600 s))
    - unit: 1
    - source: Lo & MacKinlay (1988), Stock Market Prices Do Not Follow Random Walks, eq. 5
    - note: 1 for a random walk, below for a price that bounces or reverts, above for one that
      trends. Horizons are in candles: seconds for candles of a second. It is an estimate; the
      statistics have its interval.
    """
    return _variance_ratio(market, 2)


@TABLE.add
def variance_ratio_5(market: Market) -> FloatArray:
    """Variance of five candles' return against five times that of one, over 3600 s.

    - formula: var(Σ_5 log_returns over 3600 s) / (5 var(log_returns over 3600 s))
    - unit: 1
    - source: Lo & MacKinlay (1988), eq. 5
    - note: As variance_ratio_2.
    """
    return _variance_ratio(market, 5)


@TABLE.add
def variance_ratio_10(market: Market) -> FloatArray:
    """Variance of ten candles' return against ten times that of one, over 3600 s.

    - formula: var(Σ_10 log_returns over 3600 s) / (10 var(log_returns over 3600 s))
    - unit: 1
    - source: Lo & MacKinlay (1988), eq. 5
    - note: As variance_ratio_2.
    """
    return _variance_ratio(market, 10)


@TABLE.add
def ba_bounce(market: Market) -> FloatArray:
    """Distance of the last trade from the average price of its candle.

    - formula: |close − quote volume / volume|
    - unit: quote currency
    - source: after Roll (1984)
    - note: Within the candle, where a bounce between bid and ask shows; the distance from the whole
      day's VWAP measures the day's trend. Unknown without trades. Where the source lacks the quote
      volume, from (high + low + close) / 3.
    """
    return np.abs(market.candle("close") - average_price(market))


@TABLE.add
def ba_bounce_ma(market: Market) -> FloatArray:
    """Mean distance of the last trade from the average price of its candle, over 300 s.

    - formula: mean(ba_bounce over the candles with trades in 300 s)
    - unit: quote currency
    - source: after Roll (1984)
    - note: A mean over the candles with trades only; one of them is enough.
    """
    return _of_traded(market, market["ba_bounce"], 1)


@dataclass(frozen=True)
class TickRuns:
    """Mean length, in candles, of the runs of one direction, over all data.

    ``all_runs`` counts runs without a change too, which in a quiet market are most of it;
    ``moves`` only those that rise or fall. NaN without any.
    """

    all_runs: float
    moves: float


def tick_runs_of(columns: pd.DataFrame) -> TickRuns:
    """Return the mean length of the runs of a report's columns."""
    known = columns[["tick_runs", "tick_direction"]].dropna()
    runs = known.groupby("tick_runs")["tick_direction"].agg(["size", "first"])
    moves = runs.loc[runs["first"] != 0, "size"]
    return TickRuns(float(runs["size"].mean()), float(moves.mean()))
