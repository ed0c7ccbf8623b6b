"""Orders, their statuses, and the events that report changes.

Addresses are lower-case "0x" and 40 hexadecimal digits. Prices, sizes and amounts are whole
numbers, see `units`; times are exchange ms.
"""

from dataclasses import dataclass
from enum import StrEnum

from advanced_mm.venue.engine.money import MoneyMoved
from advanced_mm.venue.engine.twap_orders import TwapEvent

__all__ = [
    "AccountEvent",
    "Fill",
    "FundingPayment",
    "Liquidation",
    "Order",
    "OrderEvent",
    "OrderRequest",
    "OrderStatus",
    "Outcome",
    "TimeInForce",
    "Trigger",
]


class TimeInForce(StrEnum):
    """Time in force: post-only, good till cancelled, immediate or cancel."""

    ALO = "Alo"
    GTC = "Gtc"
    IOC = "Ioc"


class OrderStatus(StrEnum):
    """The status of an order, as the venue names it."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    TRIGGERED = "triggered"
    REJECTED = "rejected"
    MARGIN_CANCELED = "marginCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    SELF_TRADE_CANCELED = "selfTradeCanceled"
    SIBLING_FILLED_CANCELED = "siblingFilledCanceled"
    LIQUIDATED_CANCELED = "liquidatedCanceled"
    SCHEDULED_CANCEL = "scheduledCancel"
    TICK_REJECTED = "tickRejected"
    MIN_TRADE_NTL_REJECTED = "minTradeNtlRejected"
    PERP_MARGIN_REJECTED = "perpMarginRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    BAD_ALO_PX_REJECTED = "badAloPxRejected"
    IOC_CANCEL_REJECTED = "iocCancelRejected"
    BAD_TRIGGER_PX_REJECTED = "badTriggerPxRejected"
    NO_LIQUIDITY_REJECTED = "marketOrderNoLiquidityRejected"
    ORACLE_REJECTED = "oracleRejected"
    TOO_MANY_OPEN_ORDERS_REJECTED = "tooManyOpenOrdersRejected"

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self not in (OrderStatus.OPEN, OrderStatus.TRIGGERED)

    @property
    def by_venue(self) -> bool:
        """Whether the venue cancelled the order on its own."""
        return self in _BY_VENUE

    @property
    def refused(self) -> bool:
        """Whether the order was never accepted."""
        return self.value.lower().endswith("rejected")


_BY_VENUE = frozenset(
    {
        OrderStatus.MARGIN_CANCELED,
        OrderStatus.REDUCE_ONLY_CANCELED,
        OrderStatus.SELF_TRADE_CANCELED,
        OrderStatus.SIBLING_FILLED_CANCELED,
        OrderStatus.LIQUIDATED_CANCELED,
        OrderStatus.SCHEDULED_CANCEL,
    }
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A stop or take-profit: the order is inactive until the mark price reaches ``price``.

    With ``is_market`` it is sent as an IOC order at its limit price, which includes the client's
    slippage. ``take_profit`` reverses the direction: a sell "tp" triggers when the mark rises to
    the price, a sell "sl" when it falls to it.
    """

    price: int
    is_market: bool
    take_profit: bool


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A client's order; its form has been validated, but not against account and market.

    ``builder_tenths`` is the builder's fee, tenths of a basis point of the traded value.
    ``whole_position`` marks a trigger that closes the whole position, whatever its size then.
    ``is_market`` marks a client's market order, ``twap_id`` a part of a TWAP.
    """

    coin: str
    is_buy: bool
    price: int
    lots: int
    reduce_only: bool = False
    tif: TimeInForce = TimeInForce.GTC
    trigger: Trigger | None = None
    cloid: str | None = None
    builder_tenths: int = 0
    whole_position: bool = False
    is_market: bool = False
    twap_id: int | None = None


@dataclass(slots=True)
class Order:
    """An order at the venue. ``remaining`` is the size still to be filled, lots.

    ``ahead`` is the background's size ahead of it at its price, lots (meaningful while it rests);
    ``ahead_at_start`` is its value when the order came to rest.
    """

    oid: int
    account: str
    request: OrderRequest
    placed_ms: int
    remaining: int
    status: OrderStatus = OrderStatus.OPEN
    status_ms: int = 0
    ahead: float = 0.0
    ahead_at_start: float = 0.0
    resting: bool = False
    """Whether it is in the book (an untriggered stop is not)."""

    @property
    def coin(self) -> str:
        """The coin."""
        return self.request.coin

    @property
    def filled(self) -> int:
        """Lots filled so far."""
        return self.request.lots - self.remaining


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill of one of the accounts' orders.

    ``crossed`` marks the taker; ``fee`` and ``closed_pnl`` are micro-USDC (a rebate is negative);
    ``start_lots`` is the signed position before; ``hash`` is that of the market order.
    ``waited_ms`` is how long the order had rested, and ``ahead_at_start`` the lots ahead of it when
    it came to rest; both measure the cost of queueing. ``liquidation`` marks a forced close.
    ``builder_fee`` is the part of ``fee`` that goes to the builder; ``twap_id`` identifies the
    TWAP that the order was part of.
    """

    time_ms: int
    account: str
    coin: str
    oid: int
    cloid: str | None
    is_buy: bool
    price: int
    lots: int
    crossed: bool
    fee: int
    closed_pnl: int
    start_lots: int
    tid: int
    hash: str
    waited_ms: int
    ahead_at_start: float
    liquidation: bool = False
    builder_fee: int = 0
    twap_id: int | None = None


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """An hour's funding of one position; ``usdc`` is micro-USDC received, negative if paid."""

    time_ms: int
    account: str
    coin: str
    usdc: int
    lots: int
    rate: str


@dataclass(frozen=True, slots=True)
class Liquidation:
    """The start of a liquidation of an account's positions.

    ``lid`` is the number of the first closing order, ``notional`` the value at the mark of all
    positions that may be closed, and ``value`` the account's value, both micro-USDC.
    """

    time_ms: int
    account: str
    lid: int
    notional: int
    value: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A change of an order, with a copy of the order at that time."""

    time_ms: int
    order: Order


AccountEvent = OrderEvent | Fill | FundingPayment | Liquidation | MoneyMoved | TwapEvent
"""Events that user streams report, in the order in which they happened."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The venue's answer to one order, cancel or modify of a request.

    Exactly one of ``error`` (the venue's message, without the asset suffix) and ``order`` (a copy:
    resting, waiting for its trigger or filled) is set; a successful cancel has the cancelled order.
    ``average_price`` is that of the immediate fill, USDC.
    """

    error: str | None = None
    order: Order | None = None
    average_price: float | None = None
