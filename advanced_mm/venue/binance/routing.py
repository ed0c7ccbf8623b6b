"""What a request is called, what it costs, and what answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["Answer", "Guard", "OwnAnswer", "OwnRoute", "Route", "Weight"]

Answer = Callable[[Params], object]
OwnAnswer = Callable[[SpotAccount, Params], object]
Weight = int | Callable[[Params], int]


class Guard(Enum):
    """What a request of an account must bring: its key, or a signature."""

    KEY = auto()
    SIGNATURE = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """A request that anybody may make.

    Attributes
    ----------
    method
        Its name in the websocket API, "" if it has none.
    rest
        Its HTTP method and path, "" if it has none.
    answer
        Returns the answer, or raises `SpotRefusedError`.
    weight
        What it costs of a minute's weight.
    """

    method: str
    rest: str
    answer: Answer
    weight: Weight


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """A request of an account; ``orders`` says whether it counts as an order."""

    method: str
    rest: str
    answer: OwnAnswer
    weight: Weight
    guard: Guard = Guard.SIGNATURE
    orders: bool = False
