"""The forms of requests to /exchange: the envelope, and the actions it may hold.

Names are the venue's. Amounts named ``usd`` or ``ntli`` are micro-USDC, times ms; prices and sizes
are decimal strings. Forms hold the fields of an action that the venue knows, in the spelling and
order in which it hashes them: see `fields`.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    TypeAdapter,
    model_validator,
)

from advanced_mm.venue.protocol.actions.account_forms import (
    AccountAction,
    ApproveAgent,
    ApproveBuilderFee,
    CreateSubAccount,
    Noop,
    ReserveRequestWeight,
    ScheduleCancel,
    SetReferrer,
    SubAccountModify,
    SubAccountTransfer,
    TopUpIsolatedOnlyMargin,
    UpdateIsolatedMargin,
    UpdateLeverage,
    UsdClassTransfer,
    UsdSend,
    UserSigned,
    Withdraw,
    signed_nonce,
)
from advanced_mm.venue.protocol.actions.fields import (
    Asset,
    Cloid,
    DecimalText,
    Form,
    OrderId,
    PlainAddress,
    TimeMs,
)
from advanced_mm.venue.protocol.actions.signing import Address, Signature

__all__ = [
    "AccountAction",
    "Action",
    "ApproveAgent",
    "ApproveBuilderFee",
    "BatchModify",
    "Builder",
    "Cancel",
    "CancelByCloid",
    "CreateSubAccount",
    "Envelope",
    "Modify",
    "ModifyForm",
    "Noop",
    "PlaceOrders",
    "ReserveRequestWeight",
    "ScheduleCancel",
    "SetReferrer",
    "SubAccountModify",
    "SubAccountTransfer",
    "TopUpIsolatedOnlyMargin",
    "TriggerForm",
    "TwapCancel",
    "TwapDetails",
    "TwapOrder",
    "UpdateIsolatedMargin",
    "UpdateLeverage",
    "UsdClassTransfer",
    "UsdSend",
    "UserSigned",
    "WireOrder",
    "Withdraw",
    "parse_action",
    "request_count",
    "signed_nonce",
]

MAX_BATCH = 1_000  # orders, cancels or modifies in one action


class LimitForm(Form):
    """A limit order; ``FrontendMarket`` is the web page's market order, sent as an IOC."""

    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]


class TriggerForm(Form):
    """A stop loss or take profit."""

    isMarket: bool
    triggerPx: DecimalText
    tpsl: Literal["tp", "sl"]


class OrderType(Form):
    """Exactly one of limit and trigger."""

    limit: LimitForm | None = None
    trigger: TriggerForm | None = None

    @model_validator(mode="after")
    def _one(self) -> "OrderType":
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("give exactly one of limit and trigger")
        return self


class WireOrder(Form):
    """An order: asset number, side, price, size, reduce-only, type, client order id."""

    a: Asset
    b: bool
    p: DecimalText
    s: DecimalText
    r: bool
    t: OrderType
    c: Cloid | None = None


class Builder(Form):
    """The builder and its fee ``f``, tenths of a basis point."""

    b: PlainAddress
    f: Annotated[int, Field(ge=0, le=1_000)]


class Priority(Form):
    """A grouping that pays for priority, which has no effect here."""

    p: int


class PlaceOrders(Form):
    """New orders."""

    type: Literal["order"]
    orders: Annotated[list[WireOrder], Field(min_length=1, max_length=MAX_BATCH)]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None


class CancelOid(Form):
    """An order by asset and order number."""

    a: Asset
    o: OrderId


class Cancel(Form):
    """Cancels by order number."""

    type: Literal["cancel"]
    cancels: Annotated[list[CancelOid], Field(min_length=1, max_length=MAX_BATCH)]
    f: Literal[True] | None = None
    """Requests faster forwarding, which has no effect here."""


class CancelCloid(Form):
    """An order by asset and client order id."""

    asset: Asset
    cloid: Cloid


class CancelByCloid(Form):
    """Cancels by client order id."""

    type: Literal["cancelByCloid"]
    cancels: Annotated[list[CancelCloid], Field(min_length=1, max_length=MAX_BATCH)]
    f: Literal[True] | None = None


class ModifyForm(Form):
    """A modify of one order."""

    oid: OrderId | Cloid
    order: WireOrder


class Modify(Form):
    """One modify; with ``a`` the new order is placed even if the old one has ended."""

    type: Literal["modify"]
    oid: OrderId | Cloid
    order: WireOrder
    a: Literal[True] | None = None


class BatchModify(Form):
    """Several modifies."""

    type: Literal["batchModify"]
    modifies: Annotated[list[ModifyForm], Field(min_length=1, max_length=MAX_BATCH)]
    a: Literal[True] | None = None


class TwapForm(Form):
    """An order sent in parts over ``m`` minutes, with random sizes if ``t``."""

    a: Asset
    b: bool
    s: DecimalText
    r: bool
    m: Annotated[int, Field(ge=0, lt=2**32)]
    t: bool


class TwapTriggerForm(Form):
    """The mark at which a TWAP starts: at or above ``p`` if ``a``, else at or below it."""

    p: DecimalText
    a: bool


class TwapDetails(Form):
    """A TWAP's trigger, and its stop price."""

    t: TwapTriggerForm | None
    s: DecimalText | None


class TwapOrder(Form):
    """A new TWAP."""

    type: Literal["twapOrder"]
    twap: TwapForm
    details: TwapDetails | None = None


class TwapCancel(Form):
    """Cancels TWAP ``t`` of an asset."""

    type: Literal["twapCancel"]
    a: Asset
    t: OrderId


OrderAction = PlaceOrders | Cancel | CancelByCloid | Modify | BatchModify | TwapOrder | TwapCancel

Action = OrderAction | AccountAction

_ACTION: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Discriminator("type")])


class Envelope(BaseModel):
    """A posted request. ``action`` is kept as sent, since it may be hashed in that form."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    action: dict[str, object]
    nonce: TimeMs
    signature: Signature
    vaultAddress: Address | None = None
    expiresAfter: TimeMs | None = None


def parse_action(raw: dict[str, object]) -> Action:
    """Parse an action.

    Raises
    ------
    pydantic.ValidationError
        If its type is unknown, or a field is missing or invalid.
    """
    return _ACTION.validate_python(raw)


def request_count(action: Action) -> int:
    """Return how many requests an action counts as: one for each order, cancel or modify."""
    match action:
        case PlaceOrders(orders=batch):
            return len(batch)
        case Cancel(cancels=batch):
            return len(batch)
        case CancelByCloid(cancels=batch):
            return len(batch)
        case BatchModify(modifies=batch):
            return len(batch)
        case _:
            return 1
