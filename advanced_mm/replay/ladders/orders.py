"""From a policy's ladder to orders: the venue's grid, what the account covers, what may stay.

Prices are whole steps of the recording, sizes whole hundred-millionths of the base currency, as in
`replay.maker`. Side 0 is the bids'.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from advanced_mm.policies import Ladder
from advanced_mm.replay.conversion import SIZE_UNITS
from advanced_mm.replay.layout import Ended
from advanced_mm.replay.maker import price_step, quoted_price

__all__ = ["Grid", "Resting", "Tolerances", "budget", "matched", "wanted_orders"]

_LEAST: Final = 1e-9


@dataclass(frozen=True)
class Grid:
    """The venue's grid: prices (`run.price_bands`), the size step (units), the least value."""

    bands: NDArray[Any]
    steps: NDArray[Any]
    tick: float
    size_step: int
    min_value: float

    def step(self, price: float) -> int:
        """Return the venue's price step at a price (both in steps of the recording)."""
        return price_step(price, self.bands, self.steps)

    def size(self, units: float) -> int:
        """Return the largest size on the grid that is not above, in units."""
        return int(units / self.size_step + _LEAST) * self.size_step

    def worth_it(self, price: int, size: int) -> bool:
        """Whether an order reaches the least value."""
        return size > 0 and price * self.tick * size / SIZE_UNITS >= self.min_value * (1 - _LEAST)


@dataclass(frozen=True)
class Tolerances:
    """When a resting order may stay: off by fewer price steps, ns of age, share of the size."""

    ticks: float
    min_age: int
    max_age: int
    size: float


@dataclass(slots=True)
class Resting:
    """An order of ours; ``left`` is its unfilled size, ``sent`` in ns, ``quote`` its row."""

    number: int
    quote: int
    side: int
    price: int
    left: float
    sent: int
    why: int = Ended.RESTING
    refusal: int = 0


def wanted_orders(
    ladder: Ladder, bid: int, ask: int, grid: Grid
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Put a ladder on the grid: (price, size) of bids and of asks, best first.

    Prices are rounded away from the market, sizes down. A level that would take is moved to the
    best price that does not; levels that fall on one price become one order. Those below the least
    value are left out.
    """
    both = []
    for side, levels in enumerate((ladder.bids, ladder.asks)):
        at: dict[int, float] = {}
        for level in levels:
            price = quoted_price(side, level.price / grid.tick, 0.0, grid.bands, grid.steps)
            if side == 0 and price >= ask:
                price = quoted_price(0, ask - 0.5, 0.0, grid.bands, grid.steps)
            if side == 1 and price <= bid:
                price = quoted_price(1, bid + 0.5, 0.0, grid.bands, grid.steps)
            if price > 0:
                at[price] = at.get(price, 0.0) + level.size * SIZE_UNITS
        sized = ((price, grid.size(size)) for price, size in at.items())
        both.append([one for one in sized if grid.worth_it(*one)])
    return both[0], both[1]


def matched(
    resting: Sequence[Resting],
    wanted: Sequence[tuple[int, int]],
    now: int,
    tolerances: Tolerances,
    grid: Grid,
) -> tuple[list[tuple[int, int]], list[tuple[Resting, Ended]]]:
    """Return of one side's orders what is still to be sent, and what must go and why.

    A resting order stays for the nearest wanted level within the tolerances, which nothing else is
    then sent for: it keeps its place in the queue. One that is younger than the least age stays in
    any case, for the level nearest to it.
    """
    missing, gone = list(wanted), []
    exact_first = sorted(resting, key=lambda order: _nearest(order.price, wanted)[0])
    for order in exact_first:
        off, place = _nearest(order.price, missing)
        age = now - order.sent
        steps = off / grid.step(order.price)
        near = steps < 1e-6 or (steps < tolerances.ticks - 1e-6 and age < tolerances.max_age)
        if near and abs(order.left - missing[place][1]) > tolerances.size * missing[place][1]:
            near = False
        if near or age < tolerances.min_age:
            if missing:
                missing.pop(place)
            continue
        expired = steps < tolerances.ticks - 1e-6 and age >= tolerances.max_age
        gone.append((order, Ended.EXPIRED if expired else Ended.DRIFTED))
    return missing, gone


def _nearest(price: int, levels: Sequence[tuple[int, int]]) -> tuple[float, int]:
    """Return how far the nearest level is (steps of the recording) and its place."""
    if not levels:
        return float("inf"), -1
    return min((abs(level[0] - price), place) for place, level in enumerate(levels))


def budget(
    wanted: Iterable[tuple[int, int]], free: float, grid: Grid, per_unit: bool
) -> list[tuple[int, int]]:
    """Shrink a side's orders, best first, to what is free; leave out those that become too small.

    ``free`` is cash (quote currency), or a size in units if ``per_unit``.
    """
    affordable = []
    for price, size in wanted:
        price_of_one = 1.0 if per_unit else price * grid.tick / SIZE_UNITS
        covered = grid.size(min(size, max(free, 0.0) / price_of_one))
        if grid.worth_it(price, covered):
            affordable.append((price, covered))
            free -= covered * price_of_one
    return affordable
