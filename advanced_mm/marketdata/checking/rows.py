"""Checks of the rows of one kind, whole columns at a time. No I/O."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from advanced_mm.marketdata.lag import sent_live
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.marketdata.shards import splitmix64
from advanced_mm.marketdata.sound_rows import readable, sound_numbers, sound_times

__all__ = [
    "CHECKED_COLUMNS",
    "TradeIds",
    "crossed",
    "duplicates",
    "live_rows",
    "row_codes",
    "sound",
    "stretches",
    "timeless",
]

CHECKED_COLUMNS: Final = {
    "orderbooks": ("bid_price_0", "bid_size_0", "ask_price_0", "ask_size_0", "sequence", "fast"),
    "prices": ("price", "size", "side"),
    "trades": ("price", "size", "side", "trade_id", "snapshot", "backfilled"),
    "contexts": ("mark_price", "oracle_price", "funding", "open_interest"),
}
"""Columns read beside the two times, by kind, as far as a file has them."""

_Bool1D = NDArray[np.bool_]


def sound(table: pa.Table, kind: str) -> _Bool1D:
    """Mark the rows that readers accept: with valid times, prices, sizes, sides and ids."""
    n = table.num_rows
    good = readable(table, kind)
    time_ms = table["exchange_timestamp"].fill_null(-1).to_numpy()
    local_s = floats(table, "timestamp")
    good &= sound_times(time_ms, local_s, np.array([n]))
    if kind == "trades":
        good &= sound_numbers(floats(table, "price"), floats(table, "size"))
    elif kind == "prices":
        price = floats(table, "price")
        good &= np.isnan(price) | sound_numbers(price, floats(table, "size"))
    elif kind == "orderbooks" and "bid_price_0" in table.column_names:
        for side in ("bid", "ask"):
            price = floats(table, f"{side}_price_0")
            good &= np.isnan(price) | sound_numbers(price, floats(table, f"{side}_size_0"))
    return good


def timeless(table: pa.Table, kind: str) -> _Bool1D:
    """Mark the contexts without an exchange time, as one before any other row of its coin.

    They are no bad rows: readers take the local time in its place.
    """
    if kind != "contexts":
        return np.zeros(table.num_rows, dtype=np.bool_)
    mask: _Bool1D = np.asarray(table["exchange_timestamp"].is_null().to_numpy(), dtype=np.bool_)
    return mask


def crossed(table: pa.Table, kind: str) -> int:
    """Count the books, or the updates of both sides, whose bid is not below the ask."""
    if kind == "orderbooks" and "bid_price_0" in table.column_names:
        return int((floats(table, "bid_price_0") >= floats(table, "ask_price_0")).sum())
    if kind != "prices" or table.num_rows < 2:
        return 0
    price, is_bid = floats(table, "price"), table["side"].to_numpy() == "bid"
    time_ms, local_s = table["exchange_timestamp"].to_numpy(), floats(table, "timestamp")
    pairs = is_bid[:-1] & ~is_bid[1:] & (time_ms[:-1] == time_ms[1:])
    pairs &= local_s[:-1] == local_s[1:]
    return int((pairs & (price[:-1] >= price[1:])).sum())


def row_codes(table: pa.Table) -> Int1D:
    """Return a 64-bit code of each row, equal for equal rows; NaN equals NaN."""
    codes = np.zeros(table.num_rows, dtype=np.uint64)
    for name in sorted(table.column_names):
        column = table[name]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            encoded = column.combine_chunks().dictionary_encode()
            texts = encoded.dictionary.to_pylist()
            each = np.array([*map(_text_code, texts), 0], dtype=np.uint64)
            bits = each[encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]
        elif pa.types.is_boolean(column.type):
            bits = column.cast(pa.int8()).fill_null(2).to_numpy().astype(np.uint64)
        elif pa.types.is_floating(column.type):
            # Adding zero gives both zeros the same bits.
            values = np.nan_to_num(floats(table, name), nan=-1.7e308) + 0.0
            bits = values.view(np.uint64)
        else:
            bits = column.fill_null(-1).to_numpy().astype(np.int64).view(np.uint64)
        codes = splitmix64(codes ^ bits)
    return codes.view(np.int64)


def duplicates(codes: Int1D) -> _Bool1D:
    """Mark the rows whose code occurred before."""
    _, first = np.unique(codes, return_index=True)
    again = np.ones(len(codes), dtype=np.bool_)
    again[first] = False
    return again


@dataclass
class TradeIds:
    """Trades by id: which were told before, and whether they were the same.

    It remembers the trades of the table before, as the venue repeats recent ones only.
    """

    _ids: Int1D
    _codes: Int1D

    @classmethod
    def none(cls) -> "TradeIds":
        """Know no trade yet."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))

    def compare(self, table: pa.Table) -> tuple[_Bool1D, _Bool1D]:
        """Return which rows repeat an earlier trade, and which of those differ from it."""
        own = table["trade_id"].cast(pa.int64()).to_numpy()
        content = row_codes(table.select(["exchange_timestamp", "price", "size", "side"]))
        ids = np.concatenate((self._ids, own))
        codes = np.concatenate((self._codes, content))
        _, first, places = np.unique(ids, return_index=True, return_inverse=True)
        again = first[places] != np.arange(len(ids))
        differs = again & (codes != codes[first[places]])
        known = len(self._ids)
        self._ids, self._codes = own, content
        return again[known:], differs[known:]


def live_rows(table: pa.Table, kind: str) -> _Bool1D:
    """Mark the rows that the recorder claims to have received as they happened.

    Trades of recordings without such a mark are not among them: the venue may have repeated them.
    """
    live = sent_live(table)
    if kind == "trades":
        if "snapshot" not in table.column_names:
            return np.zeros(table.num_rows, dtype=np.bool_)
        live &= np.asarray(table["snapshot"].is_valid().to_numpy(), dtype=np.bool_)
    return live


def stretches(time_ms: Int1D, longest_ms: int) -> tuple[Int1D, Int1D]:
    """Return the starts and ends of the periods without a pause longer than ``longest_ms``."""
    times = np.unique(time_ms)
    if not len(times):
        return times, times
    breaks = np.flatnonzero(np.diff(times) > longest_ms)
    return times[np.append(0, breaks + 1)], times[np.append(breaks, len(times) - 1)]


def floats(table: pa.Table, name: str) -> Float1D:
    """Return a column as floats, NaN for null."""
    column: Float1D = table[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return column


def _text_code(text: str) -> int:
    code = 14695981039346656037  # FNV-1a
    for byte in text.encode():
        code = (code ^ byte) * 1099511628211 % 2**64
    return code
