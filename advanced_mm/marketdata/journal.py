"""Journal of a coin's newest shards, which saves readers from listing folders that grow all day.

The recorder appends each shard's name to ``<COIN>/journal/<hour>.txt`` once the shard is in place;
the hour, counted from the epoch, is that of the time in the name. A note may follow the name after
a space (see `book_notes`). A reader remembers its position. If the journal is incomplete (it is
missing, one of its files is gone, or the recorder says so), the reader lists the folders instead,
which is slower but always correct. Recordings made by other tools have no journal.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Announcement", "JournalReader", "ShardJournal"]

logger = logging.getLogger(__name__)

_FOLDER: Final = "journal"
_SUFFIX: Final = ".txt"
_HOUR_MS: Final = 3_600_000
_HOURS_KEPT: Final = 2
_LIST_AGAIN: Final = "*"


class Announcement(NamedTuple):
    """A shard's name and the recorder's note on it, empty if there is none."""

    name: str
    note: str


class ShardJournal:
    """Writer of one coin's journal. Several recorders may append to it.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder, which must exist before the first `announce`.
    """

    def __init__(self, coin_folder: Path) -> None:
        self._folder = coin_folder / _FOLDER
        self._hour = -1
        self._missed = False

    def announce(self, name: str, name_ms: int, note: str = "") -> None:
        """Announce a finished shard; if the journal cannot be written, log a warning."""
        hour, line = name_ms // _HOUR_MS, f"{name} {note}" if note else name
        try:
            self._append(hour, f"{_LIST_AGAIN}\n{line}" if self._missed else line)
            if hour > self._hour:
                self._hour = hour
                self._forget_before(hour - _HOURS_KEPT)
        except OSError as error:
            if not self._missed:
                logger.warning("%s cannot be written: %s", self._folder, error)
            self._missed = True
        else:
            self._missed = False

    def ask_to_list(self) -> None:
        """Make readers list the folders, since shards came or went unannounced.

        Does nothing if there is no journal.

        Raises
        ------
        OSError
            If the journal cannot be written. The next `announce` asks them then.
        """
        hours = [hour for hour, _ in _hours(self._folder)]
        if hours:
            missed, self._missed = self._missed, True
            self._append(max(hours), _LIST_AGAIN)
            self._missed = missed

    def _append(self, hour: int, line: str) -> None:
        self._folder.mkdir(exist_ok=True)
        with (self._folder / f"{hour}{_SUFFIX}").open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())

    def _forget_before(self, hour: int) -> None:
        for old, entry in list(_hours(self._folder)):
            if old < hour:
                Path(entry.path).unlink(missing_ok=True)


class JournalReader:
    """Reader of one coin's journal, which remembers its position.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder; it need not exist.
    """

    def __init__(self, coin_folder: Path) -> None:
        self._folder = coin_folder / _FOLDER
        self._places: dict[int, int] = {}

    def announced(self) -> list[Announcement] | None:
        """Return what was announced since the last call, None if the folders must be listed.

        List the folders after this call: later announcements are returned by the next one.
        """
        try:
            sizes = {hour: entry.stat().st_size for hour, entry in _hours(self._folder)}
        except FileNotFoundError:  # deleted between scandir and stat
            sizes = {}
        places, self._places = self._places, sizes
        if not sizes or any(sizes.get(hour, -1) < place for hour, place in places.items()):
            return None
        if not places:
            return None
        found: list[str] = []
        for hour, size in sorted(sizes.items()):
            place = places.get(hour, 0)
            if size > place:
                lines = self._lines(hour, place)
                if lines is None:
                    return None
                found += lines
        if _LIST_AGAIN in found:
            return None
        return [Announcement(name, note) for name, _, note in (f.partition(" ") for f in found)]

    def _lines(self, hour: int, place: int) -> list[str] | None:
        """Read the complete lines from a position on and advance the position past them."""
        try:
            with (self._folder / f"{hour}{_SUFFIX}").open("rb") as file:
                file.seek(place)
                text = file.read()
        except FileNotFoundError:
            return None
        whole = text[: text.rfind(b"\n") + 1]
        self._places[hour] = place + len(whole)
        return whole.decode().splitlines()


def _hours(folder: Path) -> Iterator[tuple[int, "os.DirEntry[str]"]]:
    """Yield the journal's files and their hours."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                hour = entry.name.removesuffix(_SUFFIX)
                if hour != entry.name and hour.isdecimal():
                    yield int(hour), entry
    except FileNotFoundError:
        return
