"""What an earlier dry run has left, whose account is no more."""

from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.journal import event_folders, last_written_s

__all__ = ["set_aside"]


def set_aside(journal: Path) -> Path | None:
    """Make room in a journal's folder for a dry run, which begins with a new account.

    Its fills would not explain the position if those of another account stood before them. The
    earlier run's events go to the folder ``earlier`` beside the journal's, where they can still be
    reported on.

    Returns
    -------
    Path or None
        The folder of the earlier run's journal; None: there was none.
    """
    for kept in journal.glob("hedge.*.json"):
        kept.unlink()
    written = last_written_s(journal)
    if written is None:
        return None
    stamp = datetime.fromtimestamp(written, UTC).strftime("%Y%m%dT%H%M%SZ")
    there = journal.parent / "earlier" / f"{journal.name}.{stamp}"
    there.mkdir(parents=True, exist_ok=True)
    for folder in event_folders(journal):
        folder.rename(there / folder.name)
    return there
