"""History of published refits, one Parquet file per coin and day.

The path is ``<directory>/<COIN>/<YYYY-MM-DD>.parquet`` (UTC day of ``published_at``; folder names
from `coin_folders`). Since a Parquet file cannot be appended to, each refit is first written as a
line of ``<YYYY-MM-DD>.jsonl`` beside it. The lines are merged into the day's file, which is
replaced atomically, after a number of refits, at the end of the day and when the runner stops.
Readers use both files and drop duplicates. A line truncated by a crash is ignored, so a killed
process loses nothing it has published. Lines are not synced to disk: a power cut may lose the last
seconds.
"""

import contextlib
import fcntl
import json
import logging
import os
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from advanced_mm.coin_folders import coin_folder, writable_coin_folder
from advanced_mm.errors import InputError
from advanced_mm.instruments import coin_of_folder, folder_of
from advanced_mm.parameter_files.files import ParameterSet
from advanced_mm.parameter_files.history_rows import SCHEMA, history_row, rows_table

__all__ = ["HISTORY_FOLDER", "CalibrationHistory"]

logger = logging.getLogger(__name__)

HISTORY_FOLDER: Final = "calibration_history"
"""Name of the history folder, beside the parameter files."""
_DAY: Final = ".parquet"
_LINES: Final = ".jsonl"
_MERGE_EVERY: Final = 240
"""Refits between merges: an hour at the default interval."""
_DAY_MS: Final = 86_400_000
_MOST_MS: Final = 9 * 10**15
"""Limit for times, so that they fit into microseconds; no refit is that far away."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_TIME: Final = SCHEMA.field("published_at").type
_NO_ROW: Final = (ValueError, AttributeError, pa.ArrowException)
"""Errors raised for an invalid line: not JSON, not an object, or a value of another type."""


class CalibrationHistory:
    """Writes and reads the history below one directory.

    Several readers and writers may share it. Readers need no write access.

    Parameters
    ----------
    directory : Path
        Folder with one folder per coin; it need not exist before the first `append`.
    keep_days : int, optional
        Day files older than this many days before a new refit are deleted; None keeps all.
    """

    def __init__(self, directory: Path, keep_days: int | None = None) -> None:
        self.directory = directory
        self._keep_days = keep_days
        self._until_merge: dict[str, int] = {}
        self._today: dict[str, date] = {}

    def append(self, sets: Mapping[str, ParameterSet]) -> None:
        """Add one refit of each coin.

        Raises
        ------
        InputError
            The history cannot be written, or a day's file is unreadable so that new refits cannot
            be merged. That file is not changed; the refits stay in the lines beside it.
        """
        first_error: InputError | None = None
        for coin, parameters in sets.items():
            folder = self.directory / folder_of(coin)
            day = parameters.kappa.published_at.astimezone(UTC).date()
            try:
                writable_coin_folder(self.directory, coin)
                with _locked(folder):
                    _append_line(folder / f"{day}{_LINES}", history_row(parameters))
                    self._tidy(coin, folder, day)
            except InputError as error:
                first_error = first_error or error
            except OSError as error:
                raise InputError(
                    f"calibration history {str(folder)!r} cannot be written "
                    f"({error.strerror or error}): free disk space or correct its permissions"
                ) from error
        if first_error:
            raise first_error

    def merge(self) -> None:
        """Merge all lines into the days' files.

        Raises
        ------
        InputError
            As for `append`.
        """
        for folder in self._folders():
            with _locked(folder):
                _merge_days(folder)

    def coins(self) -> list[str]:
        """Return the coins that have a history, sorted."""
        found = {coin_of_folder(folder.name) for folder in self._folders()}
        return sorted(coin for coin in found if coin is not None)

    def newest_day(self, coin: str) -> date | None:
        """Return the last day (UTC) with refits of a coin, None if there are none."""
        return next(reversed(_days(coin_folder(self.directory, coin))), None)

    def read(
        self, coin: str, start: datetime | None = None, end: datetime | None = None
    ) -> pa.Table:
        """Return a coin's refits in order of ``published_at``, columns as `history_rows.SCHEMA`.

        Parameters
        ----------
        coin : str
            The coin's name at the venue; one without a history has no rows.
        start, end : datetime or None
            Inclusive bounds of ``published_at``; they must have a time zone.

        Raises
        ------
        InputError
            If a day's file cannot be read.
        """
        first, last = (None if t is None else t.astimezone(UTC).date() for t in (start, end))
        folder = coin_folder(self.directory, coin)
        days = [
            day
            for day in _days(folder)
            if (first is None or day >= first) and (last is None or day <= last)
        ]
        table = _read_days(folder, days)
        for bound, compare in ((start, pc.greater_equal), (end, pc.less_equal)):
            if bound is not None:
                table = table.filter(compare(table["published_at"], pa.scalar(bound, _TIME)))
        return table

    def parameters_at(self, coin: str, times_ms: Sequence[int] | NDArray[np.int64]) -> pa.Table:
        """Return, for each time, the newest refit published by then.

        Parameters
        ----------
        coin : str
            The coin's name at the venue.
        times_ms : array of int
            Epoch milliseconds, in any order.

        Returns
        -------
        pyarrow.Table
            One row per time, in the given order: the newest with ``published_at`` at or before it,
            however old, or a row of nulls if there is none.

        Raises
        ------
        InputError
            If the times are not whole numbers, or a day's file cannot be read.
        """
        times = np.asarray(times_ms)
        if times.size == 0:
            return SCHEMA.empty_table()
        if times.dtype.kind not in "iu" or times.ndim != 1:
            raise InputError("times_ms must be a one-dimensional list of integers, epoch ms")
        limits_us = np.clip(times, -_MOST_MS, _MOST_MS).astype(np.int64) * 1000
        folder = coin_folder(self.directory, coin)
        days = _days(folder)
        ordinals = [day.toordinal() - _EPOCH_ORDINAL for day in days]
        last = bisect_right(ordinals, int(times.max()) // _DAY_MS)
        # Include the previous day: the first refit of a day may be later than the earliest time.
        first = max(bisect_left(ordinals, int(times.min()) // _DAY_MS) - 1, 0)
        table = _read_days(folder, days[first:last])
        while first > 0 and not table.num_rows:
            first -= 1
            table = _read_days(folder, days[first:last])
        published_us = table["published_at"].cast(pa.int64()).to_numpy()
        row = np.searchsorted(published_us, limits_us, side="right") - 1
        return table.take(pa.array(row, mask=row < 0))

    def _tidy(self, coin: str, folder: Path, day: date) -> None:
        """Merge if due, and delete old files on a new day."""
        first_round = coin not in self._until_merge
        left = self._until_merge.get(coin, 0)
        new_day = self._today.get(coin) != day
        self._today[coin] = day
        self._until_merge[coin] = left - 1
        if left <= 0 or new_day:
            # The first interval differs by coin, so that coins are not merged all at once.
            rounds = zlib.crc32(coin.encode()) % _MERGE_EVERY if first_round else _MERGE_EVERY - 1
            self._until_merge[coin] = rounds
            _merge_days(folder)
        if new_day and self._keep_days is not None:
            oldest = day - timedelta(days=self._keep_days)
            for old in (d for d in _days(folder) if d < oldest):
                _file(folder, old, _DAY).unlink(missing_ok=True)
                logger.info("%s: deleted the calibration history of %s (too old)", coin, old)

    def _folders(self) -> list[Path]:
        if not self.directory.is_dir():
            return []
        return sorted(path for path in self.directory.iterdir() if path.is_dir() and _days(path))


def _file(folder: Path, day: date, suffix: str) -> Path:
    return folder / f"{day.isoformat()}{suffix}"


def _days(folder: Path, suffixes: tuple[str, ...] = (_DAY, _LINES)) -> list[date]:
    """Return the days with a file or lines, ascending."""
    if not folder.is_dir():
        return []
    found = set()
    for path in folder.iterdir():
        if path.suffix in suffixes:
            with contextlib.suppress(ValueError):  # another file
                found.add(date.fromisoformat(path.stem))
    return sorted(found)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a coin's folder, so that a merge does not lose a line that another process appends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _append_line(path: Path, line: str) -> None:
    """Append a line in one write; first terminate a line truncated by a crash."""
    with path.open("ab+", buffering=0) as file:
        start = b""
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            start = b"" if file.read(1) == b"\n" else b"\n"
        file.write(start + line.encode() + b"\n")


def _merge_days(folder: Path) -> None:
    for day in _days(folder, (_LINES,)):
        _replace(_file(folder, day, _DAY), _read_days(folder, [day]))
        _file(folder, day, _LINES).unlink()


def _replace(path: Path, table: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read_days(folder: Path, days: Sequence[date]) -> pa.Table:
    """Read whole days, in order of ``published_at``, each refit once."""
    tables = [SCHEMA.empty_table()]
    for day in days:
        # Read the lines first: those merged in the meantime are then in the file.
        lines = _read_lines(_file(folder, day, _LINES))
        merged = _read_file(_file(folder, day, _DAY))
        known = pc.is_in(
            lines["calibration_id"], value_set=merged["calibration_id"].combine_chunks()
        )
        tables += [merged, lines.filter(pc.invert(known))]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    sound = pc.and_(pc.is_valid(table["published_at"]), pc.is_valid(table["calibration_id"]))
    left_out = table.num_rows - (pc.sum(sound).as_py() or 0)
    if left_out:
        logger.warning("%s: skipped %d rows that are not refits", folder, left_out)
        table = table.filter(sound).combine_chunks()
    published_us = table["published_at"].cast(pa.int64()).to_numpy()
    if (np.diff(published_us) >= 0).all():
        return table
    return table.take(pa.array(np.argsort(published_us, kind="stable")))


def _read_file(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(pa.BufferReader(path.read_bytes())) as file:
            table = file.read(use_threads=False)
        columns = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in SCHEMA
        ]
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"calibration history {str(path)!r} cannot be read ({first_line}): move it away or "
            "delete it"
        ) from error
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _read_lines(path: Path) -> pa.Table:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return SCHEMA.empty_table()
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    try:
        return rows_table([json.loads(line) for line in lines])
    except _NO_ROW:
        rows = [row for line in lines if (row := _sound_row(line)) is not None]
        left_out = len(lines) - len(rows)
        logger.warning("%s: skipped %d of %d lines (truncated)", path, left_out, len(lines))
        return rows_table(rows)


def _sound_row(line: bytes) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = json.loads(line)
        rows_table([row])
    except _NO_ROW:
        return None
    return row
