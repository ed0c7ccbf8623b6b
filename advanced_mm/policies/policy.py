"""What every quoting policy offers."""

from typing import Protocol

from advanced_mm.policies.ladder import Ladder
from advanced_mm.policies.state import MarketState

__all__ = ["Policy"]


class Policy(Protocol):
    """A quoting policy: from a state to a ladder, without I/O, clock or memory of its own."""

    @property
    def name(self) -> str:
        """The policy's name in configurations, tables and logs."""

    def ladder(self, state: MarketState) -> Ladder:
        """Return the orders wanted at rest; an empty side with a reason where none is wanted."""
