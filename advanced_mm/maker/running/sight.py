"""How a market looks without our own orders, and whether that is still news."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from advanced_mm.maker.exchange import Book
from advanced_mm.maker.exchange_time import ExchangeTime
from advanced_mm.maker.running.market import Market
from advanced_mm.policies import MarketState, VolatilityEstimator

__all__ = ["Sight"]


class Sight:
    """Takes in books, and tells the state that a policy sees.

    Attributes
    ----------
    state
        As of the last `look`; None while a side of the market is empty.
    """

    def __init__(self, market: Market) -> None:
        self.state: MarketState | None = None
        self._market = market
        self._volatility = VolatilityEstimator(market.setup.volatility)
        self._book: Book | None = None
        self._book_at_ms = self._book_delay_ms = 0
        self._time = ExchangeTime()

    def saw(self, book: Book, now: int) -> None:
        """Take in a book, unless it is older than the last."""
        if self._book is not None and book.time_ms < self._book.time_ms:
            return
        self._book, self._book_at_ms = book, now
        self._book_delay_ms = self._time.heard(book.time_ms, now)
        touch = _touch(book.bids, book.asks)
        if touch is not None:
            at = datetime.fromtimestamp(book.time_ms / 1000, UTC)
            self._market.guards.saw(self._market.symbol, *touch, at)
            self._volatility.update(book.time_ms, sum(touch) / 2)

    def forget(self) -> None:
        """Drop the book: whatever its time was, the next one is newer."""
        self._book = None

    def too_old(self, now: int) -> str:
        """Return why there is no book to quote on; empty: there is one."""
        if self._book is None:
            return "no book: the exchange has sent none yet"
        most = self._market.setup.limits.max_book_age_seconds
        age = (now - self._book_at_ms) / 1000
        if not 0 <= age <= most:
            return f"book too old: the newest came {age:.1f} s ago"
        delay = self._book_delay_ms / 1000
        if delay > most:
            return f"book too old: the newest came {delay:.1f} s later than is usual"
        return ""

    def look(self, now: int) -> MarketState | None:
        """See the market, and keep what is seen as its state."""
        self.state = self.see(now)
        return self.state

    def see(self, now: int) -> MarketState | None:
        """Return the market without our own orders; None while a side of it is empty."""
        book = self._book
        if book is None:
            return None
        own = self._market.orders.sizes(now)
        bids, asks = _others(book.bids, own), _others(book.asks, own)
        touch = _touch(bids, asks)
        if touch is None:
            return None
        mid = sum(touch) / 2
        symbol, learnt = self._market.symbol, self._volatility.current
        return MarketState(
            time_ms=book.time_ms,
            bids=bids,
            asks=asks,
            inventory=float(self._market.holdings.inventory(symbol)),
            quote_balance=self._market.holdings.quote_balance(symbol, mid),
            volatility=learnt.effective,
            usual_volatility=learnt.long,
            large_trade_ms=self._market.guards.last_large_ms(symbol),
        )

    def at(self, now: int) -> datetime:
        """Return the exchange's time, by which the guards know what happened in the market."""
        return datetime.fromtimestamp(self._time.at(now) / 1000, UTC)


def _touch(
    bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]
) -> tuple[float, float] | None:
    """Return best bid and best ask; None where a mid of them would be nobody's price."""
    if bids and asks and 0 < bids[0][0] < asks[0][0] < math.inf:
        return bids[0][0], asks[0][0]
    return None


def _others(
    levels: Sequence[tuple[float, float]], own: dict[float, float]
) -> tuple[tuple[float, float], ...]:
    """Return levels without our own sizes."""
    if not own:
        return tuple(levels)
    found = []
    for price, size in levels:
        ours = own.get(price)
        if ours is None:
            found.append((price, size))
        elif size > ours * (1 + 1e-9):
            found.append((price, size - ours))
    return tuple(found)
