"""Columns of volatility and ranges."""

from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.research.column import Market, Register
from advanced_mm.research.windows import FloatArray, ratio

__all__ = ["TABLE", "VOLATILITY_WINDOWS", "previous", "volatility_percentiles"]

TABLE: Final = Register()
VOLATILITY_WINDOWS: Final = (60, 300, 900, 3600)
_BAND: Final = 2.0


def previous(values: FloatArray) -> FloatArray:
    """Return each row's predecessor, NaN at the first row."""
    return np.concatenate(([np.nan], values[:-1]))


@TABLE.add
def returns(market: Market) -> FloatArray:
    """Change of the close against the candle before.

    - formula: close_t / close_{t−1} − 1
    - unit: fraction
    - source: definition
    """
    close = market.candle("close")
    return close / previous(close) - 1.0


@TABLE.add
def log_returns(market: Market) -> FloatArray:
    """Change of the close's logarithm against the candle before.

    - formula: ln(close_t / close_{t−1})
    - unit: natural logarithm
    - source: definition
    """
    return np.log1p(market["returns"])


@TABLE.over(*VOLATILITY_WINDOWS)
def volatility(market: Market, seconds: int) -> FloatArray:
    """Standard deviation of the price's change over the whole window.

    - formula: std(returns over w) · √w
    - unit: fraction per window
    - source: square-root-of-time rule, Campbell, Lo & MacKinlay (1997), ch. 2
    - note: It is not annualised: √w scales a candle's deviation to the window's. The rule holds for
      uncorrelated returns; where the price bounces between bid and ask it overstates.
    """
    window = market.window(seconds)
    return window.deviation(market["returns"]) * float(np.sqrt(window.rows))


@TABLE.add
def true_range(market: Market) -> FloatArray:
    """Range of the candle, stretched to the close before.

    - formula: max(high − low, |high − close_{t−1}|, |low − close_{t−1}|)
    - unit: quote currency
    - source: Wilder (1978), New Concepts in Technical Trading Systems
    """
    high, low, before = (
        market.candle("high"),
        market.candle("low"),
        previous(market.candle("close")),
    )
    return np.fmax(high, before) - np.fmin(low, before) + 0.0 * high


@TABLE.over(300, 900, 3600)
def atr(market: Market, seconds: int) -> FloatArray:
    """Average true range.

    - formula: mean(true_range over w)
    - unit: quote currency
    - source: after Wilder (1978)
    - note: A plain moving mean. Wilder's own, and TA-Lib's ATR, weigh exponentially.
    """
    return market.window(seconds).mean(market["true_range"])


@TABLE.over(300, 900)
def bb_upper(market: Market, seconds: int) -> FloatArray:
    """Upper Bollinger band.

    - formula: mean(close over w) + 2 std(close over w)
    - unit: quote currency
    - source: Bollinger (2001), Bollinger on Bollinger Bands
    - note: With the sample's deviation (n − 1); Bollinger divides by n. That is 0.2 % at 300
      rows.
    """
    mean, deviation = market.window(seconds).moments(market.candle("close"))
    return mean + _BAND * deviation


@TABLE.over(300, 900)
def bb_lower(market: Market, seconds: int) -> FloatArray:
    """Lower Bollinger band.

    - formula: mean(close over w) − 2 std(close over w)
    - unit: quote currency
    - source: Bollinger (2001), Bollinger on Bollinger Bands
    - note: With the sample's deviation (n − 1), as the upper band.
    """
    mean, deviation = market.window(seconds).moments(market.candle("close"))
    return mean - _BAND * deviation


@TABLE.over(300, 900)
def bb_width(market: Market, seconds: int) -> FloatArray:
    """Distance between the Bollinger bands.

    - formula: (bb_upper − bb_lower) / mean(close over w)
    - unit: fraction
    - source: Bollinger (2001), Bollinger on Bollinger Bands
    """
    mean, deviation = market.window(seconds).moments(market.candle("close"))
    return ratio(2 * _BAND * deviation, mean)


def volatility_percentiles(columns: pd.DataFrame) -> pd.DataFrame:
    """Summarise the volatility columns.

    Parameters
    ----------
    columns
        The report's columns.

    Returns
    -------
    DataFrame
        Index the windows in seconds; columns ``mean, median, p75, p90, p95, max``, fractions of the
        price per window (not annualised). NaN for a window that no row has.
    """
    rows = {}
    for seconds in VOLATILITY_WINDOWS:
        known = columns[f"volatility_{seconds}s"].dropna().astype(float)
        quantiles = known.quantile([0.5, 0.75, 0.9, 0.95, 1.0]).to_list()
        rows[seconds] = [known.mean(), *quantiles]
    names = ["mean", "median", "p75", "p90", "p95", "max"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return table.rename_axis("window_seconds")
