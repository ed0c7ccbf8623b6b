"""Intervals that survive clustering: whole 30 s blocks are drawn with replacement.

Market orders come in bursts, so an interval that treats them as independent is too narrow. Drawing
blocks of time keeps the bursts together (the block bootstrap). Statistics here are functions of
sums over orders, so a draw is a row of block counts times a matrix of block sums.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.coverage import Stretches
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["BlockBootstrap", "BlockDraws", "percentile_interval"]

Float2D = NDArray[np.float64]


@dataclass(frozen=True)
class BlockBootstrap:
    """How blocks are laid and drawn.

    Blocks start on epoch multiples of ``block_ms``; partial ones are kept. ``seed`` is fixed so
    that the same window always gives the same interval.
    """

    block_ms: int = 30_000
    draws: int = 4000
    seed: int = 20151

    def draw(self, stretches: Stretches) -> "BlockDraws":
        """Draw the blocks of a window."""
        numbers, seconds = stretches.blocks(self.block_ms)
        counts = _counts(len(numbers), self.draws, self.seed)
        return BlockDraws(self.block_ms, numbers, seconds, counts)


@dataclass(frozen=True)
class BlockDraws:
    """Drawn blocks: ``counts[d, b]`` says how often draw d holds block b. Shape (draws, blocks)."""

    block_ms: int
    numbers: Int1D
    seconds: Float1D
    counts: Float2D

    @property
    def drawn_seconds(self) -> Float1D:
        """Covered seconds of each draw, shape (draws,)."""
        return np.asarray(self.counts @ self.seconds)

    def sums(self, time_ms: Int1D, values: Float2D) -> Float2D:
        """Sum each column over the orders of each draw.

        Parameters
        ----------
        time_ms
            Exchange times of the orders, inside the covered stretches, shape (n,).
        values
            One row an order, one column a quantity, shape (n, c).

        Returns
        -------
        Array of shape (draws, c).
        """
        place = np.searchsorted(self.numbers, time_ms // self.block_ms)
        by_block = np.column_stack(
            [np.bincount(place, weights=v, minlength=len(self.numbers)) for v in values.T]
        )
        return np.asarray(self.counts @ by_block)


@lru_cache(maxsize=8)
def _counts(blocks: int, draws: int, seed: int) -> Float2D:
    """Count each block in each draw; a window keeps its number of blocks, so this is cached."""
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

    A draw without a value (NaN) is left out; an infinite one counts at the end where it belongs and
    makes that end NaN when it reaches the percentile.
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
