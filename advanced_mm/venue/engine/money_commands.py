"""The exchange's commands that are passed on to the treasury or the TWAPs."""

from advanced_mm.venue.engine.accounts import Accounts
from advanced_mm.venue.engine.treasury import Treasury
from advanced_mm.venue.engine.twap_orders import Twap, TwapRequest
from advanced_mm.venue.engine.twaps import Twaps

__all__ = ["MoneyCommands"]


class MoneyCommands:
    """Account actions that a single part of the venue carries out."""

    accounts: Accounts
    treasury: Treasury
    twaps: Twaps

    def transfer(self, sender: str, receiver: str, micros: int) -> str | None:
        """Move money from one account to another of the same owner."""
        return self.treasury.transfer(sender, receiver, micros, "subAccountTransfer")

    def send(self, sender: str, receiver: str, micros: int) -> str | None:
        """Send money to another owner's account."""
        return self.treasury.transfer(sender, receiver, micros, "internalTransfer")

    def change_class(self, account: str, micros: int, to_perp: bool) -> str | None:
        """Move money between an account's spot and perpetual balances."""
        return self.treasury.change_class(account, micros, to_perp)

    def withdraw(self, account: str, receiver: str, micros: int, nonce: int) -> str | None:
        """Withdraw money from the venue."""
        return self.treasury.withdraw(account, receiver, micros, nonce)

    def reserve_requests(self, account: str, receiver: str, requests: int) -> str | None:
        """Buy requests for an address."""
        return self.treasury.reserve_requests(account, receiver, requests)

    def rename(self, account: str, name: str) -> None:
        """Rename a sub-account."""
        self.accounts.open(account).name = name

    def place_twap(self, account: str, request: TwapRequest) -> Twap | str:
        """Start a TWAP; return the venue's error message if it is refused."""
        return self.twaps.place(self.accounts.open(account), request)

    def cancel_twap(self, account: str, coin: str, twap_id: int) -> str | None:
        """Cancel a TWAP; return the venue's error message if there is none."""
        return self.twaps.cancel(self.accounts.open(account), coin, twap_id)
