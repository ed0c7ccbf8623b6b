"""What a hedge on a market of its own has earned, and what the journal is told of it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Literal

from advanced_mm.hedging import Observation
from advanced_mm.maker.exchange import Book, Fill, FundingPayment
from advanced_mm.maker.holdings import currencies
from advanced_mm.maker.records import Records
from advanced_mm.policies import MarketState

__all__ = ["HedgeAccount", "What"]

What = Literal["start", "minute", "end"]

_ZERO: Final = Decimal(0)


class HedgeAccount:
    """Money moved by a hedge's fills, fees and funding.

    Parameters
    ----------
    records
        Tells the journal; None where the maker itself does.
    """

    def __init__(self, records: Records | None) -> None:
        self.begun = False
        self._records = records
        self._money = _ZERO
        self._begun_with = _ZERO
        self._position = _ZERO
        self._counted: set[str] = set()
        self._paid: set[int] = set()

    def begin(self, position: Decimal, mid: Decimal) -> None:
        """Start to count: what the position gained before is not this run's."""
        self.begun = True
        self._money = _ZERO
        self._begun_with = position * mid
        self._position = position

    def filled(self, fill: Fill, book: Book | None) -> None:
        """Count a fill, told once or more often."""
        if fill.fill_id in self._counted:
            return
        self._counted.add(fill.fill_id)
        sign = 1 if fill.side == "buy" else -1
        self._money -= sign * fill.size * fill.price
        self._position += sign * fill.size
        if fill.fee_currency == currencies(fill.symbol)[1]:
            self._money -= fill.fee
        if self._records is not None:
            state = None if book is None else _state(book, self._position, self._money)
            self._records.filled(fill, state, float(self._position))

    def funded(self, payments: Iterable[FundingPayment], position: Decimal) -> None:
        """Count funding; each payment once."""
        for one in payments:
            if one.time_ms in self._paid:
                continue
            self._paid.add(one.time_ms)
            self._money += one.amount
            if self._records is not None:
                self._records.funded(one, float(position))

    def look(self, what: What, seen: Observation, position: Decimal) -> None:
        """Note position and money; they count from zero when the maker started."""
        if self._records is None:
            return
        half = (float(seen.ask) - float(seen.bid)) / 2
        mid = float(seen.hedge_mid)
        book = Book("", seen.time_ms, ((mid - half, 0.0),), ((mid + half, 0.0),))
        self._records.look(what, _state(book, position, self._money), venue=False)

    def profit(self, mid: Decimal) -> Decimal:
        """Return the profit since the start by the fills, quote currency.

        A position that the exchange tells before its fill counts from the fill on: until then it
        would seem to have cost nothing.
        """
        return self._money + self._position * mid - self._begun_with


def _state(book: Book, position: Decimal, money: Decimal) -> MarketState:
    return MarketState(
        book.time_ms,
        book.bids,
        book.asks,
        inventory=float(position),
        quote_balance=float(money),
    )
