"""What a maker has to trade with: capital, and how much of it is held at the start."""

from dataclasses import dataclass
from typing import Final

from advanced_mm.errors import InputError

__all__ = ["Account", "Opening"]

_LARGEST_LEVERAGE: Final = 50.0


@dataclass(frozen=True)
class Opening:
    """An account at the start: inventory in the base currency, cash in the quote currency."""

    inventory: float = 0.0
    cash: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account that orders must be covered by.

    Parameters
    ----------
    capital
        Worth at the start, quote currency.
    spot
        A spot account sells what it holds and buys with what it has. A perpetual account may go
        short; its position is bounded by ``leverage``.
    init_ratio
        Share of the capital held as inventory at the start, bought at the first mid without a fee.
    leverage
        Largest value of the position with all orders of its side filled, in multiples of the
        capital; perpetual accounts only.

    Raises
    ------
    InputError
        A value is out of range.
    """

    capital: float = 10_000.0
    spot: bool = True
    init_ratio: float = 0.5
    leverage: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.capital < 1e15:
            raise InputError(f"capital = {self.capital} must be positive, in the quote currency.")
        if not 0 <= self.init_ratio <= 1:
            raise InputError(f"init_ratio = {self.init_ratio} must be 0 to 1, a share of capital.")
        if not 0 < self.leverage <= _LARGEST_LEVERAGE:
            raise InputError(f"leverage = {self.leverage} must be above 0, at most 50.")

    def opening(self, mid: float, size_step: float) -> Opening:
        """Return the account at the start; the inventory is a whole number of size steps."""
        steps = int(self.capital * self.init_ratio / mid / size_step + 1e-9)
        inventory = round(steps * size_step, 12)
        return Opening(inventory, self.capital - inventory * mid)
