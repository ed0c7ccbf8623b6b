r"""The Hurst exponent: does what the price did go on, come back, or say nothing?

A price with exponent :math:`H` moves by about :math:`t^H` in the time :math:`t`. At 1/2 its changes
are uncorrelated; below, they tend to be taken back; above, to go on.

Estimated by local Whittle (Robinson, 1995) from the changes of the log price: near frequency 0
their spectrum goes as :math:`\lambda^{1 - 2H}`, and only frequencies below a limit are used. So the
bounce between bid and ask, which lives at high frequencies, does not pass for mean reversion. R/S
analysis, the usual choice, is biased on short samples and its errors are not known.

With an even volatility the estimate from :math:`m` frequencies is normal with the variance
:math:`1 / 4m`. Markets have quiet nights and loud hours, which count as fewer data: the variance is
then that of a wild bootstrap, in which each change, made white, keeps its size and gets a random
sign. It is computed in closed form from the spectrum of the squares, without drawing.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.fft import prev_fast_len
from scipy.optimize import minimize_scalar
from scipy.signal import fftconvolve
from scipy.stats import norm

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.research.statistics.series import PriceSeries, stretches

__all__ = ["Hurst", "Verdict", "hurst_exponent"]

Verdict = Literal["mean reverting", "random", "trending"]

_POWER: Final = 0.65
"""Of n changes, about n ** 0.65 frequencies are used: the usual compromise of bias and noise."""
_FEWEST: Final = 64
"""Changes that a stretch must have to be used."""
_LONG: Final = 10_000
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
    changes = [_of_fast_length(change) for change in changes if np.ptp(change) > 0]
    count = sum(map(len, changes))
    if not count:
        return None
    steps = count ** (1 - _POWER)
    if shortest_seconds is not None:
        steps = max(shortest_seconds / series.step_seconds, 2.0)
    used = [_places(len(change), steps) for change in changes]
    logs = [np.log(2 * np.pi * k / len(change)) for k, change in zip(used, changes, strict=True)]
    if sum(map(len, logs)) < _FEWEST_FREQUENCIES:
        return None
    mean = float(np.concatenate(logs).mean())
    centred = np.concatenate(logs) - mean
    power = np.concatenate([_power(change, k) for change, k in zip(changes, used, strict=True)])

    def objective(exponent: float) -> float:
        return float(np.log(np.mean(np.exp((2 * exponent - 1) * centred) * power)))

    exponent = float(minimize_scalar(objective, bounds=(0.0, 1.0), method="bounded").x)
    plain = float(centred @ centred)
    uneven = sum(
        _score_variance(_white(change, exponent), k, log - mean)
        for change, k, log in zip(changes, used, logs, strict=True)
    )
    error = float(norm.ppf(0.5 + level / 2)) * np.sqrt(max(plain, uneven)) / (2 * plain)
    return Hurst(
        exponent,
        float(exponent - error),
        float(exponent + error),
        level,
        count,
        float(steps * series.step_seconds),
    )


def _of_fast_length(changes: Float1D) -> Float1D:
    """Return the newest changes, less a few where the transform of all would take far longer."""
    if len(changes) < _LONG:
        return changes
    return changes[-prev_fast_len(len(changes)) :]


def _places(count: int, steps: float) -> Int1D:
    """Return the numbers of the frequencies with periods of at least ``steps``, without 0."""
    return np.arange(1, min(int(count / steps), (count - 1) // 2) + 1)


def _power(changes: Float1D, places: Int1D) -> Float1D:
    """Return the periodogram of changes, which are brought to variance 1, shape of ``places``."""
    scaled = (changes - changes.mean()) / changes.std()
    return np.asarray(np.abs(np.fft.rfft(scaled)[places]) ** 2 / len(changes))


def _white(changes: Float1D, exponent: float) -> Float1D:
    """Return the changes without their long memory: differenced H - 1/2 times."""
    count = len(changes)
    root = 2 * np.sin(np.pi * np.arange(1, count // 2 + 1) / count)
    phase = np.exp(1j * np.pi * (0.5 - np.arange(1, count // 2 + 1) / count))
    spectrum = np.fft.rfft(changes)
    spectrum[0] = 0.0
    spectrum[1:] *= (root * phase) ** (exponent - 0.5)
    return np.asarray(np.fft.irfft(spectrum, count))


def _score_variance(white: Float1D, places: Int1D, weight: Float1D) -> float:
    """Return the variance of the sum of weight times power if each value's sign is random.

    The powers at places j and k have the covariance (S(j - k) + S(j + k) - 2 sum of w⁴) / S(0),
    where S is the squared modulus of the transform of the squares w².
    """
    square = white**2
    transform = np.abs(np.fft.fft(square)) ** 2
    most = int(places[-1]) if len(places) else 0
    full = np.zeros(most + 1)
    full[places] = weight
    apart = fftconvolve(full, full[::-1])  # by j - k from -most to most
    together = fftconvolve(full, full)  # by j + k from 0 to 2 most
    found = apart @ transform[np.abs(np.arange(-most, most + 1))]
    found += together @ transform[np.arange(2 * most + 1)]
    found -= 2 * float(square @ square) * full.sum() ** 2
    return float(found / transform[0])
