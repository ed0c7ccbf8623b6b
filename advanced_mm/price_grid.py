"""Hyperliquid's price grid, with rounding that never moves a quote closer to the mid."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from advanced_mm.errors import InputError

__all__ = ["PriceGrid"]

_SIGNIFICANT_FIGURES = 5
_PERPETUAL_DECIMALS = 6
_DIGITS = 100
"""Precision, more than the prices of a market need; any excess is rounded away from the mid too."""


@dataclass(frozen=True)
class PriceGrid:
    """Prices a perpetual accepts: 5 significant figures, at most 6 - size_decimals decimals.

    Integers are always valid. ``size_decimals`` is the coin's ``szDecimals``. For a client that
    sends no finer prices, they are also multiples of ``least_tick`` (quote currency, a power of
    ten).
    """

    size_decimals: int
    least_tick: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.size_decimals <= _PERPETUAL_DECIMALS:
            raise InputError(f"szDecimals = {self.size_decimals} must be 0 to 6.")
        if not 0 <= self.least_tick < math.inf:
            raise InputError(f"price step = {self.least_tick} must be 0 or a power of ten.")

    def tick(self, price: float) -> float:
        """Return the distance to the next higher price on the grid, quote currency.

        Raises
        ------
        InputError
            The price is not positive and finite.
        """
        if not 0 < price < math.inf:
            raise InputError(f"price = {price} cannot be quoted: it must be positive and finite.")
        return float(self._step(_exact(price)))

    def bid(self, mid: float, depth: float) -> float:
        """Return the highest grid price at least ``depth`` below ``mid`` (all quote currency).

        Raises
        ------
        InputError
            There is no positive price, or an argument is out of range.
        """
        return self._quote("bid", mid, depth)

    def ask(self, mid: float, depth: float) -> float:
        """Return the lowest grid price at least ``depth`` above ``mid`` (all quote currency).

        Raises
        ------
        InputError
            An argument is out of range.
        """
        return self._quote("ask", mid, depth)

    def _quote(self, side: str, mid: float, depth: float) -> float:
        if not (0 < mid < math.inf and 0 <= depth < math.inf):
            raise InputError(
                f"{_an(side)} at a depth of {depth} from a mid of {mid} cannot be quoted: the mid "
                "must be positive, the depth at least 0, and both finite."
            )
        rounding = ROUND_FLOOR if side == "bid" else ROUND_CEILING
        context = Context(prec=_DIGITS, rounding=rounding)
        away = context.subtract if side == "bid" else context.add
        exact = away(_exact(mid), _exact(depth))
        step = self._step(exact)
        # The step is a power of ten: dividing and multiplying shift the decimal point exactly.
        steps = exact.scaleb(-step.adjusted(), context).to_integral_value(rounding, context)
        price = float(steps.scaleb(step.adjusted(), context))
        if not 0 < price < math.inf:
            raise InputError(
                f"{_an(side)} at a depth of {depth:g} from a mid of {mid:g} cannot be quoted: on "
                f"the grid, whose step is {step:f} there, its price is {price:g}."
            )
        return price

    def _step(self, price: Decimal) -> Decimal:
        by_figures = price.adjusted() - (_SIGNIFICANT_FIGURES - 1)
        by_decimals = self.size_decimals - _PERPETUAL_DECIMALS
        exponent = min(0, max(by_figures, by_decimals))
        if self.least_tick > 0:
            exponent = max(exponent, _exact(self.least_tick).adjusted())
        return Decimal(1).scaleb(exponent)


def _exact(number: float) -> Decimal:
    """Convert a float by its shortest decimal form: 0.1 is exactly a tenth."""
    return Decimal(repr(float(number)))


def _an(side: str) -> str:
    return "an ask" if side == "ask" else "a bid"
