"""What is drawn of a long series: a value or a band for each of at most some hundred bins."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D

__all__ = ["Bins"]

_STEPS_S: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 14_400, 86_400)


class Bins:
    """Whole bins of the clock, as short as gives at most ``most`` of them.

    ``times`` are their starts (``datetime64``, UTC), shape (m,); ``seconds`` their length, never
    below a candle's. Of unknown values nothing is drawn: a bin without any known one is NaN.
    """

    def __init__(self, index: pd.DatetimeIndex, step_seconds: int, most: int) -> None:
        span = len(index) * step_seconds
        fitting = [
            step
            for step in (step_seconds, *_STEPS_S)
            if step >= step_seconds and step % step_seconds == 0 and span / step <= most
        ]
        longest = -(-len(index) // most) * step_seconds
        self.seconds = min(fitting, default=longest)
        start = int(index[0].timestamp())
        first = start // self.seconds * self.seconds
        self._width = self.seconds // step_seconds
        self._before = (start - first) // step_seconds
        count = -(-(self._before + len(index)) // self._width)
        starts = first + self.seconds * np.arange(count)
        self.times = starts.astype("datetime64[s]")
        self._rows = count * self._width

    @property
    def words(self) -> str:
        """The length of a bin, in words."""
        for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
            if self.seconds % unit == 0:
                count = self.seconds // unit
                return name if count == 1 else f"{count} {name}s"
        return "second" if self.seconds == 1 else f"{self.seconds} seconds"

    def quantiles(self, values: Float1D | pd.Series, *shares: float) -> list[Float1D]:
        """Return the quantiles of each bin: the known value nearest to each rank."""
        ordered = np.sort(self._cells(values), axis=1)  # NaN last
        known = np.isfinite(ordered).sum(axis=1)
        rows = np.arange(len(ordered))
        found = []
        for share in shares:
            rank = np.rint(share * np.maximum(known - 1, 0)).astype(int)
            found.append(np.where(known > 0, ordered[rows, rank], np.nan))
        return found

    def mean(self, values: Float1D | pd.Series) -> Float1D:
        """Return the mean of each bin."""
        cells = self._cells(values)
        known = np.isfinite(cells)
        count = known.sum(axis=1)
        sums = np.where(known, cells, 0.0).sum(axis=1)
        return np.where(count > 0, sums / np.maximum(count, 1), np.nan)

    def total(self, values: Float1D | pd.Series) -> Float1D:
        """Return the sum of each bin."""
        cells = self._cells(values)
        known = np.isfinite(cells)
        return np.where(known.any(axis=1), np.where(known, cells, 0.0).sum(axis=1), np.nan)

    def first(self, values: Float1D | pd.Series) -> Float1D:
        """Return the first known value of each bin."""
        return _first_known(self._cells(values))

    def last(self, values: Float1D | pd.Series) -> Float1D:
        """Return the last known value of each bin."""
        return _first_known(self._cells(values)[:, ::-1])

    def _cells(self, values: Float1D | pd.Series) -> NDArray[np.float64]:
        cells = np.full(self._rows, np.nan)
        known = np.asarray(values, dtype=np.float64)
        cells[self._before : self._before + len(known)] = np.where(
            np.isfinite(known), known, np.nan
        )
        return cells.reshape(-1, self._width)


def _first_known(cells: NDArray[np.float64]) -> Float1D:
    rows = np.arange(len(cells))
    return np.asarray(cells[rows, np.isfinite(cells).argmax(axis=1)], dtype=np.float64)
