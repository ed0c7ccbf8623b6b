"""Looks at journals, parameters and recordings, and tells what has changed since the last look."""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.dashboard.desk import Desk
from advanced_mm.dashboard.earnings import Earnings
from advanced_mm.dashboard.market import Market
from advanced_mm.dashboard.parameters import FollowedParameters
from advanced_mm.dashboard.places import Place, Places
from advanced_mm.journal import Event, JournalFollower, QuoteEnded, QuoteSent
from advanced_mm.journal.rows import NEEDED, event_of

__all__ = ["Watcher"]

_SHOWN_MS: Final = 900_000
"""How much of the past the pictures show."""
_TO_FORGET: Final = 1.25
"""The judged time grows by so much before its beginning is forgotten."""
_HOUR_MS: Final = 3_600_000
_PLACES_EVERY_MS: Final = 5_000
_SLOWLY_EVERY_MS: Final = 1_000
_TRIM_EVERY_MS: Final = 60_000


class Watcher:
    """All coins of all journals.

    Parameters
    ----------
    places
        Where they lie.
    hours
        How much of the past is judged.
    clock_ms
        Epoch milliseconds.
    """

    def __init__(
        self,
        places: Places,
        hours: float = 24.0,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._places, self._clock_ms = places, clock_ms
        self._judged_ms = round(hours * _HOUR_MS)
        self._watched: dict[Place, _Watched] = {}
        self._places_ms = 0
        self._lock = threading.Lock()

    def look(self) -> dict[str, Any]:
        """Read what is new and return it by desk; empty ``desks`` if nothing is."""
        now_ms = self._clock_ms()
        with self._lock:
            if now_ms - self._places_ms >= _PLACES_EVERY_MS or now_ms < self._places_ms:
                self._places_ms = now_ms
                for place in self._places.find():
                    if place not in self._watched:
                        self._watched[place] = _Watched(place, self._judged_ms)
            desks: dict[str, Any] = {}
            for watched in self._watched.values():
                desks |= watched.look(now_ms)
        return {"now_ms": now_ms, "desks": desks}

    def everything(self) -> dict[str, Any]:
        """Return all that a page needs which has nothing yet."""
        with self._lock:
            desks: dict[str, Any] = {}
            for watched in self._watched.values():
                desks |= watched.everything()
        return {"now_ms": self._clock_ms(), "whole": True, "shown_ms": _SHOWN_MS, "desks": desks}

    def judge(self) -> None:
        """Judge what was earned; the next `look` tells it. For a thread of its own: it may take."""
        with self._lock:
            traded = [one for watched in self._watched.values() for one in watched.traded.values()]
        for one in traded:
            one.judge(self._clock_ms(), len(traded))


class _Watched:
    """One journal."""

    def __init__(self, place: Place, judged_ms: int) -> None:
        self.traded: dict[str, _Traded] = {}
        self._place, self._judged_ms = place, judged_ms
        self._follower = JournalFollower(place.journal)
        self._of_no_coin: dict[tuple[str, str], tuple[Event, int]] = {}
        self._slowly_ms = self._trimmed_ms = 0

    def look(self, now_ms: int) -> dict[str, Any]:
        low_ms = now_ms - _SHOWN_MS
        # Part by part first: all of a day at once would take hundreds of MB.
        parts = [_shown(part, low_ms, whole=False) for part in self._follower.new_parts()]
        if parts:
            for row in _shown(pa.concat_tables(parts), low_ms).to_pylist():
                self._apply(row, now_ms)
        slowly = abs(now_ms - self._slowly_ms) >= _SLOWLY_EVERY_MS
        trim = abs(now_ms - self._trimmed_ms) >= _TRIM_EVERY_MS
        self._slowly_ms = now_ms if slowly else self._slowly_ms
        self._trimmed_ms = now_ms if trim else self._trimmed_ms
        told = {}
        for coin, traded in self.traded.items():
            if slowly:
                traded.look(now_ms)
            if trim:
                traded.forget_before(low_ms)
            news = traded.news(low_ms)
            if news:
                told[f"{self._place.name} {coin}"] = news
        return told

    def everything(self) -> dict[str, Any]:
        return {f"{self._place.name} {coin}": one.everything() for coin, one in self.traded.items()}

    def _apply(self, row: dict[str, Any], now_ms: int) -> None:
        try:
            if any(row[name] is None for name in NEEDED[row["event"]]):
                return
            event = event_of(row)
        except KeyError:  # of a newer version
            return
        written_ms = row["written_ms"] or event.time_ms
        if event.coin:
            if event.coin not in self.traded:
                self.traded[event.coin] = _Traded(self._place, event.coin, now_ms, self._judged_ms)
                for earlier, when in self._of_no_coin.values():
                    self._tell_bot(self.traded[event.coin], earlier, when)
            desk = self.traded[event.coin].desk
            known = event.bot in desk.bots
            desk.apply(event, written_ms)
            if not known:
                for earlier, when in self._of_no_coin.values():
                    self._tell_bot(self.traded[event.coin], earlier, when)
            return
        self._of_no_coin[event.bot, f"{event.event} {getattr(event, 'guard', '')}"] = (
            event,
            written_ms,
        )
        for traded in self.traded.values():
            self._tell_bot(traded, event, written_ms)

    @staticmethod
    def _tell_bot(traded: "_Traded", event: Event, written_ms: int) -> None:
        if event.bot in traded.desk.bots:
            traded.desk.apply(event, written_ms)


class _Traded:
    """One coin of a journal, with its market, its parameters and its earnings."""

    def __init__(self, place: Place, coin: str, now_ms: int, judged_ms: int) -> None:
        self.desk = Desk(coin)
        self._place, self._judged_ms = place, judged_ms
        self._parameters = FollowedParameters(place.parameters, coin)
        self._line: list[list[Any]] = []
        self._new_line: list[list[Any]] = []
        self._told: dict[str, Any] = {}
        self._fitted: dict[str, Any] = {}
        self._begin(now_ms - judged_ms)

    def _begin(self, since_ms: int) -> None:
        self._market = Market(self._place.data_dir, self.desk.coin, since_ms)
        self._earnings = Earnings(self._place.journal, self.desk.coin, self._market, since_ms)

    def judge(self, now_ms: int, coins: int) -> None:
        self._earnings.look(now_ms, coins)

    def look(self, now_ms: int) -> None:
        if now_ms - self._earnings.since_ms > _TO_FORGET * self._judged_ms:
            told = self._earnings.told
            self._begin(now_ms - self._judged_ms)
            self._earnings.told = told
        self._market.update()
        self._fitted = self._parameters.look()
        self._new_line += map(list, self._market.line(now_ms - _SHOWN_MS))

    def forget_before(self, low_ms: int) -> None:
        self.desk.forget_before(low_ms)
        self._line = [point for point in self._line if point[0] >= low_ms]

    def news(self, low_ms: int) -> dict[str, Any]:
        rows = self.desk.news()
        if self._new_line:
            last_ms = self._line[-1][0] if self._line else low_ms
            new = [point for point in self._new_line if point[0] > last_ms]
            self._line, self._new_line = [*self._line, *new], []
            rows |= {"market": new}
        state = self._state()
        told = self._told
        changed = {k: one for k, one in state.items() if k not in told or told[k] != one}
        self._told = state
        return rows | ({"state": changed} if changed else {})

    def everything(self) -> dict[str, Any]:
        return self.desk.everything() | {"market": self._line, "state": self._told}

    def _state(self) -> dict[str, Any]:
        touch = self._market.touch
        return {
            "coin": self.desk.coin,
            "journal": self._place.name,
            "bots": self.desk.tell(),
            "touch": None if touch is None else asdict(touch),
            # A maker's policy goes by none, and has none to miss.
            "parameters": None if self.desk.unfitted and "fault" in self._fitted else self._fitted,
            "earned": self._earnings.told,
        }


def _shown(rows: pa.Table, low_ms: int, *, whole: bool = True) -> pa.Table:
    """Leave out quotes that were over before a time: a day has hundreds of thousands of them.

    Rows that are not the ``whole`` of what is new keep quotes of which they lack an event.
    """
    orders = rows["order"]
    over = _one_of(orders, rows, QuoteEnded)
    if not whole:
        over = pc.and_(over, _one_of(orders, rows, QuoteSent))
    of_quotes = pc.is_in(rows["event"], pa.array([QuoteSent.event, QuoteEnded.event]))
    early = pc.less(rows["time_ms"], low_ms)
    return rows.filter(pc.invert(pc.and_(pc.and_(of_quotes, over), early)))


def _one_of(orders: pa.ChunkedArray, rows: pa.Table, kind: type[Event]) -> pa.ChunkedArray:
    """Return which orders are those of a kind of event."""
    own = rows.filter(pc.equal(rows["event"], kind.event))["order"]
    return pc.is_in(orders, value_set=own.combine_chunks())
