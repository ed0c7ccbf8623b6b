"""Several units with one order at a time: what is held, and the order that may rest next.

With one order at a time the HJB has max(F+, F-) in place of their sum: at each inventory the side
rests whose fills are worth more, lambda*exp(-kappa*delta)*((1 - b)*delta - epsilon - c + dh). Its
solution says which (the other side's depth is absent); where that side may not be quoted, the
other's best depth follows from the same value function.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from advanced_mm.model import ModelParameters
from advanced_mm.quoting.edge import Side

__all__ = ["Holding", "SideOffer", "holding_of", "offers_at"]

_NEAR = 1e-9


class SideOffer(NamedTuple):
    """The best depth of a side (quote currency) and its fills' worth, quote currency a second."""

    depth: float
    worth: float


def offers_at(
    problem: ModelParameters, h: Sequence[float], inventory: int
) -> dict[Side, SideOffer]:
    """Return the best depth of each side that may rest at an inventory, and what it is worth.

    ``h`` is the value at q_min to q_max, quote currency. A side is left out at its bound, and where
    no depth pays because the move of a fill grows as fast as the depth.
    """
    p, here = problem, inventory - problem.q_min
    offers: dict[Side, SideOffer] = {}
    sides: list[tuple[Side, int, float, float, float, float]] = [
        ("ask", -1, p.lambda_plus, p.kappa_plus, p.epsilon_plus, p.impact_slope_plus),
        ("bid", 1, p.lambda_minus, p.kappa_minus, p.epsilon_minus, p.impact_slope_minus),
    ]
    for side, step, intensity, kappa, move, slope in sides:
        if not p.q_min <= inventory + step <= p.q_max or slope >= 1:
            continue
        gain = h[here + step] - h[here] - move - p.fee
        depth = max(1 / kappa - gain / (1 - slope), p.min_depth)
        worth = intensity * math.exp(-kappa * depth) * ((1 - slope) * depth + gain)
        offers[side] = SideOffer(depth, worth)
    return offers


@dataclass(frozen=True)
class Holding:
    """What a trade holds, in base currency and in units.

    ``amount`` includes what is filled of open orders. ``unit`` is the size that its first order
    asked for or, if less, what a unit is worth now; ``most`` is how many such units it may hold.
    All follows from the orders in the books, so that a restart changes nothing.
    """

    amount: float
    unit: float
    most: int
    booked: bool

    @property
    def units(self) -> int:
        """Whole units, to the nearest; at least one where something is booked, never above most."""
        if not self.unit > 0:
            return self.most  # of unknown size: nothing is added to it
        least = 1 if self.booked else 0
        return min(max(math.floor(self.amount / self.unit + 0.5), least), self.most)

    @property
    def room(self) -> float:
        """How much may be added, base currency."""
        return max(self.most * self.unit - self.amount, 0.0)

    @property
    def closes(self) -> float:
        """How much the next exit offers: one unit, or all where less than half would remain."""
        rest = self.amount - self.unit
        if not self.unit > 0:
            return self.amount
        return self.amount if rest < 0.5 * self.unit - _NEAR else self.unit


def holding_of(trade: Any, most: int, stake: float | None = None) -> Holding:
    """Return what one of Freqtrade's trades holds.

    Parameters
    ----------
    trade
        Its orders that enter are in its own direction.
    most
        How many units are allowed.
    stake
        What one unit is worth now, quote currency; None if that is not known.
    """
    booked = float(trade.amount or 0.0)
    amount = booked
    for order in trade.open_orders:
        filled = float(order.safe_filled)
        amount += filled if order.ft_order_side == trade.entry_side else -filled
    entries = (order for order in trade.orders if order.ft_order_side == trade.entry_side)
    first = next(entries, None)
    unit = 0.0 if first is None else float(first.ft_amount or 0.0)
    if stake is not None and trade.open_rate:
        unit = min(unit, stake * float(trade.leverage or 1.0) / float(trade.open_rate))
    return Holding(max(amount, 0.0), unit, most, booked > 0)
