"""Candles of a CSV or Parquet file: ours, the notebook's, or Binance's published klines."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.research.candles import CANDLE_COLUMNS, QUOTE_COLUMNS, Candles, without_holes

__all__ = ["candles_from_file"]

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "date", "datetime", "open_time", "unix"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "base_volume"),
    "quote_volume": ("quote_volume", "quote_asset_volume"),
    "trades": ("trades", "n_trades", "count", "number_of_trades", "num_trades"),
    "taker_buy_volume": (
        "taker_buy_volume",
        "taker_buy_base_volume",
        "taker_buy_base_asset_volume",
    ),
    "taker_buy_quote_volume": ("taker_buy_quote_volume", "taker_buy_quote_asset_volume"),
    "bid": ("bid",),
    "ask": ("ask",),
    "spread": ("spread",),
}
"""By our name of a column, the names that a file may give it, in any case."""
_REQUIRED: Final = ("time", "open", "high", "low", "close", "volume")
_KLINES: Final = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
"""Columns of the files on data.binance.vision, some of which have no heading."""
_UNITS: Final = ((1e17, 1_000_000), (1e14, 1_000), (1e11, 1))
"""Times from so large on, and how many of their units a millisecond has; smaller ones: seconds."""
_MOST_STEP_S: Final = 7 * 86_400


def candles_from_file(path: Path) -> Candles:
    """Read candles.

    Columns are found by name in any order and case: a time (seconds, ms, µs or ns since the epoch,
    or a date in UTC unless it says otherwise), ``open``, ``high``, ``low``, ``close``, ``volume``,
    and where there are any `CANDLE_COLUMNS` and `QUOTE_COLUMNS`, also by the names that Binance
    gives them. Rows may come in either order. The step is the least distance of two rows.

    Raises
    ------
    InputError
        The file cannot be read; a column is missing; a value is no number, a price is not
        positive, a volume negative, or open and close lie outside low and high; a time comes
        twice, or does not fit the step. The message names file, line and column.
    """
    table, first_line = _table(path)
    file = _File(path, first_line)
    chosen = _columns(file, table.column_names)
    time_ms = _times(file, table.column(chosen["time"]), chosen["time"])
    values = {
        name: _numbers(file, table.column(column), column)
        for name, column in chosen.items()
        if name != "time"
    }
    _check(file, values, chosen)
    order = np.argsort(time_ms, kind="stable")
    step = _step(file, time_ms, order, chosen["time"])
    index = pd.to_datetime(time_ms[order], unit="ms", utc=True)
    rows = pd.DataFrame({name: column[order] for name, column in values.items()}, index=index)
    candles = [name for name in CANDLE_COLUMNS if name in rows and rows[name].notna().any()]
    frame, missing, longest = without_holes(rows[candles], step, str(path))
    for name in QUOTE_COLUMNS:
        if name in rows:
            frame[name] = rows[name].reindex(frame.index)
    unknown = int(frame["close"].isna().sum())
    return Candles(
        frame, step, path.stem, missing, unknown, notes=_notes(frame, missing, longest, candles)
    )


class _File:
    """Names a row of a file as its user finds it: by the line of a CSV, by the row of a Parquet."""

    def __init__(self, path: Path, first_line: int | None) -> None:
        self.path = path
        self._first_line = first_line

    def error(self, row: int, column: str, words: str) -> InputError:
        """Return an error about a row, counted from 0."""
        return InputError(f"{self.path}, {self._place(row)}, column {column!r}: {words}")

    def _place(self, row: int) -> str:
        if self._first_line is None:
            return f"row {row + 1}"
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            full = (number for number, line in enumerate(lines, 1) if line.strip())
            return f"line {next(itertools.islice(full, row + self._first_line - 1, None), '?')}"


def _table(path: Path) -> tuple[pa.Table, int | None]:
    """Return a file's table, and which of a CSV's lines is its first row, None for Parquet."""
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            return pq.read_table(path), None
        with path.open(encoding="utf-8-sig", newline="") as text:
            head = next(csv.reader(text), [])
        bare = bool(head) and _is_number(head[0])
        if bare and len(head) != len(_KLINES):
            raise InputError(
                f"{path}, line 1: no headings; without them a file must have the "
                f"{len(_KLINES)} columns of Binance's klines, this one has {len(head)}."
            )
        names = list(_KLINES) if bare else [name.strip() for name in head]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"{path}, line 1: the column {twice[0]!r} comes twice.")
        table = pv.read_csv(
            path,
            pv.ReadOptions(column_names=names, skip_rows=0 if bare else 1),
            convert_options=pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file.") from error
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return table, 1 if bare else 2


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(file: _File, names: Sequence[str]) -> dict[str, str]:
    """Return the file's columns by our names."""
    by_name = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
    found = {
        ours: by_name[next(name for name in theirs if name in by_name)]
        for ours, theirs in _NAMES.items()
        if any(name in by_name for name in theirs)
    }
    if lacking := [name for name in _REQUIRED if name not in found]:
        words = [f"{name} ({' or '.join(_NAMES[name])})" for name in lacking]
        raise InputError(
            f"{file.path}: no column for {', '.join(words)}; it has: {', '.join(names)}. A file of "
            f"candles has {', '.join(_REQUIRED)}: of what market_research.py writes, that is "
            "--parquet, while --csv has figures only."
        )
    return found


