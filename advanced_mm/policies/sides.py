"""From wanted prices and sizes to the two sides of a ladder, within what may be held."""

from collections.abc import Iterable
from typing import NamedTuple

from advanced_mm.policies.ladder import Ladder, Level
from advanced_mm.policies.state import MarketState

__all__ = ["Room", "side_of", "within_balances"]

_SAME = 1e-12  # share of a price; levels nearer to each other are one


class Room(NamedTuple):
    """How much may be bought and sold, base currency; not above 0 where nothing may."""

    to_buy: float
    to_sell: float

    @classmethod
    def around(cls, held: float, most: float, *, long_only: bool = False) -> "Room":
        """Return what keeps an inventory, counted from its target, within -most (or 0) and most."""
        return cls(most - held, held if long_only else most + held)

    def ladder(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> Ladder:
        """Return the ladder of two sides, with the reason where one is empty.

        Sides that would meet, be it because a spread is lost in the price's last digit, are empty.
        """
        if bids and asks and bids[0].price >= asks[0].price:
            return Ladder(
                reason="the best bid and ask would meet: the edge of a fill is not above 0"
            )
        return Ladder(bids, asks, self._why_empty(bids, asks))

    def _why_empty(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> str:
        reasons = []
        if not bids:
            reasons.append("no bids: " + _why(self.to_buy, "most"))
        if not asks:
            reasons.append("no asks: " + _why(self.to_sell, "least"))
        return "; ".join(reasons)


def _why(left: float, bound: str) -> str:
    return (
        f"the inventory is at its {bound}" if left <= 0.0 else "no finite price above 0 is wanted"
    )


def side_of(orders: Iterable[tuple[float, float]], sign: int, room: float) -> tuple[Level, ...]:
    """Return the levels of one side, best first.

    Parameters
    ----------
    orders
        Price (quote currency) and size (base currency), best first. Those whose price is no worse
        than that of the one before are joined to it.
    sign
        -1 for bids, 1 for asks.
    room
        The most that all of them together may trade, base currency; the last one is cut to it.
    """
    levels: list[Level] = []
    for price, size in orders:
        if room <= 0.0 or price <= 0.0:
            break
        size, room = min(size, room), room - size
        if levels and sign * (price - levels[-1].price) <= _SAME * price:
            levels[-1] = Level(levels[-1].price, levels[-1].size + size)
        else:
            levels.append(Level(price, size))
    return tuple(levels)


def within_balances(ladder: Ladder, state: MarketState) -> Ladder:
    """Cut a ladder to what a spot account can pay and deliver, from the best level outwards.

    Policies know an inventory that may be negative, as a perpetual's; whoever places their orders
    on a spot market asks this first.
    """
    left, bids = state.quote_balance, []
    for level in ladder.bids:
        if left <= 0.0:
            break
        bids.append(Level(level.price, min(level.size, left / level.price)))
        left -= level.size * level.price
    asks = side_of(((x.price, x.size) for x in ladder.asks), 1, state.inventory)
    if (tuple(bids), asks) == (ladder.bids, ladder.asks):
        return ladder
    reasons = [ladder.reason] if ladder.reason else []
    if ladder.bids and not bids:
        reasons.append("no bids: there is no quote balance to spend")
    if ladder.asks and not asks:
        reasons.append("no asks: there is no inventory to sell")
    return Ladder(tuple(bids), asks, "; ".join(reasons))
