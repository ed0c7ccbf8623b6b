"""Figures over a moving window of rows that ends at each row, so that none sees a later one."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.research._types import FloatArray

__all__ = ["ENOUGH", "FloatArray", "Window", "ratio"]

ENOUGH: Final = 0.9
"""Share of a window's rows that must be known; with fewer its figure is unknown."""


@dataclass(frozen=True)
class Window:
    """The last ``rows`` rows, up to and including the row that the figure stands at.

    Unknown rows (NaN) are left out. A figure is NaN if less than `ENOUGH` of the rows are known,
    which includes the first rows of all, unless a method says otherwise. With ``rows`` 0, for a
    window that is not a whole number of candles, all figures are NaN.

    Means and deviations are computed here, not by the rolling functions of pandas or bottleneck,
    which update a sum: after a lively hour a price at rest keeps a deviation above 0 there, and
    what is divided by it is noise.
    """

    rows: int

    @property
    def least(self) -> int:
        """Number of known rows that a figure needs."""
        return int(np.ceil(ENOUGH * self.rows))

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the mean."""
        return self.moments(values)[0]

    def deviation(self, values: FloatArray) -> FloatArray:
        """Return the standard deviation of a sample (n − 1)."""
        return self.moments(values)[1]

    def moments(
        self, values: FloatArray, least: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of a sample, with at least ``least`` known rows."""
        if not self.rows:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        from advanced_mm.research._kernels import moments  # numba: 60 MB that few processes need

        return moments(
            np.ascontiguousarray(values, np.float64),
            self.rows,
            self.least if least is None else min(least, self.rows),
        )

    def mean_of(self, values: FloatArray, least: int, observed: FloatArray) -> FloatArray:
        """Return the mean of values that exist at some rows only, such as those with trades.

        NaN with fewer than ``least`` of them, or where less than `ENOUGH` of the window is known
        of ``observed``.
        """
        return self.moments(values, least)[0] + 0.0 * self.mean(observed)

    def quantile(self, values: FloatArray, q: float, least: int) -> FloatArray:
        """Return a quantile, interpolated linearly, from at least ``least`` known rows."""
        if not self.rows:
            return np.full(len(values), np.nan)
        moving = pd.Series(values).rolling(self.rows, min_periods=min(least, self.rows))
        figures: FloatArray = moving.quantile(q).to_numpy()
        return figures


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return ``above / below``, NaN where ``below`` is 0 or either is unknown."""
    result = np.full(len(above), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result
