"""Volatility of the mid, sigma in quote currency per square root of a second."""

from dataclasses import dataclass

import numpy as np

from advanced_mm.calibration.windows.estimate import NORMAL_95, Estimate, insufficient
from advanced_mm.calibration.windows.window import Window
from advanced_mm.errors import InputError

__all__ = ["VolatilityEstimator"]


@dataclass(frozen=True)
class VolatilityEstimator:
    """Realised volatility, sqrt(sum (mid change)^2 / T) over whole bins inside the stretches.

    Bins shorter than 1 s would include the bounce of the best prices. The standard error is from
    the delta method on the spread of the squared changes.

    Raises
    ------
    InputError
        If ``bin_ms`` is below 1000.
    """

    bin_ms: int = 1000
    min_bins: int = 30

    def __post_init__(self) -> None:
        if self.bin_ms < 1000:
            raise InputError(f"bin_ms is {self.bin_ms}, must be at least 1000 for the volatility")

    def fit(self, window: Window) -> Estimate:
        """Return sigma with its uncertainty."""
        number, _ = window.stretches.bins_inside(self.bin_ms)
        left = window.path.mid_before(number * self.bin_ms)
        right = window.path.mid_before((number + 1) * self.bin_ms)
        moves = right - left
        square = moves[np.isfinite(moves)] ** 2
        n = len(square)
        if n < self.min_bins:
            return insufficient(n, f"{n} bins with a mid, {self.min_bins} needed")
        value = float(np.sqrt(square.sum() / (n * self.bin_ms / 1000)))
        if not value > 0:
            return insufficient(n, "the mid never moved")
        variance_se = square.std(ddof=1) / np.sqrt(n) / (self.bin_ms / 1000)
        se = float(variance_se / (2 * value))
        return Estimate(value, se, value - NORMAL_95 * se, value + NORMAL_95 * se, n)
