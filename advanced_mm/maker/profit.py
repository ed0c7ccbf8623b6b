"""What a market has earned since the maker started."""

from decimal import Decimal

from advanced_mm.maker.exchange import Fill
from advanced_mm.maker.holdings import currencies

__all__ = ["Profit"]


class Profit:
    """Money moved by fills, and what is held by them beyond the target, at the mid.

    What was held at the start counts at the first mid: what it gained before is not this run's.
    What is deposited or withdrawn later is no profit, as no fill tells of it.

    Parameters
    ----------
    target
        Inventory that is no position, base currency.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self._money = self._bought = Decimal(0)
        self._held = self._worth = 0.0

    def begin(self, mid: float, inventory: float) -> None:
        """Start to count."""
        self._money = self._bought = Decimal(0)
        self._held = inventory - self._target
        self._worth = mid * self._held

    def filled(self, fill: Fill) -> None:
        """Take in a fill, and its fee unless that is paid in a third currency."""
        signed = fill.size if fill.side == "buy" else -fill.size
        base, quote = currencies(fill.symbol)
        self._money -= signed * fill.price
        self._bought += signed
        if fill.fee_currency == quote:
            self._money -= fill.fee
        elif fill.fee_currency == base:
            self._bought -= fill.fee

    def at(self, mid: float) -> float:
        """Return the profit at a mid, quote currency."""
        return float(self._money) + mid * (self._held + float(self._bought)) - self._worth
