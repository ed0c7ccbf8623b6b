"""The venue's price rule: the step by which a price may move."""

import math

from advanced_mm.errors import InputError

__all__ = ["price_step"]

_SIGNIFICANT_FIGURES = 5
_PERPETUAL_DECIMALS = 6


def price_step(price: float, size_decimals: int) -> float:
    """Return the smallest price step of a perpetual near ``price``.

    Prices have at most 5 significant figures and at most 6 - ``size_decimals`` decimals; whole
    numbers are always valid. The step is therefore a power of ten that grows with the price, up
    to 1.

    Parameters
    ----------
    price : float
        Quote currency, positive.
    size_decimals : int
        The coin's ``szDecimals`` in the venue's ``meta``.

    Returns
    -------
    float
        Quote currency.

    Raises
    ------
    InputError
        If the price is not positive and finite.
    """
    if not 0.0 < price < math.inf:
        raise InputError(f"price is {price!r}, must be positive and finite")
    by_figures = math.floor(math.log10(price)) - (_SIGNIFICANT_FIGURES - 1)
    by_decimals = size_decimals - _PERPETUAL_DECIMALS
    return float(f"1e{min(0, max(by_figures, by_decimals))}")
