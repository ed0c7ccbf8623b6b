"""Hyperliquid's price grid, and rounding that never brings a quote closer to the mid."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from advanced_mm.errors import InputError

__all__ = ["PriceGrid"]

_SIGNIFICANT_FIGURES = 5
_PERPETUAL_DECIMALS = 6


@dataclass(frozen=True)
class PriceGrid:
    """Prices a perpetual accepts: 5 significant figures, at most 6 - size_decimals decimals.

    Integers are always valid. ``size_decimals`` is the coin's ``szDecimals``. Prices are multiples
    of ``least_tick`` (quote currency, a power of ten) too, for a client that sends no finer ones.
    """

    size_decimals: int
    least_tick: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.size_decimals <= _PERPETUAL_DECIMALS:
            raise InputError(f"szDecimals = {self.size_decimals} is outside 0 ... 6.")

    def tick(self, price: float) -> float:
        """Distance to the next price up the grid, quote currency."""
        return float(self._step(Decimal(repr(price))))

    def bid(self, mid: float, depth: float) -> float:
        """Highest grid price at least ``depth`` below ``mid`` (all quote currency)."""
        return self._round(Decimal(repr(mid)) - Decimal(repr(depth)), ROUND_FLOOR)

    def ask(self, mid: float, depth: float) -> float:
        """Lowest grid price at least ``depth`` above ``mid`` (all quote currency)."""
        return self._round(Decimal(repr(mid)) + Decimal(repr(depth)), ROUND_CEILING)

    def _round(self, price: Decimal, rounding: str) -> float:
        if price <= 0 or not price.is_finite():
            raise InputError(f"a price of {price} cannot be quoted.")
        step = self._step(price)
        return float((price / step).to_integral_value(rounding) * step)

    def _step(self, price: Decimal) -> Decimal:
        by_figures = price.adjusted() - (_SIGNIFICANT_FIGURES - 1)
        by_decimals = self.size_decimals - _PERPETUAL_DECIMALS
        exponent = min(0, max(by_figures, by_decimals))
        if self.least_tick > 0:
            exponent = max(exponent, Decimal(repr(self.least_tick)).adjusted())
        return Decimal(1).scaleb(exponent, Context(prec=28))
