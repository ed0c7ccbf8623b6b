"""Two markets: do they move together, and do they come back to each other?"""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.sm_exceptions import CollinearityWarning
from statsmodels.tsa.stattools import coint

from advanced_mm.errors import InputError
from advanced_mm.research.candles import Candles
from advanced_mm.research.statistics.series import newey_west, price_series

__all__ = ["Pair", "compare"]

_MOST_ROWS: Final = 5000
"""Engle and Granger's test is made on at most so many prices; more, closer ones tell little new."""
_FEWEST: Final = 100
_SURE: Final = 0.05


@dataclass(frozen=True)
class Pair:
    """How the first market relates to the second.

    Attributes
    ----------
    correlation
        By seconds between prices: the correlation of the log prices' changes. It grows with the
        time where one market follows the other with a lag.
    hedge_ratio
        Base units of the second market that one unit of the first is hedged by, at the last prices,
        from the changes over ``step_seconds``: the position of least variance.
    hedge_beta, hedge_t
        The same in money: quote currency of the second for each of the first, with its t-statistic.
    p_value
        Engle and Granger: the probability of a residual that reverts so strongly if the two are not
        cointegrated.
    cointegration_beta
        Slope of the first log price on the second.
    half_life_seconds
        Time in which half of a deviation from that line is gone, None if it does not revert. It is
        biased downwards where the data cover few half-lives.
    deviation_bp, deviation_now
        Standard deviation of the deviations, bp, and the last one in standard deviations.
    step_seconds, observations
        Distance and number of the prices that all but ``correlation`` are of.
    """

    first: str
    second: str
    correlation: dict[int, float]
    hedge_ratio: float
    hedge_beta: float
    hedge_t: float
    p_value: float
    cointegration_beta: float
    half_life_seconds: float | None
    deviation_bp: float
    deviation_now: float
    step_seconds: int
    observations: int

    @property
    def cointegrated(self) -> bool:
        """Whether they come back to each other, by the 5% test."""
        return self.p_value < _SURE


def compare(first: Candles, second: Candles, horizons: tuple[int, ...] = (1, 10, 60, 300)) -> Pair:
    """Compare two markets over the time in which both are known.

    Parameters
    ----------
    first, second
        Candles of the same length.
    horizons
        Numbers of candles over which changes are correlated; those longer than a twentieth of the
        time are left out.

    Raises
    ------
    InputError
        The candles differ in length, share too little time, or a price never moves.
    """
    if first.step_seconds != second.step_seconds:
        raise InputError(
            f"{first.name} has candles of {first.step_seconds} s, {second.name} of "
            f"{second.step_seconds} s; compare candles of one length."
        )
    logs = pd.concat(
        [
            pd.Series(price_series(one).log_price, index=one.frame.index.as_unit("ms"))
            for one in (first, second)
        ],
        axis="columns",
        join="inner",
        keys=["first", "second"],
    )
    both = logs.dropna()
    if len(both) < _FEWEST:
        raise InputError(
            f"{first.name} and {second.name} share {len(both)} candles; at least {_FEWEST} are "
            "needed to compare them."
        )
    for name, one in zip((first.name, second.name), logs, strict=True):
        if np.ptp(both[one]) == 0:
            raise InputError(f"the price of {name} never moves while both are known.")
    # The two touch a whole grid, so a row of `logs` is a step, unless their spans are disjoint.
    every = -(-len(logs) // _MOST_ROWS)
    coarse = logs.iloc[::-1].iloc[::every].iloc[::-1]
    changes = coarse.diff().to_numpy()
    hedge = newey_west(changes[:, 0], changes[:, 1:], 1)
    beta, hedge_t = (float(hedge[0][0]), float(hedge[1][0])) if hedge else (np.nan, np.nan)
    used = coarse.dropna()
    y, x = used["first"].to_numpy(), used["second"].to_numpy()
    line = OLS(y, np.column_stack((np.ones(len(x)), x))).fit()
    residual = coarse["first"] - line.params[0] - line.params[1] * coarse["second"]
    deviation = float(np.std(line.resid))
    last = np.exp(both.iloc[-1])
    return Pair(
        first=first.name,
        second=second.name,
        correlation=_correlations(logs, horizons, first.step_seconds),
        hedge_ratio=float(beta * last["first"] / last["second"]),
        hedge_beta=beta,
        hedge_t=hedge_t,
        p_value=_engle_granger(y, x),
        cointegration_beta=float(line.params[1]),
        half_life_seconds=_half_life(residual.to_numpy(), every * first.step_seconds),
        deviation_bp=1e4 * deviation,
        deviation_now=float(line.resid[-1] / deviation) if deviation > 0 else 0.0,
        step_seconds=every * first.step_seconds,
        observations=len(used),
    )


def _correlations(
    logs: pd.DataFrame, horizons: tuple[int, ...], step_seconds: int
) -> dict[int, float]:
    found: dict[int, float] = {}
    for steps in horizons:
        if steps * 20 > len(logs):
            continue
        changes = logs.diff(steps).dropna()
        if len(changes) >= 20 and (changes.std() > 0).all():
            found[steps * step_seconds] = float(changes["first"].corr(changes["second"]))
    return found


def _engle_granger(y: np.ndarray, x: np.ndarray) -> float:
    with warnings.catch_warnings():
        # Two prices on one line are as cointegrated as can be; the test then warns and gives -inf.
        warnings.simplefilter("ignore", CollinearityWarning)
        # The cube root of the length: the bounce of closes needs a number of lags that grows (Said
        # and Dickey), and a choice by criterion takes a regression for each.
        lags = round(len(y) ** (1 / 3))
        return float(coint(y, x, trend="c", maxlag=lags, autolag=None)[1])


def _half_life(residual: np.ndarray, step_seconds: int) -> float | None:
    """Return -ln 2 / ln(a) steps of the residual's autoregression of order one, in seconds."""
    pairs = np.column_stack((residual[:-1], residual[1:]))
    before, after = pairs[np.isfinite(pairs).all(axis=1)].T
    square = float(before @ before)
    share = float(before @ after) / square if square > 0 else 1.0
    if share >= 1:
        return None
    return float(-np.log(2) / np.log(share)) * step_seconds if share > 0 else 0.0
