"""What the maker asks of an exchange, whichever it is: the real ones, a dry one, a test's."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

__all__ = [
    "Account",
    "Book",
    "Change",
    "Event",
    "Fill",
    "FundingPayment",
    "MakerExchange",
    "MarketRules",
    "OrderDoubtError",
    "OrderGoneError",
    "OrderRefusedError",
    "OrderRequest",
    "OrderStatus",
    "OrderUpdate",
    "Reconnected",
    "RestingOrder",
    "Side",
    "TellsFunding",
    "TellsFundingRates",
    "Trade",
    "WouldTakeError",
]

Side = Literal["buy", "sell"]


class OrderRefusedError(Exception):
    """The exchange refused the order: nothing of it rests, nothing was traded."""


class WouldTakeError(OrderRefusedError):
    """A post-only order came too late: the market has reached its price. No fault of anybody's."""


class OrderGoneError(OrderRefusedError):
    """The order that was to be changed had ended before: filled, most likely."""


class OrderDoubtError(Exception):
    """The request's reply was lost: whether the order rests is unknown until it is looked up."""


class OrderStatus(StrEnum):
    """What became of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class MarketRules:
    """A market's filters.

    Parameters
    ----------
    symbol
        ccxt's unified symbol.
    spot
        True for a spot market, False for a linear perpetual.
    price_step
        Price step, quote currency; None where the venue counts significant digits
        (`advanced_mm.price_grid`).
    size_step
        Size step, base currency.
    min_size, min_value
        Smallest size (base currency) and smallest value (quote currency) of an order.
    max_orders
        Most orders at rest on this market.
    size_decimals
        Decimals of sizes (`szDecimals`) where the venue counts significant digits.
    """

    symbol: str
    spot: bool
    price_step: Decimal | None
    size_step: Decimal
    min_size: Decimal
    min_value: Decimal
    max_orders: int
    size_decimals: int | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to be placed; price and size lie on the market's grid.

    Parameters
    ----------
    client_id
        Chosen by the maker, unique, so that an order in doubt can be looked up.
    price
        Limit price; None for a market order.
    post_only
        Refused by the exchange rather than taking liquidity.
    trigger_price
        For trigger orders: the price at which it becomes a market order (quote currency).
    reduce_only
        Never opens or turns a position (perpetuals).
    """

    symbol: str
    side: Side
    size: Decimal
    client_id: str
    price: Decimal | None = None
    post_only: bool = True
    trigger_price: Decimal | None = None
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An order as the exchange tells it; `filled` of `size` was traded."""

    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    size: Decimal
    filled: Decimal = Decimal(0)
    trigger_price: Decimal | None = None

    @property
    def left(self) -> Decimal:
        """What is still to be traded, base currency."""
        return self.size - self.filled


@dataclass(frozen=True, slots=True)
class Change:
    """A new price and size for a resting order, which keeps its client id."""

    order: RestingOrder
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """The book of a market, (price, size), best first, with the exchange's time, ms."""

    symbol: str
    time_ms: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """A public print; `side` is the aggressor's."""

    symbol: str
    time_ms: int
    side: Side
    price: float
    size: float


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An own order has changed; `order` is its last state."""

    order: RestingOrder
    status: OrderStatus
    time_ms: int


@dataclass(frozen=True, slots=True)
class Fill:
    """An own fill; `fill_id` is the exchange's, so that one told twice is known.

    ``fee`` is in `fee_currency`, positive when paid.
    """

    fill_id: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    time_ms: int


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """Funding of a position: `amount` positive where we received it, quote currency."""

    symbol: str
    time_ms: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """Balances by currency (total: free and locked) and positions by symbol, signed, base.

    `equity` is a perpetual account's value in its quote currency; None on spot.
    """

    time_ms: int
    balances: dict[str, Decimal]
    positions: dict[str, Decimal]
    equity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The streams were lost and are back: what happened between was not told. Reconcile."""

    time_ms: int
    why: str


Event = Book | Trade | OrderUpdate | Fill | Account | Reconnected


class MakerExchange(Protocol):
    """One exchange, with one account.

    Every request may raise `OrderRefusedError` (certainly not done) or `OrderDoubtError` (unknown);
    reads raise `advanced_mm.errors.InputError` for what the user can mend and
    `ConnectionError` for what passes.
    """

    @property
    def name(self) -> str:
        """The exchange's name in the configuration."""

    async def open(self, symbols: Sequence[str]) -> dict[str, MarketRules]:
        """Load the markets and begin to stream; return their rules by symbol."""

    def events(self) -> AsyncIterator[Event]:
        """Yield what the streams tell, in the order received, until `close`."""

    async def place(self, orders: Sequence[OrderRequest]) -> list[RestingOrder | Exception]:
        """Place orders, in one request where the exchange has one; a result or error for each."""

    async def edit(self, changes: Sequence[Change]) -> list[RestingOrder | Exception]:
        """Change resting orders; the exchange may give the order a new id."""

    async def cancel(self, orders: Sequence[RestingOrder]) -> list[Exception | None]:
        """Cancel orders; None for each that is off the book (also if it was gone already)."""

    async def look_up(self, symbol: str, client_ids: Sequence[str]) -> list[OrderUpdate | None]:
        """Say what became of orders whose requests are in doubt.

        None for an order that does not rest and never will: a request that is still on its way is
        made void first, or waited for. `OrderDoubtError` if that cannot be said yet.
        """

    async def open_orders(self, symbol: str) -> list[RestingOrder]:
        """Fetch the orders at rest (triggers included)."""

    async def fills_since(self, symbol: str, time_ms: int) -> list[Fill]:
        """Fetch own fills from the exchange's time on, oldest first."""

    async def account(self) -> Account:
        """Fetch balances and positions."""

    def allowance(self) -> int:
        """How many orders may be placed or changed now; cancels are always allowed."""

    def requests_left(self) -> int | None:
        """How many requests the account has left until it trades; None where none are counted so.

        Limits of a minute or a day come back by themselves and do not count here.
        """

    async def arm(self, seconds: float | None) -> bool:
        """Have the exchange cancel all orders of the account in ``seconds`` unless armed anew.

        None takes it back. False where the exchange has no such switch, or not for this account.
        """

    async def close(self) -> None:
        """End the streams and close the sockets; cancels nothing."""


@runtime_checkable
class TellsFunding(Protocol):
    """What an exchange of perpetuals offers beside a `MakerExchange`."""

    async def funding_since(self, symbol: str, time_ms: int) -> list[FundingPayment]:
        """Fetch funding payments from the exchange's time on, oldest first."""


@runtime_checkable
class TellsFundingRates(Protocol):
    """What an exchange of perpetuals offers beside a `MakerExchange`, without an account too."""

    async def funding_rates(self) -> dict[str, float]:
        """Fetch the hour's funding rates by symbol, shares, positive where longs pay."""
