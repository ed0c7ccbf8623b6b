"""Prices and sizes as integer numbers of steps, converted back without floating-point residue."""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_TICKS", "MOST_TICKS", "StepGrid"]

FEWEST_TICKS = 100  # with fewer, a tick is more than one percent of the price
MOST_TICKS = 10**5  # with more, a price on the tick grid has over five significant figures


@dataclass(frozen=True, slots=True)
class StepGrid:
    """The multiples of ``step`` (a price tick, quote currency, or a size step, base currency).

    ``decimals`` is the number of decimal places of the step: 1 for 0.1, 0 for 1 or 10.
    """

    step: float
    decimals: int = field(init=False)

    def __post_init__(self) -> None:
        exponent = Decimal(repr(self.step)).normalize().as_tuple().exponent
        object.__setattr__(self, "decimals", max(0, -int(exponent)))

    def values(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the floats nearest to ``steps`` steps, same shape: 3000.1, not 3000.10000004."""
        nearest: NDArray[np.float64] = np.round(np.asarray(steps) * self.step, self.decimals)
        return nearest

    def value(self, steps: int) -> float:
        """Return the float nearest to ``steps`` steps."""
        return round(steps * self.step, self.decimals)
