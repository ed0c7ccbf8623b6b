r"""The Hurst exponent: does what the price did go on, come back, or say nothing?

A price with exponent :math:`H` moves by about :math:`t^H` in the time :math:`t`. At 1/2 its changes
are uncorrelated; below, they tend to be taken back; above, to go on.

Estimated by local Whittle (Robinson, 1995) from the changes of the log price: near frequency 0
their spectrum goes as :math:`\lambda^{1 - 2H}`, and only frequencies below a limit are used. So the
bounce between bid and ask, which lives at high frequencies, does not pass for mean reversion, and
the estimate is normal with a known variance, :math:`1 / 4m` for :math:`m` frequencies, also when
volatility comes in clusters. R/S analysis, the usual choice, is biased on short samples and has no
such law.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from advanced_mm.marketdata.records import Float1D
from advanced_mm.research.statistics.series import PriceSeries, stretches

__all__ = ["Hurst", "Verdict", "hurst_exponent"]

Verdict = Literal["mean reverting", "random", "trending"]

_POWER: Final = 0.65
"""Of n changes, about n ** 0.65 frequencies are used: the usual compromise of bias and noise."""
_FEWEST: Final = 64
"""Changes that a stretch must have to be used."""
_FEWEST_FREQUENCIES: Final = 8


@dataclass(frozen=True)
class Hurst:
    """An estimate with its interval.

    ``shortest_seconds`` is the shortest period of the fluctuations that were used: the estimate
    speaks of horizons from there on. ``observations`` counts price changes.
    """

    exponent: float
    low: float
    high: float
    level: float
    observations: int
    shortest_seconds: float

    @property
    def verdict(self) -> Verdict:
        """``random`` unless the interval leaves 1/2 out."""
        if self.high < 0.5:
            return "mean reverting"
        return "trending" if self.low > 0.5 else "random"


def hurst_exponent(
    series: PriceSeries, level: float = 0.95, shortest_seconds: float | None = None
) -> Hurst | None:
    """Estimate the Hurst exponent of a price.

    Parameters
    ----------
    series
        Prices; stretches between unknown ones are used together, each with its own volatility.
    level
        Probability that the interval holds the truth.
    shortest_seconds
        Shortest period used; by default it leaves n ** 0.65 frequencies of n changes.

    Returns
    -------
    Hurst or None
        None if there are too few changes, or the price never moved.
    """
    changes = [np.diff(run) for run in stretches(series.log_price, _FEWEST + 1)]
    changes = [change for change in changes if np.ptp(change) > 0]
    count = sum(map(len, changes))
    if not count:
        return None
    steps = count ** (1 - _POWER)
    if shortest_seconds is not None:
        steps = max(shortest_seconds / series.step_seconds, 2.0)
    parts = [_periodogram(change, 2 * np.pi / steps) for change in changes]
    frequency = np.concatenate([part[0] for part in parts])
    power = np.concatenate([part[1] for part in parts])
    if len(frequency) < _FEWEST_FREQUENCIES:
        return None
    logs = np.log(frequency)
    centred = logs - logs.mean()

    def objective(exponent: float) -> float:
        return float(np.log(np.mean(np.exp((2 * exponent - 1) * centred) * power)))

    found = minimize_scalar(objective, bounds=(0.0, 1.0), method="bounded")
    error = float(norm.ppf(0.5 + level / 2) / (2 * np.sqrt(centred @ centred)))
    exponent = float(found.x)
    return Hurst(
        exponent,
        exponent - error,
        exponent + error,
        level,
        count,
        float(steps * series.step_seconds),
    )


def _periodogram(changes: Float1D, highest: float) -> tuple[Float1D, Float1D]:
    """Return the frequencies up to ``highest`` (radians a step, without 0) and their power."""
    count = len(changes)
    scaled = (changes - changes.mean()) / changes.std()
    used = slice(1, min(int(highest * count / (2 * np.pi)), (count - 1) // 2) + 1)
    power = np.abs(np.fft.rfft(scaled)[used]) ** 2 / count
    return 2 * np.pi * np.arange(count)[used] / count, power
