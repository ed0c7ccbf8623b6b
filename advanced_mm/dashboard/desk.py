"""What the bots on one coin do, from the events of their journal. No I/O, no clock."""

from dataclasses import dataclass, field
from typing import Any, Final

from advanced_mm.journal import (
    BadRowsCounted,
    Event,
    Fill,
    GuardChanged,
    Look,
    QuoteEnded,
    QuoteSent,
    RefusalChanged,
    RequestsUsed,
)

__all__ = ["BotSight", "Desk"]

_BP: Final = 1e4


@dataclass
class BotSight:
    """What one bot last told; ``lag_ms`` is from its last fill until it was written down."""

    name: str
    heard_ms: int = 0
    ended: bool = False
    position: float | None = None
    position_ms: int = 0
    refusal: str | None = None
    guards: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: tuple[int, int] | None = None
    bad_rows: str | None = None
    lag_ms: int | None = None
    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By side: the newest quote's depth and what it expected, bp of the mid."""

    def tell(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        used, allowed = self.requests or (None, None)
        return {
            "name": self.name,
            "heard_ms": self.heard_ms,
            "ended": self.ended,
            "position": self.position,
            "refusal": self.refusal,
            "guards": sorted(self.guards.values()),
            "requests_used": used,
            "requests_left": None if used is None or allowed is None else allowed - used,
            "bad_rows": self.bad_rows,
            "lag_ms": self.lag_ms,
            "quotes": dict(self.quotes),
        }


class Desk:
    """One coin of one journal.

    What is new since the last `news` is kept apart, so that a page that has the rest gets only
    that. Times are epoch milliseconds, prices in the quote currency, sizes in the base currency.
    """

    def __init__(self, coin: str) -> None:
        self.coin = coin
        self.unfitted: bool | None = None
        """Whether no quote was based on fitted parameters; None before the first quote."""
        self.bots: dict[str, BotSight] = {}
        self._quotes: dict[str, list[Any]] = {}
        self._resting: dict[str, str] = {}
        self._rows: dict[str, list[list[Any]]] = {"seen": [], "fills": [], "held": []}
        self._new: dict[str, list[list[Any]]] = {name: [] for name in (*self._rows, "quotes")}

    def apply(self, event: Event, written_ms: int) -> None:
        """Take in an event of this coin, or of a bot as a whole."""
        bot = self.bots.setdefault(event.bot, BotSight(event.bot))
        bot.heard_ms = max(bot.heard_ms, event.time_ms, written_ms)
        if isinstance(event, QuoteSent):
            self._quoted(bot, event)
        elif isinstance(event, QuoteEnded):
            self._end(event.order, event.time_ms)
        elif isinstance(event, Fill):
            bot.lag_ms = max(0, written_ms - event.time_ms)
            self._add(
                "fills", [event.time_ms, event.side, event.price, event.size, bot.name, event.fill]
            )
            self._hold(bot, event.time_ms, event.position_after)
        elif isinstance(event, Look):
            self._looked(bot, event)
        else:
            _note(bot, event)

    def news(self) -> dict[str, list[list[Any]]]:
        """Return the rows since the last call, by kind; ``quotes`` whole, changed ones again."""
        new, self._new = self._new, {name: [] for name in self._new}
        return {name: rows for name, rows in new.items() if rows}

    def everything(self) -> dict[str, list[list[Any]]]:
        """Return all rows that are kept."""
        return self._rows | {"quotes": list(self._quotes.values())}

    def forget_before(self, low_ms: int) -> None:
        """Drop what was over by then; of the inventory, what it was by then is kept."""
        for name, rows in self._rows.items():
            kept = [row for row in rows if row[0] >= low_ms]
            if name == "held":
                kept = [*(_last_by_bot(row for row in rows if row[0] < low_ms)), *kept]
            self._rows[name] = kept
        for order in [one for one, row in self._quotes.items() if (row[3] or low_ms) < low_ms]:
            del self._quotes[order]

    def tell(self) -> list[dict[str, Any]]:
        """Return what a page shows of each bot."""
        return [bot.tell() for _, bot in sorted(self.bots.items())]

    def _quoted(self, bot: BotSight, sent: QuoteSent) -> None:
        row = [sent.order, sent.side, sent.time_ms, None, sent.price, sent.size, bot.name]
        self._quotes[sent.order] = row
        self._resting[sent.order] = bot.name
        self._new["quotes"].append(row)
        self._add("seen", [sent.time_ms, sent.mid])
        self.unfitted = sent.calibration_id is None and self.unfitted is not False
        edge = sent.expected_edge
        bot.quotes[sent.side] = {
            "depth_bp": _BP * sent.depth / sent.mid,
            "expected_bp": None if edge is None else _BP * edge / sent.mid,
            "toxicity": sent.toxicity,
            "regime": sent.regime,
            "widened": sent.widened,
            "purpose": sent.purpose,
        }
        self._hold(bot, sent.time_ms, sent.inventory)

    def _looked(self, bot: BotSight, look: Look) -> None:
        bot.ended = look.what == "end"
        if look.mid is not None:
            self._add("seen", [look.time_ms, look.mid])
        self._hold(bot, look.time_ms, look.position)
        if look.what != "minute":  # a bot that was killed could not tell the end of its orders
            for order in [one for one, name in self._resting.items() if name == bot.name]:
                self._end(order, look.time_ms)

    def _end(self, order: str, time_ms: int) -> None:
        self._resting.pop(order, None)
        row = self._quotes.get(order)
        if row is not None and row[3] is None:
            row[3] = max(time_ms, row[2])
            self._new["quotes"].append(row)

    def _hold(self, bot: BotSight, time_ms: int, position: float | None) -> None:
        """Note a position, unless a newer one is known: a fill is told late."""
        if position is None or time_ms < bot.position_ms:
            return
        bot.position_ms = time_ms
        if position != bot.position:
            bot.position = position
            self._add("held", [time_ms, position, bot.name])

    def _add(self, name: str, row: list[Any]) -> None:
        self._rows[name].append(row)
        self._new[name].append(row)


def _note(bot: BotSight, event: Event) -> None:
    """Take in what changes a bot's state and nothing else."""
    if isinstance(event, RefusalChanged):
        bot.refusal = event.reason
    elif isinstance(event, GuardChanged):
        key = (event.coin, event.guard)
        if event.does == "over":
            bot.guards.pop(key, None)
        else:
            sides = "both sides" if event.sides == "both" else f"the {event.sides}"
            factor = f" × {event.widen:.3g}" if event.does == "widen" else ""
            why = f": {event.reason}" if event.reason else ""
            bot.guards[key] = f"{event.guard} {event.does}s {sides}{factor}{why}"
    elif isinstance(event, RequestsUsed):
        bot.requests = (event.used, event.allowed)
    elif isinstance(event, BadRowsCounted):
        bot.bad_rows = event.told


def _last_by_bot(rows: Any) -> list[list[Any]]:
    return sorted({row[2]: row for row in rows}.values(), key=lambda row: row[0])
