"""The market data streams: their names, and the messages of a step of time."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from advanced_mm.markets.candles import INTERVALS, Candle
from advanced_mm.markets.coin_markets import TimedPrint
from advanced_mm.markets.market import MarketUpdate
from advanced_mm.venue.binance.depth import BookChanges, UpdateIds
from advanced_mm.venue.binance.market_views import MarketViews
from advanced_mm.venue.binance.order_views import decimal_text
from advanced_mm.venue.protocol.subscriptions.time_step import Message, Step
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.market import SpotMarket

__all__ = ["STEP_GRID_MS", "MarketStreams", "StreamName"]

STEP_GRID_MS = 100
"""All cadences are multiples of this; a venue that steps to each multiple misses none."""

SLOW_MS = 1_000
_NAME = re.compile(
    r"^(?P<symbol>[a-z0-9]+)@(?P<kind>trade|aggTrade|bookTicker|ticker|miniTicker|depth|kline)"
    r"(?P<levels>5|10|20)?(?:_(?P<interval>[0-9]+[mhdwM]))?(?:@(?P<cadence>100|1000)ms)?$"
)


@dataclass(frozen=True, slots=True)
class StreamName:
    """A stream's name, read: ``ethusdc@depth20@100ms``."""

    text: str
    symbol: str
    kind: str
    levels: int | None
    interval: str | None
    cadence_ms: int

    @classmethod
    def parse(cls, text: str) -> "StreamName | None":
        """Return a name, None if no stream is called so."""
        match = _NAME.match(text)
        if match is None:
            return None
        kind, levels, interval = match["kind"], match["levels"], match["interval"]
        if (levels is not None and kind != "depth") or (interval is not None) != (kind == "kline"):
            return None
        if interval is not None and interval not in INTERVALS:
            return None
        cadence_ms = int(match["cadence"] or SLOW_MS)
        return cls(
            text,
            match["symbol"].upper(),
            kind,
            None if levels is None else int(levels),
            interval,
            cadence_ms,
        )


