"""Assess one record: everything the report shows, computed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from advanced_mm.marketdata.records import Float1D
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.performance.attribution import (
    Attribution,
    FillParts,
    Parts,
    attribute,
    total_of,
)
from advanced_mm.performance.figures import Markout, markouts, session_figures
from advanced_mm.performance.intervals import Figure
from advanced_mm.performance.mids import HORIZON_S, Marks, MidSource, find_marks
from advanced_mm.performance.paths import EquityPath, equity_path
from advanced_mm.performance.presence import Presence, presence
from advanced_mm.performance.records import BotSpan, Record
from advanced_mm.performance.splits import Group, Hour, by_hour, splits
from advanced_mm.performance.truth import ModelTruth, model_truth, published_at

__all__ = [
    "Account",
    "Performance",
    "account_change",
    "assess",
    "attribute_bots",
    "end_mark",
]


@dataclass(frozen=True)
class Performance:
    """What one coin's record earned, and why."""

    record: Record
    marks: Marks
    parts: Parts
    by_fill: FillParts
    path: EquityPath
    resting: Presence
    figures: dict[str, Figure]
    markouts: Sequence[Markout]
    truth: ModelTruth
    hours: Sequence[Hour]
    splits: dict[str, list[Group]]

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers should know, one sentence each."""
        told = [*self.record.notes]
        if self.parts.fills and not self.parts.with_mid:
            told.append(
                "The mid at the fills is unknown: spread and adverse selection cannot be separated "
                "from inventory and are counted there."
            )
        for bot in self.record.bots:
            if bot.missed:
                told.append(
                    f"{bot.name}: its fills do not explain {bot.missed:+g} of the position it "
                    "reported last."
                )
        return told

    def mid_sources(self) -> dict[str, float]:
        """Return the share of fills by the source of their mid; "nowhere" for those without one."""
        return _shares(self.marks.source)

    def markout_sources(self) -> dict[str, float]:
        """Return the share of fills by the source of their markout."""
        known = self.by_fill.known_markout > 0
        return _shares(np.where(known, self.marks.source_after, ""))


def assess(
    record: Record,
    sources: Sequence[MidSource],
    history: CalibrationHistory | None = None,
    horizon_s: float = HORIZON_S,
) -> Performance:
    """Judge one coin's record.

    Parameters
    ----------
    record
        What was traded.
    sources
        Sources of mids, the best first.
    history
        The refits that quotes name, for the comparison of fill rates with their law.
    horizon_s
        How long after a fill the market's answer counts as adverse selection, seconds.

    Raises
    ------
    InputError
        The horizon is not above zero, or a file of the history cannot be read.
    """
    marks = find_marks(record, sources, horizon_s)
    whole = attribute_bots(record, marks)
    path = equity_path(record, marks, whole.by_fill)
    resting = presence(record)
    return Performance(
        record=record,
        marks=marks,
        parts=whole.parts,
        by_fill=whole.by_fill,
        path=path,
        resting=resting,
        figures=session_figures(record, marks, whole.parts, whole.by_fill, path, resting),
        markouts=markouts(record, marks),
        truth=model_truth(record, marks, published_at(record, history)),
        hours=by_hour(record, path),
        splits=splits(record, marks, whole.by_fill),
    )


def attribute_bots(record: Record, marks: Marks) -> Attribution:
    """Attribute each bot's own account, valued at its own last mark, and add them up."""
    fills = record.fills
    columns = {name: np.empty(len(fills)) for name in FillParts.__dataclass_fields__}
    parts = []
    for number, bot in enumerate(record.bots):
        own = fills.bot == number
        paid = float(record.funding[record.funding_bot == number].sum())
        one = attribute(
            fills.rows(own),
            marks.mid[own],
            marks.after[marks.horizon_s][own],
            end_mark(bot, marks),
            opening=bot.opening,
            start_mark=_known(bot.start_mark, float(marks.grid_mid[0])),
            funding=paid,
        )
        for name, column in columns.items():
            column[own] = getattr(one.by_fill, name)
        parts.append(one.parts)
    return Attribution(FillParts(**columns), total_of(parts))


def end_mark(bot: BotSpan, marks: Marks) -> float:
    """Return the price that a bot's position is valued at in the end: its last mark, or the mid."""
    return _known(bot.end_mark, marks.end_mid)


def _known(mark: float, instead: float) -> float:
    """Return a mark that is a number; without fills, position and mids any number will do."""
    return next((m for m in (mark, instead) if np.isfinite(m)), 0.0)


@dataclass(frozen=True)
class Account:
    """The change of the bots' accounts by their own figures, quote currency.

    ``change`` is that of their equity from the first look to the last, ``unexplained`` what the
    report's own sum differs by: other coins, transfers, or unrecorded fills.
    """

    change: float
    unexplained: float


def account_change(several: Iterable[Performance]) -> Account | None:
    """Compare the sum of all coins with the accounts; None if a bot did not report its equity."""
    rows = list(several)
    spans: dict[str, list[BotSpan]] = {}
    for row in rows:
        for bot in row.record.bots:
            spans.setdefault(bot.name, []).append(bot)
    changes = []
    for own in spans.values():
        first = min(own, key=lambda bot: bot.start_ms)
        last = max(own, key=lambda bot: bot.end_ms)
        early = sum(bot.earned_before for bot in own)
        changes.append(last.end_equity - first.start_equity + early)
    change = float(sum(changes))
    if not changes or not np.isfinite(change):
        return None
    return Account(change, change - total_of(row.parts for row in rows).equity_change)


def _shares(names: Iterable[str]) -> dict[str, float]:
    found, counts = np.unique([str(n) or "nowhere" for n in names], return_counts=True)
    total: Float1D = counts / max(counts.sum(), 1)
    return dict(zip(found.tolist(), total.tolist(), strict=True))
