"""Read a journal: a table for each kind of event, and what could not be read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.day_files import DayFiles, Skipped
from advanced_mm.errors import InputError
from advanced_mm.instruments import resolve_coin
from advanced_mm.journal.events import ClockJumped, Event
from advanced_mm.journal.folders import event_folders, journal_coins
from advanced_mm.journal.rows import COLUMNS, NEEDED, ROWS, RUN_SHIFT, event_of

__all__ = ["Journal", "JournalNotes", "NoJournalError", "damaged_sentence", "read_journal"]

_EARLIER, _LATER = timedelta(days=1), timedelta(days=2)
"""Events are filed under the day they were written, which may differ from the day they happened."""
_MANY: Final = ("order", "fill")
"""Strings that differ from row to row: a dictionary would only take more memory."""
_LISTED: Final = pa.dictionary(pa.int32(), pa.string())


class NoJournalError(InputError):
    """Nobody has written a journal in the folder yet."""


@dataclass(frozen=True)
class JournalNotes:
    """What was left out when a journal was read.

    Attributes
    ----------
    damaged
        Day files that cannot be read, each with the reason; the others were read all the same.
    lines, rows
        How many were left out: lines cut short by a crash, rows that lack what their kind needs.
    clock_jumps
        Where a writer's clock was set; events keep the order in which they were recorded.
    """

    damaged: tuple[str, ...] = ()
    lines: int = 0
    rows: int = 0
    clock_jumps: tuple[ClockJumped, ...] = ()

    def sentences(self) -> list[str]:
        """Return what a person should know, one sentence each."""
        told = [damaged_sentence(one) for one in self.damaged]
        if self.lines:
            were = "line that was" if self.lines == 1 else "lines that were"
            told.append(f"Left out {self.lines} {were} cut short.")
        if self.rows:
            rows = "row that lacks" if self.rows == 1 else "rows that lack"
            told.append(f"Left out {self.rows} {rows} what an event needs.")
        for jump in self.clock_jumps:
            at = datetime.fromtimestamp(jump.time_ms / 1000, UTC)
            told.append(
                f"The clock of {jump.bot} jumped by {jump.seconds:+.1f} s to {at:%F %T} UTC; "
                "events are in the order in which they were recorded."
            )
        return told


def damaged_sentence(file: str) -> str:
    """Return what is reported of a day file that cannot be read."""
    return f"Skipped a damaged day file: {file}."


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
    columns: Mapping[type[Event], Collection[str]] | None = None,
) -> Journal:
    """Read the journal in a folder.

    Parameters
    ----------
    folder : Path
        The journal's: ``user_data/journal``.
    coin : str, optional
        One coin in any spelling, with the events of no coin; None reads all.
    since_ms, until_ms : int, optional
        Bounds of ``time_ms``, both included.
    columns : mapping, optional
        The kinds of events to read and the columns of each, besides those that all events have.
        The other kinds are left out. Strings come dictionary-encoded, except the names of orders
        and fills. This takes far less memory; None reads everything.

    Raises
    ------
    NoJournalError
        There is no journal in the folder.
    NewerVersionError
        It is of a later version of this program.
    InputError
        The coin is not in it.
    """
    if not any(DayFiles(one, ROWS).days() for one in event_folders(folder)):
        raise NoJournalError(
            f"There is no journal in {str(folder)!r}: no bot has written there yet. A "
            "paper session keeps its own, user_data/paper/<time>/journal."
        )
    if coin is not None:
        coin = resolve_coin(coin, journal_coins(folder), f"the journal {str(folder)!r}")
    kinds = kinds_of(columns)
    needed = None if columns is None else names_in(kinds)
    found: dict[str, list[pa.Table]] = {kind: [] for kind in kinds}
    skipped = Skipped()
    for one in event_folders(folder, coin):
        files = DayFiles(one, ROWS)
        for day in files.days():
            if _may_hold(day, since_ms, until_ms):
                table = _between(files.read([day], skipped, needed), since_ms, until_ms)
                if coin is not None:  # the folder for events of no coin also has odd names
                    table = table.filter(pc.is_in(table["coin"], pa.array(["", coin])))
                sort_by_kind(table, kinds, found, skipped)
    small = columns is not None  # the copies of whole events would cost more than they free
    tables = {kind: joined(kinds[kind], found.pop(kind), small=small) for kind in kinds}
    pa.default_memory_pool().release_unused()
    return journal_of(tables, skipped)


def journal_of(tables: Mapping[str, pa.Table], skipped: Skipped) -> Journal:
    """Return the journal of tables by kind; `ClockJumped` is one of them."""
    jumps = [
        event_of({"event": ClockJumped.event, **row})
        for row in tables[ClockJumped.event].to_pylist()
    ]
    notes = JournalNotes(
        tuple(skipped.files),
        skipped.lines,
        skipped.rows,
        tuple(jump for jump in jumps if isinstance(jump, ClockJumped)),
    )
    return Journal(tables, notes)


def names_in(kinds: Mapping[str, pa.Schema]) -> set[str]:
    """Return the columns that some kinds of events have together."""
    return {name for one in kinds.values() for name in one.names}


def kinds_of(columns: Mapping[type[Event], Collection[str]] | None) -> dict[str, pa.Schema]:
    """Return the columns to keep of each kind of event, and their types."""
    always = {"row": pa.int64(), "written_ms": pa.int64()}
    if columns is None:
        return {kind: pa.schema(always | all_of) for kind, all_of in COLUMNS.items()}
    wanted: dict[str, set[str]] = {kind.event: {*names} for kind, names in columns.items()}
    wanted[ClockJumped.event] = {"seconds"}
    return {
        kind: pa.schema(
            {"row": pa.int64()}
            | {
                name: _LISTED if one == pa.string() and name not in _MANY else one
                for name, one in COLUMNS[kind].items()
                if name in ("time_ms", "coin", "bot") or name in names
            }
        )
        for kind, names in wanted.items()
    }


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


def sort_by_kind(
    table: pa.Table,
    kinds: Mapping[str, pa.Schema],
    found: dict[str, list[pa.Table]],
    skipped: Skipped,
) -> None:
    """Add each row to the tables of its kind, without the columns of other kinds."""
    known = 0
    for kind in COLUMNS:
        chosen = pc.equal(table["event"], kind)
        count = pc.sum(chosen).as_py() or 0
        known += count
        if not count or kind not in kinds:
            continue
        schema = kinds[kind]
        sound = chosen
        for name in NEEDED[kind]:
            if name in schema.names:
                number = COLUMNS[kind][name] == pa.float64()
                check = pc.is_finite if number else pc.is_valid
                sound = pc.and_(sound, check(table[name]))
        good = table.select(schema.names).filter(sound)
        skipped.rows += count - good.num_rows
        found[kind].append(_encoded(good, schema))
    skipped.rows += table.num_rows - known


def _encoded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    for place, one in enumerate(schema):
        if one.type == _LISTED:
            table = table.set_column(place, one, table[one.name].dictionary_encode())
    return table


def compact(table: pa.Table, parts: list[pa.Table]) -> pa.Table:
    """Copy each column into one piece of memory and free ``parts``; small pieces waste a lot."""
    parts.clear()
    names, columns = table.column_names, []
    for name in names:
        column = table[name]
        table = table.drop_columns([name])
        columns.append(column.unify_dictionaries().combine_chunks())
        del column
    return pa.table(columns, names=names)


def joined(schema: pa.Schema, parts: list[pa.Table], *, small: bool = True) -> pa.Table:
    """Return the rows of one kind in order; ``small`` copies them into few pieces of memory."""
    table = pa.concat_tables([schema.empty_table(), *parts])
    if small:
        table = compact(table, parts)
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
