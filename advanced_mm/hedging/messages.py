"""What the machines are told, and what they wish: the words between them and a hedge desk."""

from dataclasses import dataclass
from decimal import Decimal

from advanced_mm.hedging.market import Side

__all__ = [
    "Accepted",
    "Cancel",
    "Doubted",
    "Ended",
    "Filled",
    "LookUp",
    "News",
    "NotFound",
    "Observation",
    "OrderNews",
    "PlaceLimit",
    "PlaceMarket",
    "PlaceTrigger",
    "Reconnected",
    "Refused",
    "Wish",
]


@dataclass(frozen=True, slots=True)
class Observation:
    """The market and the account at one moment.

    Parameters
    ----------
    time_ms
        Now, ms.
    mid
        Of the maker's market, quote currency.
    bid, ask
        Touch of the hedge's market, quote currency.
    inventory, quote
        What the maker holds, base and quote currency, without anything that hedges traded.
    inventory_ms
        As of when `inventory` is known, ms: no hedge begins before it includes the last one.
    """

    time_ms: int
    mid: Decimal
    bid: Decimal
    ask: Decimal
    inventory: Decimal
    quote: Decimal
    inventory_ms: int

    @property
    def hedge_mid(self) -> Decimal:
        """Midway between the touch of the hedge's market, quote currency."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class OrderNews:
    """Something about the order with this client id."""

    client_id: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Accepted(OrderNews):
    """The order reached the exchange; a limit or trigger order rests."""


@dataclass(frozen=True, slots=True)
class Refused(OrderNews):
    """The order certainly never rested and traded nothing."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Doubted(OrderNews):
    """The reply was lost: whether the request was carried out is unknown."""


@dataclass(frozen=True, slots=True)
class Ended(OrderNews):
    """The order is off the book; `filled` of it was traded in total (base currency)."""

    filled: Decimal


@dataclass(frozen=True, slots=True)
class NotFound(OrderNews):
    """The order does not rest and never will; fills that a look-up found were told before this."""


@dataclass(frozen=True, slots=True)
class Filled(OrderNews):
    """One fill; it may be told twice, with the same `fill_id`."""

    fill_id: str
    side: Side
    size: Decimal
    price: Decimal

    @property
    def signed(self) -> Decimal:
        """What it adds to the position, base currency."""
        return self.size if self.side == "buy" else -self.size


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The exchange's streams, or this program, were away: every order must be looked up."""

    time_ms: int


News = Observation | Accepted | Refused | Doubted | Ended | NotFound | Filled | Reconnected


@dataclass(frozen=True, slots=True)
class PlaceLimit:
    """A post-only order at a price on the market's grid."""

    client_id: str
    side: Side
    size: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class PlaceMarket:
    """A market order; `closing` where it only reduces the hedge."""

    client_id: str
    side: Side
    size: Decimal
    closing: bool = False


@dataclass(frozen=True, slots=True)
class PlaceTrigger:
    """A stop: a market order once the price reaches `trigger_price`."""

    client_id: str
    side: Side
    size: Decimal
    trigger_price: Decimal
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take an order off the book."""

    client_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out what became of an order, and report it as news."""

    client_id: str


Wish = PlaceLimit | PlaceMarket | PlaceTrigger | Cancel | LookUp
