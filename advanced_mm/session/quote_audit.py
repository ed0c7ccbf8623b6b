"""Check of every quote the bot sent against the depths published at that time."""

import json
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advanced_mm.model import solve
from advanced_mm.parameter_files import ParameterSet, Settings, model_problem

__all__ = ["QuoteAudit"]

logger = logging.getLogger(__name__)

Depths = dict[tuple[str, int], float]
"""Depth (quote currency) by side and inventory."""

_REMEMBERED_REFITS = 500  # two hours; a quote uses a refit at most a minute old


@dataclass
class QuoteAudit:
    """Follows the quote journal of a running bot and the published refits.

    ``refits`` counts the distinct refits seen with a solved value function;
    ``quotes`` counts lines; ``requotes`` those that replaced an unfilled quote of the same side;
    ``touch_quotes`` exits offered at the touch for lack of usable parameters; ``unmatched`` quotes
    of refits whose published depths were not seen; ``max_distance_ticks`` is the largest distance
    of a sent price from mid -/+ published depth, in ticks; ``bad_rows`` describes the rows the bot
    skipped in lists; ``unreadable`` counts lines that are not quotes. For a bot with other
    inventories than the published ones, pass its ``settings``: the depths are then solved for them.
    """

    journal: Path
    settings: Settings | None = None
    refits: int = 0
    quotes: int = 0
    requotes: int = 0
    touch_quotes: int = 0
    unmatched: int = 0
    max_distance_ticks: float = 0.0
    last: dict[str, Any] | None = None
    refusal: str | None = None
    bad_rows: str | None = None
    unreadable: int = 0
    _inode: int = 0
    _offset: int = 0
    _depths: dict[str, Depths] = field(default_factory=dict)

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
        if len(self._depths) > _REMEMBERED_REFITS:
            del self._depths[next(iter(self._depths))]

    def read_journal(self) -> None:
        """Process the lines written since the last call."""
        if not self.journal.exists():
            return
        stat = self.journal.stat()
        if stat.st_ino != self._inode or stat.st_size < self._offset:  # rotated
            self._inode, self._offset = stat.st_ino, 0
        with self.journal.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                try:
                    self._take(json.loads(line))
                except (ValueError, TypeError, LookupError, AttributeError) as error:
                    self.unreadable += 1
                    logger.warning(
                        "%s: skipping a line that is not a quote: %r", self.journal, error
                    )

    def _take(self, quote: dict[str, Any]) -> None:
        if "bad_rows" in quote:
            self.bad_rows = str(quote["bad_rows"])
            return
        self.refusal = quote.get("refusal")
        if self.refusal is not None:
            return
        side, refit = quote["side"], quote["calibration_id"]
        place = (side, quote["inventory"])
        mid, sent_price, tick = (float(quote[name]) for name in ("mid", "sent_price", "tick"))
        self.quotes += 1
        if self.last is not None and self.last["side"] == side:
            self.requotes += 1
        self.last = quote
        if refit is None:
            self.touch_quotes += 1
            return
        depth = self._depths.get(refit, {}).get(place)
        if depth is None:
            self.unmatched += 1
            return
        ideal = mid + (depth if side == "ask" else -depth)
        self.max_distance_ticks = max(self.max_distance_ticks, abs(sent_price - ideal) / tick)


def _published(parameters: ParameterSet) -> Depths:
    entry = parameters.value_functions[0]
    depths: Depths = {}
    for q in entry.q or ():
        ask, bid = entry.depths_at(q)
        depths |= {(side, q): d for side, d in (("ask", ask), ("bid", bid)) if d is not None}
    return depths


def _solved(parameters: ParameterSet, settings: Settings) -> Depths | None:
    mid = parameters.kappa.mid
    if mid is None:
        return None
    solution = solve(model_problem(parameters, settings, mid))
    depths: Depths = {}
    for side, by_inventory in (("ask", solution.ask_depth), ("bid", solution.bid_depth)):
        for number, depth in enumerate(by_inventory):
            if math.isfinite(depth):
                depths[side, settings.q_min + number] = float(depth)
    return depths
