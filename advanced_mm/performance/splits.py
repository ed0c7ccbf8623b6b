"""The same fills in groups: by hour, side, regime, volatility, depth, refit and queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.attribution import PART_NAMES, FillParts
from advanced_mm.performance.intervals import Figure, TimeDraws
from advanced_mm.performance.mids import MINUTE_MS, Marks
from advanced_mm.performance.paths import EquityPath
from advanced_mm.performance.records import Record, Words

__all__ = ["Group", "Hour", "by_hour", "splits"]

_HOUR_MS: Final = 3_600_000
_TERCILES: Final = ("low", "middle", "high")
_MOST_GROUPS: Final = 20
_MINUTES_OF_VOLATILITY: Final = 5


@dataclass(frozen=True)
class Group:
    """Fills of one kind: their parts (quote currency) and what one earned by the horizon (bp).

    The inventory of single fills is left out: it is the market's move since, the same for all.
    """

    name: str
    fills: int
    turnover: float
    spread_captured: float
    adverse_selection: float
    fees: float
    edge: Figure


@dataclass(frozen=True)
class Hour:
    """One hour (UTC), its parts in quote currency; they add up, and all hours to the total."""

    start_ms: int
    fills: int
    parts: dict[str, float]

    @property
    def equity_change(self) -> float:
        """The sum of the parts, quote currency."""
        return sum(self.parts.values())

    @property
    def name(self) -> str:
        """Its beginning, UTC."""
        return datetime.fromtimestamp(self.start_ms / 1000, UTC).strftime("%m-%d %H:00")


def by_hour(record: Record, path: EquityPath) -> list[Hour]:
    """Cut the path of the equity at whole hours."""
    whole = np.flatnonzero(path.time_ms % _HOUR_MS == 0)
    edges = np.unique(np.concatenate([[0], whole, [len(path.time_ms) - 1]]))
    counts = np.searchsorted(record.fills.time_ms, path.time_ms[edges], side="right")
    counts[0] = 0
    return [
        Hour(
            int(path.time_ms[first]),
            int(counts[i + 1] - counts[i]),
            {name: float(path.parts[name][last] - path.parts[name][first]) for name in PART_NAMES},
        )
        for i, (first, last) in enumerate(pairwise(edges))
    ]


def splits(record: Record, marks: Marks, by_fill: FillParts) -> dict[str, list[Group]]:
    """Group the fills in each way that the record knows of."""
    fills, quotes = record.fills, record.quotes
    depth_bp = record.of_fills(quotes.depth) / fills.price * 1e4
    names = [bot.name for bot in record.bots]
    ways: Mapping[str, Words] = {
        "side": Words((fills.sign < 0).astype(np.int64), ("bought", "sold")),
        "bot": Words(fills.bot, names) if len(names) > 1 else Words.unknown(len(fills)),
        "toxicity": quotes.regime.rows(fills.quote),
        "volatility": _terciles(volatility_before(marks, fills.time_ms), "bp in a minute"),
        "depth": _terciles(depth_bp, "bp"),
        "queue ahead": _terciles(record.of_fills(quotes.queue_ahead), "base currency"),
        "refit": quotes.calibration_id.rows(fills.quote),
    }
    grouped = {name: _groups(record, marks, by_fill, labels) for name, labels in ways.items()}
    return {name: groups for name, groups in grouped.items() if groups}


def volatility_before(marks: Marks, times_ms: Int1D) -> Float1D:
    """Root mean square move over the five minutes before, bp of the mid in a minute."""
    whole = np.flatnonzero(marks.grid_ms % MINUTE_MS == 0)
    if len(whole) < 2:
        return np.full(len(times_ms), np.nan)
    mids = marks.grid_mid[whole]
    square = np.concatenate([[0.0], np.cumsum((np.diff(mids) / mids[:-1]) ** 2)])
    last = np.searchsorted(marks.grid_ms[whole], times_ms, side="right") - 1
    first = np.maximum(last - _MINUTES_OF_VOLATILITY, 0)
    count = last - first
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (square[np.maximum(last, 0)] - square[first]) / count
    return np.where(count > 0, np.sqrt(np.maximum(mean, 0.0)) * 1e4, np.nan)


def _terciles(values: Float1D, unit: str) -> Words:
    known = np.isfinite(values)
    if known.sum() < len(_TERCILES):
        return Words.unknown(len(values))
    low, high = np.quantile(values[known], (1 / 3, 2 / 3))
    if low == high:
        return Words.unknown(len(values))
    names = (f"low, up to {low:.3g} {unit}", "middle", f"high, above {high:.3g} {unit}")
    codes = np.searchsorted([low, high], values, side="left").astype(np.int64)
    return Words(np.where(known, codes, -1), names)


def _groups(record: Record, marks: Marks, by_fill: FillParts, words: Words) -> list[Group]:
    """Sum up each word; of more than twenty those with the most fills."""
    counts = np.bincount(words.codes + 1, minlength=len(words.names) + 1)[1:]
    kept = [int(k) for k in np.argsort(-counts, kind="stable")[:_MOST_GROUPS] if counts[k]]
    if not kept:
        return []
    fills = record.fills
    value = fills.price * fills.size
    draws = TimeDraws(fills.time_ms, marks.horizon_s)
    edge = (by_fill.spread + by_fill.adverse + by_fill.fees) * by_fill.known_markout
    known_value = value * by_fill.known_markout
    rows = []
    for number in sorted(kept, key=lambda k: _order(words.names[k])):
        chosen = (words.codes == number).astype(np.float64)
        earned = draws.ratio(edge * chosen, known_value * chosen, "")
        rows.append(
            Group(
                words.names[number],
                int(counts[number]),
                float(chosen @ value),
                float(chosen @ by_fill.spread),
                float(chosen @ by_fill.adverse),
                float(chosen @ by_fill.fees),
                earned.times(1e4, "bp"),
            )
        )
    return rows


def _order(name: str) -> tuple[int, str]:
    """Terciles in their own order, everything else by name."""
    first = name.partition(",")[0]
    return (_TERCILES.index(first) if first in _TERCILES else -1, name)
