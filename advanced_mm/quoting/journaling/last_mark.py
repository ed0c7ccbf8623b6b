"""Where the guards of an account stood when a bot was last running."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from advanced_mm.journal import AccountMarked, NoJournalError, read_journal
from advanced_mm.quoting.guards import AccountMark

__all__ = ["last_mark"]

_SINCE: Final = timedelta(days=7)


def last_mark(folder: Path, bot: str, now: datetime) -> AccountMark | None:
    """Return the bot's newest mark in a journal; None if there is none of the last week.

    Raises
    ------
    NewerVersionError
        The journal is of a later version of this program: what was lost today is not known.
    """
    since_ms = round((now - _SINCE).timestamp() * 1000)
    fields = ("profit", "peak", "day_start", "paused_ms")
    try:
        journal = read_journal(folder, since_ms=since_ms, columns={AccountMarked: fields})
    except NoJournalError:  # the first run
        return None
    own = [one for one in journal.table(AccountMarked).to_pylist() if one["bot"] == bot]
    if not own:
        return None
    newest = max(own, key=lambda one: int(one["time_ms"]))
    return AccountMark(
        _utc(newest["time_ms"]),
        newest["profit"],
        newest["peak"],
        newest["day_start"],
        None if newest["paused_ms"] is None else _utc(newest["paused_ms"]),
    )


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
