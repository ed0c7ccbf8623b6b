"""One coin's shards as they come: what was not there at the last look."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from advanced_mm.marketdata.journal import JournalReader
from advanced_mm.marketdata.listing import ShardFile, shard_files, shard_time_ms
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.shards import Shard

__all__ = ["CLOCK_MARGIN_MS", "NamedShard", "ShardTail", "Shards"]

CLOCK_MARGIN_MS: Final = 120_000
"""Rows may be this much newer than their file's name (clocks of older recorders)."""


class NamedShard(NamedTuple):
    """A parsed shard and the time in its file's name (ms)."""

    name_ms: int
    shard: Shard


class Shards(NamedTuple):
    """Parsed shards by kind, each in order of arrival, and the files that could not be read."""

    by_kind: dict[str, list[NamedShard]]
    skipped: list[ShardFile]

    @property
    def every(self) -> list[NamedShard]:
        """All of them, kind by kind."""
        return [named for shards in self.by_kind.values() for named in shards]


class ShardTail:
    """Follows one coin's shards; made by `ShardStore.tail`.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder.
    read : callable
        Parses one file of a kind; None where it cannot be used.
    """

    def __init__(self, coin_folder: Path, read: Callable[[str, ShardFile], Shard | None]) -> None:
        self._folder = coin_folder
        self._read = read
        self._journal = JournalReader(coin_folder)
        self._known: dict[str, set[ShardFile]] = {}
        self._low_ms = 0
        self.older_files = False
        """Whether there were files before the ones read at the start."""

    def start(self, low_ms: int) -> Shards:
        """Read the shards whose names are at ``low_ms`` or later and follow from there."""
        self._journal.names()  # what is announced from here on is new; what stands is listed
        self._low_ms = low_ms
        listed = {kind: shard_files(self._folder, kind) for kind in DATA_KINDS}
        self._known = {
            kind: {file for file in files if file.name_ms >= low_ms}
            for kind, files in listed.items()
        }
        self.older_files = any(len(listed[kind]) > len(self._known[kind]) for kind in DATA_KINDS)
        return self._parsed({kind: sorted(files) for kind, files in self._known.items()})

    def newer(self) -> Shards | None:
        """Read the shards that came since the last look.

        Returns
        -------
        Shards or None
            None where one of them belongs between those already read (a second recorder, files
            copied in by hand): start again.
        """
        appeared = self._appeared()
        if any(
            files and self._known[kind] and files[0] < max(self._known[kind])
            for kind, files in appeared.items()
        ):
            return None
        for kind, files in appeared.items():
            self._known[kind].update(files)
        return self._parsed(appeared)

    def forget_before(self, low_ms: int) -> None:
        """Stop remembering the names before ``low_ms``, which are not looked for any more."""
        self._low_ms = low_ms
        for kind, files in self._known.items():
            if any(file.name_ms < low_ms for file in files):
                self._known[kind] = {file for file in files if file.name_ms >= low_ms}

    def _appeared(self) -> dict[str, list[ShardFile]]:
        """Files at ``low_ms`` or later that are not known yet, in order, by kind."""
        announced = self._announced()
        found = {
            kind: shard_files(self._folder, kind, self._low_ms)
            if announced is None
            else announced[kind]
            for kind in DATA_KINDS
        }
        return {kind: sorted(set(files) - self._known[kind]) for kind, files in found.items()}

    def _announced(self) -> dict[str, list[ShardFile]] | None:
        """Return what the journal names, None where it does not tell everything."""
        names = self._journal.names()
        if names is None:
            return None
        files: dict[str, list[ShardFile]] = {kind: [] for kind in DATA_KINDS}
        for name in names:
            kind = name.partition("_")[0]
            name_ms = shard_time_ms(name, kind)
            if kind not in files or name_ms is None:
                return None  # a torn line
            if name_ms >= self._low_ms:
                files[kind].append(ShardFile(name_ms, f"{self._folder}/{kind}/{name}"))
        return files

    def _parsed(self, files: Mapping[str, Sequence[ShardFile]]) -> Shards:
        shards = Shards({kind: [] for kind in DATA_KINDS}, [])
        for kind, group in files.items():
            for file in group:
                shard = self._read(kind, file)
                if shard is None:
                    shards.skipped.append(file)
                else:
                    shards.by_kind[kind].append(NamedShard(file.name_ms, shard))
        return shards
