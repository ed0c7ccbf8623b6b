"""Following one coin's shards: what has arrived since the last look."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from advanced_mm.coin_folders import has_been_renamed
from advanced_mm.marketdata.book_notes import shard_of_note
from advanced_mm.marketdata.journal import JournalReader
from advanced_mm.marketdata.listing import ShardFile, shard_files, shard_time_ms
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.shards import Shard

__all__ = ["CLOCK_MARGIN_MS", "NamedShard", "ShardTail", "Shards"]

CLOCK_MARGIN_MS: Final = 120_000
"""Rows may be this much newer than their file's name (clocks of older recorders)."""
_FORGET_EVERY_MS: Final = 300_000
_SHARDS_A_PART: Final = 60


class NamedShard(NamedTuple):
    """A parsed shard and the time in its file's name (ms)."""

    name_ms: int
    shard: Shard


class Shards(NamedTuple):
    """Parsed shards by kind, in order of arrival, and the files that could not be read."""

    by_kind: dict[str, list[NamedShard]]
    skipped: list[ShardFile]

    @property
    def every(self) -> list[NamedShard]:
        """All shards, kind by kind."""
        return [named for shards in self.by_kind.values() for named in shards]


class ShardTail:
    """Follows one coin's shards; created by `ShardStore.tail`.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder.
    read : callable
        Parses files of a kind; returns None for each that cannot be used.
    """

    def __init__(
        self,
        coin_folder: Path,
        read: Callable[[str, Sequence[ShardFile]], list[Shard | None]],
    ) -> None:
        self._folder = coin_folder
        self._read = read
        self._journal = JournalReader(coin_folder)
        self._known: dict[str, set[int]] = {kind: set() for kind in DATA_KINDS}
        self._low_ms = self._forgotten_ms = 0
        self._from_notes: dict[str, Shard] = {}  # by path: files that need not be opened this time
        self.oldest_file_ms = sys.maxsize
        """Time in the name of the oldest file at the start, read or not."""

    def start(self, low_ms: int) -> Iterator[Shards]:
        """Read the shards named at ``low_ms`` or later and follow from there.

        They are returned in parts, in order of arrival, so that the caller need not hold all of
        them at once.
        """
        self._journal.announced()  # later announcements are new; existing files are listed below
        self._low_ms = low_ms
        self.oldest_file_ms = sys.maxsize
        found: dict[str, list[ShardFile]] = {}
        for kind in DATA_KINDS:
            listed = shard_files(self._folder, kind)
            found[kind] = [file for file in listed if file.name_ms >= low_ms]
            self._known[kind] = {file.name_ms for file in found[kind]}
            self.oldest_file_ms = min([self.oldest_file_ms, *(file.name_ms for file in listed[:1])])
        for first in range(0, max(map(len, found.values())), _SHARDS_A_PART):
            part = slice(first, first + _SHARDS_A_PART)
            yield self._parsed({kind: files[part] for kind, files in found.items()})

    def newer(self) -> Shards | None:
        """Read the shards that have arrived since the last call.

        Returns
        -------
        Shards or None
            None if one of them belongs between those already read (a second recorder, files copied
            in by hand) or a recorder has renamed the coin's folder; call `start` again then.
        """
        if has_been_renamed(self._folder):
            return None
        appeared = self._appeared()
        if any(
            files and self._known[kind] and files[0].name_ms < max(self._known[kind])
            for kind, files in appeared.items()
        ):
            return None
        for kind, files in appeared.items():
            self._known[kind].update(file.name_ms for file in files)
        return self._parsed(appeared)

    def forget_before(self, low_ms: int) -> None:
        """Stop looking for names before ``low_ms`` and occasionally free the known ones."""
        self._low_ms = low_ms
        if low_ms - self._forgotten_ms > _FORGET_EVERY_MS:
            self._forgotten_ms = low_ms
            for kind, names in self._known.items():
                self._known[kind] = {name_ms for name_ms in names if name_ms >= low_ms}

    def _appeared(self) -> dict[str, list[ShardFile]]:
        """Return the files at ``low_ms`` or later that are not known yet, in order, by kind."""
        announced = self._announced()
        found = {
            kind: shard_files(self._folder, kind, self._low_ms)
            if announced is None
            else announced[kind]
            for kind in DATA_KINDS
        }
        return {
            kind: sorted({file for file in files if file.name_ms not in self._known[kind]})
            for kind, files in found.items()
        }

    def _announced(self) -> dict[str, list[ShardFile]] | None:
        """Return the files named by the journal, None if it is incomplete."""
        self._from_notes = {}
        announced = self._journal.announced()
        if announced is None:
            return None
        files: dict[str, list[ShardFile]] = {kind: [] for kind in DATA_KINDS}
        for name, note in announced:
            kind = name.partition("_")[0]
            name_ms = shard_time_ms(name, kind)
            if kind not in files or name_ms is None:
                return None  # a damaged line
            path = f"{self._folder}/{kind}/{name}"
            if note:
                shard = shard_of_note(note)
                if shard is None:
                    return None
                self._from_notes[path] = shard
            if name_ms >= self._low_ms:
                files[kind].append(ShardFile(name_ms, path))
        return files

    def _parsed(self, files: Mapping[str, Sequence[ShardFile]]) -> Shards:
        shards = Shards({kind: [] for kind in DATA_KINDS}, [])
        for kind, group in files.items():
            unread = [file for file in group if file.path not in self._from_notes]
            read = dict(zip(unread, self._read(kind, unread), strict=True))
            for file in group:
                shard = self._from_notes.get(file.path) or read[file]
                if shard is not None:
                    shards.by_kind[kind].append(NamedShard(file.name_ms, shard))
                elif Path(file.path).exists():  # else merged into a later shard
                    shards.skipped.append(file)
        return shards
