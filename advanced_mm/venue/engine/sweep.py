"""One aggressive order walking the book."""

from collections.abc import Callable

from advanced_mm.markets.tape import Tape
from advanced_mm.venue.engine.background import Background
from advanced_mm.venue.engine.ledger import Ledger, Match
from advanced_mm.venue.engine.orders import Order

__all__ = ["NOBODY", "Party", "Sweep"]

NOBODY = "0x" + "0" * 40
"""The address of everyone without an account at the venue."""


class Party:
    """The parts of a market that every sweep uses: tape, background, ledger and order removal."""

    def __init__(
        self,
        tape: Tape,
        background: Background,
        ledger: Ledger,
        remove: Callable[[Order], None],
    ) -> None:
        self.tape = tape
        self.background = background
        self.ledger = ledger
        self.remove = remove


class Sweep:
    """A `Taker` that prints each trade and reports our part in it to the ledger.

    Parameters
    ----------
    party
        The market.
    time_ms, side, transaction
        Exchange ms, the aggressor's side (+1, -1), the transaction hash.
    users
        Addresses of the aggressor and of the background.
    order
        The aggressor's order, if it is one of ours.
    printed
        Whether the matches are printed, or reported to our accounts only.
    """

    def __init__(
        self,
        party: Party,
        time_ms: int,
        side: int,
        transaction: str,
        users: tuple[str, ...] = (NOBODY, NOBODY),
        order: Order | None = None,
        printed: bool = True,
    ) -> None:
        self._party = party
        self._time_ms = time_ms
        self._side = side
        self._hash = transaction
        self._aggressor, self._background_user = users
        self._order = order
        self._printed = printed
        self._price = 0
        self._source_tid: int | None = None

    def go_to(self, price: int, source_tid: int | None = None) -> None:
        """Set the price of the next trades, and the first one's trade id in the source."""
        self._price, self._source_tid = price, source_tid

    def background(self, lots: int) -> None:
        """Trade ``lots`` with the background."""
        tid = self._print(lots, self._background_user)
        if self._order is not None:
            self._party.background.take(self._side < 0, self._price, lots)
            self._report(self._order, lots, True, tid)

    def own(self, order: Order, lots: int) -> int:
        """Trade with one of our orders; a self-trade removes the resting order instead."""
        if self._order is not None and self._order.account == order.account:
            self._party.remove(order)
            self._party.ledger.met_itself(order)
            return 0
        lots = self._party.ledger.allowed(order, lots)
        if lots == 0:
            return 0
        tid = self._print(lots, order.account)
        self._report(order, lots, False, tid)
        if self._order is not None:
            self._report(self._order, lots, True, tid)
        return lots

    def _report(self, order: Order, lots: int, crossed: bool, tid: int) -> None:
        order.remaining -= lots
        if order.remaining == 0 and order.resting:
            self._party.remove(order)
        match = Match(self._time_ms, order, self._price, lots, crossed, tid, self._hash)
        self._party.ledger.matched(match)

    def _print(self, lots: int, maker: str) -> int:
        if not self._printed:
            return self._party.tape.number()
        source_tid, self._source_tid = self._source_tid, None
        users = (self._aggressor, maker) if self._side > 0 else (maker, self._aggressor)
        return self._party.tape.add(self._price, lots, self._side, self._hash, users, source_tid)
