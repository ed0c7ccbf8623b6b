"""Rows by day: a Parquet file a day, and beside it lines for what was added since.

A Parquet file cannot be appended to, so rows are first lines of JSON in ``<YYYY-MM-DD>.jsonl``, and
now and then these are merged into ``<YYYY-MM-DD>.parquet``, which is replaced in one step. Readers
take both and drop a row that is, for a moment, in both. A line cut short by a crash is no line; so
a killed process loses nothing it has appended. Lines are not forced to the disk: a power cut may
take the last seconds.

Rows have the column ``version``, null in rows from before versions were noted. Rows of a later
version are never left out or merged, which would lose what this program does not know of them.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.file_versions import check_version, version_in
from advanced_mm.free_memory import give_back_memory

__all__ = ["DayFiles", "Rows", "Skipped"]

logger = logging.getLogger(__name__)

DAY: Final = ".parquet"
LINES: Final = ".jsonl"
VERSION: Final = "version"
_PIECE_ROWS: Final = 20_000
"""A trader merges in its own process: more would take memory that it needs only then."""
_PIECE_LINES: Final = 5_000

_NO_ROW: Final = (ValueError, AttributeError, pa.ArrowException)
"""What reading a line that is not a row raises: bad JSON, no object, a value of another type."""


@dataclass(frozen=True)
class Rows:
    """What the rows are.

    Attributes
    ----------
    what, plural
        What the store and its rows are called in messages: ``"calibration history"``, ``"refits"``.
    version
        The newest version of rows that is known.
    schema
        Their columns, among them ``version`` (int64).
    decode
        Lines to a table of that schema; raises ``ValueError``, ``AttributeError`` or Arrow's errors
        where a line is no row.
    key
        The column in which no two rows are alike.
    needed
        Columns without which a row is none.
    dictionary
        Columns with few values, which the file lists once.
    """

    what: str
    plural: str
    version: int
    schema: pa.Schema
    decode: Callable[[Sequence[bytes]], pa.Table]
    key: str
    needed: Sequence[str]
    dictionary: Sequence[str] = ()


@dataclass
class Skipped:
    """What a reader has passed over: files that cannot be read, lines cut short, rows with gaps."""

    files: list[str] = field(default_factory=list)
    lines: int = 0
    rows: int = 0


class DayFiles:
    """The days in one folder; any number of processes may read and append.

    Parameters
    ----------
    folder : Path
        It need not exist before the first `append`. Files of other names in it are left alone.
    rows : Rows
        What the rows are.
    """

    def __init__(self, folder: Path, rows: Rows) -> None:
        self.folder = folder
        self._rows = rows

    def days(self, *suffixes: str) -> list[date]:
        """Return the days (UTC) with a file or lines, ascending."""
        if not self.folder.is_dir():
            return []
        found = set()
        for path in self.folder.iterdir():
            if path.suffix in (suffixes or (DAY, LINES)):
                with contextlib.suppress(ValueError):  # another file
                    found.add(date.fromisoformat(path.stem))
        return sorted(found)

    def path(self, day: date, suffix: str) -> Path:
        """Return where a day's file, or its lines, are."""
        return self.folder / f"{day.isoformat()}{suffix}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep writers apart: a merge must not lose a line that another appends.

        Whoever appends, merges or deletes holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def append(self, day: date, lines: Sequence[str]) -> None:
        """Append lines in one write, all or none of them.

        A line that a crash cut short before is ended first, and so is none.

        Raises
        ------
        OSError
            The disk refuses.
        """
        with self.path(day, LINES).open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            start = b""
            if size:
                file.seek(-1, os.SEEK_END)
                start = b"" if file.read(1) == b"\n" else b"\n"
            rest = memoryview(start + "".join(f"{line}\n" for line in lines).encode())
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise

    def merge(self) -> None:
        """Merge all lines into their days' files.

        A day may hold millions of rows: its file is copied piece by piece, so that memory does not
        grow with it.

        Raises
        ------
        InputError
            A day's file cannot be read, or has rows of a later version; it is left alone, and its
            lines stay.
        """
        first_error: InputError | None = None
        for day in self.days(LINES):
            try:
                self._merge(day)
            except InputError as error:
                first_error = first_error or error
                continue
            self.path(day, LINES).unlink()
        give_back_memory()
        if first_error:
            raise first_error

    def delete_before(self, day: date) -> list[date]:
        """Delete the merged days before this one and return which."""
        gone = [one for one in self.days(DAY) if one < day]
        for one in gone:
            self.path(one, DAY).unlink(missing_ok=True)
        return gone

    def read(
        self,
        days: Sequence[date],
        skipped: Skipped | None = None,
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        """Read whole days, each row once, in the order in which they were appended.

        Parameters
        ----------
        days
            Which; one without a file has no rows.
        skipped
            Where it is noted what could not be read; None: a file that cannot be read is an error,
            lines and rows that are none go to the log.
        columns
            The columns wanted besides the key and the needed ones; None reads all.

        Raises
        ------
        NewerVersionError
            There are rows of a later version of this program.
        InputError
            A day's file cannot be read, and ``skipped`` is None.
        """
        key = self._rows.key
        schema = self.schema_of(columns)
        tables = [schema.empty_table()]
        for day in days:
            # The lines first: what a merge takes from them meanwhile is then in the file.
            lines = self._read_lines(self.path(day, LINES), skipped).select(schema.names)
            merged = self._read_file(self.path(day, DAY), schema, skipped)
            if lines.num_rows and merged.num_rows:
                known = pc.is_in(lines[key], value_set=merged[key].combine_chunks())
                lines = lines.filter(pc.invert(known))
            tables += [merged, lines]
        table = pa.concat_tables(tables, promote_options="default").combine_chunks()
        return self._sound(table, skipped)

    def pieces(
        self,
        day: date,
        first: int = 0,
        skipped: Skipped | None = None,
        columns: Collection[str] | None = None,
    ) -> Iterator[tuple[int, pa.Table]]:
        """Yield a day's merged rows in parts, each with the number of rows up to its end.

        Later merges add rows behind them. ``first`` is the first row that is wanted, and may not be
        the first of its part. The other parameters and what is raised are those of `read`.
        """
        path, schema = self.path(day, DAY), self.schema_of(columns)
        end = 0
        unreadable = self._told_unreadable(path, skipped)
        with unreadable, path.open("rb") as handle, pq.ParquetFile(handle) as file:
            for number in range(file.num_row_groups):
                end += file.metadata.row_group(number).num_rows
                if end > first:
                    group = file.read_row_group(number, columns=schema.names, use_threads=False)
                    self._check_version(group, path)
                    yield end, self._sound(_fitted(group, schema), skipped)

    def _sound(self, table: pa.Table, skipped: Skipped | None) -> pa.Table:
        """Leave out rows without a key or a needed value, and say so."""
        key = self._rows.key
        sound = pc.is_valid(table[key])
        for name in self._rows.needed:
            sound = pc.and_(sound, pc.is_valid(table[name]))
        left_out = table.num_rows - (pc.sum(sound).as_py() or 0)
        if not left_out:
            return table
        if skipped is None:
            message = "%s: skipped %d rows that are not %s"
            logger.warning(message, self.folder, left_out, self._rows.plural)
        else:
            skipped.rows += left_out
        return table.filter(sound).combine_chunks()

    def merged_rows(self, day: date) -> int:
        """Return how many rows a day's file holds; 0 if it is not there or cannot be read."""
        try:
            return int(pq.read_metadata(self.path(day, DAY)).num_rows)
        except (OSError, pa.ArrowException):
            return 0

    def _merge(self, day: date) -> None:
        lines = self._read_lines(self.path(day, LINES), None)
        path = self.path(day, DAY)
        temporary = path.with_name(f".{path.name}.tmp")
        listed = list(self._rows.dictionary)
        schema, key = self._rows.schema, self._rows.key
        try:
            with temporary.open("wb") as file:
                with pq.ParquetWriter(
                    file, schema, compression="zstd", use_dictionary=listed or False
                ) as writer:
                    for piece in self._pieces(path):
                        if lines.num_rows:
                            known = pc.is_in(lines[key], value_set=piece[key].combine_chunks())
                            lines = lines.filter(pc.invert(known))
                        writer.write_table(self._sound(piece, None))
                    writer.write_table(self._sound(lines, None))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _pieces(self, path: Path) -> Iterator[pa.Table]:
        """Yield a day's file in tables of some 20 000 rows, whatever it was written in."""
        waiting: list[pa.Table] = []
        unreadable = self._told_unreadable(path, None)
        with unreadable, path.open("rb") as handle, pq.ParquetFile(handle) as file:
            for batch in file.iter_batches(_PIECE_ROWS, use_threads=False):
                table = pa.Table.from_batches([batch])
                self._check_version(table, path)
                waiting.append(_fitted(table, self._rows.schema))
                if sum(one.num_rows for one in waiting) >= _PIECE_ROWS:
                    yield pa.concat_tables(waiting)
                    waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    @contextlib.contextmanager
    def _told_unreadable(self, path: Path, skipped: Skipped | None) -> Iterator[None]:
        """Name a file that cannot be read; one that is not there has no rows."""
        try:
            yield
        except FileNotFoundError:
            pass
        except (pa.ArrowException, OSError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            if skipped is None:
                raise InputError(
                    f"{self._rows.what} {str(path)!r} cannot be read ({why}): move it away or "
                    "delete it"
                ) from error
            skipped.files.append(f"{path} ({why})")

    def schema_of(self, columns: Collection[str] | None) -> pa.Schema:
        """Return the columns that reading some gives: the key and the needed ones come with it."""
        if columns is None:
            return self._rows.schema
        wanted = {self._rows.key, VERSION, *self._rows.needed, *columns}
        return pa.schema([one for one in self._rows.schema if one.name in wanted])

    def _read_file(self, path: Path, schema: pa.Schema, skipped: Skipped | None) -> pa.Table:
        found = [schema.empty_table()]
        with self._told_unreadable(path, skipped):
            with pq.ParquetFile(pa.BufferReader(path.read_bytes())) as file:
                stored = file.read(columns=schema.names, use_threads=False)
            self._check_version(stored, path)
            found.append(_fitted(stored, schema))
        return found[-1]

    def _read_lines(self, path: Path, skipped: Skipped | None) -> pa.Table:
        tables = [self._rows.schema.empty_table()]
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            whole = (line[:-1] for line in file if line.endswith(b"\n"))
            while lines := list(islice(whole, _PIECE_LINES)):
                tables.append(self.decoded(lines, path, skipped))
        return pa.concat_tables(tables).combine_chunks()

    def decoded(
        self, lines: Sequence[bytes], path: Path, skipped: Skipped | None = None
    ) -> pa.Table:
        """Return lines as a table, those left out that are not rows; that is noted as by `read`.

        Raises
        ------
        NewerVersionError
            A line is of a later version of this program; ``path`` is where it stands.
        """
        left_out = 0
        try:
            table = self._rows.decode(lines)
        except _NO_ROW:
            good = [line for line in lines if self._is_row(line)]
            for line in {*lines} - {*good}:  # a later version may have other types
                self._check(_version_of(line), path)
            table, left_out = self._rows.decode(good), len(lines) - len(good)
        self._check_version(table, path)
        if left_out and skipped is None:
            logger.warning("%s: skipped %d of %d lines (truncated)", path, left_out, len(lines))
        elif skipped is not None:
            skipped.lines += left_out
        return table

    def _check(self, version: object, path: Path) -> None:
        check_version(version, self._rows.version, f"{self._rows.what} {str(path)!r}")

    def _check_version(self, table: pa.Table, path: Path) -> None:
        """Refuse rows of a later version; of a file before its columns are read as ours."""
        if VERSION in table.column_names:
            self._check(pc.max(table[VERSION]).as_py(), path)

    def _is_row(self, line: bytes) -> bool:
        try:
            return bool(self._rows.decode([line]).num_rows)
        except _NO_ROW:
            return False


def _version_of(line: bytes) -> object:
    """Return the version that a line names though it is no row; None if it names no number."""
    version = version_in(line)
    return version if isinstance(version, int) and version >= 1 else None


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table of this schema; columns that an older version did not write are empty."""
    stored = dict(zip(table.column_names, table.columns, strict=True))
    columns = [
        stored[one.name].cast(one.type)
        if one.name in stored
        else pa.nulls(table.num_rows, one.type)
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
