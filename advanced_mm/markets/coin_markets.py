"""The venue's markets with their recent prints, candles and daily figures."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from advanced_mm.markets.candle_history import MinuteFlow, made_up_candles, measure_flow
from advanced_mm.markets.candles import CandleSeries
from advanced_mm.markets.listing import Listing
from advanced_mm.markets.market import Book, CoinSpec, MarketSource, MarketUpdate, Print

__all__ = ["CoinMarket", "DayFigures", "TimedPrint", "Venue"]

DAY_MS = 86_400_000
RECENT_PRINTS = 30  # about what Hyperliquid replays to a new subscriber of trades


@dataclass(frozen=True, slots=True)
class TimedPrint:
    """A print and its time, exchange ms."""

    time_ms: int
    print: Print


@dataclass(frozen=True, slots=True)
class DayFigures:
    """The last 24 hours: the price before them, and the volume in base and quote units."""

    previous_price: float
    base_volume: float
    quote_volume: float


class CoinMarket:
    """One coin's market and the venue's records of it; itself a `MarketSource`.

    Parameters
    ----------
    source
        The market, at its start time.
    """

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self.candles = CandleSeries(source.mid, source.now_ms)
        self.recent: deque[TimedPrint] = deque(maxlen=RECENT_PRINTS)
        self.touch_time_ms = source.now_ms
        self.touch = source.book(1).touch

    @property
    def spec(self) -> CoinSpec:
        """The coin."""
        return self._source.spec

    @property
    def now_ms(self) -> int:
        """Time up to which the market has run, exchange ms."""
        return self._source.now_ms

    @property
    def mid(self) -> float:
        """Mid price, quote currency."""
        return self._source.mid

    @property
    def last_price(self) -> float:
        """Price of the newest print, or the start price if there was none, quote currency."""
        return self.candles.current("1m").close

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Run the market, record what happened and return the blocks in time order."""
        updates = self._source.advance(until_ms)
        for update in updates:
            for one in update.prints:
                self.candles.add(update.time_ms, one.price, one.size)
                self.recent.append(TimedPrint(update.time_ms, one))
            if update.quote is not None:
                self.touch, self.touch_time_ms = update.quote, update.time_ms
        self.candles.roll(until_ms)
        return updates

    def book(self, levels: int) -> Book:
        """Return the book as of the last ``advance``, at most ``levels`` on each side."""
        return self._source.book(levels)

    def make_up_past(self, minutes: int, seed: int) -> MinuteFlow:
        """Prepend made-up bars with the flow of the existing candles; return that flow."""
        flow = measure_flow(self.candles)
        first = next(self.candles.since(0))
        self.candles.prepend(
            made_up_candles(minutes, first.open_ms, first.open, flow, self.spec.size_decimals, seed)
        )
        return flow

    def day(self) -> DayFigures:
        """Return figures of the last 24 hours, or of all candles if they cover less."""
        bars = list(self.candles.since(self.now_ms - DAY_MS))
        return DayFigures(
            previous_price=bars[0].open,
            base_volume=sum(bar.volume for bar in bars),
            quote_volume=sum(bar.volume * (bar.high + bar.low) / 2 for bar in bars),
        )


class Venue:
    """All markets of the venue, driven together.

    Parameters
    ----------
    sources
        One market per coin; their order determines the asset numbers, see `Listing`.
    """

    def __init__(self, sources: Sequence[MarketSource]) -> None:
        if not sources:
            raise ValueError("a venue needs at least one market")
        self._markets = {source.spec.coin: CoinMarket(source) for source in sources}
        self.listing = Listing(self._markets)

    @property
    def markets(self) -> Mapping[str, CoinMarket]:
        """The markets by coin, those of an exchange in the order of their asset numbers."""
        return MappingProxyType(self._markets)

    @property
    def now_ms(self) -> int:
        """Market time up to which every market has run, exchange ms."""
        return min(market.now_ms for market in self._markets.values())

    def advance(self, until_ms: int) -> dict[str, list[MarketUpdate]]:
        """Run every market to ``until_ms`` and return the new blocks by coin."""
        return {coin: market.advance(until_ms) for coin, market in self._markets.items()}
