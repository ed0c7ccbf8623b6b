"""Validity checks of shard rows. A bad row is dropped; the rest of its file is kept.

Whole columns are checked at once in a few passes; single rows only if a column has a fault.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from advanced_mm.bad_rows import BadRow
from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["bad_row", "readable", "sound_numbers", "sound_times"]

_LATEST_MS: Final = 10**14
"""Later times (beyond the year 5138) are not in milliseconds."""
_FURTHEST_AHEAD_MS: Final = 2 * 86_400_000
"""A row this far ahead of its file's median would push all other rows out of the window."""
_SIDES: Final = {"prices": ("bid", "ask"), "trades": ("buy", "sell")}
_SHOWN: Final = ("price", "size", "side", "exchange_timestamp", "timestamp", "trade_id")


def readable(table: pa.Table, kind: str) -> NDArray[np.bool_]:
    """Mark the rows that have a time, a valid side and an integer id."""
    good = pc.is_valid(table["exchange_timestamp"])
    if kind in _SIDES:
        good = pc.and_(good, pc.is_in(table["side"], pa.array(_SIDES[kind])))
    if kind == "trades":
        whole = pc.match_substring_regex(table["trade_id"].cast(pa.string()), r"^-?[0-9]{1,18}$")
        good = pc.and_(good, pc.fill_null(whole, False))
    mask: NDArray[np.bool_] = np.asarray(good.to_numpy(), dtype=np.bool_)
    return mask


def sound_times(time_ms: Int1D, local_s: Float1D | None, ends: Int1D) -> NDArray[np.bool_]:
    """Mark the rows with both times, in the right unit and not far ahead of their file's median.

    ``ends`` holds the end row of each file.
    """
    sound = (time_ms >= 0) & (time_ms < _LATEST_MS)
    if local_s is not None:
        sound &= np.isfinite(local_s)
    if int(time_ms.max()) - int(time_ms.min()) > _FURTHEST_AHEAD_MS:
        first = 0
        for end in ends.tolist():
            own = time_ms[first:end]
            sound[first:end] &= own - np.median(own) <= _FURTHEST_AHEAD_MS
            first = end
    return sound


def sound_numbers(price: Float1D, size: Float1D) -> NDArray[np.bool_]:
    """Mark the rows with a positive price and a size of zero or more, both finite."""
    sound: NDArray[np.bool_] = (price > 0) & (price < np.inf) & (size >= 0) & (size < np.inf)
    return sound


def bad_row(table: pa.Table, kind: str, bad: NDArray[np.bool_]) -> BadRow:
    """Count the bad rows of a file, at least one, and describe the last."""
    rows = np.flatnonzero(bad)
    row: dict[str, Any] = table.slice(int(rows[-1]), 1).to_pylist()[0]
    shown = ", ".join(f"{name} {row[name]!r}" for name in _SHOWN if name in row)
    return BadRow(kind, f"row {rows[-1]}: {shown}", len(rows))
