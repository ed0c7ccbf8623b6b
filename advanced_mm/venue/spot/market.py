"""One market of the spot exchange: its names, its book, filters and waiting stops."""

from collections import deque
from dataclasses import dataclass, field

from advanced_mm.markets.candles import MINUTE_MS
from advanced_mm.markets.coin_markets import CoinMarket, TimedPrint
from advanced_mm.markets.market import MarketUpdate
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.matching import MatchedMarket
from advanced_mm.venue.engine.triggers import Sleepers
from advanced_mm.venue.spot.filters import Filters

__all__ = ["AVERAGE_MINUTES", "SpotMarket"]

AVERAGE_MINUTES = 5
MOST_PRINTS = 1_000


@dataclass(slots=True)
class SpotMarket:
    """A market: ``base`` and ``quote`` are its assets, ``records`` its candles and prints."""

    symbol: str
    base: str
    quote: str
    book: MatchedMarket
    records: CoinMarket
    filters: Filters
    sleepers: Sleepers = field(default_factory=Sleepers)
    halted: bool = False
    prints: deque[TimedPrint] = field(default_factory=lambda: deque(maxlen=MOST_PRINTS))
    """The last prints, more than the records keep."""

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Run the market; return the new blocks in time order."""
        updates = self.records.advance(until_ms)
        for update in updates[-MOST_PRINTS:]:
            self.prints.extend(TimedPrint(update.time_ms, one) for one in update.prints)
        return updates

    @property
    def units(self) -> CoinUnits:
        """The market's units."""
        return self.book.units

    @property
    def last_price(self) -> int:
        """Price of the last print, price units: what stops wait for."""
        return self.units.price_units(self.records.last_price)

    @property
    def average_price(self) -> float:
        """Average price of the last five minutes by volume; the last price if nothing traded."""
        since_ms = self.records.now_ms - AVERAGE_MINUTES * MINUTE_MS
        value = volume = 0.0
        for bar in self.records.candles.since(since_ms):
            value += bar.volume * (bar.open + bar.high + bar.low + bar.close) / 4
            volume += bar.volume
        return value / volume if volume else self.records.last_price
