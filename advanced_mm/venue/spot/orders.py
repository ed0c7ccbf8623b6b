"""Spot orders, their statuses, and the events that report changes. Times are exchange ms."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from advanced_mm.venue.engine.orders import Order

__all__ = [
    "AccountEvent",
    "Execution",
    "ExecutionType",
    "OrderKind",
    "SpotFill",
    "SpotOrder",
    "SpotRefusedError",
    "SpotRequest",
    "SpotStatus",
    "SpotTif",
    "WalletEvent",
]


class OrderKind(StrEnum):
    """The type of an order, as the exchange names it."""

    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def priced(self) -> bool:
        """Whether it has a limit price."""
        return self not in (OrderKind.MARKET, OrderKind.STOP_LOSS, OrderKind.TAKE_PROFIT)

    @property
    def stops(self) -> bool:
        """Whether it waits for a stop price."""
        return self.name.startswith(("STOP", "TAKE"))


class SpotTif(StrEnum):
    """Time in force: good till cancelled, immediate or cancel, fill or kill."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class SpotStatus(StrEnum):
    """The status of an order, as the exchange names it."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self not in (SpotStatus.NEW, SpotStatus.PARTIALLY_FILLED)


class ExecutionType(StrEnum):
    """What has happened to an order."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    TRADE = "TRADE"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class SpotRefusedError(Exception):
    """The exchange refuses a request.

    Parameters
    ----------
    code
        The exchange's error number, such as -2010.
    message
        The exchange's message.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class SpotRequest:
    """A client's order.

    ``quantity`` is in base currency; a market order may give ``quote_quantity``, the amount of
    quote currency to spend or to receive, instead. Without ``client_id`` the exchange chooses one.
    """

    symbol: str
    is_buy: bool
    kind: OrderKind
    quantity: Decimal | None = None
    price: Decimal | None = None
    tif: SpotTif = SpotTif.GTC
    stop_price: Decimal | None = None
    quote_quantity: Decimal | None = None
    client_id: str | None = None


@dataclass(slots=True)
class SpotOrder:
    """An order at the exchange.

    Attributes
    ----------
    core
        The order as the book knows it: number, price units, lots, what is left of it.
    stop
        Stop price, price units; None for orders that do not wait.
    spent
        Value traded so far, atoms of the quote currency.
    locked
        What it still locks in its owner's wallet: atoms of the quote currency for a buy, of the
        base currency for a sale.
    cancel_id
        Client id of the request that cancelled it.
    """

    core: Order
    symbol: str
    kind: OrderKind
    tif: SpotTif
    client_id: str
    created_ms: int
    updated_ms: int
    status: SpotStatus = SpotStatus.NEW
    stop: int | None = None
    quote_quantity: Decimal | None = None
    working_ms: int | None = None
    spent: int = 0
    locked: int = 0
    cancel_id: str = ""

    @property
    def oid(self) -> int:
        """The exchange's number of the order."""
        return self.core.oid

    @property
    def account(self) -> str:
        """The owner's API key."""
        return self.core.account

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.core.request.is_buy


@dataclass(frozen=True, slots=True)
class SpotFill:
    """A fill of one of the accounts' orders; ``fee`` in atoms of ``fee_asset``."""

    time_ms: int
    account: str
    symbol: str
    oid: int
    tid: int
    is_buy: bool
    price: int
    lots: int
    maker: bool
    fee: int
    fee_asset: str


@dataclass(frozen=True, slots=True)
class Execution:
    """A change of an order, with a copy of the order at that time, and its fill, if it is one."""

    time_ms: int
    number: int
    kind: ExecutionType
    order: SpotOrder
    fill: SpotFill | None = None

    @property
    def account(self) -> str:
        """The owner's API key."""
        return self.order.account


@dataclass(frozen=True, slots=True)
class WalletEvent:
    """The amounts of assets that a change has left: (asset, free, locked), in atoms."""

    time_ms: int
    account: str
    amounts: tuple[tuple[str, int, int], ...]


AccountEvent = Execution | WalletEvent
"""What the user stream reports, in the order in which it happened."""
