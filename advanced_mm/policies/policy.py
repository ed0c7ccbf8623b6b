"""What every quoting policy offers."""

from typing import Protocol

from advanced_mm.policies.ladder import Ladder
from advanced_mm.policies.state import MarketState

__all__ = ["Policy"]


class Policy(Protocol):
    """A quoting policy: from a state to a ladder, without I/O, clock or memory of its own.

    Prices are as wanted, not on the venue's grid; where a skew or a fair price leads there they may
    lie beyond the other side of the touch. Who places the orders rounds them away from it, to one
    tick at least. On a spot market it asks `within_balances` first.
    """

    @property
    def name(self) -> str:
        """The policy's name in configurations, tables and logs."""

    @property
    def update_seconds(self) -> float:
        """How long quotes rest at least before they are renewed; 0: they follow each look."""

    def ladder(self, state: MarketState) -> Ladder:
        """Return the orders wanted at rest; an empty side with a reason where none is wanted."""
