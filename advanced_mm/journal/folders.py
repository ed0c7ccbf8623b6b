"""The folders of a journal: one for each coin, and one for events of no coin."""

from pathlib import Path
from typing import Final

from advanced_mm.day_files import DAY, LINES
from advanced_mm.instruments import coin_of_folder, folder_of, is_coin_name

__all__ = ["JOURNAL_FOLDER", "event_folder", "event_folders", "journal_coins", "last_written_s"]

JOURNAL_FOLDER: Final = "journal"
"""Name of the journal's folder beside the parameter files."""

_OF_NO_COIN: Final = "_bot"


def event_folder(journal: Path, coin: str) -> Path:
    """Return the folder of a coin's events; invalid coin names share one folder."""
    return journal / (folder_of(coin) if is_coin_name(coin) else _OF_NO_COIN)


def event_folders(journal: Path, coin: str | None = None) -> list[Path]:
    """Return the existing folders: all, or one coin's and that of events of no coin."""
    if not journal.is_dir():
        return []
    wanted = None if coin is None else {folder_of(coin), _OF_NO_COIN}
    return sorted(
        path
        for path in journal.iterdir()
        if path.is_dir() and (path.name in wanted if wanted is not None else _is_ours(path.name))
    )


def journal_coins(journal: Path) -> list[str]:
    """Return the coins that have a folder, sorted."""
    found = (coin_of_folder(path.name) for path in event_folders(journal))
    return sorted(coin for coin in found if coin is not None)


def last_written_s(journal: Path) -> float | None:
    """Return when something was last written to a journal (seconds since the epoch), None if never.

    So it is also None for a folder that is no journal.
    """
    times = [
        path.stat().st_mtime
        for folder in event_folders(journal)
        for path in folder.iterdir()
        if path.suffix in (DAY, LINES) and path.is_file()
    ]
    return max(times, default=None)


def _is_ours(name: str) -> bool:
    return name == _OF_NO_COIN or coin_of_folder(name) is not None