def _numbers(file: _File, column: pa.ChunkedArray, name: str) -> Float1D:
    """Return a column as floats, NaN where it is empty."""
    if pa.types.is_string(column.type):
        text = column.to_pandas().str.strip()
        text = text.where(~text.str.lower().isin(["", "nan", "null", "none"]))
        values = pd.to_numeric(text, errors="coerce")
        wrong = values.isna() & text.notna()
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            raise file.error(row, name, f"{text[row]!r} is no number.")
    else:
        try:
            values = pc.cast(column, pa.float64(), safe=False).to_pandas()
        except pa.ArrowException as error:
            raise InputError(f"{file.path}, column {name!r}: holds {column.type}.") from error
    found = np.array(values, dtype=np.float64)
    if np.isinf(found).any():
        raise file.error(int(np.argmax(np.isinf(found))), name, "is infinite.")
    return found


def _times(file: _File, column: pa.ChunkedArray, name: str) -> Int1D:
    """Return times as ms since the epoch."""
    if not len(column):
        raise InputError(f"{file.path} has no rows.")
    series = column.to_pandas()
    if not pa.types.is_temporal(column.type):
        text = series.astype(str).str.strip() if pa.types.is_string(column.type) else series
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        if np.isfinite(numbers[0]):
            if not np.isfinite(numbers).all():
                row = int(np.argmin(np.isfinite(numbers)))
                raise file.error(row, name, f"{series[row]!r} is no time like those before it.")
            size = float(np.max(np.abs(numbers)))
            units = next((per for least, per in _UNITS if size >= least), None)
            scaled = numbers * 1000 if units is None else numbers / units
            return np.asarray(np.rint(scaled), dtype=np.int64)
        series = text
    moments = pd.to_datetime(series, utc=True, errors="coerce", format="ISO8601")
    if moments.isna().any():
        row = int(np.argmax(moments.isna().to_numpy()))
        raise file.error(
            row,
            name,
            f"{series[row]!r} is no time: seconds since the epoch or 2026-01-31T12:00:00.",
        )
    return np.asarray(pd.DatetimeIndex(moments).as_unit("ms").asi8)


def _check(file: _File, values: dict[str, Float1D], chosen: dict[str, str]) -> None:
    """Raise `InputError` at the first row that is no candle."""
    unknown = np.isnan(values["close"])
    for name in ("open", "high", "low", "close", "bid", "ask"):
        if name in values:
            known = ~np.isnan(values[name])
            if name in CANDLE_COLUMNS and (known == unknown).any():
                row = int(np.argmax(known == unknown))
                raise file.error(
                    row, chosen[name], "is empty in a row with a close, or not in one without."
                )
            bad = known & (values[name] <= 0)
            if bad.any():
                row = int(np.argmax(bad))
                raise file.error(row, chosen[name], f"{values[name][row]:g} is no positive price.")
    for name in CANDLE_COLUMNS[4:]:
        if name in values and (values[name] < 0).any():
            row = int(np.argmax(values[name] < 0))
            raise file.error(row, chosen[name], f"{values[name][row]:g} is negative.")
    most = np.fmax(values["open"], values["close"])
    least = np.fmin(values["open"], values["close"])
    for name, bad in (("high", values["high"] < most), ("low", values["low"] > least)):
        if bad.any():
            row = int(np.argmax(bad))
            raise file.error(
                row,
                chosen[name],
                f"{values[name][row]:g} does not enclose open {values['open'][row]:g} and close "
                f"{values['close'][row]:g}.",
            )


def _step(file: _File, time_ms: Int1D, order: Int1D, name: str) -> int:
    """Return the step in seconds after a check that all times lie on its grid, none twice."""
    distance = np.diff(time_ms[order])
    if not len(distance):
        raise InputError(f"{file.path} has one row; two tell the length of a candle.")
    if not distance.all():
        row = int(order[int(np.argmin(distance)) + 1])
        raise file.error(row, name, "comes twice.")
    step = int(distance.min())
    off = distance % step != 0
    if step % 1000 or step > 1000 * _MOST_STEP_S or off.any():
        row = int(order[int(np.argmax(off if off.any() else distance == step)) + 1])
        raise file.error(
            row,
            name,
            f"is no whole number of steps after the row before: the least step is {step / 1000:g} "
            "s, and candles begin at whole steps of a second to a week.",
        )
    return step // 1000


def _notes(
    frame: pd.DataFrame, missing: int, longest: int, there: Sequence[str]
) -> tuple[str, ...]:
    notes = []
    if missing:
        notes.append(
            f"{missing} of {len(frame)} candles were missing and stand as rows without trades "
            f"(the longest run: {longest})."
        )
    if lacking := [name.replace("_", " ") for name in CANDLE_COLUMNS if name not in there]:
        notes.append(f"The file does not tell: {', '.join(lacking)}.")
    return tuple(notes)
