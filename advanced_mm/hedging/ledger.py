"""What a hedge has traded: position, average entry price, and which fills are counted."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Self

from advanced_mm.hedging.messages import Filled

__all__ = ["Ledger"]

_REMEMBERED: Final = 256
"""Fills told twice come within a reconnect of each other, not hundreds of fills later."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A hedge's position.

    Parameters
    ----------
    position
        Signed, base units of the hedge.
    entry
        Average price of the position, quote currency; 0 when there is none.
    last_fill_ms
        Exchange time of the newest fill.
    counted
        Ids of the last fills, newest last.
    """

    position: Decimal = Decimal(0)
    entry: Decimal = Decimal(0)
    last_fill_ms: int = 0
    counted: tuple[str, ...] = ()

    def knows(self, fill: Filled) -> bool:
        """Return whether a fill was counted already."""
        return fill.fill_id in self.counted

    def take(self, fill: Filled) -> Self:
        """Return the ledger with a fill counted; unchanged where it was counted already."""
        if self.knows(fill):
            return self
        position = self.position + fill.signed
        return type(self)(
            position,
            self._entry_after(fill, position),
            max(self.last_fill_ms, fill.time_ms),
            (*self.counted, fill.fill_id)[-_REMEMBERED:],
        )

    def holding(self, position: Decimal, price: Decimal) -> Self:
        """Return the ledger with another position, found rather than traded, at a price."""
        entry = self.entry if self.position * position > 0 else price
        return replace(self, position=position, entry=entry if position else Decimal(0))

    def _entry_after(self, fill: Filled, position: Decimal) -> Decimal:
        if position == 0:
            return Decimal(0)
        if self.position * fill.signed >= 0:  # opened or enlarged
            return (self.entry * self.position + fill.price * fill.signed) / position
        turned = position * self.position < 0
        return fill.price if turned else self.entry
