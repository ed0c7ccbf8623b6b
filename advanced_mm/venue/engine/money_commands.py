"""The part of the exchange's door that leads to the treasury and to the TWAPs."""

from advanced_mm.venue.engine.accounts import Accounts
from advanced_mm.venue.engine.treasury import Treasury
from advanced_mm.venue.engine.twap_orders import Twap, TwapRequest
from advanced_mm.venue.engine.twaps import Twaps

__all__ = ["MoneyCommands"]


class MoneyCommands:
    """Actions of accounts that one part of the venue carries out alone."""

    accounts: Accounts
    treasury: Treasury
    twaps: Twaps

    def transfer(self, sender: str, receiver: str, micros: int) -> str | None:
        """Move money from one account to another of the same owner."""
        return self.treasury.transfer(sender, receiver, micros, "subAccountTransfer")

    def send(self, sender: str, receiver: str, micros: int) -> str | None:
        """Give money to somebody else."""
        return self.treasury.transfer(sender, receiver, micros, "internalTransfer")

    def change_class(self, account: str, micros: int, to_perp: bool) -> str | None:
        """Move money out of an account's spot part, or into it."""
        return self.treasury.change_class(account, micros, to_perp)

    def withdraw(self, account: str, receiver: str, micros: int, nonce: int) -> str | None:
        """Take money off the venue."""
        return self.treasury.withdraw(account, receiver, micros, nonce)

    def reserve_requests(self, account: str, receiver: str, requests: int) -> str | None:
        """Buy requests for an address."""
        return self.treasury.reserve_requests(account, receiver, requests)

    def rename(self, account: str, name: str) -> None:
        """Give a sub-account another name."""
        self.accounts.open(account).name = name

    def place_twap(self, account: str, request: TwapRequest) -> Twap | str:
        """Begin a TWAP; the venue's sentence if it cannot be."""
        return self.twaps.place(self.accounts.open(account), request)

    def cancel_twap(self, account: str, coin: str, twap_id: int) -> str | None:
        """End a TWAP; the venue's sentence if there is none."""
        return self.twaps.cancel(self.accounts.open(account), coin, twap_id)
