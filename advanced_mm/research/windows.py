"""Figures over a moving window of rows that ends at each row, so that none sees a later one."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["ENOUGH", "FloatArray", "Window", "ratio"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

ENOUGH: Final = 0.9
"""Share of a window's rows that must be known; with fewer its figure is unknown."""


@dataclass(frozen=True)
class Window:
    """The last ``rows`` rows, up to and including the row that the figure stands at.

    Unknown rows (NaN) are left out. A figure is NaN if less than `ENOUGH` of the rows are known,
    which includes the first rows of all, unless a method says otherwise. With ``rows`` 0, for a
    window that is not a whole number of candles, all figures are NaN.

    pandas computes them: its moving sums are compensated, and exact for windows of equal values.
    TA-Lib's moving deviation, from the mean of the squares, is not: it loses a price's digits.
    """

    rows: int

    @property
    def least(self) -> int:
        """Number of known rows that a figure needs."""
        return int(np.ceil(ENOUGH * self.rows))

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the mean."""
        return self._of(values, "mean", self.least)

    def total(self, values: FloatArray) -> FloatArray:
        """Return the sum of the known rows."""
        return self._of(values, "sum", self.least)

    def deviation(self, values: FloatArray) -> FloatArray:
        """Return the standard deviation of a sample (n − 1)."""
        return self._of(values, "std", max(self.least, min(2, self.rows)))

    def quantile(self, values: FloatArray, q: float, least: int) -> FloatArray:
        """Return a quantile, interpolated linearly, from at least ``least`` known rows."""
        return self._of(values, "quantile", min(least, self.rows), q=q)

    def mean_of(self, values: FloatArray, least: int) -> FloatArray:
        """Return the mean of what is known, however much of the window it is.

        For figures that exist at some rows only, such as those with trades. NaN with fewer than
        ``least``.
        """
        return self._of(values, "mean", min(least, self.rows))

    def _of(self, values: FloatArray, figure: str, least: int, **options: Any) -> FloatArray:
        if not self.rows:
            return np.full(len(values), np.nan)
        moving = pd.Series(values).rolling(self.rows, min_periods=least)
        figures: FloatArray = getattr(moving, figure)(**options).to_numpy()
        return figures


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return ``above / below``, NaN where ``below`` is 0 or either is unknown."""
    result = np.full(len(above), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result
