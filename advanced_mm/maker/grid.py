"""A market's grid of prices and sizes; rounding never moves an order closer to the other side."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final

from advanced_mm.maker.exchange import MarketRules, Side
from advanced_mm.price_grid import PriceGrid

__all__ = ["Grid"]

_ROUNDING: Final = {"buy": ROUND_FLOOR, "sell": ROUND_CEILING}
_REMEMBERED: Final = 2048
_ROUNDED: Final = Decimal("1.000000001")
"""A difference of two floats may lie a hair below the step that is meant."""


class Grid:
    """Prices and sizes that a market takes.

    Rounding is exact and therefore slow, and most of a ladder comes again and again: the latest
    results are remembered.
    """

    def __init__(self, rules: MarketRules) -> None:
        self._rounded = lru_cache(maxsize=_REMEMBERED)(self._round)
        self._size_step = rules.size_step
        self._step = rules.price_step
        self._figures = PriceGrid(rules.size_decimals or 0) if rules.price_step is None else None

    def price(self, side: Side, price: float) -> Decimal:
        """Return the nearest price on the grid that is no better for the other side.

        Raises
        ------
        InputError
            There is no positive price on the grid below that of a buy.
        """
        return self._rounded(side, price)

    def _round(self, side: Side, price: float) -> Decimal:
        if self._figures is not None:
            rounded = self._figures.bid if side == "buy" else self._figures.ask
            return Decimal(repr(rounded(price, 0.0)))
        assert self._step is not None
        steps = (Decimal(repr(price)) / self._step).to_integral_value(_ROUNDING[side])
        return steps * self._step

    def away(self, side: Side, price: Decimal) -> Decimal:
        """Return the next price of the grid farther from the other side."""
        if self._figures is not None:
            step = Decimal(repr(self._figures.tick(float(price))))
            further = float(price - step / 2 if side == "buy" else price + step / 2)
            return self.price(side, further)
        assert self._step is not None
        return price - self._step if side == "buy" else price + self._step

    def tick(self, price: float) -> float:
        """Return the price step at a price, quote currency."""
        return self._figures.tick(price) if self._figures is not None else float(self._step or 0)

    def size(self, size: float | Decimal) -> Decimal:
        """Return the largest size on the grid that is no larger, but for a float's rounding."""
        exact = size if isinstance(size, Decimal) else Decimal(repr(size)) * _ROUNDED
        return (exact / self._size_step).to_integral_value(ROUND_FLOOR) * self._size_step
