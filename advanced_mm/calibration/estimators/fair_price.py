"""Short-term drift of the mid from the size imbalance at the touch.

The mid is not where the price is expected to be in a few seconds: with more size on the bid than on
the ask, it tends to rise. With I = (bid size - ask size) / (bid size + ask size),

    mid(t + h) - mid(t) = a + beta I(t) + r(t),

looked at every half second; the fair price is mid + beta I. The intercept only keeps a trend of the
window out of the slope. (Cartea, Jaimungal & Penalva 2015, 10.4.2; Stoikov's micro-price, 2018, is
the same idea with the expectation taken by states of the book.)
"""

from dataclasses import dataclass

import numpy as np

from advanced_mm.calibration.windows.blocks import clustered_estimate
from advanced_mm.calibration.windows.estimate import Estimate, insufficient
from advanced_mm.calibration.windows.window import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["FairPriceEstimator", "FairPriceFit"]

_FEWEST = 2


@dataclass(frozen=True)
class FairPriceFit:
    """Move of the mid per unit of imbalance, quote currency.

    ``slope`` is the regression's, with its interval, NaN if the imbalance never changed. ``beta``
    is what may be quoted: the slope, or 0 where that is not significant. ``r2`` is the share of the
    variation (about zero) of each half of the window that the other half's slope predicts, NaN if
    it cannot be known, negative if it predicts worse than no move at all. ``horizon_s`` is h in
    seconds.
    """

    slope: Estimate
    beta: float
    r2: float
    horizon_s: float

    def rejected(self, reason: str) -> "FairPriceFit":
        """Return the same numbers marked insufficient, with ``beta`` 0."""
        return FairPriceFit(self.slope.rejected(reason), 0.0, self.r2, self.horizon_s)


@dataclass(frozen=True)
class FairPriceEstimator:
    """Least squares on looks every ``step_ms``, errors clustered by time blocks.

    Moves over ``horizon_ms`` overlap from look to look, and so do their errors; sums over blocks
    that are much longer than the horizon are nearly independent. Looks at a book without a valid
    touch and moves across a hole are left out.

    ``beta`` is 0 unless the slope's 95% interval excludes zero and the slopes of the window's
    halves predict each the other half's moves better than no move at all. A slope of ``max_bp``
    of the mid or more is rejected.

    Raises
    ------
    InputError
        If ``horizon_ms`` is below ``step_ms``.
    """

    horizon_ms: int = 5000
    step_ms: int = 500
    min_looks: int = 200
    max_bp: float = 20.0

    def __post_init__(self) -> None:
        if self.horizon_ms < self.step_ms:
            raise InputError(
                f"the fair price's horizon is {self.horizon_ms} ms, must be at least "
                f"{self.step_ms} ms, the time between two looks at the book"
            )

    def fit(self, window: Window) -> FairPriceFit:
        """Return the slope, whether it may be quoted, and how well it predicts."""
        time_ms, imbalance, moves = self.looks(window)
        n = len(moves)
        if n < self.min_looks:
            reason = f"{n} looks with a move, {self.min_looks} needed"
            return self._nothing(insufficient(n, reason))
        centred = imbalance - imbalance.mean()
        spread = float(centred @ centred)
        if not spread > 1e-12 * n:
            reason = "the imbalance never changed, so it foretells nothing"
            return self._nothing(Estimate(np.nan, np.nan, np.nan, np.nan, n, reason=reason))
        value = float(centred @ moves) / spread
        residual = moves - moves.mean() - value * centred
        parts = window.blocks.sums(time_ms, (centred * residual / spread)[:, None])[:, 0]
        slope = clustered_estimate(value, parts, n)
        r2 = self._out_of_sample(time_ms, imbalance, moves)
        limit = self.max_bp * 1e-4 * window.path.last
        if np.isfinite(limit) and abs(value) >= limit:
            reason = f"{value:.4g} is more than {self.max_bp:g} bp of the mid"
            return self._nothing(slope.rejected(reason))
        significant = (slope.low > 0 or slope.high < 0) and r2 > 0
        return FairPriceFit(slope, value if significant else 0.0, r2, self.horizon_ms / 1000)

    def looks(self, window: Window) -> tuple[Int1D, Float1D, Float1D]:
        """Return times (ms), imbalances and the mid's moves that follow, shapes (n,)."""
        number, stretch = window.stretches.bins_inside(self.step_ms)
        time_ms = number * self.step_ms
        later = time_ms + self.horizon_ms
        mid, imbalance = window.path.at(time_ms), window.path.imbalance_at(time_ms)
        moves = window.path.at(later) - mid
        known = np.isfinite(moves) & np.isfinite(imbalance)
        known &= window.stretches.index(later) == stretch
        return time_ms[known], imbalance[known], moves[known]

    def _nothing(self, slope: Estimate) -> FairPriceFit:
        return FairPriceFit(slope, 0.0, np.nan, self.horizon_ms / 1000)

    def _out_of_sample(self, time_ms: Int1D, imbalance: Float1D, moves: Float1D) -> float:
        """Return R squared (about zero) of each half of the looks by the other half's slope.

        Moves of the earlier half that end in the later one are left out.
        """
        half = len(moves) // 2
        first = int(np.searchsorted(time_ms, time_ms[half] - self.horizon_ms, side="right"))
        parts = [(imbalance[:first], moves[:first]), (imbalance[half:], moves[half:])]
        total = sum(float(y @ y) for _, y in parts)
        slopes = [_slope(x, y) for x, y in parts]
        if not (total > 0 and np.all(np.isfinite(slopes))):
            return np.nan
        missed = [y - b * x for (x, y), b in zip(parts, reversed(slopes), strict=True)]
        return 1.0 - sum(float(one @ one) for one in missed) / total


def _slope(x: Float1D, y: Float1D) -> float:
    """Return the slope of least squares, NaN if ``x`` never changes."""
    if len(x) < _FEWEST:
        return np.nan
    x = x - x.mean()
    spread = float(x @ x)
    return float(x @ y) / spread if spread > 0 else np.nan
