"""The prints of one market, from the source and from our orders, numbered in one sequence."""

from advanced_mm.markets.identifiers import first_trade_id, transaction_hash
from advanced_mm.markets.market import MarketUpdate, Print
from advanced_mm.markets.units import CoinUnits

__all__ = ["Tape"]

_IDS_PER_ASSET = 40 << 20  # prints of one coin before its trade ids reach the next coin's


class Tape:
    """Numbers prints and keeps those not published yet.

    A print of the source keeps its number, shifted by the prints inserted before it and by an
    offset per asset, so that no two prints of the venue share a number.

    Parameters
    ----------
    coin
        Makes transaction hashes differ between coins.
    units
        The coin's units.
    start_ms
        Time at which the market started, exchange ms.
    asset
        The coin's asset number.
    """

    def __init__(self, coin: str, units: CoinUnits, start_ms: int, asset: int) -> None:
        self._coin = coin
        self._units = units
        self._shift = asset * _IDS_PER_ASSET
        self._last_tid = first_trade_id(start_ms) + self._shift - 1
        self._transactions = 0
        self._prints: list[Print] = []

    def __len__(self) -> int:
        return len(self._prints)

    def new_hash(self, time_ms: int) -> str:
        """Return the hash for a transaction that does not come from the source."""
        self._transactions += 1
        return transaction_hash(self._coin, time_ms, "matched", self._transactions)

    def copy(self, one: Print) -> None:
        """Copy a print of the source unchanged except for its number."""
        tid = self._number(one.tid)
        self._prints.append(one if tid == one.tid else _numbered(one, tid))

    def add(
        self,
        price: int,
        lots: int,
        side: int,
        transaction: str,
        users: tuple[str, str],
        source_tid: int | None = None,
    ) -> int:
        """Print a match and return its number; give ``source_tid`` if the source printed it too."""
        tid = self._number(source_tid)
        price_usdc, size = self._units.price(price), self._units.size(lots)
        self._prints.append(Print(price_usdc, size, side, tid, transaction, users))
        return tid

    def number(self) -> int:
        """Return a number for a match that is not printed."""
        return self._number(None)

    def take(self) -> tuple[Print, ...]:
        """Return the prints since the last call."""
        prints = tuple(self._prints)
        self._prints.clear()
        return prints

    def renumber(self, updates: list[MarketUpdate]) -> list[MarketUpdate]:
        """Renumber, if needed, the source's blocks that involve none of our orders."""
        first = next((update.prints[0] for update in updates if update.prints), None)
        if first is None:
            return updates
        self._raise_shift(first.tid)
        if self._shift:
            updates = [_shifted(update, self._shift) for update in updates]
        self._last_tid = next(u.prints[-1].tid for u in reversed(updates) if u.prints)
        return updates

    def _number(self, source_tid: int | None) -> int:
        if source_tid is None:
            self._last_tid += 1
        else:
            self._raise_shift(source_tid)
            self._last_tid = source_tid + self._shift
        return self._last_tid

    def _raise_shift(self, source_tid: int) -> None:
        self._shift = max(self._shift, self._last_tid + 1 - source_tid)


def _shifted(update: MarketUpdate, shift: int) -> MarketUpdate:
    if not update.prints:
        return update
    prints = tuple(_numbered(one, one.tid + shift) for one in update.prints)
    return MarketUpdate(update.time_ms, update.quote, prints)


def _numbered(one: Print, tid: int) -> Print:
    return Print(one.price, one.size, one.side, tid, one.hash, one.users)
