"""Orders, what becomes of them, and the events that tell of it.

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
    """How long an order stays: post-only, until cancelled, or not at all."""

    ALO = "Alo"
    GTC = "Gtc"
    IOC = "Ioc"


class OrderStatus(StrEnum):
    """What has become of an order, in the venue's words."""

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
        """Whether nothing more can happen to the order."""
        return self not in (OrderStatus.OPEN, OrderStatus.TRIGGERED)

    @property
    def by_venue(self) -> bool:
        """Whether the venue took the order out again, unasked."""
        return self in _BY_VENUE

    @property
    def refused(self) -> bool:
        """Whether the order was never taken in."""
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
    """A stop: the order sleeps until the mark price reaches ``price``.

    ``is_market`` sends it as an IOC order at its limit price (the client has put its slippage
    there). ``take_profit`` turns the direction: a sell "tp" wakes when the mark rises to the price,
    a sell "sl" when it falls to it.
    """

    price: int
    is_market: bool
    take_profit: bool


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for; validated for form, not yet against account and market.

    ``builder_tenths`` go to whoever brought the order, tenths of a basis point of what is traded.
    ``whole_position`` marks a trigger that closes all there is when it wakes, however much,
    ``is_market`` what the client calls a market order and ``twap_id`` a part of a TWAP.
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
    """An order at the venue. ``lots`` were asked for, ``remaining`` are still to be filled.

    ``ahead`` is the background's size in front of it at its price, lots (meaningful while it
    rests); ``ahead_at_start`` what it was when the order came to rest.
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
    """Whether it stands in the book (a sleeping stop does not)."""

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
    ``waited_ms`` is how long the order had rested and ``ahead_at_start`` the lots that stood in
    front of it when it came to rest: what queueing costs. ``liquidation`` marks a forced close.
    ``builder_fee`` is the part of ``fee`` that goes to whoever brought the order; ``twap_id`` is
    that of the TWAP whose part the order was.
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
    """An hour's funding of one position; ``usdc`` micro-USDC received, negative when paid."""

    time_ms: int
    account: str
    coin: str
    usdc: int
    lots: int
    rate: str


@dataclass(frozen=True, slots=True)
class Liquidation:
    """An account's positions begin to be closed by force.

    ``lid`` is the number of the first order that closes, ``notional`` what all the positions it
    may close are worth at the mark and ``value`` what the account is, both micro-USDC.
    """

    time_ms: int
    account: str
    lid: int
    notional: int
    value: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An order has changed: a copy of it as it then was."""

    time_ms: int
    order: Order


AccountEvent = OrderEvent | Fill | FundingPayment | Liquidation | MoneyMoved | TwapEvent
"""What user streams tell; in the order in which it happened."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The venue's answer to one order, cancel or modify of a request.

    Exactly one of ``error`` (the venue's sentence, without the asset suffix), ``order`` (a copy:
    resting, sleeping or filled) is set; a successful cancel has the order it cancelled.
    ``average_price`` is in USDC, of what was filled at once.
    """

    error: str | None = None
    order: Order | None = None
    average_price: float | None = None
