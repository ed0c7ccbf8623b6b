"""What an exchange's allowance leaves of a round of requests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from advanced_mm.maker.diff import Plan, Tolerance
from advanced_mm.maker.exchange import Change, RestingOrder
from advanced_mm.maker.wanted import Wanted, WantedOrder

__all__ = ["Round", "round_of", "sparing"]

_ROUNDS: Final = 5
"""With less allowance than for so many whole ladders, orders are moved less often."""
_LEAST_LEVELS: Final = 2


@dataclass(frozen=True)
class Round:
    """Requests that are sent at once."""

    cancels: Sequence[RestingOrder]
    changes: Sequence[Change]
    places: Sequence[WantedOrder]

    @property
    def requests(self) -> int:
        """How many there are."""
        return len(self.cancels) + len(self.changes) + len(self.places)


def round_of(todo: Plan, allowed: int, *, nothing_new: bool) -> tuple[Round, bool]:
    """Return what is sent of a plan, and whether the allowance left something out.

    What is too good a price still goes, as cancels are always allowed.

    Parameters
    ----------
    allowed
        Orders and changes that the exchange allows now.
    nothing_new
        New orders wait.
    """
    places = () if nothing_new else todo.places
    if allowed >= len(todo.changes) + len(places):
        return Round(todo.cancels, todo.changes, places), False
    changes = todo.changes[:allowed]
    retreats = [one.order for one in todo.changes[allowed:] if _retreats(one)]
    places = places[: allowed - len(changes)]
    return Round((*todo.cancels, *retreats), changes, places), True


def sparing(found: Wanted, usual: Tolerance, allowed: int) -> Tolerance:
    """Return the tolerance; it grows to half a step of the ladder as the allowance runs out."""
    orders = len(found.bids) + len(found.asks)
    left = allowed / max(_ROUNDS * orders, 1)
    side = found.bids if len(found.bids) >= len(found.asks) else found.asks
    if left >= 1 or len(side) < _LEAST_LEVELS:
        return usual
    steps = len(side) - 1
    step = abs(side[-1].price - side[0].price) / steps / side[0].price
    grown = step * Decimal(repr((1 - left) / 2))
    return replace(usual, price=max(usual.price, grown))


def _retreats(change: Change) -> bool:
    if change.order.side == "buy":
        return change.price < change.order.price
    return change.price > change.order.price
