"""Block bootstrap: intervals from whole 30 s blocks drawn with replacement.

Drawing blocks of time keeps bursts of market orders together. The statistics are functions of sums
over orders, so a draw is a row of block counts times a matrix of block sums. It takes a few
milliseconds and shows the skewness that the fast errors of ``blocks`` must assume.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.windows.blocks import TimeBlocks, with_blocks
from advanced_mm.calibration.windows.estimate import Estimate
from advanced_mm.marketdata.records import Float1D

__all__ = ["BlockBootstrap", "percentile_interval"]

Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class BlockBootstrap:
    """Number of draws and seed.

    The seed is fixed so that the same window always gives the same interval.
    """

    draws: int = 4000
    seed: int = 20151

    def sums(self, blocks: TimeBlocks, by_block: Float2D) -> Float2D:
        """Sum each column of block sums over the blocks of each draw.

        Parameters
        ----------
        blocks
            The window's blocks.
        by_block
            Shape (blocks, c).

        Returns
        -------
        Array of shape (draws, c).
        """
        return np.asarray(self.counts(blocks) @ by_block)

    def counts(self, blocks: TimeBlocks) -> Float2D:
        """Return how often each draw contains each block, shape (draws, blocks)."""
        return _counts(len(blocks), self.draws, self.seed)

    def estimate(self, value: float, drawn: Float1D, by_block: Float1D, n: int) -> Estimate:
        """Return an estimate with the spread and percentiles of a drawn statistic."""
        return with_blocks(Estimate(value, *percentile_interval(drawn), n), by_block)


@lru_cache(maxsize=8)
def _counts(blocks: int, draws: int, seed: int) -> Float2D:
    """Count each block in each draw; cached, since the number of blocks rarely changes."""
    if blocks == 0:
        return np.zeros((draws, 0))
    drawn = np.random.default_rng(seed).integers(0, blocks, size=(draws, blocks))
    flat = drawn + blocks * np.arange(draws)[:, None]
    tally = np.bincount(flat.ravel(), minlength=draws * blocks)
    counts = tally.reshape(draws, blocks).astype(np.float64)
    counts.flags.writeable = False
    return counts


def percentile_interval(statistic: Float1D) -> tuple[float, float, float]:
    """Return standard deviation and the 2.5 and 97.5 percentiles of a drawn statistic.

    Draws without a value (NaN) are ignored; infinite ones count at their end of the distribution,
    and if the percentile there is infinite, it is returned as NaN.
    """
    known = statistic[~np.isnan(statistic)]
    if len(known) < 2:
        return np.nan, np.nan, np.nan
    ranks = [round(p * (len(known) - 1)) for p in (0.025, 0.975)]
    low, high = np.partition(known, ranks)[ranks]
    finite = known[np.isfinite(known)]
    spread = float(finite.std(ddof=1)) if len(finite) > 1 else np.nan
    return spread, _finite(low), _finite(high)


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan
