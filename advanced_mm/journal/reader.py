"""Read a journal back: a table a kind of event, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.day_files import DayFiles, Skipped
from advanced_mm.errors import InputError
from advanced_mm.instruments import resolve_coin
from advanced_mm.journal.events import EVENTS, ClockJumped, Event
from advanced_mm.journal.folders import event_folders, journal_coins
from advanced_mm.journal.rows import COLUMNS, NEEDED, ROWS, RUN_SHIFT, event_of

__all__ = ["Journal", "JournalNotes", "read_journal"]

_EARLIER, _LATER = timedelta(days=1), timedelta(days=2)
"""Events lie under the day when they were written down, which may not be that when they were."""


@dataclass(frozen=True)
class JournalNotes:
    """What a reader should know of what it has not read.

    Attributes
    ----------
    damaged
        Day files that cannot be read, each with the reason; the others were read all the same.
    lines, rows
        Lines cut short by a crash, and rows that lack what their kind needs, that were left out.
    clock_jumps
        Where a writer's clock was set; events keep the order in which they were recorded.
    """

    damaged: tuple[str, ...] = ()
    lines: int = 0
    rows: int = 0
    clock_jumps: tuple[ClockJumped, ...] = ()

    def sentences(self) -> list[str]:
        """What there is to tell a person, a sentence each."""
        told = [f"Skipped a damaged day file: {one}." for one in self.damaged]
        if self.lines:
            told.append(f"Left out {self.lines} lines that were cut short.")
        if self.rows:
            told.append(f"Left out {self.rows} rows that are no events.")
        for jump in self.clock_jumps:
            at = datetime.fromtimestamp(jump.time_ms / 1000, UTC)
            told.append(
                f"The clock of {jump.bot} jumped by {jump.seconds:+.1f} s to {at:%F %T} UTC; "
                "events are in the order in which they were recorded."
            )
        return told


@dataclass(frozen=True)
class Journal:
    """Events by kind.

    ``tables`` has a table for each kind (`Event.event`), without rows where there are none: the
    event's fields, ``written_ms``, and ``run``, a number of the process that wrote it. Rows are in
    the order in which they were recorded, coin by coin.
    """

    tables: Mapping[str, pa.Table]
    notes: JournalNotes

    def table(self, kind: type[Event]) -> pa.Table:
        """The table of a kind."""
        return self.tables[kind.event]

    def events(self, kind: type[Event]) -> list[Event]:
        """The events of a kind."""
        return [event_of({"event": kind.event, **row}) for row in self.table(kind).to_pylist()]


def read_journal(
    folder: Path,
    coin: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Journal:
    """Read the journal in a folder.

    Parameters
    ----------
    folder : Path
        The journal's: ``user_data/journal``.
    coin : str, optional
        One coin in any spelling, with what is of no coin; None reads all.
    since_ms, until_ms : int, optional
        Bounds of ``time_ms``, both included.

    Raises
    ------
    InputError
        There is no journal in the folder, or the coin is not in it.
    """
    if not any(DayFiles(one, ROWS).days() for one in event_folders(folder)):
        raise InputError(f"There is no journal in {str(folder)!r}: no bot has written there yet.")
    if coin is not None:
        coin = resolve_coin(coin, journal_coins(folder), f"the journal {str(folder)!r}")
    found: dict[str, list[pa.Table]] = {kind.event: [] for kind in EVENTS}
    skipped = Skipped()
    for one in event_folders(folder, coin):
        files = DayFiles(one, ROWS)
        for day in files.days():
            if _may_hold(day, since_ms, until_ms):
                table = _between(files.read([day], skipped), since_ms, until_ms)
                if coin is not None:  # among what is of no coin are names that are none
                    table = table.filter(pc.is_in(table["coin"], pa.array(["", coin])))
                sort_by_kind(table, found, skipped)
    return journal_of(found, skipped)


def journal_of(found: dict[str, list[pa.Table]], skipped: Skipped) -> Journal:
    """Join the tables that `sort_by_kind` has filled."""
    tables = {kind: _joined(kind, parts) for kind, parts in found.items()}
    jumps = [
        event_of({"event": ClockJumped.event, **row}) for row in tables["clock_jump"].to_pylist()
    ]
    notes = JournalNotes(
        tuple(skipped.files),
        skipped.lines,
        skipped.rows,
        tuple(jump for jump in jumps if isinstance(jump, ClockJumped)),
    )
    return Journal(tables, notes)


def _may_hold(day: date, since_ms: int | None, until_ms: int | None) -> bool:
    return (since_ms is None or day >= _day(since_ms) - _EARLIER) and (
        until_ms is None or day <= _day(until_ms) + _LATER
    )


def _day(time_ms: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).date()


def _between(table: pa.Table, since_ms: int | None, until_ms: int | None) -> pa.Table:
    for bound, compare in ((since_ms, pc.greater_equal), (until_ms, pc.less_equal)):
        if bound is not None:
            table = table.filter(compare(table["time_ms"], bound))
    return table


def sort_by_kind(table: pa.Table, found: dict[str, list[pa.Table]], skipped: Skipped) -> None:
    """Add each row to the tables of its kind, without the columns of other kinds."""
    known = 0
    for kind, columns in COLUMNS.items():
        own = table.select(["row", "written_ms", *columns]).filter(pc.equal(table["event"], kind))
        known += own.num_rows
        if not own.num_rows:
            continue
        sound = pc.is_valid(own["coin"])
        for name in NEEDED[kind]:
            sound = pc.and_(sound, pc.is_valid(own[name]))
        good = own.filter(sound)
        skipped.rows += own.num_rows - good.num_rows
        found[kind].append(good)
    skipped.rows += table.num_rows - known


def _joined(kind: str, parts: list[pa.Table]) -> pa.Table:
    columns = {"row": pa.int64(), "written_ms": pa.int64(), **COLUMNS[kind]}
    table = pa.concat_tables([pa.schema(columns).empty_table(), *parts])
    rows = table["row"].to_numpy()
    runs = rows >> RUN_SHIFT
    order = np.arange(len(rows))
    mixed = np.unique(runs) if (np.diff(rows) < 0).any() else ()
    for run in mixed:
        own = np.flatnonzero(runs == run)
        if (np.diff(rows[own]) < 0).any():  # the clock was set back over midnight
            order[own] = own[np.argsort(rows[own])]
    if (np.diff(order) < 0).any():
        table = table.take(pa.array(order))
        runs = runs[order]
    return table.drop_columns(["row"]).append_column("run", pa.array(runs))
