"""The mid over a window, with as-of lookups that never cross a hole."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.marketdata.records import Float1D, Int1D, Quotes

__all__ = ["MidPath"]


@dataclass(frozen=True)
class MidPath:
    """Mid and half-spread (quote currency) after each change of the best bid and offer.

    ``imbalance`` is the bid's size minus the ask's over their sum, -1 to 1. Shapes (n,), sorted
    stably by exchange time; NaN if the book was crossed or a side was empty.
    """

    stretches: Stretches
    time_ms: Int1D
    mid: Float1D
    half_spread: Float1D
    imbalance: Float1D
    _stretch: Int1D = field(repr=False)

    @classmethod
    def of(cls, quotes: Quotes, stretches: Stretches, highest: float) -> "MidPath":
        """Build the path of ``quotes`` in time order, all within the stretches.

        A quote with an ask of ``highest`` or more is invalid.
        """
        bid, ask = quotes.bid, quotes.ask
        valid = (bid > 0) & (ask > bid) & (ask < highest)
        valid &= (quotes.bid_size > 0) & (quotes.ask_size > 0)
        if not valid.all():
            bid, ask = np.where(valid, bid, np.nan), np.where(valid, ask, np.nan)
        mid, half_spread = (bid + ask) / 2.0, (ask - bid) / 2.0
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            imbalance = (quotes.bid_size - quotes.ask_size) / (quotes.bid_size + quotes.ask_size)
        if not valid.all():
            imbalance = np.where(valid, imbalance, np.nan)
        stretch = stretches.index(quotes.time_ms)
        return cls(stretches, quotes.time_ms, mid, half_spread, imbalance, stretch)

    @property
    def last(self) -> float:
        """The newest valid mid, NaN if there is none."""
        if len(self.mid) and np.isfinite(self.mid[-1]):
            return float(self.mid[-1])
        valid = np.flatnonzero(np.isfinite(self.mid))
        return float(self.mid[valid[-1]]) if len(valid) else float("nan")

    def before(self, time_ms: Int1D) -> tuple[Float1D, Float1D]:
        """Return mid and half-spread of the last quote strictly before each time.

        NaN if that quote and the time are not in the same covered stretch.
        """
        row = self._row(time_ms, "left")
        return _lookup(self.mid, row), _lookup(self.half_spread, row)

    def imbalance_before(self, time_ms: Int1D) -> Float1D:
        """Return the imbalance of the last quote strictly before each time, NaN across a hole."""
        return _lookup(self.imbalance, self._row(time_ms, "left"))

    def around(self, beta: float) -> "MidPath":
        """Return the path of the fair price, mid + ``beta`` * imbalance, in the mid's place."""
        return replace(self, mid=self.mid + beta * self.imbalance)

    def mid_before(self, time_ms: Int1D) -> Float1D:
        """Return the mid of the last quote strictly before each time, NaN across a hole."""
        return _lookup(self.mid, self._row(time_ms, "left"))

    def at(self, time_ms: Int1D) -> Float1D:
        """Return the mid of the last quote at or before each time, NaN across a hole."""
        return _lookup(self.mid, self._row(time_ms, "right"))

    def imbalance_at(self, time_ms: Int1D) -> Float1D:
        """Return the imbalance of the last quote at or before each time, NaN across a hole."""
        return _lookup(self.imbalance, self._row(time_ms, "right"))

    def _row(self, time_ms: Int1D, side: Literal["left", "right"]) -> Int1D:
        """Return the row of the as-of quote, -1 if there is none in the same stretch."""
        if not len(self.time_ms):
            return np.full(len(time_ms), -1, dtype=np.int64)
        row = np.searchsorted(self.time_ms, time_ms, side=side) - 1
        stretch = self.stretches.index(time_ms)
        other = (row < 0) | (stretch < 0)
        if len(self.stretches) > 1:
            other |= self._stretch[row] != stretch
        row[other] = -1
        return np.asarray(row)


def _lookup(values: Float1D, row: Int1D) -> Float1D:
    if not len(values):
        return np.full(len(row), np.nan)
    found = values[row]
    found[row < 0] = np.nan
    return found
