"""Check of every quote the bot sent against the depths published at that time."""

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.journal import (
    BadRowsCounted,
    Event,
    GuardChanged,
    JournalFollower,
    QuoteSent,
    RefusalChanged,
)
from advanced_mm.model import solve
from advanced_mm.parameter_files import (
    ParameterSet,
    Settings,
    model_problem,
    with_value_function,
)
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of

__all__ = ["QuoteAudit"]

logger = logging.getLogger(__name__)

Depths = dict[tuple[str, int], tuple[float, ...]]
"""Depths (quote currency) by side and inventory: one, or a leg's with the other and without it."""

_REMEMBERED_REFITS = 500  # two hours; a quote uses a refit at most a minute old


@dataclass
class QuoteAudit:
    """Follows a running bot's events in the journal, and the published refits.

    ``bot`` and ``coin`` select whose quotes, None for all. ``refits`` counts the distinct refits
    seen with a solved value function; ``quotes`` counts quotes sent; ``requotes`` those that
    replaced an unfilled quote of the same side; ``touch_quotes`` exits offered at the touch for
    lack of usable parameters; ``guards`` what guards do now, in words, by name; ``unmatched``
    quotes of refits whose published depths were not seen,
    or not seen yet: a quote can be read before the refit it is based on;
    ``max_distance_ticks`` is the largest distance of a sent price from mid -/+ published depth, in
    ticks; ``bad_rows`` describes the rows of venue lists that the bot skipped. For a bot whose
    inventories differ from the published ones, pass its ``settings``: depths are then solved for
    them, for one of two legs also without the other.
    """

    journal: Path
    bot: str | None = None
    coin: str | None = None
    settings: Settings | None = None
    refits: int = 0
    quotes: int = 0
    requotes: int = 0
    touch_quotes: int = 0
    max_distance_ticks: float = 0.0
    last: QuoteSent | None = None
    refusal: str | None = None
    bad_rows: str | None = None
    guards: dict[str, str] = field(default_factory=dict)
    _depths: dict[str, Depths] = field(default_factory=dict)
    _without_depth: int = 0
    _waiting: dict[str, list[QuoteSent]] = field(default_factory=dict)
    _looked_up: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._follower = JournalFollower(self.journal, self.bot, self.coin)

    @property
    def unreadable(self) -> int:
        """How many lines of the journal could not be read as events."""
        return self._follower.unreadable

    @property
    def unmatched(self) -> int:
        """Quotes that could not be compared, so far."""
        return self._without_depth + sum(map(len, self._waiting.values()))

    def see_parameters(self, parameters: ParameterSet) -> None:
        """Remember a published refit's depths; quotes name the refit they are based on."""
        if parameters.calibration_id in self._depths or not parameters.value_functions:
            return
        depths = (
            _published(parameters) if self.settings is None else _solved(parameters, self.settings)
        )
        if depths is None:
            return
        self._depths[parameters.calibration_id] = depths
        self.refits += 1
        for quote in self._waiting.pop(parameters.calibration_id, ()):
            self._compare(quote, depths)
        if len(self._depths) > _REMEMBERED_REFITS:
            del self._depths[next(iter(self._depths))]

    def see_history(self, history: CalibrationHistory, coin: str, settings: Settings) -> None:
        """Look up the refits that quotes were based on but that were replaced before being seen.

        A refit is published for a quarter of a minute, on a busy machine for less. It is added to
        the history before: one that is not there now will never be.
        """
        missed = self._waiting.keys() - self._looked_up
        if not missed:
            return
        try:
            rows = history.read(coin).to_pylist()
            for row in rows:
                if row["calibration_id"] in missed:
                    refit = parameter_set_of(coin, row)
                    self.see_parameters(with_value_function(refit, settings))
        except (InputError, ValueError) as error:
            logger.warning("quotes of refits that were not seen cannot be compared: %s", error)
        self._looked_up |= missed

    def read_journal(self) -> None:
        """Process the events written since the last call."""
        for event in self._follower.news():
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, BadRowsCounted):
            self.bad_rows = event.told
        elif isinstance(event, RefusalChanged):
            self.refusal = event.reason
        elif isinstance(event, GuardChanged):
            self.guards.pop(event.guard, None)
            if event.does != "over":
                sides = "" if event.sides == "both" else f" ({event.sides})"
                does = "pauses entries" if event.does == "pause" else "widens entries"
                factor = "" if event.does == "pause" else f" by {event.widen:g}"
                self.guards[event.guard] = f"{event.guard} {does}{sides}{factor}: {event.reason}"
        elif isinstance(event, QuoteSent):
            self._check(event)

    def _check(self, quote: QuoteSent) -> None:
        self.quotes += 1
        self.refusal = None
        if self.last is not None and self.last.side == quote.side:
            self.requotes += 1
        self.last = quote
        if quote.calibration_id is None:
            self.touch_quotes += 1
            return
        depths = self._depths.get(quote.calibration_id)
        if depths is not None:
            self._compare(quote, depths)
            return
        self._waiting.setdefault(quote.calibration_id, []).append(quote)
        if len(self._waiting) > _REMEMBERED_REFITS:
            self._without_depth += len(self._waiting.pop(next(iter(self._waiting))))

    def _compare(self, quote: QuoteSent, depths: Depths) -> None:
        found = depths.get((quote.side, quote.units))
        if found is None:
            self._without_depth += 1
            return
        around = quote.mid if quote.fair_price is None else quote.fair_price
        away = quote.widened if quote.side == "ask" else -quote.widened
        off = min(
            abs(quote.price - _short_of_the_touch(quote, around + away * depth)) for depth in found
        )
        self.max_distance_ticks = max(self.max_distance_ticks, off / quote.tick)


def _short_of_the_touch(quote: QuoteSent, ideal: float) -> float:
    """Return the ideal price or, where a fair price beyond the touch asks for more, the nearest."""
    if quote.side == "bid":
        return ideal if quote.ask is None else min(ideal, quote.ask - quote.tick)
    return ideal if quote.bid is None else max(ideal, quote.bid + quote.tick)


def _published(parameters: ParameterSet) -> Depths:
    entry = parameters.value_functions[0]
    depths: Depths = {}
    for q in entry.q or ():
        ask, bid = entry.depths_at(q)
        depths |= {(side, q): (d,) for side, d in (("ask", ask), ("bid", bid)) if d is not None}
    return depths


def _solved(parameters: ParameterSet, settings: Settings) -> Depths | None:
    mid = parameters.kappa.mid
    if mid is None:
        return None
    depths: Depths = {}
    for one in {settings.mode: settings, settings.alone().mode: settings.alone()}.values():
        solution = solve(model_problem(parameters.around(one.fair_price), one, mid))
        for side, by_inventory in (("ask", solution.ask_depth), ("bid", solution.bid_depth)):
            for q, depth in enumerate(by_inventory.tolist(), one.q_min):
                if math.isfinite(depth):
                    depths[side, q] = (*depths.get((side, q), ()), depth)
    return depths
