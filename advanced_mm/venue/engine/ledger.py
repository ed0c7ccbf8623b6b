"""What a book tells whoever keeps the accounts, and asks of him."""

from dataclasses import dataclass
from typing import Protocol

from advanced_mm.venue.engine.orders import Order

__all__ = ["Ledger", "Match"]


@dataclass(frozen=True, slots=True)
class Match:
    """``lots`` of ``order`` have traded at ``price``; its ``remaining`` is already less by them."""

    time_ms: int
    order: Order
    price: int
    lots: int
    crossed: bool
    tid: int
    hash: str


class Ledger(Protocol):
    """Whoever keeps the accounts."""

    def allowed(self, order: Order, lots: int) -> int:
        """Lots, at most ``lots``, that a resting order may trade; with 0 it has been taken out."""
        ...

    def matched(self, match: Match) -> None:
        """One order's part in a trade."""
        ...

    def met_itself(self, order: Order) -> None:
        """A resting order was taken out because an order of its own account would have met it."""
        ...
