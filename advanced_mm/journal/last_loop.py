"""When a bot's loop last told its journal something: it does each minute, whatever it quotes."""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from advanced_mm.day_files import DayFiles, Skipped
from advanced_mm.journal.events import AccountMarked
from advanced_mm.journal.folders import event_folder
from advanced_mm.journal.rows import ROWS

__all__ = ["last_loop_ms"]

_COLUMNS: Final = ("event", "bot", "written_ms")
_NEWEST_DAYS: Final = 2
"""Today and, just after midnight, yesterday."""


def last_loop_ms(journal: Path, bot: str) -> int | None:
    """Return when a bot's loop last recorded where its account stands, epoch milliseconds.

    None if it has not for days. What else is in the journal does not count: it may come from
    another bot, or from another thread.

    Raises
    ------
    NewerVersionError
        The journal is of a later version of this program.
    """
    files = DayFiles(event_folder(journal, coin=""), ROWS)
    for day in reversed(files.days()[-_NEWEST_DAYS:]):
        rows: pa.Table = files.read([day], Skipped(), _COLUMNS)
        own = pc.and_(pc.equal(rows["event"], AccountMarked.event), pc.equal(rows["bot"], bot))
        newest = pc.max(rows.filter(own)["written_ms"]).as_py()
        if newest is not None:
            return int(newest)
    return None
