"""Standard errors robust to clustering, without drawing: sums over blocks of 30 seconds.

Market orders come in bursts, so errors that treat them as independent are too small. To first
order, every estimate is its true value plus a sum over orders; sums by time block are nearly
independent, and their squares give the error ("batch means", or a sandwich estimator clustered by
time). Products of two estimates' sums give their covariance.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.calibration.windows.estimate import Estimate
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = [
    "TimeBlocks",
    "block_covariance",
    "block_error",
    "clustered_estimate",
    "derived_estimate",
    "with_blocks",
]

Float2D = NDArray[np.float64]

_LARGEST_EXPONENT = 700.0  # exp of more is infinite


@dataclass(frozen=True)
class TimeBlocks:
    """The time blocks that a window overlaps.

    Blocks start on epoch multiples of ``width_ms``; partial ones are kept. ``numbers`` and
    ``seconds`` (covered time of each block) have shape (blocks,).
    """

    width_ms: int
    numbers: Int1D
    seconds: Float1D

    @classmethod
    def of(cls, stretches: Stretches, width_ms: int) -> "TimeBlocks":
        """Divide covered stretches into blocks."""
        return cls(width_ms, *stretches.blocks(width_ms))

    def __len__(self) -> int:
        return len(self.numbers)

    def sums(self, time_ms: Int1D, values: Float2D) -> Float2D:
        """Sum each column within each block.

        Parameters
        ----------
        time_ms
            Exchange times inside the covered stretches, ascending, shape (n,).
        values
            One row per time, one column per quantity, shape (n, c).

        Returns
        -------
        Array of shape (blocks, c).
        """
        first, count = self._places(time_ms)
        filled = count > 0
        if filled.all():
            return np.asarray(np.add.reduceat(values, first, axis=0))
        total = np.zeros((len(self), values.shape[1]))
        total[filled] = np.add.reduceat(values, first[filled], axis=0)
        return total

    def counts(self, time_ms: Int1D) -> Float1D:
        """Count the times within each block, shape (blocks,)."""
        return self._places(time_ms)[1].astype(np.float64)

    def _places(self, time_ms: Int1D) -> tuple[Int1D, Int1D]:
        """Return where each block begins among the times, and how many it contains."""
        first = np.searchsorted(time_ms, self.numbers * self.width_ms)
        return first, np.diff(first, append=len(time_ms))


def block_error(by_block: Float1D) -> float:
    """Return an estimate's standard error from its parts by block, NaN below two blocks."""
    blocks = len(by_block)
    if blocks < 2:
        return float("nan")
    return math.sqrt(by_block @ by_block * (blocks / (blocks - 1)))


def block_covariance(*estimates: Estimate) -> Float2D:
    """Return the covariance matrix of estimates from one window, with squared se on its diagonal.

    If an estimate has no parts by block (one that is not usable), all entries are NaN.
    """
    sizes = {len(e.by_block) for e in estimates}
    if len(sizes) != 1 or min(sizes) < 2:
        return np.full((len(estimates), len(estimates)), np.nan)
    parts = np.array([e.by_block for e in estimates])
    return np.asarray(parts @ parts.T)


def clustered_estimate(
    value: float, by_block: Float1D, n: int, *, least_se: float = 0.0, positive: bool = False
) -> Estimate:
    """Return an estimate with the error computed from its blocks.

    Parameters
    ----------
    value, by_block
        The estimate and each block's part of its error, shape (blocks,).
    n
        Number of observations.
    least_se
        Lower limit of the error, that of independent observations: clustering only adds to it, but
        few blocks can give less by chance.
    positive
        Compute the interval on a log scale, for a value that cannot be negative.

    Notes
    -----
    The interval uses Student's t with blocks - 1 degrees of freedom.
    """
    se = max(block_error(by_block), least_se)  # NaN if there are too few blocks
    return _with_interval(value, se, by_block, n, positive=positive)


def derived_estimate(
    value: float, by_block: Float1D, n: int, *, positive: bool = False
) -> Estimate:
    """Return the estimate of a function of other estimates, by the delta method.

    Parameters
    ----------
    value
        The function at the estimates.
    by_block
        Its differential: the sum of the estimates' own ``by_block`` times its derivatives.
    n, positive
        As in ``clustered_estimate``.
    """
    se = math.sqrt(by_block @ by_block) if len(by_block) > 1 else float("nan")
    return _with_interval(value, se, by_block, n, positive=positive)


def _with_interval(
    value: float, se: float, by_block: Float1D, n: int, *, positive: bool
) -> Estimate:
    if not math.isfinite(se):
        return Estimate(value, np.nan, np.nan, np.nan, n)
    reach = _student_95(len(by_block) - 1) * se
    if positive and value > 0:
        factor = math.exp(min(reach / value, _LARGEST_EXPONENT))
        bare = Estimate(value, se, value / factor, value * factor, n)
    else:
        bare = Estimate(value, se, value - reach, value + reach, n)
    return with_blocks(bare, by_block)


@cache
def _student_95(freedom: int) -> float:
    """Return the two-sided 95% quantile of Student's t; cached, since few values are needed."""
    return float(stdtrit(freedom, 0.975))


def with_blocks(estimate: Estimate, by_block: Float1D) -> Estimate:
    """Attach the parts by block, scaled so that their squares sum to the squared error."""
    size = math.sqrt(by_block @ by_block)
    if not (size > 0 and estimate.se > 0):
        return estimate
    return estimate.with_parts(by_block * (estimate.se / size))
