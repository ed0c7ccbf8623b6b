"""Candles: one-minute bars built from prints, and longer bars merged from them."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

__all__ = [
    "INTERVALS",
    "MAX_SNAPSHOT",
    "MINUTE_MS",
    "Candle",
    "CandleSeries",
    "bar_end",
    "bar_start",
]

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
EPOCH = date(1970, 1, 1)

LENGTHS_MS: dict[str, int] = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
"""All are counted from the epoch, as on Hyperliquid, so weeks begin on Thursdays."""

MONTH = "1M"  # of the calendar, UTC

INTERVALS = (*LENGTHS_MS, MONTH)
"""The intervals offered, in Hyperliquid's notation."""

MAX_SNAPSHOT = 5000  # Hyperliquid's limit on candles per answer


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar. ``open_ms`` is its first millisecond, ``volume`` in base units, ``prints`` a count.

    A bar without prints is flat at the price of the previous print.
    """

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    prints: int = 0

    def with_print(self, price: float, size: float) -> "Candle":
        """Return this bar after one more print; the first print of a bar sets its open."""
        if self.prints == 0:
            return Candle(self.open_ms, price, price, price, price, size, 1)
        return Candle(
            self.open_ms,
            self.open,
            max(self.high, price),
            min(self.low, price),
            price,
            self.volume + size,
            self.prints + 1,
        )


def bar_start(interval: str, time_ms: int) -> int:
    """Return the first millisecond of the bar that contains ``time_ms``, exchange ms."""
    if interval == MONTH:
        return _month(time_ms // DAY_MS)[0]
    return _floor(time_ms, LENGTHS_MS[interval])


def bar_end(interval: str, start_ms: int) -> int:
    """Return the last millisecond of the bar that starts at ``start_ms``, exchange ms."""
    if interval == MONTH:
        return _month(start_ms // DAY_MS)[1] - 1
    return start_ms + LENGTHS_MS[interval] - 1


@lru_cache(maxsize=64)
def _month(day: int) -> tuple[int, int]:
    """Return the start of a day's month and of the next one, ms; days count from the epoch."""
    first = (EPOCH + timedelta(days=day)).replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return (first - EPOCH).days * DAY_MS, (following - EPOCH).days * DAY_MS


def merge(bars: Iterable[Candle], open_ms: int) -> Candle:
    """Merge ``bars``, at least one and in time order, into one that starts at ``open_ms``.

    Prices come only from bars with prints, unless there are none.
    """
    every = list(bars)
    parts = [bar for bar in every if bar.prints] or every
    return Candle(
        open_ms,
        parts[0].open,
        max(bar.high for bar in parts),
        min(bar.low for bar in parts),
        parts[-1].close,
        sum(bar.volume for bar in parts),
        sum(bar.prints for bar in parts),
    )


class CandleSeries:
    """The bars of one coin, the last of them still open.

    Every minute has a bar; without prints it is flat at the last price, so that a client sees a new
    minute as soon as it starts. Bars older than ``capacity`` minutes are dropped to bound memory;
    longer intervals reach as far back as the minutes.

    Parameters
    ----------
    last_price
        Price before the first print, quote currency.
    now_ms
        Market time of the start, exchange ms.
    capacity
        Number of minutes kept.
    """

    def __init__(self, last_price: float, now_ms: int, capacity: int = 20_000) -> None:
        first = Candle(_floor(now_ms, MINUTE_MS), last_price, last_price, last_price, last_price)
        self._minutes: deque[Candle] = deque([first], maxlen=capacity)
        self._finished: dict[str, Candle | None] = {}
        """By interval, the minutes of its open bar except the newest, merged once a minute."""

    def __len__(self) -> int:
        return len(self._minutes)

    @property
    def first_ms(self) -> int:
        """Start of the oldest bar, exchange ms."""
        return self._minutes[0].open_ms

    def prepend(self, bars: list[Candle]) -> None:
        """Prepend older one-minute bars, in time order; those beyond the capacity are dropped.

        Raises
        ------
        ValueError
            If the bars overlap the series.
        """
        if bars and bars[-1].open_ms >= self.first_ms:
            raise ValueError("the prepended bars overlap the series")
        limit = self._minutes.maxlen
        room = len(bars) if limit is None else limit - len(self._minutes)
        self._minutes.extendleft(reversed(bars[-room:] if room else []))
        self._finished.clear()

    def roll(self, now_ms: int) -> None:
        """Open the bar of ``now_ms``, and flat bars for skipped minutes."""
        last = self._minutes[-1]
        if last.open_ms + MINUTE_MS <= now_ms:
            self._finished.clear()
        for open_ms in range(last.open_ms + MINUTE_MS, _floor(now_ms, MINUTE_MS) + 1, MINUTE_MS):
            self._minutes.append(Candle(open_ms, last.close, last.close, last.close, last.close))

    def add(self, time_ms: int, price: float, size: float) -> None:
        """Add a print to its bar; prints must come in time order."""
        self.roll(time_ms)
        self._minutes[-1] = self._minutes[-1].with_print(price, size)

    def current(self, interval: str) -> Candle:
        """Return the open bar of ``interval``."""
        newest = self._minutes[-1]
        start_ms = bar_start(interval, newest.open_ms)
        if interval not in self._finished:
            before = itertools.islice(reversed(self._minutes), 1, None)
            parts = list(itertools.takewhile(lambda bar: bar.open_ms >= start_ms, before))
            self._finished[interval] = merge(reversed(parts), start_ms) if parts else None
        finished = self._finished[interval]
        return merge([newest] if finished is None else [finished, newest], start_ms)

    def snapshot(self, interval: str, start_ms: int, end_ms: int) -> list[Candle]:
        """Return the newest 5000 bars that start in [start_ms, end_ms], oldest first."""
        bars = [bar for bar in self._aggregate(interval) if start_ms <= bar.open_ms <= end_ms]
        return bars[-MAX_SNAPSHOT:]

    def since(self, start_ms: int) -> Iterator[Candle]:
        """Return the one-minute bars that start at ``start_ms`` or later, oldest first."""
        newest_first = itertools.takewhile(
            lambda bar: bar.open_ms >= start_ms, reversed(self._minutes)
        )
        return reversed(list(newest_first))

    def _aggregate(self, interval: str) -> Iterable[Candle]:
        if LENGTHS_MS.get(interval) == MINUTE_MS:
            return self._minutes
        groups = itertools.groupby(self._minutes, key=lambda bar: bar_start(interval, bar.open_ms))
        return (merge(bars, open_ms) for open_ms, bars in groups)


def _floor(time_ms: int, length_ms: int) -> int:
    return time_ms - time_ms % length_ms
