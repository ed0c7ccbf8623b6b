"""Accounts of the spot exchange: their keys, amounts of assets, orders and fills."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from advanced_mm.venue.spot.orders import SpotFill, SpotOrder

__all__ = ["Amount", "SpotAccount", "SpotAccounts"]

MOST_ENDED = 5_000
MOST_FILLS = 20_000


@dataclass(slots=True)
class Amount:
    """An amount of one asset, atoms: free, and locked by open orders."""

    free: int = 0
    locked: int = 0


class SpotAccount:
    """One account.

    Parameters
    ----------
    key, secret
        Its API key and the secret that signs its requests.
    amounts
        What it holds at the start, atoms by asset.
    """

    def __init__(self, key: str, secret: str, amounts: Mapping[str, int]) -> None:
        self.key = key
        self.secret = secret
        self.wallet = {asset: Amount(atoms) for asset, atoms in amounts.items()}
        self.orders: dict[int, SpotOrder] = {}
        """Open orders by number, oldest first."""
        self.fills: deque[SpotFill] = deque(maxlen=MOST_FILLS)
        self.updated_ms = 0
        self._ended: deque[SpotOrder] = deque(maxlen=MOST_ENDED)

    def amount(self, asset: str) -> Amount:
        """Return what it holds of an asset, to be changed."""
        return self.wallet.setdefault(asset, Amount())

    def end(self, order: SpotOrder) -> None:
        """Move an order from the open ones to the ended ones."""
        if self.orders.pop(order.oid, None) is not None:
            self._ended.append(order)

    def note_ended(self, order: SpotOrder) -> None:
        """Keep an order that was never open."""
        self._ended.append(order)

    def open_by_client_id(self, client_id: str) -> SpotOrder | None:
        """Return the open order with a client id."""
        return next((one for one in self.orders.values() if one.client_id == client_id), None)

    def find(self, oid: int | None, client_id: str | None) -> SpotOrder | None:
        """Return an order by number, or the newest by client id, among those still known."""
        for one in self._newest_first():
            if one.oid == oid if oid is not None else one.client_id == client_id:
                return one
        return None

    def history(self, symbol: str) -> list[SpotOrder]:
        """Return all known orders of a market, in the order of their numbers."""
        every = (one for one in self._newest_first() if one.symbol == symbol)
        return sorted(every, key=lambda one: one.oid)

    def _newest_first(self) -> Iterator[SpotOrder]:
        yield from reversed(self.orders.values())
        yield from reversed(self._ended)


class SpotAccounts:
    """All accounts, by API key."""

    def __init__(self) -> None:
        self._accounts: dict[str, SpotAccount] = {}

    def __iter__(self) -> Iterator[SpotAccount]:
        return iter(self._accounts.values())

    def get(self, key: str) -> SpotAccount | None:
        """Return the account with a key, None if there is none."""
        return self._accounts.get(key)

    def add(self, account: SpotAccount) -> None:
        """Add an account; its key must be new."""
        if account.key in self._accounts:
            raise ValueError(f"API key {account.key} exists already")
        self._accounts[account.key] = account
