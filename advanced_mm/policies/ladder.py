"""A ladder: the orders a policy wants at rest, best price first."""

import math
from dataclasses import dataclass
from itertools import pairwise

from advanced_mm.errors import InputError

__all__ = ["EMPTY", "Ladder", "Level"]


@dataclass(frozen=True, slots=True)
class Level:
    """One order.

    Parameters
    ----------
    price
        Quote currency; not yet on the venue's grid.
    size
        Base currency; not yet on the venue's grid.

    Raises
    ------
    InputError
        A price or size is not a positive, finite number.
    """

    price: float
    size: float

    def __post_init__(self) -> None:
        for name in ("price", "size"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise InputError(f"A ladder's {name} must be a positive number, not {value!r}.")


@dataclass(frozen=True, slots=True)
class Ladder:
    """Orders of both sides, best price first, each side with strictly worsening prices.

    An empty side is not quoted; `reason` then says why, for logs and screens.

    Raises
    ------
    InputError
        Prices are out of order, or the best bid is not below the best ask.
    """

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        falling = all(worse.price < better.price for better, worse in pairwise(self.bids))
        rising = all(worse.price > better.price for better, worse in pairwise(self.asks))
        if not (falling and rising):
            raise InputError("A ladder's prices must get worse from level to level.")
        if self.bids and self.asks and self.bids[0].price >= self.asks[0].price:
            raise InputError(
                f"A ladder's best bid {self.bids[0].price} must lie below its best ask "
                f"{self.asks[0].price}."
            )


EMPTY = Ladder()
