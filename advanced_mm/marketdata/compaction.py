"""Merging of small shards: a recorder writes 17 000 files per day and kind.

Rows, their order and their columns do not change. Consecutive shards of the same UTC hour (or day)
and schema become one file under the last one's name, which readers look for (see `listing`). Each
step can be interrupted:

1. the merged file is written under a temporary name, synced to disk, read back and compared row by
   row with the originals;
2. a list of the originals is written beside it;
3. the merged file replaces the last original, the other originals are deleted, then the list.

A run that finds such a list first finishes the merge it describes. Between the replacement and the
deletions a reader may see rows twice: duplicate trades are dropped by their id, and a duplicate
quote or snapshot does not change any estimate.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.marketdata.durable import sync_folder
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import KINDS

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "Compaction",
    "compact_coin",
    "compaction_lock",
    "finish_merges",
    "is_merging",
]

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

_LIST_NAME: Final = ".merged.json"
_TEMPORARY_NAME: Final = ".merged.parquet.tmp"
_ROWS_A_GROUP: Final = 20_000
_FEWEST: Final = 2
_KEPT_BYTES: Final = 64_000_000
"""Tables up to this size are kept between the passes of a merge; larger ones are read again."""


@dataclass(frozen=True)
class Compaction:
    """Result for one coin: files and bytes before and after, rows merged, files skipped.

    ``merged`` counts the files that became part of another. ``unreadable`` lists shards that could
    not be read; they are left untouched.
    """

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0
    merged: int = 0
    unreadable: tuple[str, ...] = ()

    def __add__(self, other: "Compaction") -> "Compaction":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Compaction(*(a + b for a, b in pairs))


def compact_coin(
    coin_folder: Path, before_ms: int, span_ms: int = DAY_MS, kinds: Sequence[str] = KINDS
) -> Compaction:
    """Merge a coin's shards that are named before a given time.

    Parameters
    ----------
    coin_folder : Path
        ``<data_dir>/<COIN>``.
    before_ms : int
        Shards named at this time (ms) or later are left untouched.
    span_ms : int
        Length of time (ms, counted from the epoch) that goes into one file: `HOUR_MS` or `DAY_MS`.
    kinds : sequence of str
        Kinds whose shards are merged.

    Raises
    ------
    InputError
        If another compaction of the coin is running, the disk cannot be written, or a merged file
        differs from its originals, all of which are kept then.
    """
    total = Compaction()
    try:
        with compaction_lock(coin_folder):
            for kind in kinds:
                _finish(coin_folder / kind)
                total += _compact_kind(coin_folder, kind, before_ms, span_ms)
            if total.files_after < total.files_before:
                ShardJournal(coin_folder).ask_to_list()
    except OSError as error:
        raise InputError(
            f"shards in {str(coin_folder)!r} cannot be merged ({error.strerror or error}): "
            "free disk space or fix the permissions; nothing was lost"
        ) from error
    return total


def finish_merges(coin_folder: Path) -> None:
    """Finish the interrupted merges of a coin, unless a compaction is running that will do so.

    Raises
    ------
    OSError
        If the disk cannot be written.
    """
    with contextlib.suppress(InputError), compaction_lock(coin_folder):
        for kind in KINDS:
            _finish(coin_folder / kind)


def is_merging(folder: Path) -> bool:
    """Return whether shards of a kind's folder are being replaced by the file they merge into."""
    return (folder / _LIST_NAME).exists()


def _compact_kind(coin_folder: Path, kind: str, before_ms: int, span_ms: int) -> Compaction:
    files = [file for file in shard_files(coin_folder, kind) if file.name_ms < before_ms]
    total = Compaction(len(files), len(files))
    for _, group in groupby(files, key=lambda file: file.name_ms // span_ms):
        members = list(group)
        if len(members) >= _FEWEST:  # most hours of a long recording are one file already
            total += _compact_span(coin_folder / kind, members)
    return total


def _compact_span(folder: Path, files: Sequence[ShardFile]) -> Compaction:
    """Merge the shards of one hour or day: consecutive ones with the same columns and metadata."""
    tables = _Tables()
    schemas: dict[bytes, pa.Schema] = {}
    unreadable: list[str] = []

    def alike(file: ShardFile) -> bytes:
        try:
            schema = tables.read(file).schema
        except InputError:
            unreadable.append(file.path)
            return b""
        key: bytes = schema.serialize().to_pybytes()
        schemas[key] = schema
        return key

    groups = [(key, list(group)) for key, group in groupby(files, key=alike)]
    total = Compaction(unreadable=tuple(unreadable))
    for key, members in groups:
        if key and len(members) >= _FEWEST:
            total += _merge(folder, schemas[key], members, tables)
    return total


def _merge(
    folder: Path, schema: pa.Schema, members: Sequence[ShardFile], tables: "_Tables"
) -> Compaction:
    temporary = folder / _TEMPORARY_NAME
    size = sum(Path(file.path).stat().st_size for file in members)
    try:
        rows = _write(temporary, schema, members, tables)
        _compare(temporary, schema, members, tables)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)  # after a power failure the list must not be there without the merged file
    _write_list(folder, [Path(file.path).name for file in members])
    _finish(folder)
    merged = Path(members[-1].path)
    return Compaction(
        files_after=1 - len(members),
        bytes_before=size,
        bytes_after=merged.stat().st_size,
        rows=rows,
        merged=len(members),
    )


