"""Size of an entry: a share of the stake, smaller in volatile and toxic markets."""

import math
from datetime import datetime
from typing import Final

from advanced_mm.parameter_files import ParameterSet, Settings
from advanced_mm.quoting.edge import toxicity, toxicity_regime

__all__ = ["LongVolatility", "entry_stake", "size_factor"]

AVERAGED_SECONDS: Final = 6 * 3600.0


class LongVolatility:
    """The volatility of the newest refit beside its average over about six hours.

    The average is exponential, of the variance, and weighs each refit by the time that it held.
    After a start it begins with the first refit.
    """

    def __init__(self) -> None:
        self._variance: float | None = None
        self._sigma = 0.0
        self._fitted_at: datetime | None = None

    def ratio(self, parameters: ParameterSet | None) -> float | None:
        """Return sigma over its average; None if it was not fitted."""
        entry = None if parameters is None else parameters.epsilon
        if entry is None or entry.sigma is None or entry.fitted_at is None:
            return None
        if self._variance is None or self._fitted_at is None:
            self._variance, self._fitted_at = entry.sigma**2, entry.fitted_at
        seconds = (entry.fitted_at - self._fitted_at).total_seconds()
        if seconds > 0:
            kept = math.exp(-seconds / AVERAGED_SECONDS)
            self._variance = kept * self._variance + (1 - kept) * self._sigma**2
            self._fitted_at = entry.fitted_at
        self._sigma = entry.sigma
        return self._sigma / math.sqrt(self._variance)


def size_factor(
    settings: Settings, parameters: ParameterSet | None, volatility: float | None, units: int = 0
) -> float:
    """Return the factor on a unit for the next entry, above 0 and at most 1.

    Parameters
    ----------
    settings
        ``volatile_size``, ``toxic_size`` and ``inventory_size`` are multiplied where they apply.
    parameters
        Those the quote rests on; None if there are none, as for a lost order that is recovered.
    volatility
        Sigma over its long average; None if unknown, which changes nothing.
    units
        What is held, without its sign.
    """
    factor = 1.0
    if volatility is not None and volatility >= settings.volatile_from:
        factor *= settings.volatile_size
    if parameters is not None:
        found = [toxicity(parameters, side) for side in ("bid", "ask")]
        if any(one is not None and toxicity_regime(one) != "profitable" for one in found):
            factor *= settings.toxic_size
    if units > settings.layers / 2:
        factor *= settings.inventory_size
    return factor


def entry_stake(unit: float, factor: float, least: float) -> float | None:
    """Return the stake of an entry, in the currency of ``unit``; None if a whole unit is too small.

    A reduced size is never below ``least``, from which on an order can be closed again.
    """
    return None if unit < least else max(unit * factor, least)