class MarketStreams:
    """Makes the messages of the streams that somebody listens to.

    Parameters
    ----------
    exchange
        The engine.
    views
        Writes market data.
    """

    def __init__(self, exchange: SpotExchange, views: MarketViews) -> None:
        self._exchange = exchange
        self._views = views
        self.ids = {symbol: UpdateIds(exchange.now_ms) for symbol in exchange.markets}
        self._differences: dict[str, BookChanges] = {}
        self._shown: dict[str, tuple[object, object]] = {}
        self._bars: dict[str, Candle] = {}
        self._kinds: dict[str, Callable[[StreamName, SpotMarket, Step], Iterator[Message]]] = {
            "trade": self._trades,
            "aggTrade": self._aggregated,
            "bookTicker": self._touches,
            "depth": self._depth,
            "kline": self._klines,
            "ticker": self._ticker,
            "miniTicker": self._ticker,
        }

    def last_id(self, symbol: str) -> int:
        """Return the number of a market's last published change."""
        return self.ids[symbol].last

    def begin(self, name: StreamName) -> None:
        """Begin to follow what a stream tells changes of; somebody has begun to listen to it."""
        market = self._exchange.markets[name.symbol]
        if name.kind == "depth" and name.levels is None:
            if name.text not in self._differences:
                book = self._views.book(market)
                self._differences[name.text] = BookChanges(self.ids[name.symbol], book)
        elif name.interval is not None:
            self._bars.setdefault(name.text, market.records.candles.current(name.interval))
        else:
            self._shown.pop(name.text, None)  # a new listener is told, changed or not

    def end(self, name: StreamName) -> None:
        """Forget a stream that nobody listens to any more."""
        self._differences.pop(name.text, None)
        self._shown.pop(name.text, None)
        self._bars.pop(name.text, None)

    def number(self, step: Step) -> dict[tuple[str, int], int]:
        """Number the touches of a step; return the numbers by symbol and place in its updates."""
        return {
            (symbol, place): self.ids[symbol].next()
            for symbol, updates in step.updates.items()
            for place, update in enumerate(updates)
            if update.quote is not None
        }

    def messages(
        self, name: StreamName, step: Step, numbers: dict[tuple[str, int], int]
    ) -> list[Message]:
        """Return a stream's messages of a step; ``numbers`` are those of `number`."""
        self._numbers = numbers
        market = self._exchange.markets[name.symbol]
        return list(self._kinds[name.kind](name, market, step))

    # Kinds

    def _trades(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        for one in _prints(step.updates.get(name.symbol, ())):
            printed = one.print
            yield {
                "e": "trade",
                "E": one.time_ms,
                "s": name.symbol,
                "t": printed.tid,
                "p": decimal_text(printed.price),
                "q": decimal_text(printed.size),
                "T": one.time_ms,
                "m": printed.side < 0,
                "M": True,
            }

    def _aggregated(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        for one in self._views.aggregated(_prints(step.updates.get(name.symbol, ()))):
            yield {"e": "aggTrade", "E": one["T"], "s": name.symbol, **one}

    def _touches(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        for place, update in enumerate(step.updates.get(name.symbol, ())):
            quote = update.quote
            if quote is not None:
                yield {
                    "u": self._numbers[name.symbol, place],
                    "s": name.symbol,
                    "b": decimal_text(quote.bid or 0.0),
                    "B": decimal_text(quote.bid_size),
                    "a": decimal_text(quote.ask or 0.0),
                    "A": decimal_text(quote.ask_size),
                }

    def _depth(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        if not step.crosses(name.cadence_ms):
            return
        if name.levels is None:
            changes = self._differences[name.text].difference(self._views.book(market))
            if changes is not None:
                yield {"e": "depthUpdate", "E": step.now_ms, "s": name.symbol, **changes}
            return
        book = self._views.book(market, name.levels)
        shown = (book.bids, book.asks)
        if self._shown.get(name.text) != shown:
            self._shown[name.text] = shown
            yield {
                "lastUpdateId": self.last_id(name.symbol),
                "bids": self._views.levels(book.bids),
                "asks": self._views.levels(book.asks),
            }

    def _klines(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        if name.interval is None or not step.crosses(SLOW_MS):
            return
        candles, known = market.records.candles, self._bars[name.text]
        present = candles.current(name.interval)
        if present == known:
            return
        if present.open_ms != known.open_ms:
            for bar in candles.snapshot(name.interval, known.open_ms, present.open_ms - 1):
                yield self._kline(name, market, bar, step, closed=True)
        self._bars[name.text] = present
        yield self._kline(name, market, present, step, closed=False)

    def _kline(
        self, name: StreamName, market: SpotMarket, bar: Candle, step: Step, *, closed: bool
    ) -> Message:
        row = self._views.kline(name.interval or "", bar)
        names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
        values = dict(zip(names, row, strict=True))
        values |= {"s": name.symbol, "i": name.interval, "f": -1, "L": -1, "x": closed}
        return {"e": "kline", "E": step.now_ms, "s": name.symbol, "k": values}

    def _ticker(self, name: StreamName, market: SpotMarket, step: Step) -> Iterator[Message]:
        if not step.crosses(SLOW_MS):
            return
        view = self._views.ticker(market)
        message = {
            "e": "24hrMiniTicker",
            "E": step.now_ms,
            "s": name.symbol,
            "c": view["lastPrice"],
            "o": view["openPrice"],
            "h": view["highPrice"],
            "l": view["lowPrice"],
            "v": view["volume"],
            "q": view["quoteVolume"],
        }
        if name.kind == "ticker":
            message |= {
                "e": "24hrTicker",
                "p": view["priceChange"],
                "P": view["priceChangePercent"],
                "w": view["weightedAvgPrice"],
                "x": view["prevClosePrice"],
                "Q": view["lastQty"],
                "b": view["bidPrice"],
                "B": view["bidQty"],
                "a": view["askPrice"],
                "A": view["askQty"],
                "O": view["openTime"],
                "C": view["closeTime"],
                "F": view["firstId"],
                "L": view["lastId"],
                "n": view["count"],
            }
        yield message


def _prints(updates: Iterable[MarketUpdate]) -> Sequence[TimedPrint]:
    return [TimedPrint(update.time_ms, one) for update in updates for one in update.prints]
