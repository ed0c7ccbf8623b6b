"""Variance ratios of Lo and MacKinlay: is the price a random walk over a few steps?

The variance of a random walk's change grows with time, so the variance over q steps is q times that
over one: their ratio, divided by q, is 1. Below 1 changes are taken back (a bounce between bid and
ask does this to closes), above 1 they go on. The interval holds for a price whose volatility
changes (Lo and MacKinlay's robust variance).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from arch.unitroot import VarianceRatio as ArchVarianceRatio
from scipy.stats import norm

from advanced_mm.marketdata.records import Float1D
from advanced_mm.research.statistics.series import PriceSeries, stretches

__all__ = ["VarianceRatio", "variance_ratios"]

_FEWEST_PER_STEP: Final = 20
"""A stretch must have so many prices for each step of the ratio."""


@dataclass(frozen=True)
class VarianceRatio:
    """The ratio over ``seconds``, ``steps`` candles, with its interval around the estimate.

    ``p_value`` is the probability of a ratio at least as far from 1 if the price is a random walk.
    """

    steps: int
    seconds: int
    ratio: float
    low: float
    high: float
    p_value: float
    observations: int

    @property
    def random_walk(self) -> bool:
        """Whether the interval holds 1."""
        return self.low <= 1.0 <= self.high


def variance_ratios(
    series: PriceSeries, steps: Sequence[int] = (2, 5, 10), level: float = 0.95
) -> tuple[VarianceRatio, ...]:
    """Test whether a price is a random walk over each number of steps.

    Stretches between unknown prices are tested alone (`arch`), and their ratios averaged by length.
    Numbers of steps for which there is too little data are left out.
    """
    found = (_over(series, count, level) for count in steps)
    return tuple(one for one in found if one is not None)


def _over(series: PriceSeries, steps: int, level: float) -> VarianceRatio | None:
    runs = [
        run
        for run in stretches(series.log_price, _FEWEST_PER_STEP * steps)
        if np.count_nonzero(np.diff(run)) > 1
    ]
    if not runs:
        return None
    ratio, error = np.array([_ratio(run, steps) for run in runs]).T
    weight = np.array([len(run) - 1.0 for run in runs])
    share = weight / weight.sum()
    mean, spread = float(share @ ratio), float(np.sqrt(share**2 @ error**2))
    reach = float(norm.ppf(0.5 + level / 2)) * spread
    return VarianceRatio(
        steps=steps,
        seconds=steps * series.step_seconds,
        ratio=mean,
        low=mean - reach,
        high=mean + reach,
        p_value=float(2 * norm.sf(abs(mean - 1) / spread)) if spread > 0 else 1.0,
        observations=int(weight.sum()),
    )


def _ratio(run: Float1D, steps: int) -> tuple[float, float]:
    """Return the ratio and its standard error, which `arch` gives as the statistic."""
    test = ArchVarianceRatio(run, steps)
    statistic = float(test.stat)
    return float(test.vr), abs(float(test.vr) - 1) / abs(statistic) if statistic else 0.0
