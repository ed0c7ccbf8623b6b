"""The price that the statistics look at, and where it was observed."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import statsmodels.api as sm
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
    y, x = outcome[known], causes[known]
    lags = max(2 * steps, _LEAST_LAGS)
    design = np.column_stack((np.ones(len(x)), x))
    if len(y) <= 2 * lags or np.linalg.matrix_rank(design.T @ design) < design.shape[1]:
        return None
    if np.ptp(y) == 0:
        return None
    fit: Any = sm.OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    return np.asarray(fit.params[1:]), np.asarray(fit.tvalues[1:])
