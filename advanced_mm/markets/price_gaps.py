"""Price gaps: from one moment on a market trades at other prices.

The gap is a shift of every price by whole ticks. The market goes on as it would have, at its new
level: book, touch and prints alike, nothing is printed on the way. Where it would go on to a price
at which its tick does not fit, zero or less among them, it is held at the last one that does.
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
    """At ``time_ms`` (exchange ms) the price jumps by ``percent`` of the mid, above -100."""

    time_ms: int
    percent: float


def after_gap(spec: CoinSpec, price: float, percent: float) -> float:
    """The price after a jump of ``percent`` from ``price``, quote currency.

    Raises
    ------
    InputError
        If the coin's tick does not fit there.
    """
    after = price * (1 + percent / 100)
    if not FEWEST_TICKS <= after / spec.tick <= MOST_TICKS:
        raise InputError(
            f"price gap of {spec.coin}: {percent:g}% of {price:g} leads to {after:g}, where its "
            f"tick of {spec.tick:g} does not fit: give a smaller gap"
        )
    return after


class GapMarket:
    """A `MarketSource` whose prices jump at given times.

    The same market without gaps as its source; with gaps, each shows as a new touch at its time.

    Parameters
    ----------
    source
        The market itself.
    gaps
        What is known of gaps beforehand; more may be added as long as they lie ahead.
    """

    def __init__(self, source: MarketSource, gaps: tuple[Gap, ...] = ()) -> None:
        self._source = source
        self._grid = StepGrid(source.spec.tick)
        self._shift = 0
        self._held = False
        self._done: list[Gap] = []
        self._ahead = sorted(gaps)

    @property
    def source(self) -> MarketSource:
        """The market without its gaps."""
        return self._source

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every gap there has been or is to be, in time order."""
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
        """Let the price jump later.

        Raises
        ------
        InputError
            If that is in the past, or the price would leave the tick's range from where it is now.
        """
        if gap.time_ms <= self.now_ms:
            raise InputError(f"price gap of {self.spec.coin}: its time is in the past")
        after_gap(self.spec, self.mid, gap.percent)
        insort(self._ahead, gap)

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """All blocks with ``time_ms <= until_ms`` not given yet, in time order."""
        updates: list[MarketUpdate] = []
        while self._ahead and self._ahead[0].time_ms <= until_ms:
            gap = self._ahead.pop(0)
            updates += self._shifted(self._source.advance(gap.time_ms))
            updates.append(self._jump(gap))
            self._done.append(gap)
        return updates + self._shifted(self._source.advance(until_ms))

    def book(self, levels: int) -> Book:
        """The book as of the last ``advance``, at most ``levels`` on each side."""
        book = self._source.book(levels)
        if not self._shift:
            return book
        return replace(book, bids=self._levels(book.bids), asks=self._levels(book.asks))

    def _jump(self, gap: Gap) -> MarketUpdate:
        """Move the market; the touch it then has."""
        before, ticks = self.mid, self.mid / self._grid.step
        asked = ticks * (1 + gap.percent / 100)
        wanted = min(max(asked, FEWEST_TICKS), MOST_TICKS)
        self._shift += round(wanted - ticks)
        if wanted != asked:  # when it was asked for, the price was another one
            logger.warning(
                "%s: a price gap of %g%% from %g ends at %g, where its tick still fits",
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
        """Shift less where the touch would leave the range in which its tick fits."""
        lowest = MOST_TICKS if quote.bid is None else self._ticks(quote.bid) + self._shift
        highest = FEWEST_TICKS if quote.ask is None else self._ticks(quote.ask) + self._shift
        back = max(0, FEWEST_TICKS - 1 - lowest) or min(0, MOST_TICKS - highest)
        if back and not self._held:
            logger.warning(
                "%s: since its price gap the market would leave the range of its tick of %g; it is "
                "held at the end of it",
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
