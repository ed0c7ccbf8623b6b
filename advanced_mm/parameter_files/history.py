"""History of published refits, one Parquet file per coin and day.

The path is ``<directory>/<COIN>/<YYYY-MM-DD>.parquet`` (UTC day of ``published_at``; folder names
from `coin_folders`), with the newest refits as lines beside it: see `day_files`. They are merged
after a number of refits, at the end of the day and when the runner stops.
"""

import json
import logging
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from advanced_mm.coin_folders import coin_folder, writable_coin_folder
from advanced_mm.day_files import DayFiles, Rows
from advanced_mm.errors import InputError
from advanced_mm.instruments import coin_of_folder, folder_of
from advanced_mm.parameter_files.files import ParameterSet
from advanced_mm.parameter_files.history_rows import (
    HISTORY_VERSION,
    SCHEMA,
    history_row,
    rows_table,
)

__all__ = ["HISTORY_FOLDER", "RECALIBRATED_FOLDER", "CalibrationHistory"]

logger = logging.getLogger(__name__)

HISTORY_FOLDER: Final = "calibration_history"
"""Name of the history folder, beside the parameter files."""
RECALIBRATED_FOLDER: Final = "recalibrated_history"
"""Name of the folder beside it, of refits made afterwards from a recording."""
_MERGE_EVERY: Final = 240
"""Refits between merges: an hour at the default interval."""
_DAY_MS: Final = 86_400_000
_MOST_MS: Final = 9 * 10**15
"""Limit for times, so that they fit into microseconds; no refit is that far away."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_TIME: Final = SCHEMA.field("published_at").type
_ROWS: Final = Rows(
    what="calibration history",
    plural="refits",
    version=HISTORY_VERSION,
    schema=SCHEMA,
    decode=lambda lines: rows_table([json.loads(line) for line in lines]),
    key="calibration_id",
    needed=["published_at"],
)


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
            try:
                self._add(coin, _day_of(parameters), [parameters])
            except InputError as error:
                first_error = first_error or error
        if first_error:
            raise first_error

    def extend(self, sets: Sequence[ParameterSet]) -> None:
        """Add many refits of one coin at once, in order of ``published_at``.

        Raises
        ------
        InputError
            As for `append`.
        """
        for day, group in groupby(sets, _day_of):
            together = list(group)
            self._add(together[0].coin, day, together)

    def merge(self) -> None:
        """Merge all lines into the days' files.

        Raises
        ------
        InputError
            As for `append`.
        """
        for folder in self._folders():
            files = self._files(folder)
            with files.locked():
                files.merge()

    def coins(self) -> list[str]:
        """Return the coins that have a history, sorted."""
        found = {coin_of_folder(folder.name) for folder in self._folders()}
        return sorted(coin for coin in found if coin is not None)

    def newest_day(self, coin: str) -> date | None:
        """Return the last day (UTC) with refits of a coin, None if there are none."""
        return next(reversed(self._of(coin).days()), None)

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
        files = self._of(coin)
        days = [
            day
            for day in files.days()
            if (first is None or day >= first) and (last is None or day <= last)
        ]
        table = _in_order(files.read(days))
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
            raise InputError("times_ms must be a list of whole numbers, epoch milliseconds")
        limits_us = np.clip(times, -_MOST_MS, _MOST_MS).astype(np.int64) * 1000
        files = self._of(coin)
        days = files.days()
        ordinals = [day.toordinal() - _EPOCH_ORDINAL for day in days]
        last = bisect_right(ordinals, int(times.max()) // _DAY_MS)
        # Include the previous day: the first refit of a day may be later than the earliest time.
        first = max(bisect_left(ordinals, int(times.min()) // _DAY_MS) - 1, 0)
        table = _in_order(files.read(days[first:last]))
        while first > 0 and not table.num_rows:
            first -= 1
            table = _in_order(files.read(days[first:last]))
        published_us = table["published_at"].cast(pa.int64()).to_numpy()
        row = np.searchsorted(published_us, limits_us, side="right") - 1
        return table.take(pa.array(row, mask=row < 0))

    def _add(self, coin: str, day: date, sets: Sequence[ParameterSet]) -> None:
        files = self._files(self.directory / folder_of(coin))
        try:
            writable_coin_folder(self.directory, coin)
            with files.locked():
                files.append(day, [history_row(parameters) for parameters in sets])
                self._tidy(coin, files, day)
        except OSError as error:
            raise InputError(
                f"calibration history {str(files.folder)!r} cannot be written "
                f"({error.strerror or error}): free disk space or correct its permissions"
            ) from error

    def _tidy(self, coin: str, files: DayFiles, day: date) -> None:
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
            files.merge()
        if new_day and self._keep_days is not None:
            oldest = day - timedelta(days=self._keep_days)
            for old in files.delete_before(oldest):
                logger.info("%s: deleted the calibration history of %s (too old)", coin, old)

    def _folders(self) -> list[Path]:
        if not self.directory.is_dir():
            return []
        found = (path for path in self.directory.iterdir() if path.is_dir())
        return sorted(path for path in found if self._files(path).days())

    def _of(self, coin: str) -> DayFiles:
        return self._files(coin_folder(self.directory, coin))

    @staticmethod
    def _files(folder: Path) -> DayFiles:
        return DayFiles(folder, _ROWS)


def _day_of(parameters: ParameterSet) -> date:
    return parameters.kappa.published_at.astimezone(UTC).date()


def _in_order(table: pa.Table) -> pa.Table:
    """Return refits in order of ``published_at``."""
    published_us = table["published_at"].cast(pa.int64()).to_numpy()
    if (np.diff(published_us) >= 0).all():
        return table
    return table.take(pa.array(np.argsort(published_us, kind="stable")))