def _write(path: Path, schema: pa.Schema, members: Sequence[ShardFile], tables: "_Tables") -> int:
    rows = 0
    strings = [field.name for field in schema if pa.types.is_string(field.type)]
    times = [name for name in schema.names if name == "exchange_timestamp"]
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file, schema, compression="zstd", use_dictionary=strings, write_statistics=times
        ) as writer:
            for table in _groups(members, tables):
                writer.write_table(table)
                rows += table.num_rows
        file.flush()
        os.fsync(file.fileno())
    return rows


def _compare(
    path: Path, schema: pa.Schema, members: Sequence[ShardFile], tables: "_Tables"
) -> None:
    """Read a merged file back and compare it with its originals.

    Raises
    ------
    InputError
        If a row, a column or the metadata differ.
    """
    with pq.ParquetFile(path) as file:
        same = file.schema_arrow.equals(schema, check_metadata=True)
        groups = _groups(members, tables)
        for number in range(file.num_row_groups):
            found, wanted = file.read_row_group(number, use_threads=False), next(groups, None)
            same = same and wanted is not None and _same_rows(found, wanted)
        same = same and next(groups, None) is None
    if not same:
        raise InputError(
            f"the shards {members[0].path!r} to {members[-1].path!r} changed when merged: "
            "the originals were kept; please report this"
        )


def _same_rows(found: pa.Table, wanted: pa.Table) -> bool:
    """Compare rows, treating NaN as equal to NaN."""
    if found.equals(wanted):
        return True
    return found.num_rows == wanted.num_rows and all(
        a.combine_chunks().equals(b.combine_chunks())
        or (
            pa.types.is_floating(a.type)
            and a.is_null().equals(b.is_null())
            and a.fill_null(0.0).to_numpy().tobytes() == b.fill_null(0.0).to_numpy().tobytes()
        )
        for a, b in zip(found.columns, wanted.columns, strict=True)
    )


def _groups(members: Sequence[ShardFile], tables: "_Tables") -> Iterator[pa.Table]:
    """Read shards one after another and yield their rows in tables of bounded size."""
    waiting: list[pa.Table] = []
    for file in members:
        table = tables.read(file)
        if waiting and sum(t.num_rows for t in waiting) + table.num_rows > _ROWS_A_GROUP:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
        waiting.append(table)
    yield pa.concat_tables(waiting).combine_chunks()


class _Tables:
    """Shards read once and kept for the next pass, as far as memory allows."""

    def __init__(self) -> None:
        self._kept: dict[str, pa.Table] = {}
        self._bytes = 0

    def read(self, file: ShardFile) -> pa.Table:
        """Return a shard's rows; raise InputError if it cannot be read."""
        table = self._kept.get(file.path)
        if table is None:
            table = _read(file)
            if self._bytes + table.nbytes <= _KEPT_BYTES:
                self._kept[file.path] = table
                self._bytes += table.nbytes
        return table


def _read(file: ShardFile) -> pa.Table:
    try:
        # Pre-buffering would hand these few kilobytes to another thread.
        source = pa.BufferReader(Path(file.path).read_bytes())
        with pq.ParquetFile(source, pre_buffer=False) as parquet:
            return parquet.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"shard {file.path!r} cannot be read ({reason}): move it away") from error


def _write_list(folder: Path, names: Sequence[str]) -> None:
    temporary = folder / f"{_LIST_NAME}.tmp"
    with temporary.open("w") as file:
        json.dump(names, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / _LIST_NAME)


def _finish(folder: Path) -> None:
    """Put the merged file in place and delete the originals if there is a list of them."""
    path = folder / _LIST_NAME
    if not path.exists():
        return
    *rest, last = json.loads(path.read_text())
    temporary = folder / _TEMPORARY_NAME
    if temporary.exists():
        temporary.replace(folder / last)
    sync_folder(folder)
    for name in rest:
        (folder / name).unlink(missing_ok=True)
    path.unlink()


@contextmanager
def compaction_lock(folder: Path) -> Iterator[None]:
    """Keep other processes from merging or deleting a coin's shards.

    Raises
    ------
    InputError
        If another one is doing so, or the file system cannot lock a folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another compaction of {str(folder)!r} is running: wait until it has finished"
            ) from None
        except OSError as error:
            raise InputError(
                f"{str(folder)!r} cannot be locked ({error.strerror or error}), as on some network "
                "file systems: its shards are neither merged nor deleted; record to a local disk"
            ) from error
        yield
    finally:
        os.close(handle)
