"""Price gaps: jumps of a market's price without a trade.

A gap shifts every later price by whole ticks. Book, touch and prints continue at the new level as
they would have at the old one; nothing is printed in between. If the market would then move to a
price that its tick does not fit, such as zero or less, it is held at the last price that fits.
"""

import logging
from bisect import insort
from dataclasses import dataclass, replace

from advanced_mm.errors import InputError
from advanced_mm.markets.grid import FEWEST_TICKS, MOST_TICKS, StepGrid
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketSource, MarketUpdate, Quote

__all__ = ["Gap", "GapMarket", "after_gap"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A jump at ``time_ms`` (exchange ms) by ``percent`` of the mid, above -100."""

    time_ms: int
    percent: float


def after_gap(spec: CoinSpec, price: float, percent: float) -> float:
    """Return the price after a jump of ``percent`` from ``price``, quote currency.

    Raises
    ------
    InputError
        If the coin's tick does not fit the new price.
    """
    after = price * (1 + percent / 100)
    if not FEWEST_TICKS <= after / spec.tick <= MOST_TICKS:
        raise InputError(
            f"price gap of {spec.coin}: {percent:g}% of {price:g} leads to {after:g}, which the "
            f"tick of {spec.tick:g} does not fit: give a smaller gap"
        )
    return after


class GapMarket:
    """A `MarketSource` whose prices jump at given times.

    Without gaps it equals its source; each gap shows as a new touch at its time.

    Parameters
    ----------
    source
        The market itself.
    gaps
        Scheduled gaps; future ones may be added later.
    """

    def __init__(self, source: MarketSource, gaps: tuple[Gap, ...] = ()) -> None:
        self._source = source
        self._grid = StepGrid(source.spec.tick)
        self._shift = 0
        self._held = False
        self._done: list[Gap] = []
        self._ahead = sorted(gaps)
        self.followers: list[GapMarket] = []
        """Markets of the same coin elsewhere, whose prices jump with this one's from now on."""

    @property
    def source(self) -> MarketSource:
        """The market without its gaps."""
        return self._source

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All past and scheduled gaps, in time order."""
        return (*self._done, *self._ahead)

    @property
    def spec(self) -> CoinSpec:
        """The coin."""
        return self._source.spec

    @property
    def now_ms(self) -> int:
        """Time of the last ``advance``, exchange ms."""
        return self._source.now_ms

    @property
    def mid(self) -> float:
        """Mid price, quote currency."""
        return self._source.mid + self._shift * self._grid.step

    def add(self, gap: Gap) -> None:
        """Schedule a gap.

        Raises
        ------
        InputError
            If its time is in the past, or the current price plus the gap leaves the tick's range.
        """
        if gap.time_ms <= self.now_ms:
            raise InputError(
                f"price gap of {self.spec.coin}: {gap.time_ms} ms is in the past: give a later time"
            )
        after_gap(self.spec, self.mid, gap.percent)
        for follower in self.followers:
            follower.add(gap)
        insort(self._ahead, gap)

    @property
    def latest_ms(self) -> int:
        """The latest time that this market or a follower has reached, exchange ms."""
        return max([self.now_ms, *(one.latest_ms for one in self.followers)])

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Return all blocks up to ``until_ms`` not returned yet, in time order."""
        updates: list[MarketUpdate] = []
        while self._ahead and self._ahead[0].time_ms <= until_ms:
            gap = self._ahead.pop(0)
            updates += self._shifted(self._source.advance(gap.time_ms))
            updates.append(self._jump(gap))
            self._done.append(gap)
        return updates + self._shifted(self._source.advance(until_ms))

    def book(self, levels: int) -> Book:
        """Return the book as of the last ``advance``, at most ``levels`` on each side."""
        book = self._source.book(levels)
        if not self._shift:
            return book
        return replace(book, bids=self._levels(book.bids), asks=self._levels(book.asks))

    def _jump(self, gap: Gap) -> MarketUpdate:
        """Apply a gap and return the new touch as an update."""
        before, ticks = self.mid, self.mid / self._grid.step
        asked = ticks * (1 + gap.percent / 100)
        wanted = min(max(asked, FEWEST_TICKS), MOST_TICKS)
        self._shift += round(wanted - ticks)
        if wanted != asked:  # the price has moved since the gap was scheduled
            logger.warning(
                "%s: a price gap of %g%% from %g was cut short at %g, the last price its tick fits",
                self.spec.coin, gap.percent, before, self.mid,
            )  # fmt: skip
        book = self.book(1)
        bid = book.bids[0] if book.bids else None
        ask = book.asks[0] if book.asks else None
        touch = Quote(
            bid.price if bid else None,
            bid.size if bid else 0.0,
            ask.price if ask else None,
            ask.size if ask else 0.0,
        )
        return MarketUpdate(gap.time_ms, touch)

    def _shifted(self, updates: list[MarketUpdate]) -> list[MarketUpdate]:
        return [self._update(one) for one in updates] if self._shift else updates

    def _update(self, update: MarketUpdate) -> MarketUpdate:
        quote = update.quote
        if quote is not None:
            self._hold(quote)
            quote = replace(
                quote,
                bid=None if quote.bid is None else self._price(quote.bid),
                ask=None if quote.ask is None else self._price(quote.ask),
            )
        prints = (replace(one, price=self._price(one.price)) for one in update.prints)
        return MarketUpdate(update.time_ms, quote, tuple(one for one in prints if one.price > 0))

    def _hold(self, quote: Quote) -> None:
        """Reduce the shift if the touch would leave the range that its tick fits."""
        lowest = MOST_TICKS if quote.bid is None else self._ticks(quote.bid) + self._shift
        highest = FEWEST_TICKS if quote.ask is None else self._ticks(quote.ask) + self._shift
        back = max(0, FEWEST_TICKS - 1 - lowest) or min(0, MOST_TICKS - highest)
        if back and not self._held:
            logger.warning(
                "%s: after its price gap the market would leave the price range of its tick of %g; "
                "it is held at the end of that range",
                self.spec.coin, self._grid.step,
            )  # fmt: skip
        self._held = self._held or back != 0
        self._shift += back

    def _levels(self, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        shifted = (replace(level, price=self._price(level.price)) for level in levels)
        return tuple(level for level in shifted if level.price > 0)

    def _ticks(self, price: float) -> int:
        return round(price / self._grid.step)

    def _price(self, price: float) -> float:
        return self._grid.value(self._ticks(price) + self._shift)
