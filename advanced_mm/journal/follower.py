"""Follow a journal while it is written, for screens and audits."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa

from advanced_mm.day_files import LINES, DayFiles, Skipped
from advanced_mm.journal.events import Event
from advanced_mm.journal.folders import event_folders
from advanced_mm.journal.rows import NEEDED, ROWS, RUN_SHIFT, event_of

__all__ = ["JournalFollower"]

_NEWEST_DAYS: Final = 2
"""Of each coin, looked at: today and, just after midnight, yesterday."""


@dataclass
class _Place:
    """How far a day's lines have been read: which file, and the bytes of it."""

    inode: int = 0
    offset: int = 0


@dataclass
class JournalFollower:
    """Tells each event once, soon after it was written.

    ``bot`` and ``coin`` restrict it to one of each. Events that were there before are told, too,
    as far as they are of the newest two days.
    """

    journal: Path
    bot: str | None = None
    coin: str | None = None
    unreadable: int = 0
    _places: dict[Path, _Place] = field(default_factory=dict)
    _told: dict[tuple[Path, int], int] = field(default_factory=dict)

    def news(self) -> list[Event]:
        """Return what was written since the last call; of each coin in the order of its writing."""
        found: list[Event] = []
        for folder in event_folders(self.journal, self.coin):
            files = DayFiles(folder, ROWS)
            for day in files.days()[-_NEWEST_DAYS:]:
                found += self._of_day(files, day)
        return found

    def _of_day(self, files: DayFiles, day: date) -> list[Event]:
        path = files.path(day, LINES)
        place = self._places.setdefault(path, _Place())
        try:
            with path.open("rb") as stream:
                inode = path.stat().st_ino
                whole = place.inode != inode
                stream.seek(0 if whole else place.offset)
                text = stream.read()
        except FileNotFoundError:
            inode, text, whole = -1, b"", place.inode != -1
        ended = text[: text.rfind(b"\n") + 1]
        skipped = Skipped()
        if whole:  # merged meanwhile: what was not told may be in the day's file
            table = files.read([day], skipped)
            place.inode, place.offset = inode, len(ended)
        else:
            table, skipped.lines = files.decoded(ended.splitlines())
            place.offset += len(ended)
        self.unreadable += skipped.lines + skipped.rows
        return self._new(files.folder, table)

    def _new(self, folder: Path, table: pa.Table) -> list[Event]:
        found: list[Event] = []
        for row in table.to_pylist():
            number = row["row"]
            if number is None or number <= self._told.get((folder, number >> RUN_SHIFT), -1):
                continue
            self._told[folder, number >> RUN_SHIFT] = number
            if self.bot is not None and row["bot"] != self.bot:
                continue
            try:
                if any(row[name] is None for name in NEEDED[row["event"]]):
                    raise KeyError(row["event"])
                found.append(event_of(row))
            except KeyError:
                self.unreadable += 1
        return found
