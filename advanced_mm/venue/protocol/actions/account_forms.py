"""The forms of account actions: money, margin and keys. See `forms` for orders.

Actions that an owner signs field by field (the form has a ``signatureChainId``) are hashed as
sent, the others as `fields.canonical` writes them.
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
    """Sets leverage and margin mode of a coin."""

    type: Literal["updateLeverage"]
    asset: Asset
    isCross: bool
    leverage: Annotated[int, Field(ge=1, lt=2**32)]


class UpdateIsolatedMargin(Form):
    """Adds ``ntli`` micro-USDC to an isolated position, or removes them if negative."""

    type: Literal["updateIsolatedMargin"]
    asset: Asset
    isBuy: bool
    ntli: Annotated[int, Field(ge=-(2**63), lt=2**63)]


class TopUpIsolatedOnlyMargin(Form):
    """Adds the margin that an isolated position needs to reach a leverage."""

    type: Literal["topUpIsolatedOnlyMargin"]
    asset: Asset
    leverage: DecimalText


class ScheduleCancel(Form):
    """Schedules the cancel of all orders; without a time, clears the schedule."""

    type: Literal["scheduleCancel"]
    time: TimeMs | None = None


class ReserveRequestWeight(Form):
    """Buys requests beyond the earned ones, for the account itself or another address."""

    type: Literal["reserveRequestWeight"]
    weight: Annotated[int, Field(gt=0, lt=2**51)]
    destination: PlainAddress | None = None


class UserSigned(Form):
    """An action that its owner signs field by field."""

    hyperliquidChain: Literal["Mainnet", "Testnet"]
    signatureChainId: ChainId


class ApproveBuilderFee(UserSigned):
    """Approves a builder's fee of up to ``maxFeeRate`` of each order, e.g. "0.01%"."""

    type: Literal["approveBuilderFee"]
    maxFeeRate: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?%$", max_length=20)]
    builder: Address
    nonce: TimeMs


class ApproveAgent(UserSigned):
    """Lets an agent's key sign for the owner; without a name, it is the single unnamed agent.

    A name may end in " valid_until" and a time in ms, after which the key is no longer valid.
    """

    type: Literal["approveAgent"]
    agentAddress: Address
    agentName: Annotated[str, StringConstraints(max_length=64)] | None = None
    nonce: TimeMs


class UsdSend(UserSigned):
    """Sends USDC to another account."""

    type: Literal["usdSend"]
    destination: Address
    amount: Amount
    time: TimeMs


class Withdraw(UserSigned):
    """Withdraws USDC from the venue."""

    type: Literal["withdraw3"]
    destination: Address
    amount: Amount
    time: TimeMs


class UsdClassTransfer(UserSigned):
    """Moves USDC between the perpetual and spot balances of the owner or a sub-account."""

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
    """Moves a token between exchanges ("" is the main one), the spot balance ("spot"), accounts."""

    type: Literal["sendAsset"]
    destination: Address
    sourceDex: DexName
    destinationDex: DexName
    token: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    amount: Amount
    fromSubAccount: Address | Literal[""]
    nonce: TimeMs


class UserDexAbstraction(UserSigned):
    """Enables or disables DEX abstraction for the owner or a sub-account."""

    type: Literal["userDexAbstraction"]
    user: Address
    enabled: bool
    nonce: TimeMs


class UserSetAbstraction(UserSigned):
    """Sets the abstraction mode of the owner or a sub-account."""

    type: Literal["userSetAbstraction"]
    user: Address
    abstraction: Literal["disabled", "dexAbstraction", "unifiedAccount", "portfolioMargin"]
    nonce: TimeMs


class AgentEnableDexAbstraction(Form):
    """Enables DEX abstraction, if it was never set before."""

    type: Literal["agentEnableDexAbstraction"]


class AgentSetAbstraction(Form):
    """Sets the abstraction mode: disabled, unified, or portfolio margin."""

    type: Literal["agentSetAbstraction"]
    abstraction: Literal["i", "u", "p"]


class SetReferrer(Form):
    """Names the account's referrer, which has no effect here."""

    type: Literal["setReferrer"]
    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]


class CreateSubAccount(Form):
    """Creates a sub-account of the signer."""

    type: Literal["createSubAccount"]
    name: Name


class SubAccountModify(Form):
    """Renames a sub-account."""

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
    """Uses up its nonce, so that another request with the same nonce is refused."""

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
    """Return the nonce that is part of the signed fields."""
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
