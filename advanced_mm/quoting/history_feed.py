"""Parameters as of a moment in the past, from the calibration history, for backtests."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from advanced_mm.parameter_files import (
    MissingParametersError,
    ParameterSet,
    UnusableParametersError,
)
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of

__all__ = ["HistoryFeed"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000


class HistoryFeed:
    """Serves the newest refit of one coin that had been published by the time it was moved to.

    A refit published later is never served, also while the history grows. Two days are kept in
    memory, the present one and the one before, so an older refit is not found: its age would forbid
    quoting anyway.
    """

    def __init__(self, history: CalibrationHistory, coin: str) -> None:
        self._history = history
        self._coin = coin
        self._now_us = 0
        self._day: int | None = None
        self._table: pa.Table | None = None
        self._published_us: list[int] = []
        self._row = -1
        self._set: ParameterSet | None = None

    def move_to(self, now: datetime) -> None:
        """Set the moment that `latest` answers for, in any order; it must have a time zone."""
        self._now_us = (now - _EPOCH) // _MICROSECOND

    def latest(self) -> ParameterSet:
        """Return the newest refit published at or before the moment, without its solution.

        Raises
        ------
        MissingParametersError
            Nothing had been published on that day or the day before.
        UnusableParametersError
            The refit's row is invalid.
        """
        day = self._now_us // _DAY_US
        if day != self._day:
            self._load(day)
        row = bisect_right(self._published_us, self._now_us) - 1
        if row < 0 or self._table is None:
            raise MissingParametersError(
                f"{self._coin}: no parameters had been published by then, according to "
                f"{self._history.directory}."
            )
        if self._set is None or row != self._row:
            (values,) = self._table.slice(row, 1).to_pylist()
            try:
                self._set, self._row = parameter_set_of(self._coin, values), row
            except ValidationError as error:
                raise UnusableParametersError(
                    f"{self._history.directory}: {self._coin}: the refit published at "
                    f"{values['published_at']} is invalid: {error.errors()[0]['msg']}."
                ) from None
        return self._set

    def fresh(self, times: NDArray[np.datetime64], max_age_seconds: float) -> NDArray[np.bool_]:
        """Return for each time (UTC) whether a refit at most this old had been published."""
        if not len(times):
            return np.empty(0, dtype=np.bool_)
        asked_us = times.astype("datetime64[us]").astype(np.int64)
        age_us = round(min(max_age_seconds, 1e9) * 1e6)
        first, last = (
            _EPOCH + timedelta(microseconds=int(bound))
            for bound in (asked_us.min() - age_us, asked_us.max())
        )
        table = self._history.read(self._coin, first, last)
        published_us = table["published_at"].cast(pa.int64()).to_numpy()
        row = np.searchsorted(published_us, asked_us, side="right") - 1
        known = row >= 0
        known[known] = asked_us[known] - published_us[row[known]] <= age_us
        return np.asarray(known)

    def _load(self, day: int) -> None:
        start = _EPOCH + timedelta(days=day - 1)
        table = self._history.read(self._coin, start, start + timedelta(days=2))
        self._day, self._table = day, table
        self._published_us = table["published_at"].cast(pa.int64()).to_pylist()
        self._row, self._set = -1, None
