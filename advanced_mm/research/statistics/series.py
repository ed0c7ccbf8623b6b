"""The price that the statistics look at, and where it was observed."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D
from advanced_mm.research.candles import Candles

__all__ = ["PriceSeries", "forward", "newey_west", "price_series", "stretches"]

_LEAST_LAGS: Final = 10


@dataclass(frozen=True)
class PriceSeries:
    """Log prices, one a step, NaN where unknown.

    ``kind`` is ``mid``, the middle of the touch at each candle's end, or ``close``, the last price
    traded. A close jumps between bid and ask; over short times this looks like mean reversion.
    """

    log_price: Float1D
    step_seconds: int
    kind: Literal["mid", "close"]


def price_series(candles: Candles) -> PriceSeries:
    """Return the mid where the source has the touch, else the close."""
    frame = candles.frame
    if "bid" in frame and "ask" in frame and (frame["bid"] + frame["ask"]).notna().any():
        price = (0.5 * (frame["bid"] + frame["ask"])).to_numpy(float)
        return PriceSeries(np.log(price), candles.step_seconds, "mid")
    return PriceSeries(np.log(frame["close"].to_numpy(float)), candles.step_seconds, "close")


def stretches(values: Float1D, least: int = 2) -> list[Float1D]:
    """Return the runs of known values that have at least so many, as views."""
    known = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return [values[low:high] for low, high in runs if high - low >= least]


def forward(values: Float1D, steps: int) -> Float1D:
    """Return the change over the next steps, NaN where it is unknown; shape as ``values``."""
    change = np.full(len(values), np.nan)
    if steps < len(values):
        change[:-steps] = values[steps:] - values[:-steps]
    return change


def newey_west(
    outcome: Float1D, causes: NDArray[np.float64], steps: int
) -> tuple[Float1D, Float1D] | None:
    """Regress outcomes that overlap on causes and a constant.

    Newey and West weigh the covariance of scores k rows apart with 1 - k / (lags + 1). That is the
    mean over all windows of lags + 1 rows of the square of the window's sum, which takes the same
    time for any number of lags; `statsmodels` forms a product for each lag.

    Parameters
    ----------
    outcome
        Shape (n,); rows with NaN in it or in a cause are left out.
    causes
        Shape (n, k).
    steps
        How many steps an outcome reaches ahead; twice as many lags (at least 10) go into the
        standard errors of Newey and West.

    Returns
    -------
    tuple or None
        The k coefficients and their t-statistics; None if the causes do not vary enough.
    """
    known = np.isfinite(outcome) & np.isfinite(causes).all(axis=1)
    y = outcome[known]
    lags = max(2 * steps, _LEAST_LAGS)
    if len(y) <= 2 * lags or np.ptp(y) == 0:
        return None
    design = np.vstack((np.ones(len(y)), causes[known].T))
    square = design @ design.T
    if np.linalg.matrix_rank(square) < len(square):
        return None
    coefficients = np.linalg.solve(square, design @ y)
    scores = design * (y - coefficients @ design)
    inverse = np.linalg.inv(square)
    errors = np.sqrt(np.diag(inverse @ _long_run(scores, lags) @ inverse))
    return np.asarray(coefficients[1:]), np.asarray(coefficients[1:] / errors[1:])


def _long_run(scores: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return the sum of the scores' covariances up to ``lags`` rows apart, with Bartlett's weights.

    ``scores`` has shape (k, n), the result (k, k).
    """
    zeros = np.zeros((len(scores), lags + 1))
    sums = np.cumsum(np.hstack((zeros, scores, zeros[:, 1:])), axis=1)
    windows = sums[:, lags + 1 :] - sums[:, : -lags - 1]
    return np.asarray(windows @ windows.T / (lags + 1))
