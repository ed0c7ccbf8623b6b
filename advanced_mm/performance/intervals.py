"""Averages with 95% intervals, by drawing whole blocks of time (the block bootstrap).

Fills come in bursts and markouts of neighbouring fills overlap, so that fills are not independent;
blocks of time nearly are. A block is at least three horizons long. With few blocks the drawn
spread is too small: it is widened as Student's t is wider than the normal.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from advanced_mm.calibration.windows.blocks import TimeBlocks
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap, percentile_interval
from advanced_mm.calibration.windows.estimate import NORMAL_95
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["Figure", "Line", "TimeDraws"]

Float2D = NDArray[np.float64]

_MOST_BLOCKS: Final = 400
_LEAST_BLOCKS: Final = 5
"""Fewer show nothing of their own spread."""
_LEAST_FOR_A_LINE: Final = 10
_LEAST_WIDTH_MS: Final = 30_000
_BOOTSTRAP: Final = BlockBootstrap(draws=2000)


@dataclass(frozen=True)
class Figure:
    """A number with its unit, and its 95% interval where it is an average (else NaN)."""

    value: float
    unit: str
    low: float = np.nan
    high: float = np.nan
    n: int = 0

    def to_json(self) -> dict[str, float | str | int | None]:
        """Plain values; what is not known is null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        known = {k: float(v) if np.isfinite(v) else None for k, v in numbers.items()}
        return {**known, "unit": self.unit, "n": self.n}

    def times(self, factor: float, unit: str) -> "Figure":
        """The same in another unit; ``factor`` is positive."""
        return Figure(self.value * factor, unit, self.low * factor, self.high * factor, self.n)


@dataclass(frozen=True)
class Line:
    """A straight line fitted by least squares."""

    slope: Figure
    intercept: Figure


class TimeDraws:
    """Draws of the blocks that a list of times falls into.

    Parameters
    ----------
    time_ms
        Shape (n,), ascending.
    horizon_s
        How far what is averaged looks ahead, seconds.
    """

    def __init__(self, time_ms: Int1D, horizon_s: float = 0.0) -> None:
        self._n = len(time_ms)
        span = int(time_ms[-1] - time_ms[0]) if self._n else 0
        width = max(_LEAST_WIDTH_MS, round(3000 * horizon_s), -(-span // _MOST_BLOCKS))
        numbers = time_ms // width
        self._first = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        self.blocks = len(self._first)
        found = numbers[self._first]
        self._counts = _BOOTSTRAP.counts(TimeBlocks(width, found, np.zeros(self.blocks)))

    def sums(self, *columns: Float1D) -> tuple[Float1D, Float2D]:
        """Return the sum of each column, and its sums in each draw, shape (draws, c)."""
        values = np.column_stack(columns)
        if not self._n:
            return np.zeros(len(columns)), np.full((_BOOTSTRAP.draws, len(columns)), np.nan)
        by_block = np.add.reduceat(values, self._first, axis=0)
        return by_block.sum(axis=0), self._counts @ by_block

    def mean(self, values: Float1D, unit: str, weights: Float1D | None = None) -> Figure:
        """Return the weighted mean of the known values; shapes (n,)."""
        known = np.isfinite(values)
        weight = known * (1.0 if weights is None else np.nan_to_num(weights))
        return self.ratio(np.where(known, values, 0.0) * weight, weight, unit)

    def ratio(self, above: Float1D, below: Float1D, unit: str) -> Figure:
        """Return Σ above ÷ Σ below; shapes (n,)."""
        total, drawn = self.sums(above, below)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = total[0] / total[1] if total[1] else np.nan
            draws = drawn[:, 0] / drawn[:, 1]
        n = int(np.count_nonzero(below))
        return Figure(float(value), unit, *self.interval(float(value), draws), n)

    def line(self, x: Float1D, y: Float1D, unit: str) -> Line:
        """Fit ``y`` = intercept + slope·``x`` over the pairs that are known; shapes (n,)."""
        known = np.isfinite(x) & np.isfinite(y)
        x, y, one = (np.where(known, v, 0.0) for v in (x, y, np.ones(self._n)))
        centre = float(x.sum() / max(one.sum(), 1.0))  # without it, the sums lose their digits
        x = np.where(known, x - centre, 0.0)
        total, drawn = self.sums(one, x, y, x * x, x * y)
        n = int(known.sum())
        slope, intercept = (v[0] for v in _line(total[None, :], centre))
        if n < _LEAST_FOR_A_LINE:
            slope, intercept = np.nan, np.nan
        drawn_slope, drawn_intercept = _line(drawn, centre)
        return Line(
            Figure(float(slope), "", *self.interval(float(slope), drawn_slope), n),
            Figure(float(intercept), unit, *self.interval(float(intercept), drawn_intercept), n),
        )

    def interval(self, value: float, draws: Float1D) -> tuple[float, float]:
        """Return the percentiles of a drawn statistic, widened for few blocks."""
        if self.blocks < _LEAST_BLOCKS:
            return np.nan, np.nan
        _, low, high = percentile_interval(np.where(np.isfinite(draws), draws, np.nan))
        few = self.blocks / (self.blocks - 1)
        wider = float(stdtrit(self.blocks - 1, 0.975)) / NORMAL_95 * np.sqrt(few)
        return value - (value - low) * wider, value + (high - value) * wider


def _line(sums: Float2D, centre: float) -> tuple[Float1D, Float1D]:
    """Slope and intercept from the sums of 1, x, y, x², xy, x less its centre; shape (k, 5)."""
    n, x, y, xx, xy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = n * xx - x * x
        flat = spread <= 1e-12 * np.abs(n * xx + n * n * 1e-12)
        slope = np.where(flat, np.nan, (n * xy - x * y) / spread)
        intercept = (y - slope * x) / n - slope * centre
    return slope, intercept
