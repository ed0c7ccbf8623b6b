"""The forms of what is posted to /exchange: the envelope, and each action it may hold.

Names are the venue's. Amounts named ``usd`` or ``ntli`` are micro-USDC, times ms; prices and sizes
are decimal strings. Forms hold what the venue understands of an action, in the spelling and order
in which it hashes it: see `fields`.
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

MAX_BATCH = 1_000  # orders, cancels or modifies of one action


class LimitForm(Form):
    """``FrontendMarket`` is what the venue's own page sends as a market order: an IOC."""

    tif: Literal["Alo", "Ioc", "Gtc", "FrontendMarket"]


class TriggerForm(Form):
    """A stop loss or take profit."""

    isMarket: bool
    triggerPx: DecimalText
    tpsl: Literal["tp", "sl"]


class OrderType(Form):
    """Exactly one of the two kinds."""

    limit: LimitForm | None = None
    trigger: TriggerForm | None = None

    @model_validator(mode="after")
    def _one(self) -> "OrderType":
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("give either limit or trigger")
        return self


class WireOrder(Form):
    """An order: asset number, side, price, size, reduce-only, type, the client's number."""

    a: Asset
    b: bool
    p: DecimalText
    s: DecimalText
    r: bool
    t: OrderType
    c: Cloid | None = None


class Builder(Form):
    """Who brought the order, and what is paid for it: ``f`` tenths of a basis point."""

    b: PlainAddress
    f: Annotated[int, Field(ge=0, le=1_000)]


class Priority(Form):
    """A grouping that buys priority, which this venue does not sell."""

    p: int


class PlaceOrders(Form):
    """New orders."""

    type: Literal["order"]
    orders: Annotated[list[WireOrder], Field(min_length=1, max_length=MAX_BATCH)]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None


class CancelOid(Form):
    """An order by asset and the venue's number."""

    a: Asset
    o: OrderId


class Cancel(Form):
    """Cancels by the venue's numbers."""

    type: Literal["cancel"]
    cancels: Annotated[list[CancelOid], Field(min_length=1, max_length=MAX_BATCH)]
    f: Literal[True] | None = None
    """Asks to be passed on faster, for which there is no need here."""


class CancelCloid(Form):
    """An order by asset and the client's number."""

    asset: Asset
    cloid: Cloid


class CancelByCloid(Form):
    """Cancels by the client's numbers."""

    type: Literal["cancelByCloid"]
    cancels: Annotated[list[CancelCloid], Field(min_length=1, max_length=MAX_BATCH)]
    f: Literal[True] | None = None


class ModifyForm(Form):
    """What becomes of an order."""

    oid: OrderId | Cloid
    order: WireOrder


class Modify(Form):
    """One modify; with ``a`` the new order is placed even if the old one is gone already."""

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
    """An order that the venue sends in parts: over ``m`` minutes, in random sizes if ``t``."""

    a: Asset
    b: bool
    s: DecimalText
    r: bool
    m: Annotated[int, Field(ge=0, lt=2**32)]
    t: bool


class TwapTriggerForm(Form):
    """The mark at which a TWAP begins: at or above ``p`` if ``a``, else at or below it."""

    p: DecimalText
    a: bool


class TwapDetails(Form):
    """When a TWAP begins, and the price at which it is given up."""

    t: TwapTriggerForm | None
    s: DecimalText | None


class TwapOrder(Form):
    """An order in parts."""

    type: Literal["twapOrder"]
    twap: TwapForm
    details: TwapDetails | None = None


class TwapCancel(Form):
    """Ends a TWAP ``t`` of an asset."""

    type: Literal["twapCancel"]
    a: Asset
    t: OrderId


OrderAction = PlaceOrders | Cancel | CancelByCloid | Modify | BatchModify | TwapOrder | TwapCancel

Action = OrderAction | AccountAction

_ACTION: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Discriminator("type")])


class Envelope(BaseModel):
    """What is posted. ``action`` stays as it came: it is hashed so."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    action: dict[str, object]
    nonce: TimeMs
    signature: Signature
    vaultAddress: Address | None = None
    expiresAfter: TimeMs | None = None


def parse_action(raw: dict[str, object]) -> Action:
    """The action in its form.

    Raises
    ------
    pydantic.ValidationError
        If its type is unknown, or a field missing, wrong or of no meaning.
    """
    return _ACTION.validate_python(raw)


def request_count(action: Action) -> int:
    """How many of an address's requests an action uses up: one an order, cancel or modify."""
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
