"""Recovery of an action's signer from EIP-712 signatures, as Hyperliquid's clients make them.

Most actions are signed through a "phantom agent": the action, its nonce and the account it is for
are packed and hashed, and the hash is signed together with the network's letter. Actions reserved
to the owner are signed field by field, readable in a wallet. Neither kind of signature names the
signer: the address is recovered from it, so a message that was altered in transit, or hashed
differently than here, yields an unknown address.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgpack
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import Signature as CurveSignature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = [
    "USER_SIGNED",
    "Address",
    "Signature",
    "UnrecoverableSignatureError",
    "action_hash",
    "phantom_signers",
    "plain_address",
    "user_signer",
]

ADDRESS_PATTERN = r"^(0[xX])?[0-9a-fA-F]{40}$"
Address = Annotated[str, StringConstraints(pattern=ADDRESS_PATTERN)]
"""An address as clients write it: any case, with or without "0x"."""

NETWORKS = ("a", "b")
"""The letters that clients sign with for the mainnet and for every other network. ccxt treats this
venue as the mainnet, Hyperliquid's SDK treats any address other than the mainnet's as another
network; both are accepted here."""

CHAIN_ID = 1337
NO_CONTRACT = "0x" + "0" * 40

_PAYMENT = [
    {"name": "hyperliquidChain", "type": "string"},
    {"name": "destination", "type": "string"},
    {"name": "amount", "type": "string"},
    {"name": "time", "type": "uint64"},
]

USER_SIGNED: dict[str, tuple[str, list[dict[str, str]]]] = {
    "approveAgent": (
        "HyperliquidTransaction:ApproveAgent",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "agentAddress", "type": "address"},
            {"name": "agentName", "type": "string"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "approveBuilderFee": (
        "HyperliquidTransaction:ApproveBuilderFee",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "maxFeeRate", "type": "string"},
            {"name": "builder", "type": "address"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "usdSend": ("HyperliquidTransaction:UsdSend", _PAYMENT),
    "withdraw3": ("HyperliquidTransaction:Withdraw", _PAYMENT),
    "sendAsset": (
        "HyperliquidTransaction:SendAsset",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "destination", "type": "string"},
            {"name": "sourceDex", "type": "string"},
            {"name": "destinationDex", "type": "string"},
            {"name": "token", "type": "string"},
            {"name": "amount", "type": "string"},
            {"name": "fromSubAccount", "type": "string"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "userDexAbstraction": (
        "HyperliquidTransaction:UserDexAbstraction",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "user", "type": "address"},
            {"name": "enabled", "type": "bool"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "userSetAbstraction": (
        "HyperliquidTransaction:UserSetAbstraction",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "user", "type": "address"},
            {"name": "abstraction", "type": "string"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "usdClassTransfer": (
        "HyperliquidTransaction:UsdClassTransfer",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "amount", "type": "string"},
            {"name": "toPerp", "type": "bool"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
}
"""Actions that an owner signs field by field: the signed type's name and fields."""


class UnrecoverableSignatureError(Exception):
    """The signature is invalid: no address can be recovered from it."""


class Signature(BaseModel):
    """A signature as sent: ``r`` and ``s`` hexadecimal, ``v`` counted from 27 or from 0."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    r: Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{1,64}$")]
    s: Annotated[str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{1,64}$")]
    v: Literal[0, 1, 27, 28]

    def signer(self, digest: bytes) -> str:
        """Return the address whose key signed ``digest`` (32 bytes).

        Raises
        ------
        UnrecoverableSignatureError
            If the signature is invalid.
        """
        vrs = (self.v % 27, int(self.r, 16), int(self.s, 16))
        try:
            key = CurveSignature(vrs=vrs).recover_public_key_from_msg_hash(digest)
        except (BadSignature, ValidationError) as error:
            raise UnrecoverableSignatureError from error
        return "0x" + key.to_canonical_address().hex()


def plain_address(text: str) -> str:
    """Return the address as the venue stores it: lower case, with "0x"."""
    return "0x" + text[-40:].lower()


def action_hash(
    action: Mapping[str, object], account: str | None, nonce: int, expires_after: int | None
) -> bytes:
    """Return the hash that a phantom agent signs.

    Parameters
    ----------
    action
        The action as `fields.canonical` writes it: spelling and field order matter.
    account
        The sub-account it is for; None for the signer's own account.
    nonce, expires_after
        Times in ms.

    Raises
    ------
    OverflowError
        If a number has more than 64 bits.
    """
    packed: bytes = msgpack.packb(action)
    data = packed + nonce.to_bytes(8, "big")
    data += b"\x00" if account is None else b"\x01" + bytes.fromhex(plain_address(account)[2:])
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(data)


def phantom_signers(digest: bytes, signature: Signature) -> Iterator[str]:
    """Yield the possible signers of an `action_hash`, one for each letter of `NETWORKS`.

    They are recovered lazily, since the first is usually the right one.

    Raises
    ------
    UnrecoverableSignatureError
        If the signature is invalid.
    """
    separator, agent_type, letters = _phantom_agent()
    for letter in letters:
        signed = keccak(b"\x19\x01" + separator + keccak(agent_type + letter + digest))
        yield signature.signer(signed)


def user_signer(action: Mapping[str, Any], signature: Signature) -> str:
    """Return the address that signed an action of `USER_SIGNED`.

    Raises
    ------
    UnrecoverableSignatureError
        If the signature is invalid.
    """
    primary_type, fields = USER_SIGNED[action["type"]]
    # An omitted field is signed as empty, e.g. the name of an unnamed agent.
    sent = {field["name"]: action.get(field["name"]) for field in fields}
    message = {
        field["name"]: _empty(field) if sent[field["name"]] is None else sent[field["name"]]
        for field in fields
    }
    try:
        signed = encode_typed_data(
            domain_data={
                "name": "HyperliquidSignTransaction",
                "version": "1",
                "chainId": int(action["signatureChainId"], 16),
                "verifyingContract": NO_CONTRACT,
            },
            message_types={primary_type: fields},
            message_data=message,
        )
        vrs = (signature.v, int(signature.r, 16), int(signature.s, 16))
        return str(Account.recover_message(signed, vrs=vrs)).lower()
    except (BadSignature, ValidationError, ValueError) as error:
        raise UnrecoverableSignatureError from error


def _empty(field: Mapping[str, str]) -> str | int:
    return 0 if field["type"].startswith("uint") else ""


@lru_cache(maxsize=1)
def _phantom_agent() -> tuple[bytes, bytes, list[bytes]]:
    """Return the constant hashes of a phantom agent: the domain's, the type's, the letters'."""
    domain_type = (
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    separator = keccak(
        keccak(text=domain_type)
        + keccak(text="Exchange")
        + keccak(text="1")
        + CHAIN_ID.to_bytes(32, "big")
        + bytes(32)
    )
    agent_type = keccak(text="Agent(string source,bytes32 connectionId)")
    return separator, agent_type, [keccak(text=network) for network in NETWORKS]
