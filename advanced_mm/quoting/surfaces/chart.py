"""What the bot saw and did lately, as columns of the candles and as FreqUI's annotations."""

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from advanced_mm.journal import Event, Fill, GuardChanged, QuoteEnded, QuoteSent, RefusalChanged
from advanced_mm.quoting.edge import Side
from advanced_mm.quoting.quoter import Quote, Refusal, Touch

__all__ = ["COLUMNS", "PLOT_CONFIG", "Chart"]

COLUMNS: Final = (
    "mid",
    "fair_price",
    "quoted_bid",
    "quoted_ask",
    "edge_bp",
    "toxicity",
    "quoted_share",
)
"""Numbers of each candle; NaN where the bot did not look. ``not_quoting`` has words."""

PLOT_CONFIG: Final[dict[str, Any]] = {
    "main_plot": {
        "mid": {"color": "#9e9e9e"},
        "fair_price": {"color": "#ab47bc"},
        "quoted_bid": {"color": "#26a69a"},
        "quoted_ask": {"color": "#ef6c00"},
    },
    "subplots": {
        "Expected edge, bp": {"edge_bp": {"color": "#42a5f5"}},
        "Toxicity (kappa * epsilon)": {"toxicity": {"color": "#ec407a"}},
        "Share of looks with a quote": {"quoted_share": {"color": "#66bb6a", "type": "bar"}},
    },
}
"""Freqtrade's ``plot_config``: which of `COLUMNS` FreqUI draws, and where."""

_MINUTES: Final = 24 * 60
_QUOTES: Final = 500
_FILLS: Final = 500
_AREAS: Final = 200
_SHORTEST_AREA_MS: Final = 1000
_LABEL: Final = 80
_COLOUR: Final[dict[Side, str]] = {"bid": "#26a69a", "ask": "#ef6c00"}
_REFUSAL_COLOUR: Final = "rgba(239, 83, 80, 0.15)"
_PAUSE_COLOUR: Final = "rgba(255, 167, 38, 0.20)"
_WIDEN_COLOUR: Final = "rgba(255, 238, 88, 0.15)"


@dataclass
class _Minute:
    """What was seen last in a minute; ``number`` counts them from the epoch."""

    number: int
    values: dict[str, float] = field(default_factory=dict)
    looks: int = 0
    quoted: int = 0
    reason: str | None = None


@dataclass
class _Span:
    """Something that lasts, epoch milliseconds; None: until now."""

    start_ms: int
    end_ms: int | None = None

    def overlaps(self, start_ms: int, end_ms: int) -> bool:
        return self.start_ms <= end_ms and (self.end_ms is None or self.end_ms >= start_ms)


@dataclass
class _Line(_Span):
    sent: QuoteSent = field(kw_only=True)


@dataclass
class _Area(_Span):
    label: str = field(kw_only=True)
    colour: str = field(kw_only=True)


@dataclass
class _Coin:
    minutes: deque[_Minute] = field(default_factory=lambda: deque(maxlen=_MINUTES))
    quotes: dict[str, _Line] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=_FILLS))
    areas: deque[_Area] = field(default_factory=lambda: deque(maxlen=_AREAS))
    lasting: dict[str, _Area] = field(default_factory=dict)
    """The areas that have not ended, by guard; a refusal's name is empty."""


