"""Volatility of a price: short and long window, exponentially weighted, and the mix of the three.

All figures are standard deviations of log returns per square root of a second. Returns are taken
between samples, one in each ``sample_seconds`` of the exchange's clock: the first price in it. Time
between samples may vary (no price came for a while, a price came late in its second), and each
return counts with its own:

- of a window of n returns r over the times Δ:  √(n·var(r) / ΣΔ), which for samples a second apart
  is ``numpy.std`` of the returns, and for samples k seconds apart that divided by √k;
- weighted:  v ← λ^Δ·v + (1 - λ^Δ)·r²/Δ with λ a second, divided by the weights so far,
  1 - λ^(ΣΔ since the start), so that it does not begin at 0;
- effective:  0.3·short + 0.4·weighted + 0.3·long.

An hour has 3600 seconds: times √3600 = 60 gives the volatility of an hour, times √31557600 = 5618
that of a year.

The streaming estimator and the batch give the same figures to rounding.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from advanced_mm.errors import InputError
from advanced_mm.policies.settings import PolicySettings

__all__ = [
    "UNKNOWN",
    "Volatility",
    "VolatilityEstimator",
    "VolatilityPath",
    "VolatilitySettings",
    "volatility_path",
]

Float1D = NDArray[np.float64]

_SHORT_SHARE, _EWMA_SHARE, _LONG_SHARE = 0.3, 0.4, 0.3
_MS_PER_SECOND: Final = 1000.0
_SMALLEST_WEIGHT: Final = 1e-100  # of a chunk's first sample at its end: far from underflow


class VolatilitySettings(PolicySettings):
    """Windows, weights and sampling."""

    short: int = Field(60, ge=2, le=100_000, description="returns in the short window")
    long: int = Field(600, ge=2, le=100_000, description="returns in the long window")
    ewma_lambda: float = Field(
        0.94, gt=0, lt=1, description="weight that a squared return keeps after a second"
    )
    sample_seconds: float = Field(
        1.0, gt=0, le=3600, description="one price is taken in each of these, seconds"
    )
    warm_up: int = Field(10, ge=2, description="returns before there are any figures")

    @model_validator(mode="after")
    def _windows_in_order(self) -> Self:
        if self.short > self.long:
            raise ValueError(
                f"short = {self.short} must not be above long = {self.long}: exchange them"
            )
        if self.warm_up > self.long:
            raise ValueError(f"warm_up = {self.warm_up} must not be above long = {self.long}")
        return self


@dataclass(frozen=True, slots=True)
class Volatility:
    """Figures at one moment, per √second; NaN during the warm-up.

    Windows that are not full yet hold what there is.
    """

    short: float
    long: float
    ewma: float

    @property
    def effective(self) -> float:
        """The mix of the three that quotes are computed from."""
        return _SHORT_SHARE * self.short + _EWMA_SHARE * self.ewma + _LONG_SHARE * self.long


UNKNOWN: Final = Volatility(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True, eq=False)
class VolatilityPath:
    """Figures after each price that was given (n,), per √second; NaN during the warm-up."""

    short: Float1D
    long: Float1D
    ewma: Float1D

    @property
    def effective(self) -> Float1D:
        """The mix of the three that quotes are computed from."""
        return _SHORT_SHARE * self.short + _EWMA_SHARE * self.ewma + _LONG_SHARE * self.long


class _Window:
    """The last returns, with their sums; summed afresh before rounding can gather."""

    def __init__(self, length: int) -> None:
        self._rows: deque[tuple[float, float]] = deque(maxlen=length)
        self._sum = self._squares = self._seconds = 0.0
        self._changes = 0

    def add(self, move: float, seconds: float) -> None:
        rows = self._rows
        if len(rows) == rows.maxlen:
            old, time = rows[0]
            self._sum -= old
            self._squares -= old * old
            self._seconds -= time
        rows.append((move, seconds))
        self._sum += move
        self._squares += move * move
        self._seconds += seconds
        self._changes += 1
        if self._changes >= len(rows):
            self._sum = math.fsum(row[0] for row in rows)
            self._squares = math.fsum(row[0] ** 2 for row in rows)
            self._seconds = math.fsum(row[1] for row in rows)
            self._changes = 0

    @property
    def volatility(self) -> float:
        spread = self._squares - self._sum**2 / len(self._rows)
        return math.sqrt(max(spread, 0.0) / self._seconds)


class VolatilityEstimator:
    """The figures, kept up to date price by price.

    Examples
    --------
    >>> estimator = VolatilityEstimator(VolatilitySettings(warm_up=2))
    >>> for second, price in enumerate([100.0, 100.1, 100.0, 100.1]):
    ...     now = estimator.update(second * 1000, price)
    >>> round(now.short, 6)
    0.000942
    """

    def __init__(self, settings: VolatilitySettings | None = None) -> None:
        self.settings = settings = settings or VolatilitySettings()
        self._short, self._long = _Window(settings.short), _Window(settings.long)
        self._cell = -math.inf
        self._last: tuple[int, float] | None = None  # time in ms, logarithm of the price
        self._returns = 0
        self._ewma = self._missing = 0.0  # weighted sum, logarithm of the weight it lacks
        self.current = UNKNOWN

    def update(self, time_ms: int, price: float) -> Volatility:
        """Take a price at the exchange's time and return the figures.

        Prices in a sample's time after its first, and those from the past, change nothing.

        Raises
        ------
        InputError
            The price is not a positive number.
        """
        if not 0.0 < price < math.inf:
            raise InputError(f"price = {price!r} must be a positive number to take its logarithm.")
        cell = time_ms // (self.settings.sample_seconds * _MS_PER_SECOND)
        if cell <= self._cell:
            return self.current
        self._cell = cell
        here = math.log(price)
        if self._last is not None:
            self._add(here - self._last[1], (time_ms - self._last[0]) / _MS_PER_SECOND)
        self._last = (time_ms, here)
        return self.current

    def _add(self, move: float, seconds: float) -> None:
        self._short.add(move, seconds)
        self._long.add(move, seconds)
        decay = seconds * math.log(self.settings.ewma_lambda)
        new = -math.expm1(decay)
        self._ewma = math.exp(decay) * self._ewma + new * move * move / seconds
        self._missing += decay
        self._returns += 1
        if self._returns >= self.settings.warm_up:
            ewma = math.sqrt(self._ewma / -math.expm1(self._missing))
            self.current = Volatility(self._short.volatility, self._long.volatility, ewma)


def volatility_path(
    times_ms: ArrayLike, prices: ArrayLike, settings: VolatilitySettings | None = None
) -> VolatilityPath:
    """Return the figures after each of many prices, as `VolatilityEstimator` would.

    Parameters
    ----------
    times_ms
        The exchange's times (n,), ms.
    prices
        Prices (n,), quote currency.
    settings
        Windows, weights and sampling.

    Raises
    ------
    InputError
        A price is not a positive number, or times and prices are not of one length.
    """
    settings = settings or VolatilitySettings()
    times, values = np.asarray(times_ms, np.int64), np.asarray(prices, np.float64)
    if times.ndim != 1 or times.shape != values.shape:
        raise InputError(
            f"times_ms {times.shape} and prices {values.shape} must be arrays of one length."
        )
    wrong = ~((values > 0.0) & (values < math.inf))
    if wrong.any():
        price = float(values[wrong.argmax()])
        raise InputError(f"price = {price!r} must be a positive number to take its logarithm.")
    cells = np.maximum.accumulate(times // (settings.sample_seconds * _MS_PER_SECOND))
    first = np.ones(times.size, bool)
    first[1:] = cells[1:] > cells[:-1]
    moves = np.diff(np.log(values[first]))
    seconds = np.diff(times[first]) / _MS_PER_SECOND
    at = np.cumsum(first) - 2  # the last return known at each price; -1 before the first
    return VolatilityPath(
        *(
            _spread_out(figures, at, settings.warm_up)
            for figures in (
                _windowed(moves, seconds, settings.short),
                _windowed(moves, seconds, settings.long),
                _weighted(moves, seconds, math.log(settings.ewma_lambda)),
            )
        )
    )


def _spread_out(figures: Float1D, at: NDArray[np.int64], warm_up: int) -> Float1D:
    spread = np.full(at.shape, math.nan)
    known = at >= warm_up - 1
    spread[known] = figures[at[known]]
    return spread


def _windowed(moves: Float1D, seconds: Float1D, length: int) -> Float1D:
    def rolling(values: Float1D) -> Float1D:
        sums = np.cumsum(values)
        window = sums.copy()
        window[length:] -= sums[:-length]
        return window

    count = np.minimum(np.arange(moves.size) + 1, length)
    spread = rolling(moves * moves) - rolling(moves) ** 2 / count
    return np.asarray(np.sqrt(np.maximum(spread, 0.0) / rolling(seconds)))


def _weighted(moves: Float1D, seconds: Float1D, log_lambda: float) -> Float1D:
    """Sum λ^(time since)·(1 - λ^Δ)·r²/Δ, chunk by chunk so that no power under- or overflows."""
    decay = seconds * log_lambda
    new = -np.expm1(decay) * moves * moves / seconds
    passed = np.cumsum(decay)
    result = np.empty_like(moves)
    start, before = 0, 0.0
    while start < moves.size:
        origin = passed[start]
        stop = start + int(
            np.searchsorted(-(passed[start:] - origin), -math.log(_SMALLEST_WEIGHT), "right")
        )
        weight = np.exp(passed[start:stop] - origin)
        carried = before * math.exp(decay[start])
        result[start:stop] = weight * (np.cumsum(new[start:stop] / weight) + carried)
        before, start = float(result[stop - 1]), stop
    return np.asarray(np.sqrt(result / -np.expm1(passed)))
