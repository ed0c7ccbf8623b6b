"""Transfers between accounts, to and from the spot account, and withdrawals from the venue."""

from collections import deque
from dataclasses import replace
from typing import Literal

from advanced_mm.markets.units import MICROS_PER_USDC
from advanced_mm.venue.engine.accounts import Account, Accounts
from advanced_mm.venue.engine.margin import Margin
from advanced_mm.venue.engine.money import MoneyMoved
from advanced_mm.venue.engine.orders import AccountEvent

__all__ = ["NO_TOKENS", "REQUEST_PRICE", "SPOT", "Treasury"]

SPOT = "spot"
NO_TOKENS = "Insufficient balance for token transfer"

WITHDRAWAL_FEE = MICROS_PER_USDC
REQUEST_PRICE = 500  # micro-USDC for each request beyond the earned ones


class Treasury:
    """Moves money. Each method returns the venue's error message, or None if it succeeded.

    Parameters
    ----------
    accounts
        All accounts; they also hold market time.
    margin
        Determines what may be withdrawn.
    events
        Queue to which money movements are added.
    """

    def __init__(self, accounts: Accounts, margin: Margin, events: deque[AccountEvent]) -> None:
        self._accounts = accounts
        self._margin = margin
        self._events = events

    def transfer(
        self,
        sender: str,
        receiver: str,
        micros: int,
        kind: Literal["subAccountTransfer", "internalTransfer"],
    ) -> str | None:
        """Move money from one account to another."""
        giver, taker = self._accounts.open(sender), self._accounts.open(receiver)
        if micros <= 0:
            return "Invalid transfer amount."
        if micros > self._margin.withdrawable(giver):
            return "Insufficient balance for transfer."
        giver.usdc -= micros
        taker.usdc += micros
        giver.deposited -= micros
        taker.deposited += micros
        moved = MoneyMoved(self._accounts.now_ms, sender, kind, micros, sender, receiver)
        self._note(giver, moved)
        if taker is not giver:
            self._note(taker, replace(moved, account=receiver))
        return None

    def change_class(self, account: str, micros: int, to_perp: bool) -> str | None:
        """Move money between an account's spot and perpetual balances."""
        owner = self._accounts.open(account)
        if micros <= 0:
            return "Invalid transfer amount."
        if to_perp and micros > owner.spot_usdc:
            return NO_TOKENS
        if not to_perp and micros > self._margin.withdrawable(owner):
            return "Insufficient balance for transfer."
        change = micros if to_perp else -micros
        owner.usdc += change
        owner.spot_usdc -= change
        self._note(
            owner,
            MoneyMoved(
                self._accounts.now_ms,
                account,
                "accountClassTransfer",
                micros,
                account,
                account,
                to_perp=to_perp,
            ),
        )
        return None

    def send_asset(
        self, sender: str, source: str, receiver: str, destination: str, micros: int
    ) -> str | None:
        """Move money from one account's balance at an exchange (or "spot") to another's."""
        giver, taker = self._accounts.open(sender), self._accounts.open(receiver)
        if micros <= 0:
            return "Invalid transfer amount."
        if source == SPOT and micros > giver.spot_usdc:
            return NO_TOKENS
        if source != SPOT and micros > self._margin.withdrawable(giver, source):
            return "Insufficient balance for transfer."
        for owner, place, change in ((giver, source, -micros), (taker, destination, micros)):
            if place == SPOT:
                owner.spot_usdc += change
            else:
                owner.add_to_purse(place, change)
            owner.deposited += change
        moved = MoneyMoved(
            self._accounts.now_ms,
            sender,
            "send",
            micros,
            sender,
            receiver,
            source_dex=source,
            destination_dex=destination,
        )
        self._note(giver, moved)
        if taker is not giver:
            self._note(taker, replace(moved, account=receiver))
        return None

    def withdraw(self, account: str, receiver: str, micros: int, nonce: int) -> str | None:
        """Withdraw money from the venue; the fee is deducted from the amount."""
        owner = self._accounts.open(account)
        if micros <= WITHDRAWAL_FEE or micros > self._margin.withdrawable(owner):
            return "Insufficient balance for withdrawal."
        owner.usdc -= micros
        owner.deposited -= micros
        moved = MoneyMoved(
            self._accounts.now_ms,
            account,
            "withdraw",
            micros - WITHDRAWAL_FEE,
            account,
            receiver,
            fee=WITHDRAWAL_FEE,
            nonce=nonce,
        )
        self._note(owner, moved)
        return None

    def reserve_requests(self, account: str, receiver: str, requests: int) -> str | None:
        """Buy requests for an address at an account's expense."""
        owner = self._accounts.open(account)
        price = requests * REQUEST_PRICE
        if price > self._margin.withdrawable(owner):
            return "Insufficient balance to reserve request weight."
        owner.usdc -= price
        self._accounts.open(receiver).requests_reserved += requests
        return None

    def _note(self, account: Account, moved: MoneyMoved) -> None:
        account.money.append(moved)
        self._events.append(moved)
