"""The one interface behind which every market of the loopback venue stands.

A market source publishes blocks: prints, then the touch they left behind. It is made with a start
time in exchange milliseconds and knows nothing of clocks; whoever drives it calls ``advance``.
Prices are in the quote currency, sizes in the base currency, times in exchange milliseconds.
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
"""Of a coin: every margin; isolated alone; isolated, and it stays until the position is reduced."""


@dataclass(frozen=True, slots=True)
class CoinSpec:
    """What the venue's ``meta`` says of a coin.

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
        """Whether positions must have a margin of their own."""
        return self.margin_mode != ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The touch: best bid and offer with the sizes resting there. An empty side is None, size 0."""

    bid: float | None
    bid_size: float
    ask: float | None
    ask_size: float


@dataclass(frozen=True, slots=True)
class Print:
    """One match of an aggressive order.

    ``side`` is the aggressor's, +1 buy and -1 sell. ``hash`` ("0x" and 64 hexadecimal digits) is
    the transaction's: prints of one market order share it. ``users`` are (buyer, seller) addresses.
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
    """One price of the book, the size resting there and the number of orders it is made of."""

    price: float
    size: float
    orders: int


@dataclass(frozen=True, slots=True)
class Book:
    """The visible book, best level first on both sides, never crossed.

    ``time_ms`` is the exchange time at which the market was last alive. It stands still while a
    market is silent (the hole of a recording): publish it as it is, or the hole would look covered
    to whoever records the venue.
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
    """A market somebody else drives."""

    @property
    def spec(self) -> CoinSpec:
        """The coin that trades here."""
        ...

    @property
    def now_ms(self) -> int:
        """Time of the last ``advance`` (the start before the first one), exchange ms."""
        ...

    @property
    def mid(self) -> float:
        """Mid price as of ``now_ms``, quote currency."""
        ...

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """All blocks with ``time_ms <= until_ms`` not given yet, in time order."""
        ...

    def book(self, levels: int) -> Book:
        """The book as of the last ``advance``, at most ``levels`` on each side."""
        ...
