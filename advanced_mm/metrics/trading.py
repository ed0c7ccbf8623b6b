"""What a bot or a maker knows of itself: from its journal's events, and its loop.

Taking something in costs a few additions; a metric is made of it only when one is asked for.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from advanced_mm.journal import (
    AccountMarked,
    Event,
    Fill,
    Funding,
    GuardChanged,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
)
from advanced_mm.metrics.table import Sample

__all__ = ["TradingMetrics"]

_CLOCK_SECONDS: Final = 60.0
_FEWEST_BOOKS: Final = 5
"""A clock is judged by so many books within a minute at least."""

_Labels = tuple[str, ...]


class TradingMetrics:
    """Metrics of one bot or maker.

    Parameters
    ----------
    bot
        Its name.
    """

    def __init__(self, bot: str) -> None:
        self.bot = bot
        self._counted: defaultdict[str, dict[_Labels, float]] = defaultdict(dict)
        self._set: defaultdict[str, dict[_Labels, float]] = defaultdict(dict)
        self._refusals: dict[str, str] = {}
        self._guards: dict[tuple[str, str], str] = {}
        self._books: dict[str, deque[tuple[float, float]]] = {}
        self._newest_book: dict[str, float] = {}
        self._loop_began: float | None = None

    # ---- what is taken in

    def recorded(self, event: Event) -> None:
        """Take in an event of the journal."""
        place = (event.bot, event.coin)
        match event:
            case QuoteSent():
                self._count("quotes_sent_total", (*place, event.side))
            case QuoteEnded():
                self._count("quotes_ended_total", (*place, event.outcome))
            case Fill():
                self._filled(event, place)
            case Funding():
                self._count("funding_quote", place, event.amount)
            case Look():
                self._set["inventory_base"][place] = event.position
            case AccountMarked():
                self._set["account_profit_quote"][(event.bot,)] = event.profit
            case RequestsUsed():
                self._set["requests_left"][(event.bot,)] = event.allowed - event.used
            case RefusalChanged():
                if event.reason is None:
                    self._refusals.pop(event.coin, None)
                else:
                    self._refusals[event.coin] = event.kind
            case GuardChanged():
                if event.does == "over":
                    self._guards.pop((event.coin, event.guard), None)
                else:
                    self._guards[event.coin, event.guard] = event.does
            case _:
                pass

    def _filled(self, fill: Fill, place: tuple[str, str]) -> None:
        self._count("fills_total", (*place, fill.side))
        self._count("turnover_quote_total", place, fill.price * fill.size)
        self._count("fees_quote", place, fill.fee)
        if fill.mid is not None:
            better = fill.mid - fill.price if fill.side == "bid" else fill.price - fill.mid
            self._count("spread_captured_quote", place, better * fill.size)
        if fill.position_after is not None:
            self._set["inventory_base"][place] = fill.position_after

    def looped(self, began: float, ended: float | None) -> None:
        """A loop begins, and when the one before ended; both in seconds since 1970."""
        before = self._loop_began
        if ended is not None and before is not None:
            self._count("loop_seconds_total", (self.bot,), max(ended - before, 0.0))
        self._loop_began = began
        self._count("loops_total", (self.bot,))
        self._set["loop_timestamp_seconds"][(self.bot,)] = began

    @property
    def newest_loop(self) -> Sample | None:
        """When the newest loop began; None before the first."""
        began = self._loop_began
        if began is None:
            return None
        return Sample("loop_timestamp_seconds", began, (self.bot,))

    def late(self, seconds: float, now: float) -> None:
        """A beat of a loop that does not count its rounds came so late, seconds since 1970."""
        self._count("loops_total", (self.bot,))
        self._count("loop_seconds_total", (self.bot,), max(seconds, 0.0))
        self._set["loop_timestamp_seconds"][(self.bot,)] = now

    def parameters(self, coin: str, published: datetime, fitted: datetime | None) -> None:
        """Take in when the newest parameters were published, and on what data they rest."""
        self._set["parameters_published_timestamp_seconds"][(coin,)] = published.timestamp()
        if fitted is not None:
            self._set["parameters_fitted_timestamp_seconds"][(coin,)] = fitted.timestamp()

    def book(self, coin: str, venue_time: float, seen: float) -> None:
        """Take in a book, with the venue's time and when it was seen, seconds since 1970.

        A stale book does not tell of the clocks: each counts once, when it is first seen.
        """
        if self._newest_book.get(coin) == venue_time:
            return
        self._newest_book[coin] = venue_time
        books = self._books.setdefault(coin, deque())
        books.append((seen, seen - venue_time))
        while seen - books[0][0] > _CLOCK_SECONDS:
            books.popleft()
        known = len(books) >= _FEWEST_BOOKS
        self._set["clock_offset_seconds"][(coin,)] = (
            min(offset for _, offset in books) if known else math.nan
        )

    def held(self, coin: str, share: float) -> None:
        """Take in the share of what may be held of a coin that is held."""
        self._set["inventory_limit_ratio"][(self.bot, coin)] = share

    def fallen(self, share: float | None, coin: str = "") -> None:
        """Take in the share of the drawdown that is allowed; None where it is not limited."""
        if share is not None:
            self._set["drawdown_limit_ratio"][(self.bot, coin)] = share

    def earned(self, bot: str, coin: str, profit: float | None) -> None:
        """Take in what a maker's market has earned since its start; None: not known yet."""
        if profit is not None:
            self._set["market_profit_quote"][(bot, coin)] = profit

    def allowed(self, bot: str, requests: int | None) -> None:
        """Take in how many requests an account has left; None where they are not counted."""
        if requests is not None:
            self._set["requests_left"][(bot,)] = requests

    def _count(self, metric: str, labels: _Labels, by: float = 1.0) -> None:
        counted = self._counted[metric]
        counted[labels] = counted.get(labels, 0.0) + by

    # ---- what is told

    def samples(self) -> Iterator[Sample]:
        """Yield all that is known; another thread may take in more meanwhile."""
        for values in (self._counted, self._set):
            for metric, by_labels in list(values.items()):
                for labels, value in list(by_labels.items()):
                    if not math.isnan(value):
                        yield Sample(metric, value, labels)
        for coin, kind in list(self._refusals.items()):
            yield Sample("refused", 1.0, (self.bot, coin, kind))
        for (coin, guard), does in list(self._guards.items()):
            yield Sample("guard_active", 1.0, (self.bot, coin, guard, does))
