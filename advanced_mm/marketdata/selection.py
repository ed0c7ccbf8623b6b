"""Rows of a kind by time and columns, from no more files and row groups than needed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import SCHEMAS, check_version

__all__ = ["selected_rows"]

_TIME = "exchange_timestamp"
_Bounds = tuple[int | None, int | None]


def selected_rows(
    coin_folder: Path,
    kind: str,
    names_ms: tuple[int, int],
    rows_ms: _Bounds,
    columns: Sequence[str] | None,
) -> Iterator[pa.Table]:
    """Yield the rows of a time range, table by table, in order of arrival.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder.
    kind : str
        A key of `schemas.SCHEMAS`.
    names_ms : pair of int
        Range of the times in the names of the files that may hold such rows.
    rows_ms : pair of int or None
        Exchange time (ms), both ends included; None leaves that end open. Rows without one, as the
        first of a connection log, are placed by their local time.
    columns : sequence of str or None
        Columns wanted; None means all. A column that a file lacks is filled with null.

    Raises
    ------
    InputError
        If the kind or a column is unknown, or a file cannot be read.
    """
    if kind not in SCHEMAS:
        raise InputError(f"kind {kind!r} is unknown: choose from {', '.join(SCHEMAS)}")
    wanted = SCHEMAS[kind].remove_metadata()
    if columns is not None:
        for name in columns:
            if wanted.get_field_index(name) < 0:
                raise InputError(f"{kind} have no column {name!r}: {', '.join(wanted.names)}")
        wanted = pa.schema([wanted.field(name) for name in columns])
    return _selected(coin_folder, kind, names_ms, rows_ms, wanted)


def _selected(
    coin_folder: Path, kind: str, names_ms: tuple[int, int], rows_ms: _Bounds, wanted: pa.Schema
) -> Iterator[pa.Table]:
    low, high = names_ms
    while True:
        files = shard_files(coin_folder, kind, low, high)
        for file in files:
            try:
                yield from _rows_of(file, rows_ms, wanted)
            except FileNotFoundError:
                break  # merged into a later file meanwhile, or deleted: list again from here
            low = file.name_ms + 1
        else:
            return


def _rows_of(shard: ShardFile, rows_ms: _Bounds, wanted: pa.Schema) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(shard.path, pre_buffer=False) as file:
            check_version(file.schema_arrow)
            names = [*wanted.names, _TIME, "timestamp"]
            for number in range(file.num_row_groups):
                if _may_hold(file.metadata.row_group(number), rows_ms):
                    rows = file.read_row_group(number, columns=names, use_threads=False)
                    yield _cast(_within(rows, rows_ms), wanted)
    except FileNotFoundError:
        raise
    except InputError as error:
        raise InputError(f"{shard.path}: {error}") from error
    except (pa.ArrowException, OSError, KeyError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{shard.path}: cannot be read ({first_line}): move it away") from error


def _may_hold(group: pq.RowGroupMetaData, rows_ms: _Bounds) -> bool:
    """Return whether a row group's statistics allow a row of this time range."""
    start, end = rows_ms
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema == _TIME:
            told = column.statistics
            if told is None or not told.has_min_max or told.null_count:
                return True
            return (start is None or told.max >= start) and (end is None or told.min <= end)
    return True


def _within(rows: pa.Table, rows_ms: _Bounds) -> pa.Table:
    start, end = rows_ms
    if start is None and end is None:
        return rows
    local_ms = pc.cast(pc.multiply(rows["timestamp"], 1000.0), pa.int64(), safe=False)
    time_ms = pc.coalesce(rows[_TIME], local_ms)
    keep = pa.scalar(True)
    if start is not None:
        keep = pc.and_(pc.greater_equal(time_ms, start), keep)
    if end is not None:
        keep = pc.and_(pc.less_equal(time_ms, end), keep)
    return rows.filter(keep)


def _cast(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)
