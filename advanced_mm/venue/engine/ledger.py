"""The interface between a book and the accounts."""

from dataclasses import dataclass
from typing import Protocol

from advanced_mm.venue.engine.orders import Order

__all__ = ["Ledger", "Match"]


@dataclass(frozen=True, slots=True)
class Match:
    """``lots`` of ``order`` traded at ``price``; its ``remaining`` is already reduced."""

    time_ms: int
    order: Order
    price: int
    lots: int
    crossed: bool
    tid: int
    hash: str


class Ledger(Protocol):
    """The keeper of the accounts, as a book sees it."""

    def allowed(self, order: Order, lots: int) -> int:
        """Return how many of ``lots`` a resting order may trade; 0 if it was removed instead."""
        ...

    def matched(self, match: Match) -> None:
        """Book one order's part in a trade."""
        ...

    def met_itself(self, order: Order) -> None:
        """Handle a resting order's removal to prevent a self-trade."""
        ...
