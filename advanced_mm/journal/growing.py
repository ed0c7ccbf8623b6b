"""A journal kept in memory while it is written: what is read again is only what is new."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.day_files import Skipped
from advanced_mm.journal.events import Event
from advanced_mm.journal.follower import JournalFollower
from advanced_mm.journal.reader import (
    Journal,
    compact,
    joined,
    journal_of,
    kinds_of,
    names_in,
    sort_by_kind,
)

__all__ = ["GrowingJournal"]

_MOST_PARTS: Final = 50


class GrowingJournal:
    """One coin's events since a time, as `read_journal` returns them.

    Parameters
    ----------
    folder : Path
        The journal's; it need not exist yet.
    coin : str
        The venue's name of the coin; what is of no coin is kept, too.
    since_ms : int
        Events with an earlier ``time_ms`` are left out.
    columns : mapping, optional
        What is kept, as in `read_journal`.
    """

    def __init__(
        self,
        folder: Path,
        coin: str,
        since_ms: int,
        columns: Mapping[type[Event], Collection[str]] | None = None,
    ) -> None:
        self._coins = pa.array(["", coin])
        self._since_ms = since_ms
        self._skipped = Skipped()
        self._kinds = kinds_of(columns)
        needed = None if columns is None else names_in(self._kinds)
        self._follower = JournalFollower(folder, coin=coin, columns=needed)
        self._found: dict[str, list[pa.Table]] = {kind: [] for kind in self._kinds}

    def read(self) -> Journal:
        """Return all events so far, those written since the last call included."""
        for rows in self._follower.new_parts():
            of_coin = pc.is_in(rows["coin"], self._coins)
            recent = pc.greater_equal(rows["time_ms"], self._since_ms)
            sort_by_kind(
                rows.filter(pc.and_(of_coin, recent)), self._kinds, self._found, self._skipped
            )
            for kind, parts in self._found.items():
                if len(parts) > _MOST_PARTS:  # joining them copies all of them
                    self._found[kind] = [compact(pa.concat_tables(parts), parts)]
        self._skipped.lines = self._follower.unreadable
        tables = {
            kind: joined(self._kinds[kind], list(parts)) for kind, parts in self._found.items()
        }
        return journal_of(tables, self._skipped)
