"""Follow a journal while it is written, for screens and audits."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.day_files import DAY, LINES, DayFiles, Skipped
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.free_memory import give_back_memory
from advanced_mm.journal.events import Event
from advanced_mm.journal.folders import event_folders
from advanced_mm.journal.rows import NEEDED, ROWS, RUN_SHIFT, event_of

__all__ = ["JournalFollower"]

logger = logging.getLogger(__name__)

_NEWEST_DAYS: Final = 2
"""Of each coin, looked at: today and, just after midnight, yesterday."""

_NONE: Final = ROWS.schema.empty_table()
"""Made once: with so many columns that takes longer than a look that finds nothing."""


@dataclass
class _Place:
    """How far a day has been read: which merged file, which lines, and the bytes of those.

    Of the merged file also how many rows; their number stays when more are merged into it.
    """

    merged: tuple[int, int] | None = None
    rows: int = 0
    head: bytes = b""
    offset: int = 0


@dataclass
class JournalFollower:
    """Returns each event once, soon after it was written.

    ``bot`` and ``coin`` restrict it to one of each, ``columns`` to those and the ones that every
    event needs. Events from before it started are included if they are of the newest two days.
    """

    journal: Path
    bot: str | None = None
    coin: str | None = None
    columns: Collection[str] | None = None
    unreadable: int = 0
    _places: dict[Path, _Place] = field(default_factory=dict)
    _told: dict[tuple[Path, int], int] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._none = _NONE.select(DayFiles(self.journal, ROWS).schema_of(self.columns).names)

    def news(self) -> list[Event]:
        """Return what was written since the last call; of each coin in the order of its writing."""
        found: list[Event] = []
        for row in self.new_rows().to_pylist():
            try:
                if any(row[name] is None for name in NEEDED[row["event"]]):
                    raise KeyError(row["event"])
                found.append(event_of(row))
            except KeyError:
                self.unreadable += 1
        return found

    def new_rows(self) -> pa.Table:
        """Return the same as rows in the columns of `ROWS`, those that are not events included."""
        new = list(self.new_parts())
        return pa.concat_tables(new) if new else self._none

    def new_parts(self) -> Iterator[pa.Table]:
        """Yield the rows of `new_rows` bit by bit: of a journal of days there are very many."""
        for folder in event_folders(self.journal, self.coin):
            files = DayFiles(folder, ROWS)
            for day in files.days()[-_NEWEST_DAYS:]:
                for table in self._of_day(files, day):
                    new = self._new(folder, table)
                    if new.num_rows:
                        yield new

    def _of_day(self, files: DayFiles, day: date) -> Iterator[pa.Table]:
        place = self._places.setdefault(files.path(day, LINES), _Place())
        merged = _signature(files.path(day, DAY))
        # The lines first: what a merge takes from them meanwhile is then in the file.
        head, text = _rest(files.path(day, LINES), place.offset)
        skipped = Skipped()
        if merged != place.merged or head != place.head:
            head, text = _rest(files.path(day, LINES), 0)
            yield from self._merged(files, day, place, skipped)
            give_back_memory()
            place.merged, place.head, place.offset = merged, head, 0
        if text:
            place.offset += len(text)
            lines = text.splitlines()
            table = self._known(lambda: files.decoded(lines, files.path(day, LINES), skipped))
            yield table.select(self._none.column_names)
        self.unreadable += skipped.lines + skipped.rows

    def _merged(
        self, files: DayFiles, day: date, place: _Place, skipped: Skipped
    ) -> Iterator[pa.Table]:
        """Yield what was merged since the last time; all of a file that has become shorter."""
        if files.merged_rows(day) < place.rows:
            place.rows = 0
        try:
            for end, table in files.pieces(day, place.rows, skipped, self.columns):
                yield table
                place.rows = end
        except NewerVersionError as error:
            self._refuse(error)

    def _known(self, read: Callable[[], pa.Table]) -> pa.Table:
        """Return what is read, nothing where it is of a later version of this program."""
        try:
            return read()
        except NewerVersionError as error:
            self._refuse(error)
            return _NONE

    def _refuse(self, error: NewerVersionError) -> None:
        self.unreadable += 1
        if str(error) not in self._refused:
            self._refused.add(str(error))
            logger.warning("%s", error)

    def _new(self, folder: Path, table: pa.Table) -> pa.Table:
        """Leave out what was told before, or is another bot's; a row without a number is neither.

        After a merge that is nearly all of a day, so that no row is looked at alone.
        """
        table = table.filter(pc.is_valid(table["row"]))
        rows = table["row"].to_numpy()
        runs = rows >> RUN_SHIFT
        new = np.zeros(len(rows), dtype=bool)
        for run in np.unique(runs).tolist():
            own = np.flatnonzero(runs == run)
            told = self._told.get((folder, run), -1)
            highest = np.maximum.accumulate(np.append(told, rows[own]))
            new[own] = rows[own] > highest[:-1]
            self._told[folder, run] = int(highest[-1])
        if self.bot is not None:
            new &= pc.fill_null(pc.equal(table["bot"], self.bot), False).to_numpy(
                zero_copy_only=False
            )
        return table if new.all() else table.filter(pa.array(new))


def _signature(path: Path) -> tuple[int, int] | None:
    """Return values that differ between two files that were at a path one after the other."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _rest(path: Path, offset: int) -> tuple[bytes, bytes]:
    """Return the first line, which identifies the file, and all whole lines from an offset on."""
    try:
        with path.open("rb") as stream:
            head = stream.readline()
            stream.seek(offset)
            text = stream.read()
    except FileNotFoundError:
        return b"", b""
    return head, text[: text.rfind(b"\n") + 1]
