"""The forms of what is posted to /exchange: the envelope, and each action it may hold.

Names are the venue's. Amounts named ``usd`` or ``ntli`` are micro-USDC, times ms; prices and sizes
are decimal strings. A field that a form does not name is refused: the venue would drop it before
it hashes the action, and the signature would be somebody else's.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from advanced_mm.paper.exchange.signing import Address, Signature

__all__ = [
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
    "Noop",
    "PlaceOrders",
    "ScheduleCancel",
    "SetReferrer",
    "SubAccountTransfer",
    "TriggerForm",
    "UpdateIsolatedMargin",
    "UpdateLeverage",
    "WireOrder",
    "parse_action",
    "request_count",
]

Cloid = Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{32}$")]
DecimalText = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=40)]
Asset = Annotated[int, Field(ge=0, lt=2**32)]
OrderId = Annotated[int, Field(ge=0, lt=2**64)]
TimeMs = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=16)]

MAX_BATCH = 1_000  # orders, cancels or modifies of one action


class Form(BaseModel):
    """A form of the wire: JSON's own types, no field more."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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

    b: Address
    f: Annotated[int, Field(ge=0, le=1_000)]


class Priority(Form):
    """A grouping that buys priority, which this venue does not sell."""

    p: int


class PlaceOrders(Form):
    """New orders."""

    type: Literal["order"]
    orders: Annotated[list[WireOrder], Field(min_length=1, max_length=MAX_BATCH)]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority = "na"
    builder: Builder | None = None


class CancelOid(Form):
    """An order by asset and the venue's number."""

    a: Asset
    o: OrderId


class Cancel(Form):
    """Cancels by the venue's numbers."""

    type: Literal["cancel"]
    cancels: Annotated[list[CancelOid], Field(min_length=1, max_length=MAX_BATCH)]


class CancelCloid(Form):
    """An order by asset and the client's number."""

    asset: Asset
    cloid: Cloid


class CancelByCloid(Form):
    """Cancels by the client's numbers."""

    type: Literal["cancelByCloid"]
    cancels: Annotated[list[CancelCloid], Field(min_length=1, max_length=MAX_BATCH)]


class ModifyForm(Form):
    """What becomes of an order."""

    oid: OrderId | Cloid
    order: WireOrder


class Modify(ModifyForm):
    """One modify."""

    type: Literal["modify"]


class BatchModify(Form):
    """Several modifies."""

    type: Literal["batchModify"]
    modifies: Annotated[list[ModifyForm], Field(min_length=1, max_length=MAX_BATCH)]


class UpdateLeverage(Form):
    """Leverage and margin mode of a coin."""

    type: Literal["updateLeverage"]
    asset: Asset
    isCross: bool
    leverage: Annotated[int, Field(ge=1)]


class UpdateIsolatedMargin(Form):
    """Adds ``ntli`` micro-USDC to an isolated position; takes them away where negative."""

    type: Literal["updateIsolatedMargin"]
    asset: Asset
    isBuy: bool
    ntli: int


class ScheduleCancel(Form):
    """Cancels everything at a time; without one, the schedule is lifted."""

    type: Literal["scheduleCancel"]
    time: TimeMs | None = None


class ApproveBuilderFee(Form):
    """Lets a builder take up to a share of each order: ``maxFeeRate`` as "0.01%"."""

    type: Literal["approveBuilderFee"]
    hyperliquidChain: Literal["Mainnet", "Testnet"]
    signatureChainId: Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{1,16}$")]
    maxFeeRate: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?%$", max_length=20)]
    builder: Address
    nonce: TimeMs


class ApproveAgent(Form):
    """Lets a key without money sign for the owner; an empty or missing name: the only nameless."""

    type: Literal["approveAgent"]
    hyperliquidChain: Literal["Mainnet", "Testnet"]
    signatureChainId: Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{1,16}$")]
    agentAddress: Address
    agentName: Annotated[str, StringConstraints(max_length=64)] | None = None
    nonce: TimeMs


class SetReferrer(Form):
    """Whoever brought the account: nothing follows from it here."""

    type: Literal["setReferrer"]
    code: str


class CreateSubAccount(Form):
    """A sub-account of the signer's."""

    type: Literal["createSubAccount"]
    name: Name


class SubAccountTransfer(Form):
    """Moves ``usd`` micro-USDC between an owner and a sub-account."""

    type: Literal["subAccountTransfer"]
    subAccountUser: Address
    isDeposit: bool
    usd: Annotated[int, Field(gt=0, lt=2**63)]


class Noop(Form):
    """Uses up its nonce, so that what was sent with the same one comes too late."""

    type: Literal["noop"]


Action = (
    PlaceOrders
    | Cancel
    | CancelByCloid
    | Modify
    | BatchModify
    | UpdateLeverage
    | UpdateIsolatedMargin
    | ScheduleCancel
    | ApproveBuilderFee
    | ApproveAgent
    | SetReferrer
    | CreateSubAccount
    | SubAccountTransfer
    | Noop
)

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