class Chart:
    """Remembers, per coin, a day of minutes and the newest quotes, fills and times without quotes.

    It is told by the bot's thread and read by those of the REST API. Nothing is known of the time
    before the bot started.
    """

    def __init__(self) -> None:
        self._coins: dict[str, _Coin] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: hyperopt hands the strategy to processes of its own."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def recorded(self, event: Event) -> None:
        """Take in an event of the journal."""
        with self._lock:
            coin = self._coins.setdefault(event.coin, _Coin())
            if isinstance(event, QuoteSent):
                coin.quotes[event.order] = _Line(event.time_ms, sent=event)
                if len(coin.quotes) > _QUOTES:
                    del coin.quotes[next(iter(coin.quotes))]
            elif isinstance(event, QuoteEnded):
                if event.order in coin.quotes:
                    coin.quotes[event.order].end_ms = event.time_ms
            elif isinstance(event, Fill):
                coin.fills.append(event)
            elif isinstance(event, RefusalChanged):
                label = None if event.reason is None else f"not quoting: {event.reason}"
                _change(coin, "", event.time_ms, label, _REFUSAL_COLOUR)
            elif isinstance(event, GuardChanged):
                label = None if event.does == "over" else f"{event.guard}: {event.reason}"
                colour = _PAUSE_COLOUR if event.does == "pause" else _WIDEN_COLOUR
                _change(coin, event.guard, event.time_ms, label, colour)

    def looked(
        self,
        coin: str,
        now: datetime,
        touch: Touch | None,
        decision: Quote | Refusal | None,
        *,
        quoted: bool,
        toxicity: float | None = None,
    ) -> None:
        """Take in a look: the book, what was decided if anything, and whether a quote rests."""
        number = int(now.timestamp()) // 60
        with self._lock:
            minutes = self._coins.setdefault(coin, _Coin()).minutes
            if not minutes or minutes[-1].number != number:
                minutes.append(_Minute(number))
            minute = minutes[-1]
            minute.looks += 1
            minute.quoted += quoted
            if touch is not None and touch.is_sane:
                minute.values["mid"] = touch.mid
            if isinstance(decision, Quote):
                fair = decision.mid if decision.fair_price is None else decision.fair_price
                minute.values["fair_price"] = fair
                minute.values[f"quoted_{decision.side}"] = decision.price
                if decision.edge is not None:
                    minute.values["edge_bp"] = 1e4 * decision.edge / decision.mid
            elif decision is not None:
                minute.reason = decision.reason
            if toxicity is not None:
                minute.values["toxicity"] = toxicity

    def sent(self, coin: str, order: str) -> QuoteSent | None:
        """Return what an order was sent as, None if it is not known."""
        with self._lock:
            known = self._coins.get(coin)
            line = None if known is None else known.quotes.get(order)
            return None if line is None else line.sent

    def columns(
        self, coin: str, opens: NDArray[np.datetime64], minutes: int = 1
    ) -> dict[str, NDArray[Any]]:
        """Return columns for candles that open at those times (UTC) and last ``minutes``.

        Of several minutes in a candle the last that knows a value counts. ``quoted_share`` is the
        share of looks at which a quote rested, ``not_quoting`` the last refusal's reason.
        """
        first = opens.astype("datetime64[m]").astype(np.int64)
        with self._lock:
            known = list(self._coins.get(coin, _Coin()).minutes)
            rows = np.searchsorted(first, [one.number for one in known], side="right") - 1
            seen = [
                (row, minute)
                for row, minute in zip(rows.tolist(), known, strict=True)
                if row >= 0 and minute.number < first[row] + minutes
            ]
            columns: dict[str, NDArray[Any]] = {}
            for name in COLUMNS:
                values = [math.nan] * len(opens)
                for row, minute in seen:
                    if name in minute.values:
                        values[row] = minute.values[name]
                columns[name] = np.array(values)
            reasons: list[str | None] = [None] * len(opens)
            looks, quoted = np.zeros(len(opens)), np.zeros(len(opens))
            for row, minute in seen:
                looks[row] += minute.looks
                quoted[row] += minute.quoted
                reasons[row] = minute.reason or reasons[row]
        np.divide(quoted, looks, out=columns["quoted_share"], where=looks > 0)
        return {**columns, "not_quoting": np.array(reasons, dtype=object)}

    def annotations(
        self, coin: str, start: datetime, end: datetime, most: int = 300
    ) -> list[dict[str, Any]]:
        """Return FreqUI's annotations of a time: quotes (lines), fills (points), pauses (areas).

        At most ``most`` of each, the newest. A pause shorter than a second is left out.
        """
        start_ms, end_ms = (round(at.timestamp() * 1000) for at in (start, end))
        with self._lock:
            own = self._coins.get(coin, _Coin())
            areas = [
                area
                for one in (own, self._coins.get("", _Coin()))
                for area in (*one.areas, *one.lasting.values())
                if area.overlaps(start_ms, end_ms)
            ]
            lines = [line for line in own.quotes.values() if line.overlaps(start_ms, end_ms)]
            fills = [fill for fill in own.fills if start_ms <= fill.time_ms <= end_ms]
            shown = [_area(one, end_ms) for one in areas[-most:]]
            shown += [_line(one, end_ms) for one in lines[-most:]]
        return shown + [_point(one) for one in fills[-most:]]


def _change(coin: _Coin, name: str, time_ms: int, label: str | None, colour: str) -> None:
    """End the lasting area of that name, and begin one with another label."""
    before = coin.lasting.pop(name, None)
    if before is not None and time_ms - before.start_ms >= _SHORTEST_AREA_MS:
        before.end_ms = time_ms
        coin.areas.append(before)
    if label is not None:
        coin.lasting[name] = _Area(time_ms, label=label[:_LABEL], colour=colour)


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _bounds(span: _Span, end_ms: int) -> dict[str, datetime]:
    end = end_ms if span.end_ms is None else span.end_ms
    return {"start": _time(span.start_ms), "end": _time(max(end, span.start_ms))}


def _area(area: _Area, end_ms: int) -> dict[str, Any]:
    bounds = _bounds(area, end_ms)
    return {"type": "area", **bounds, "color": area.colour, "label": area.label, "z_level": 0}


def _line(line: _Line, end_ms: int) -> dict[str, Any]:
    sent = line.sent
    return {
        "type": "line",
        **_bounds(line, end_ms),
        "y_start": sent.price,
        "y_end": sent.price,
        "color": _COLOUR[sent.side],
        "width": 2,
        "line_style": "dashed" if sent.purpose == "at_touch" else "solid",
        "label": "",
        "z_level": 10,
    }


def _point(fill: Fill) -> dict[str, Any]:
    word = "bought" if fill.side == "bid" else "sold"
    return {
        "type": "point",
        "x": _time(fill.time_ms),
        "y": fill.price,
        "color": _COLOUR[fill.side],
        "label": f"{word} {fill.size:g} at {fill.price:g}",
        "size": 10,
        "shape": "triangle",
        "rotate": 0 if fill.side == "bid" else 180,
        "z_level": 20,
    }
