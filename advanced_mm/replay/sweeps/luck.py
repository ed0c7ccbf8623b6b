"""How good the best of many trials looks by luck alone: a bootstrap reality check.

The best of many worthless trials looks good. White (2000) draws whole stretches of time, with all
trials' P&L in them side by side, moves each trial's mean to zero and looks how high the best of
them comes; Hansen (2005) leaves out of that what is too bad to be the best by luck. The share of
draws that come higher than the best trial did is the p-value. Stretches have random lengths (the
stationary bootstrap), so that P&L may depend on what was shortly before. From `arch`.

It takes the trials as given: they must not have been placed by results on the same time. A search
puts its trials where luck has been; of 100 trials in five settings that are worth nothing it would
find a winner three times as often as the 5% it should.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from arch.bootstrap import SPA, StationaryBootstrap, optimal_block_length
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D

__all__ = ["LEAST_BLOCKS", "SIGNIFICANT", "Luck", "luck_of", "mean_interval"]

Float2D = NDArray[np.float64]

LEAST_BLOCKS: Final = 30
"""With fewer blocks of time neither p-values nor intervals mean anything."""
SIGNIFICANT: Final = 0.05
_DRAWS: Final = 1000


@dataclass(frozen=True)
class Luck:
    """What luck alone does among so many trials.

    Attributes
    ----------
    p_value : float
        Share of draws in which the best of trials that earn nothing comes higher than the best
        did; 1 where that one lost; NaN where the data is too short.
    typical, seldom : float
        What the best of trials that earn nothing reaches in half of the draws, and in 5% of them,
        in the unit of the P&L per block; NaN where the best lost.
    beats : tuple of int
        The trials that beat luck at 5%.
    trials : int
        Trials compared.
    """

    p_value: float
    typical: float
    seldom: float
    beats: tuple[int, ...]
    trials: int


def luck_of(net: Sequence[Float1D], seed: int) -> Luck:
    """Compare the best of several trials with doing nothing.

    Parameters
    ----------
    net : sequence of array
        For each trial its P&L in the same blocks of time.
    seed : int
        Of the draws.
    """
    table = np.column_stack(list(net)) if net else np.zeros((0, 0))
    if len(table) < LEAST_BLOCKS:
        return Luck(np.nan, np.nan, np.nan, (), len(net))
    if table.mean(axis=0).max() <= 0:  # `arch` would compare the best with trials as bad as it
        return Luck(1.0, np.nan, np.nan, (), len(net))
    nothing, losses = np.zeros(len(table)), -table
    check = SPA(nothing, losses, block_size=_block(table), reps=_DRAWS, seed=seed)
    check.compute()
    typical, seldom = (
        float(check.critical_values(share)["consistent"]) for share in (0.5, SIGNIFICANT)
    )
    beats = check.better_models(SIGNIFICANT, "consistent")
    p_value = float(check.pvalues["consistent"])
    return Luck(p_value, typical, seldom, tuple(beats.tolist()), len(net))


def mean_interval(values: Float1D, seed: int) -> tuple[float, float]:
    """Return the 95% interval of a mean over blocks of time; NaN where they are too few."""
    if len(values) < LEAST_BLOCKS or np.ptp(values) == 0:
        return np.nan, np.nan
    draws = StationaryBootstrap(_block(values), values, seed=seed)
    low, high = draws.conf_int(np.mean, reps=_DRAWS, method="percentile")[:, 0]
    return float(low), float(high)


def _block(values: Float1D | Float2D) -> int:
    """Mean length of a drawn stretch (Politis and White 2004), at most a tenth of the whole.

    Of several trials the longest counts: too long a stretch costs little, too short a one finds
    winners where there are none.
    """
    columns = values.reshape(len(values), -1)
    lengths = optimal_block_length(columns[:, np.ptp(columns, axis=0) > 0])["stationary"]
    length = float(lengths[np.isfinite(lengths)].max())
    return int(np.clip(round(length), 1, len(values) // 10))
