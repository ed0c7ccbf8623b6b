"""Money that moves without trading: the entries of an account's ledger other than funding."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["MoneyKind", "MoneyMoved"]

MoneyKind = Literal[
    "deposit", "subAccountTransfer", "internalTransfer", "accountClassTransfer", "withdraw", "send"
]


@dataclass(frozen=True, slots=True)
class MoneyMoved:
    """One entry of an account's ledger; amounts are micro-USDC, times exchange ms.

    ``sender`` and ``receiver`` are addresses; both are the account's own if no other account is
    involved. ``to_perp`` is the direction of an ``accountClassTransfer``: out of the spot account
    or into it. ``fee`` was paid on top. A ``send`` goes from ``source_dex`` to
    ``destination_dex``: the name of an exchange, empty for the main one, or "spot".
    """

    time_ms: int
    account: str
    kind: MoneyKind
    micros: int
    sender: str
    receiver: str
    fee: int = 0
    to_perp: bool = True
    nonce: int = 0
    source_dex: str = ""
    destination_dex: str = ""
