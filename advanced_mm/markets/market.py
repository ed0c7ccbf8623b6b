"""The interface that every market of the loopback venue implements.

A market source publishes blocks: prints, then the touch after them. It is created with a start time
in exchange milliseconds and has no clock; the caller drives it with ``advance``. Prices are in the
quote currency, sizes in the base currency, times in exchange milliseconds.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

__all__ = [
    "Book",
    "CoinSpec",
    "Level",
    "MarginMode",
    "MarketSource",
    "MarketUpdate",
    "Print",
    "Quote",
]

MarginMode: TypeAlias = Literal["", "noCross", "strictIsolated"]
"""Cross and isolated margin; isolated only; isolated only, locked until the position is reduced."""


@dataclass(frozen=True, slots=True)
class CoinSpec:
    """A coin as the venue's ``meta`` describes it.

    ``tick`` is the price step at the current price level, quote currency; sizes are multiples of
    ``10**-size_decimals`` base units.
    """

    coin: str
    size_decimals: int
    max_leverage: int
    tick: float
    margin_mode: MarginMode = ""

    @property
    def only_isolated(self) -> bool:
        """Whether positions can only use isolated margin."""
        return self.margin_mode != ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The touch: best bid and offer with their sizes. An empty side is None with size 0."""

    bid: float | None
    bid_size: float
    ask: float | None
    ask_size: float


@dataclass(frozen=True, slots=True)
class Print:
    """One match of an aggressive order.

    ``side`` is the aggressor's, +1 for buy and -1 for sell. ``hash`` ("0x" and 64 hexadecimal
    digits) identifies the transaction; all prints of a market order share it. ``users`` are the
    (buyer, seller) addresses.
    """

    price: float
    size: float
    side: int
    tid: int
    hash: str
    users: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class MarketUpdate:
    """One block. ``quote`` is the touch AFTER the prints, as on the real feed; None: unchanged."""

    time_ms: int
    quote: Quote | None
    prints: tuple[Print, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """One price level of the book: the size resting there and the number of orders."""

    price: float
    size: float
    orders: int


@dataclass(frozen=True, slots=True)
class Book:
    """The visible book, best level first on both sides, never crossed.

    ``time_ms`` is the exchange time at which the market was last alive. It stops while a market is
    silent (a hole in a recording). Publish it unchanged; otherwise the hole would look covered to a
    client that records the venue.
    """

    time_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def touch(self) -> Quote:
        """The best level of each side."""
        bid, ask = (side[0] if side else None for side in (self.bids, self.asks))
        return Quote(
            bid.price if bid else None,
            bid.size if bid else 0.0,
            ask.price if ask else None,
            ask.size if ask else 0.0,
        )


class MarketSource(Protocol):
    """A market driven by its caller."""

    @property
    def spec(self) -> CoinSpec:
        """The coin that trades here."""
        ...

    @property
    def now_ms(self) -> int:
        """Time of the last ``advance``, or the start time before the first one, exchange ms."""
        ...

    @property
    def mid(self) -> float:
        """Mid price as of ``now_ms``, quote currency."""
        ...

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Return all blocks up to ``until_ms`` not returned yet, in time order."""
        ...

    def book(self, levels: int) -> Book:
        """Return the book as of the last ``advance``, at most ``levels`` on each side."""
        ...
