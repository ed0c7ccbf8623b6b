"""Small shards of a day merged into one: a recorder leaves 17 000 files a day and kind.

Rows, their order and their columns stay as they are. Shards that follow one another, of one UTC day
and one schema, become one file under the last one's name, which readers look for (see `listing`).
Each step can be interrupted:

1. the merged file is written under a temporary name, forced to disk, read back and compared row by
   row with the small ones;
2. a list of the small ones is left beside it;
3. the merged file takes the last one's place, the other small ones are deleted, then the list.

A run that finds such a list finishes what it tells before anything else. Between the replacement
and the deletions a reader may see rows twice: trades are dropped by their id, and a quote or a
snapshot seen twice changes no estimate.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import KINDS

__all__ = ["Compaction", "compact_coin"]

_LIST_NAME: Final = ".merged.json"
_TEMPORARY_NAME: Final = ".merged.parquet.tmp"
_ROWS_A_GROUP: Final = 20_000
_FEWEST: Final = 2


@dataclass(frozen=True)
class Compaction:
    """What was done for one coin: files and bytes before and after, rows moved, files left alone.

    ``unreadable`` names shards that could not be read; they stay as they are.
    """

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0
    unreadable: tuple[str, ...] = ()

    def __add__(self, other: "Compaction") -> "Compaction":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Compaction(*(a + b for a, b in pairs))


def compact_coin(coin_folder: Path, before_ms: int) -> Compaction:
    """Merge the shards of one coin that are named before a time.

    Parameters
    ----------
    coin_folder : Path
        ``<data_dir>/<COIN>``.
    before_ms : int
        Shards named at this time (ms) or later are left alone.

    Raises
    ------
    InputError
        If another compaction of the coin runs, the disk refuses, or a merged file does not hold
        what the small ones do; then the small ones are all there.
    """
    total = Compaction()
    try:
        with _alone(coin_folder):
            for kind in KINDS:
                _finish(coin_folder / kind)
                total += _compact_kind(coin_folder, kind, before_ms)
            if total.files_after < total.files_before:
                ShardJournal(coin_folder).ask_to_list()
    except OSError as error:
        raise InputError(
            f"shards in {str(coin_folder)!r} cannot be merged ({error.strerror or error}): "
            "make room there or mend its permissions; nothing was lost"
        ) from error
    return total


def _compact_kind(coin_folder: Path, kind: str, before_ms: int) -> Compaction:
    files = [file for file in shard_files(coin_folder, kind) if file.name_ms < before_ms]
    schemas: dict[bytes, pa.Schema] = {}
    unreadable: list[str] = []

    def alike(file: ShardFile) -> tuple[bytes, str]:
        """What shards merged with one another share: columns, metadata, day."""
        try:
            schema = pq.read_schema(pa.BufferReader(Path(file.path).read_bytes()))
        except (pa.ArrowException, OSError):
            unreadable.append(file.path)
            return b"", ""
        key = schema.serialize().to_pybytes()
        schemas[key] = schema
        return key, datetime.fromtimestamp(file.name_ms / 1000, UTC).strftime("%Y-%m-%d")

    groups = [(key, list(group)) for (key, _), group in groupby(files, key=alike)]
    total = Compaction(len(files), len(files), unreadable=tuple(unreadable))
    for key, members in groups:
        if key and len(members) >= _FEWEST:
            total += _merge(coin_folder / kind, schemas[key], members)
    return total


def _merge(folder: Path, schema: pa.Schema, members: Sequence[ShardFile]) -> Compaction:
    temporary = folder / _TEMPORARY_NAME
    size = sum(Path(file.path).stat().st_size for file in members)
    try:
        rows = _write(temporary, schema, members)
        _compare(temporary, schema, members)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _write_list(folder, [Path(file.path).name for file in members])
    _finish(folder)
    merged = Path(members[-1].path)
    return Compaction(
        files_after=1 - len(members),
        bytes_before=size,
        bytes_after=merged.stat().st_size,
        rows=rows,
    )


def _write(path: Path, schema: pa.Schema, members: Sequence[ShardFile]) -> int:
    rows = 0
    strings = [field.name for field in schema if pa.types.is_string(field.type)]
    times = [name for name in schema.names if name == "exchange_timestamp"]
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file, schema, compression="zstd", use_dictionary=strings, write_statistics=times
        ) as writer:
            for table in _groups(schema, members):
                writer.write_table(table)
                rows += table.num_rows
        file.flush()
        os.fsync(file.fileno())
    return rows


def _compare(path: Path, schema: pa.Schema, members: Sequence[ShardFile]) -> None:
    """Read a merged file back and hold it against the small ones.

    Raises
    ------
    InputError
        If a row, a column or the metadata differ.
    """
    with pq.ParquetFile(path) as file:
        same = file.schema_arrow.equals(schema, check_metadata=True)
        groups = _groups(schema, members)
        for number in range(file.num_row_groups):
            found, wanted = file.read_row_group(number, use_threads=False), next(groups, None)
            same = same and wanted is not None and _same_rows(found, wanted)
        same = same and next(groups, None) is None
    if not same:
        raise InputError(
            f"the shards {members[0].path!r} to {members[-1].path!r} did not survive merging: "
            "they are all still there; please report it"
        )


def _same_rows(found: pa.Table, wanted: pa.Table) -> bool:
    """Compare rows, NaN equal to NaN."""
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


def _groups(schema: pa.Schema, members: Sequence[ShardFile]) -> Iterator[pa.Table]:
    """Read shards one after another and yield their rows in tables of a bounded size."""
    waiting: list[pa.Table] = []
    for file in members:
        table = _read(file)
        if waiting and sum(t.num_rows for t in waiting) + table.num_rows > _ROWS_A_GROUP:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
        waiting.append(table)
    yield pa.concat_tables(waiting).combine_chunks()


def _read(file: ShardFile) -> pa.Table:
    try:
        with pq.ParquetFile(pa.BufferReader(Path(file.path).read_bytes())) as parquet:
            return parquet.read(use_threads=False)
    except pa.ArrowException as error:
        raise InputError(
            f"shard {file.path!r} cannot be read ({str(error).splitlines()[0]}): move it away"
        ) from error


def _write_list(folder: Path, names: Sequence[str]) -> None:
    temporary = folder / f"{_LIST_NAME}.tmp"
    with temporary.open("w") as file:
        json.dump(names, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / _LIST_NAME)


def _finish(folder: Path) -> None:
    """Put the merged file in its place and delete the small ones, where a list tells which."""
    path = folder / _LIST_NAME
    if not path.exists():
        return
    *rest, last = json.loads(path.read_text())
    temporary = folder / _TEMPORARY_NAME
    if temporary.exists():
        temporary.replace(folder / last)
    _sync(folder)
    for name in rest:
        (folder / name).unlink(missing_ok=True)
    path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second compaction of the coin out."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another compaction of {str(folder)!r} is running: let it finish"
            ) from None
        yield
    finally:
        os.close(handle)
