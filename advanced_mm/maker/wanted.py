"""A policy's ladder as orders that the exchange takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import MarketRules, Side
from advanced_mm.maker.grid import Grid
from advanced_mm.policies import Ladder, Level

__all__ = ["Wanted", "WantedOrder", "wanted"]


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """An order on the market's grid."""

    side: Side
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Wanted:
    """Orders on the grid, best price first, each price once.

    `dropped` counts levels that were too small for the exchange; `short` those that were cut for
    want of balance.
    """

    bids: tuple[WantedOrder, ...] = ()
    asks: tuple[WantedOrder, ...] = ()
    dropped: int = 0
    short: int = 0


NOTHING: Final = Wanted()


def wanted(
    ladder: Ladder,
    rules: MarketRules,
    grid: Grid,
    touch: tuple[float, float],
    most_a_side: int,
    funds: tuple[Decimal, Decimal] | None = None,
) -> Wanted:
    """Round a ladder: bids down and asks up, never as good as the other side's touch.

    Parameters
    ----------
    touch
        Best bid and best ask of others; an order at or beyond the other side's would be refused.
    most_a_side
        Orders on a side; the best prices go first.
    funds
        On a spot market the base and the quote currency there is: what orders exceed it is cut,
        the worst prices first.
    """
    bid, ask = touch
    bids, small_bids = _side("buy", ladder.bids, rules, grid, ask, most_a_side)
    asks, small_asks = _side("sell", ladder.asks, rules, grid, bid, most_a_side)
    short = 0
    if funds is not None:
        base, quote = funds
        bids, cut_bids = _affordable(bids, quote, rules, grid)
        asks, cut_asks = _affordable(asks, base, rules, grid)
        short = cut_bids + cut_asks
    return Wanted(tuple(bids), tuple(asks), small_bids + small_asks, short)


def _side(
    side: Side,
    levels: Sequence[Level],
    rules: MarketRules,
    grid: Grid,
    other_touch: float,
    most: int,
) -> tuple[list[WantedOrder], int]:
    # A price on the other side of the touch is moved to the last one that rests.
    limit = grid.away(side, grid.price(side, other_touch))
    sizes: dict[Decimal, float] = {}
    for level in levels:
        try:
            price = grid.price(side, level.price)
        except InputError:  # below the lowest price there is
            continue
        if (price > limit) if side == "buy" else (price < limit):
            price = limit
        if price > 0:
            sizes[price] = sizes.get(price, 0.0) + level.size
    found: list[WantedOrder] = []
    small = 0
    for price, size in sizes.items():
        rounded = grid.size(size)
        if not is_large_enough(price, rounded, rules):
            small += 1
        elif len(found) < min(most, rules.max_orders // 2):
            found.append(WantedOrder(side, price, rounded))
    return found, small


def is_large_enough(price: Decimal, size: Decimal, rules: MarketRules) -> bool:
    """Return whether the exchange takes an order of that size."""
    return size >= rules.min_size and size > 0 and size * price >= rules.min_value


def _affordable(
    orders: list[WantedOrder], funds: Decimal, rules: MarketRules, grid: Grid
) -> tuple[list[WantedOrder], int]:
    kept: list[WantedOrder] = []
    for one in orders:
        unit = one.price if one.side == "buy" else Decimal(1)
        if one.size * unit <= funds:
            kept.append(one)
            funds -= one.size * unit
            continue
        rest = grid.size(max(funds, Decimal(0)) / unit)
        if is_large_enough(one.price, rest, rules):
            kept.append(WantedOrder(one.side, one.price, rest))
        return kept, len(orders) - len(kept) or 1
    return kept, 0
