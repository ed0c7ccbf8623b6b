"""What a market has earned since the maker started."""

from advanced_mm.maker.exchange import Fill
from advanced_mm.maker.holdings import currencies

__all__ = ["Profit"]


class Profit:
    """Money moved by fills, and what is held beyond the target, at the mid.

    What was held at the start counts at the first mid: what it gained before is not this run's.

    Parameters
    ----------
    target
        Inventory that is no position, base currency.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self._money = 0.0
        self._begun: float | None = None

    def begin(self, mid: float, inventory: float) -> None:
        """Start to count."""
        self._begun = mid * (inventory - self._target)
        self._money = 0.0

    def filled(self, fill: Fill) -> None:
        """Take in a fill; fees in the base currency change the inventory instead."""
        value = float(fill.price * fill.size)
        self._money -= value if fill.side == "buy" else -value
        if fill.fee_currency == currencies(fill.symbol)[1]:
            self._money -= float(fill.fee)

    def at(self, mid: float, inventory: float) -> float:
        """Return the profit at a mid, quote currency."""
        if self._begun is None:
            return 0.0
        return self._money + mid * (inventory - self._target) - self._begun
