"""The forms of actions that are not about an order: money, margin, keys. See `actions`.

Those that an owner signs field by field (the form has a ``signatureChainId``) are hashed as they
were sent, the others as `fields.canonical` writes them.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from advanced_mm.venue.protocol.actions.fields import (
    Asset,
    ChainId,
    DecimalText,
    Form,
    PlainAddress,
    TimeMs,
)
from advanced_mm.venue.protocol.actions.signing import Address

__all__ = [
    "AccountAction",
    "AgentEnableDexAbstraction",
    "AgentSetAbstraction",
    "ApproveAgent",
    "ApproveBuilderFee",
    "CreateSubAccount",
    "Noop",
    "ReserveRequestWeight",
    "ScheduleCancel",
    "SendAsset",
    "SetReferrer",
    "SubAccountModify",
    "SubAccountTransfer",
    "TopUpIsolatedOnlyMargin",
    "UpdateIsolatedMargin",
    "UpdateLeverage",
    "UsdClassTransfer",
    "UsdSend",
    "UserDexAbstraction",
    "UserSetAbstraction",
    "UserSigned",
    "Withdraw",
    "signed_nonce",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=16)]
DexName = Annotated[str, StringConstraints(max_length=20)]
Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=40)]


class UpdateLeverage(Form):
    """Leverage and margin mode of a coin."""

    type: Literal["updateLeverage"]
    asset: Asset
    isCross: bool
    leverage: Annotated[int, Field(ge=1, lt=2**32)]


class UpdateIsolatedMargin(Form):
    """Adds ``ntli`` micro-USDC to an isolated position; takes them away where negative."""

    type: Literal["updateIsolatedMargin"]
    asset: Asset
    isBuy: bool
    ntli: Annotated[int, Field(ge=-(2**63), lt=2**63)]


class TopUpIsolatedOnlyMargin(Form):
    """Adds what an isolated position lacks to a leverage."""

    type: Literal["topUpIsolatedOnlyMargin"]
    asset: Asset
    leverage: DecimalText


class ScheduleCancel(Form):
    """Cancels everything at a time; without one, the schedule is lifted."""

    type: Literal["scheduleCancel"]
    time: TimeMs | None = None


class ReserveRequestWeight(Form):
    """Buys requests beyond those an address has earned, for itself or for somebody else."""

    type: Literal["reserveRequestWeight"]
    weight: Annotated[int, Field(gt=0, lt=2**51)]
    destination: PlainAddress | None = None


class UserSigned(Form):
    """An action that its owner signs field by field."""

    hyperliquidChain: Literal["Mainnet", "Testnet"]
    signatureChainId: ChainId


class ApproveBuilderFee(UserSigned):
    """Lets a builder take up to a share of each order: ``maxFeeRate`` as "0.01%"."""

    type: Literal["approveBuilderFee"]
    maxFeeRate: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?%$", max_length=20)]
    builder: Address
    nonce: TimeMs


class ApproveAgent(UserSigned):
    """Lets a key without money sign for the owner; an empty or missing name: the only nameless.

    A name may end in " valid_until" and a time in ms, after which the key signs no more.
    """

    type: Literal["approveAgent"]
    agentAddress: Address
    agentName: Annotated[str, StringConstraints(max_length=64)] | None = None
    nonce: TimeMs


class UsdSend(UserSigned):
    """Gives USDC to somebody else."""

    type: Literal["usdSend"]
    destination: Address
    amount: Amount
    time: TimeMs


class Withdraw(UserSigned):
    """Takes USDC off the venue."""

    type: Literal["withdraw3"]
    destination: Address
    amount: Amount
    time: TimeMs


class UsdClassTransfer(UserSigned):
    """Moves USDC between the perpetuals' and the spot account, of oneself or a sub-account."""

    type: Literal["usdClassTransfer"]
    amount: Annotated[
        str,
        StringConstraints(
            pattern=r"^[0-9]+(\.[0-9]+)?(\s+subaccount:0x[0-9a-fA-F]{40})?$", max_length=120
        ),
    ]
    toPerp: bool
    nonce: TimeMs


class SendAsset(UserSigned):
    """Moves a token between exchanges ("" the main one), spot ("spot"), accounts."""

    type: Literal["sendAsset"]
    destination: Address
    sourceDex: DexName
    destinationDex: DexName
    token: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    amount: Amount
    fromSubAccount: Address | Literal[""]
    nonce: TimeMs


class UserDexAbstraction(UserSigned):
    """Makes one purse of those at all exchanges, of oneself or a sub-account, or ends that."""

    type: Literal["userDexAbstraction"]
    user: Address
    enabled: bool
    nonce: TimeMs


class UserSetAbstraction(UserSigned):
    """How the purses of oneself or a sub-account belong together."""

    type: Literal["userSetAbstraction"]
    user: Address
    abstraction: Literal["disabled", "dexAbstraction", "unifiedAccount", "portfolioMargin"]
    nonce: TimeMs


class AgentEnableDexAbstraction(Form):
    """Makes one purse of those at all exchanges, if that was never decided."""

    type: Literal["agentEnableDexAbstraction"]


class AgentSetAbstraction(Form):
    """How the purses belong together: disabled, unified, or portfolio margin."""

    type: Literal["agentSetAbstraction"]
    abstraction: Literal["i", "u", "p"]


class SetReferrer(Form):
    """Whoever brought the account: nothing follows from it here."""

    type: Literal["setReferrer"]
    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]


class CreateSubAccount(Form):
    """A sub-account of the signer's."""

    type: Literal["createSubAccount"]
    name: Name


class SubAccountModify(Form):
    """Another name for a sub-account."""

    type: Literal["subAccountModify"]
    subAccountUser: PlainAddress
    name: Name


class SubAccountTransfer(Form):
    """Moves ``usd`` micro-USDC between an owner and a sub-account."""

    type: Literal["subAccountTransfer"]
    subAccountUser: PlainAddress
    isDeposit: bool
    usd: Annotated[int, Field(gt=0, lt=2**63)]


class Noop(Form):
    """Uses up its nonce, so that what was sent with the same one comes too late."""

    type: Literal["noop"]


AccountAction = (
    UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | ScheduleCancel
    | ReserveRequestWeight
    | ApproveBuilderFee
    | ApproveAgent
    | UsdSend
    | Withdraw
    | UsdClassTransfer
    | SendAsset
    | UserDexAbstraction
    | UserSetAbstraction
    | AgentEnableDexAbstraction
    | AgentSetAbstraction
    | SetReferrer
    | CreateSubAccount
    | SubAccountModify
    | SubAccountTransfer
    | Noop
)


def signed_nonce(action: UserSigned) -> int | None:
    """The nonce that is part of what an owner signs."""
    match action:
        case UsdSend(time=nonce) | Withdraw(time=nonce):
            return nonce
        case ApproveAgent(nonce=nonce) | ApproveBuilderFee(nonce=nonce):
            return nonce
        case UsdClassTransfer(nonce=nonce) | SendAsset(nonce=nonce):
            return nonce
        case UserDexAbstraction(nonce=nonce) | UserSetAbstraction(nonce=nonce):
            return nonce
        case _:
            return None
