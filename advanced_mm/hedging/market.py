"""The filters of the market that the hedge trades on."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Literal

from advanced_mm.price_grid import PriceGrid

__all__ = ["HedgeMarket", "Side", "side_of"]

Side = Literal["buy", "sell"]


def side_of(trade: Decimal) -> Side:
    """Return the side of a signed trade."""
    return "buy" if trade > 0 else "sell"


@dataclass(frozen=True, slots=True)
class HedgeMarket:
    """Steps and minima of the hedge's market.

    Parameters
    ----------
    size_step, min_size
        Base currency.
    min_value
        Smallest value of an order, quote currency.
    price_step
        Quote currency; None where the venue counts significant digits.
    size_decimals
        Decimals of sizes where the venue counts significant digits.
    """

    size_step: Decimal
    min_size: Decimal
    min_value: Decimal
    price_step: Decimal | None = None
    size_decimals: int | None = None

    def size(self, size: Decimal) -> Decimal:
        """Round a signed size toward zero, so that a hedge is never larger than wanted."""
        steps = (size / self.size_step).to_integral_value(ROUND_DOWN)
        return steps * self.size_step

    def tradeable(self, size: Decimal, price: Decimal) -> bool:
        """Return whether an order of this size, rounded, reaches the market's minima."""
        rounded = abs(self.size(size))
        return rounded > 0 and rounded >= self.min_size and rounded * price >= self.min_value

    def trigger(self, price: Decimal, side: Side) -> Decimal:
        """Round a stop's price away from the market: up for a buy, down for a sell."""
        if self.price_step is not None:
            rounding = ROUND_CEILING if side == "buy" else ROUND_FLOOR
            return (price / self.price_step).to_integral_value(rounding) * self.price_step
        grid = PriceGrid(self.size_decimals or 0)
        rounded = grid.ask(float(price), 0.0) if side == "buy" else grid.bid(float(price), 0.0)
        return Decimal(repr(rounded))
