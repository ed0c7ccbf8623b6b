"""From the orders at rest to those that are wanted, with as few requests as will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from advanced_mm.maker.exchange import Change, RestingOrder, Side
from advanced_mm.maker.wanted import Wanted, WantedOrder

__all__ = ["EXACT", "Plan", "Tolerance", "plan"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an order may be off and still keeps its place in the queue.

    Parameters
    ----------
    price
        Share of the price wanted.
    size
        Share of the size wanted.
    """

    price: Decimal = Decimal(0)
    size: Decimal = Decimal(0)


EXACT = Tolerance()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent, in this order: cancels, changes, new orders.

    Changes that retreat come before those that advance, so that an order never meets one of our
    own that is about to leave.
    """

    cancels: tuple[RestingOrder, ...] = ()
    changes: tuple[Change, ...] = ()
    places: tuple[WantedOrder, ...] = ()
    kept: tuple[RestingOrder, ...] = ()

    @property
    def requests(self) -> int:
        """Orders that are touched."""
        return len(self.cancels) + len(self.changes) + len(self.places)


def plan(wanted: Wanted, resting: Sequence[RestingOrder], tolerance: Tolerance = EXACT) -> Plan:
    """Compare the two.

    An order whose price and size are within the tolerance of a wanted one is kept, as many as can
    be. The others are changed into those that are missing, best price first; what is left over is
    cancelled, what still lacks is placed. So no more orders are touched than must be: as many as
    there are wanted ones without a match, or resting ones, whichever is more, a side.
    """
    bids = _side("buy", wanted.bids, resting, tolerance)
    asks = _side("sell", wanted.asks, resting, tolerance)
    if tolerance.price > 0 and _meet(bids, asks):
        # An order kept for its place in the queue stands in the way of one of the other side.
        return plan(wanted, resting, Tolerance(Decimal(0), tolerance.size))
    changes = sorted([*bids.changes, *asks.changes], key=_retreat, reverse=True)
    return Plan(
        (*bids.cancels, *asks.cancels),
        tuple(changes),
        (*bids.places, *asks.places),
        (*bids.kept, *asks.kept),
    )


def _side(
    side: Side, wanted: Sequence[WantedOrder], resting: Sequence[RestingOrder], by: Tolerance
) -> Plan:
    sign = -1 if side == "buy" else 1
    there = sorted((one for one in resting if one.side == side), key=lambda one: sign * one.price)
    matches = _exact(wanted, there, by)
    _near(wanted, there, by, matches)
    kept = tuple(there[number] for number in matches.values())
    taken = set(matches.values())
    left = [one for number, one in enumerate(there) if number not in taken]
    lacking = [one for number, one in enumerate(wanted) if number not in matches]
    pairs = _paired(lacking, left)
    changed = {id(one) for one, _ in pairs}
    served = {id(one) for _, one in pairs}
    return Plan(
        tuple(one for one in left if id(one) not in changed),
        tuple(Change(one, want.price, want.size) for one, want in pairs),
        tuple(one for one in lacking if id(one) not in served),
        kept,
    )


def _exact(
    wanted: Sequence[WantedOrder], there: Sequence[RestingOrder], by: Tolerance
) -> dict[int, int]:
    """Match orders of the very price wanted, so that none that is right is touched."""
    by_price: dict[Decimal, list[int]] = {}
    for number, one in enumerate(there):
        by_price.setdefault(one.price, []).append(number)
    matches: dict[int, int] = {}
    for number, want in enumerate(wanted):
        candidates = by_price.get(want.price, [])
        near = [one for one in candidates if _size_is_right(there[one], want, by)]
        if near:
            matches[number] = min(near, key=lambda one: abs(there[one].left - want.size))
    return matches


def _near(
    wanted: Sequence[WantedOrder],
    there: Sequence[RestingOrder],
    by: Tolerance,
    matches: dict[int, int],
) -> None:
    """Match what is left within the tolerance; both are sorted, so two fingers find the most."""
    if by.price <= 0:
        return
    taken = set(matches.values())
    free = [number for number in range(len(there)) if number not in taken]
    for number, want in enumerate(wanted):
        if number in matches:
            continue
        reach = want.price * by.price
        for place, one in enumerate(free):
            order = there[one]
            if abs(order.price - want.price) <= reach and _size_is_right(order, want, by):
                matches[number] = one
                del free[place]
                break


def _size_is_right(order: RestingOrder, want: WantedOrder, by: Tolerance) -> bool:
    return abs(order.left - want.size) <= want.size * by.size


def _paired(
    lacking: Sequence[WantedOrder], left: Sequence[RestingOrder]
) -> list[tuple[RestingOrder, WantedOrder]]:
    """Choose which order becomes which: first those of the same price, then best to best."""
    pairs = []
    rest, free = list(lacking), list(left)
    for want in lacking:
        same = next((one for one in free if one.price == want.price), None)
        if same is not None:
            pairs.append((same, want))
            free.remove(same)
            rest.remove(want)
    pairs.extend(zip(free, rest, strict=False))
    return pairs


def _retreat(change: Change) -> Decimal:
    """Return how far a change moves an order from the other side, quote currency."""
    moved = change.price - change.order.price
    return -moved if change.order.side == "buy" else moved


def _meet(bids: Plan, asks: Plan) -> bool:
    highest = [one.price for one in bids.kept] + [c.price for c in bids.changes]
    highest += [one.price for one in bids.places]
    lowest = [one.price for one in asks.kept] + [c.price for c in asks.changes]
    lowest += [one.price for one in asks.places]
    return bool(highest and lowest) and max(highest) >= min(lowest)
