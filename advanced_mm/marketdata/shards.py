"""Reading of single shards from disk into arrays, before merging."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from advanced_mm.bad_rows import BadRow
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.marketdata.schemas import READ_COLUMNS, check_columns, check_version, tick_of
from advanced_mm.marketdata.sound_rows import bad_row, readable, sound_numbers, sound_times

__all__ = [
    "PRICE_UNITS",
    "Shard",
    "ShardGoneError",
    "read_shards",
    "shard_of",
    "splitmix64",
    "transaction_codes",
]

PRICE_UNITS: Final = 1e8
"""Price units per unit of quote currency; this venue's prices have at most 8 decimals."""

_Arrays = dict[str, NDArray[Any]]

_IS_ZERO: Final = np.isin(np.arange(256), np.frombuffer(b"\x000x", dtype=np.uint8))
"""By character code: whether a hash made only of these is zero. NUL is padding."""


class ShardGoneError(InputError):
    """A listed shard no longer exists; the reader lists the folder again."""


@dataclass(frozen=True)
class Shard:
    """The rows of one file in arrival order.

    Attributes
    ----------
    columns : Mapping
        Arrays of equal length by name; names and meaning as in `Quotes` and `Trades`, only
        ``time_ms`` for order books.
    newest_ms : int
        Largest exchange time, ms.
    tick : float or None
        Price step from the metadata, quote currency.
    step : int
        Greatest common divisor of the prices in units of 1 / `PRICE_UNITS`; 0 without prices or if
        the metadata have a tick.
    bad_rows : tuple of BadRow
        Rows of the file that were dropped.
    """

    columns: Mapping[str, NDArray[Any]]
    newest_ms: int
    tick: float | None
    step: int
    bad_rows: tuple[BadRow, ...] = ()


def read_shards(paths: Sequence[str], kind: str) -> list[Shard | InputError]:
    """Read and check shards of one kind; parsing many together costs little more than one.

    Returns
    -------
    list
        For each path, the shard or the error: the file cannot be read, has no good rows, or a
        column is missing or has another type. The message names the column but not the file, which
        the caller knows.
    """
    tables = [_read_table(path, kind) for path in paths]
    good = [table for table in tables if isinstance(table, pa.Table)]
    if len(good) < 2 or not all(table.schema.equals(good[0].schema) for table in good):
        return [_parsed_alone(table, kind) for table in tables]
    try:
        parsed = iter(_parsed_together(good, kind))
    except InputError:  # caused by one of them: parse each alone to keep the others
        return [_parsed_alone(table, kind) for table in tables]
    return [next(parsed) if isinstance(table, pa.Table) else table for table in tables]


def shard_of(table: pa.Table, kind: str) -> Shard:
    """Check and parse the table of one shard.

    Raises
    ------
    InputError
        If it has no good rows, or a column is missing or has another type.
    """
    try:
        (shard,) = _parsed_together([table], kind)
        return shard
    except InputError:
        check_columns(kind, table.schema)
        good = readable(table, kind)
        if good.all() or not good.any():
            raise
    (shard,) = _parsed_together([table.filter(pa.array(good))], kind)
    return replace(shard, bad_rows=(bad_row(table, kind, ~good), *shard.bad_rows))


def _read_table(path: str, kind: str) -> pa.Table | InputError:
    columns = [*READ_COLUMNS[kind], *(["hash"] if kind == "trades" else [])]
    try:
        # Pre-buffering would hand these few kilobytes to another thread.
        with pq.ParquetFile(pa.BufferReader(Path(path).read_bytes()), pre_buffer=False) as file:
            # Missing columns are ignored here; check_columns finds them in the table's schema.
            check_version(file.schema_arrow)
            return file.read(columns=columns, use_threads=False)
    except FileNotFoundError:
        return ShardGoneError("was merged into another shard or deleted")
    except InputError as error:
        return error
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        return InputError(f"not a readable Parquet file ({first_line})")


def _parsed_alone(table: pa.Table | InputError, kind: str) -> Shard | InputError:
    if isinstance(table, InputError):
        return table
    try:
        return shard_of(table, kind)
    except InputError as error:
        return error


def _parsed_together(tables: Sequence[pa.Table], kind: str) -> list[Shard]:
    """Parse tables with the same schema (their metadata may differ).

    Raises
    ------
    InputError
        If one of them cannot be used.
    """
    check_columns(kind, tables[0].schema)
    if not all(table.num_rows for table in tables):
        raise InputError("has no rows")
    ends = np.cumsum([table.num_rows for table in tables])
    together = pa.concat_tables(tables) if len(tables) > 1 else tables[0]
    arrays, ends, bad = _PARSERS[kind](together, ends)
    bad_rows = _bad_rows_of_each(tables, kind, bad)
    shards, first = [], 0
    for table, end, dropped in zip(tables, ends.tolist(), bad_rows, strict=True):
        own, tick = (
            {name: array[first:end] for name, array in arrays.items()},
            tick_of(table.schema),
        )
        step = _common_step(own) if tick is None and kind != "orderbooks" else 0
        shards.append(Shard(own, int(own["time_ms"].max()), tick, step, dropped))
        first = end
    return shards


def _bad_rows_of_each(
    tables: Sequence[pa.Table], kind: str, bad: NDArray[np.bool_] | None
) -> list[tuple[BadRow, ...]]:
    """Return each table's bad rows; ``bad`` covers the rows of all tables in turn."""
    found: list[tuple[BadRow, ...]] = []
    first = 0
    for table in tables:
        own = None if bad is None else bad[first : first + table.num_rows]
        found.append(() if own is None or not own.any() else (bad_row(table, kind, own),))
        first += table.num_rows
    return found


def transaction_codes(hashes: pa.ChunkedArray) -> Int1D:
    """Encode transaction hashes as 64-bit integers, identical on every machine and run.

    Parameters
    ----------
    hashes : pyarrow.ChunkedArray
        Strings, shape (n,).

    Returns
    -------
    ndarray of int64, shape (n,)
        Equal hashes have equal codes; different ones collide with probability of about 2**-64 per
        pair. 0 if the hash is null, empty or all zeros: the venue's mark for prints without an
        order of their own (TWAP slices).
    """
    # There are few distinct hashes: the prints of an order share one.
    encoded = hashes.combine_chunks().dictionary_encode()
    codes = _codes(_characters(encoded.dictionary))
    place = encoded.indices.to_numpy(zero_copy_only=False)
    if encoded.null_count:
        place = np.where(np.isnan(place), len(codes), place).astype(np.int64)
        codes = np.append(codes, 0)
    of_rows: Int1D = codes[place]
    return of_rows


def _characters(texts: pa.Array) -> NDArray[np.uint8]:
    """Return the characters of strings, shape (n, longest), shorter ones padded with zeros."""
    if pa.types.is_string(texts.type) and len(texts) and not texts.offset:
        _, ends, characters = texts.buffers()
        lengths = np.diff(np.frombuffer(ends, np.int32)[: len(texts) + 1])
        if lengths[0] > 0 and (lengths == lengths[0]).all():  # the venue's hashes: used in place
            used = np.frombuffer(characters, np.uint8)[: len(texts) * lengths[0]]
            return used.reshape(len(texts), lengths[0])
    raw = np.array([text.encode() for text in texts.to_pylist()], dtype=np.bytes_)
    if not raw.nbytes:
        return np.zeros((len(raw), 1), np.uint8)
    return raw.view(np.uint8).reshape(len(raw), -1)


def _codes(characters: NDArray[np.uint8]) -> Int1D:
    # A sum of characters times position-dependent odd 64-bit weights, modulo 2**64. Padding
    # characters are 0, so the code does not depend on the longest hash of the shard.
    codes = (characters.astype(np.uint64) * _weights(characters.shape[1])).sum(axis=1)
    unknown = _IS_ZERO[characters].all(axis=1)
    signed = splitmix64(codes).view(np.int64)
    return np.where(unknown, 0, np.where(signed == 0, 1, signed))


@cache
def _weights(count: int) -> NDArray[np.uint64]:
    return splitmix64(np.arange(count, dtype=np.uint64)) | np.uint64(1)


def splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix 64-bit integers (Steele, Lea & Flood 2014, splitmix64's finaliser)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


# Each parser takes the rows of all files in turn and the end row of each file. It returns the
# arrays, the end of each file's part of them, and which rows were bad (None if none were).

_Parsed = tuple[_Arrays, Int1D, NDArray[np.bool_] | None]


def _parse_books(table: pa.Table, ends: Int1D) -> _Parsed:
    time_ms = _integers(table, "exchange_timestamp")
    sound = sound_times(time_ms, None, ends)
    if sound.all():
        return {"time_ms": time_ms}, ends, None
    return {"time_ms": time_ms[sound]}, _ends_of_kept(sound, ends), ~sound


def _ends_of_kept(sound: NDArray[np.bool_], ends: Int1D) -> Int1D:
    """Return the end of each file's kept rows; raise InputError if a file has none."""
    kept = np.cumsum(sound, dtype=np.int64)[ends - 1]
    if not np.diff(kept, prepend=0).all():
        raise InputError("has no good rows")
    return kept


def _parse_quotes(table: pa.Table, ends: Int1D) -> _Parsed:
    time_ms = _integers(table, "exchange_timestamp")
    local_s = _floats(table, "timestamp")
    price, size = _floats(table, "price"), _floats(table, "size")
    is_bid = _is_first(table, "bid", "ask")
    timed = sound_times(time_ms, local_s, ends)
    # A bad side is unknown, as if it were empty; the other side of the update is kept.
    known = np.isnan(price) | sound_numbers(price, size)
    bad = None if timed.all() and known.all() else ~(timed & known)
    if bad is not None:
        price = np.where(known, price, np.nan)
        ends = _ends_of_kept(timed, ends)
        time_ms, local_s, is_bid = time_ms[timed], local_s[timed], is_bid[timed]
        price, size = price[timed], size[timed]
    completes = _completes(time_ms, local_s, is_bid, ends)
    if 2 * completes.sum() < len(completes):
        order, ends = _paired_rows((time_ms, local_s, is_bid, price, size), completes, ends)
        time_ms, local_s, is_bid = time_ms[order], local_s[order], is_bid[order]
        price, size = price[order], size[order]
        completes = _completes(time_ms, local_s, is_bid, ends)
    update = np.cumsum(~completes) - 1
    first = np.flatnonzero(~completes)
    arrays: _Arrays = {"time_ms": time_ms[first], "local_s": local_s[first]}
    for name, rows in (("bid", is_bid), ("ask", ~is_bid)):
        prices, sizes = np.full(len(first), np.nan), np.zeros(len(first))
        prices[update[rows]] = price[rows]
        sizes[update[rows]] = np.where(np.isnan(price[rows]), 0.0, size[rows])
        arrays[name], arrays[f"{name}_size"] = prices, sizes
    return arrays, update[ends - 1] + 1, bad


def _completes(
    time_ms: Int1D, local_s: Float1D, is_bid: NDArray[np.bool_], ends: Int1D
) -> NDArray[np.bool_]:
    """Mark the ask rows that complete the bid row before them: both carry the same two times.

    Any other row is a separate update whose other side was empty.
    """
    completes = np.zeros(len(time_ms), dtype=np.bool_)
    completes[1:] = (
        is_bid[:-1] & ~is_bid[1:] & (time_ms[1:] == time_ms[:-1]) & (local_s[1:] == local_s[:-1])
    )
    completes[ends[:-1]] = False  # the bid row before belongs to another file
    return completes


def _paired_rows(
    columns: tuple[NDArray[Any], ...], completes: NDArray[np.bool_], ends: Int1D
) -> tuple[Int1D, Int1D]:
    """Return an order of the rows in which the two sides of each update are adjacent.

    Recorders write them so, but rows may have been copied or shuffled since. Files whose rows are
    all paired keep their order. ``columns`` are exchange time, local time, whether the row is a
    bid, price and size.
    """
    rows, first = [], 0
    for end in ends.tolist():
        own = np.arange(first, end)
        if 2 * completes[first:end].sum() < len(own):
            own = own[_paired([column[first:end] for column in columns])]
        rows.append(own)
        first = end
    return np.concatenate(rows), np.cumsum([len(own) for own in rows])


def _paired(columns: list[NDArray[Any]]) -> Int1D:
    """Return the rows of one file without duplicates, by time and in pairs."""
    time_ms, local_s, is_bid, price, size = columns
    order = np.lexsort((size, price, is_bid, local_s, time_ms))
    rows = np.sort(order[_changes(columns, order)])  # without duplicates, in order of arrival
    by_side = rows[np.lexsort((is_bid[rows], local_s[rows], time_ms[rows]))]
    # The first bid of a moment belongs to its first ask, the second to the second.
    start = np.flatnonzero(_changes(columns[:3], by_side))
    place = np.arange(len(by_side)) - np.repeat(start, np.diff(start, append=len(by_side)))
    keys = (~is_bid[by_side], place, local_s[by_side], time_ms[by_side])
    return np.asarray(by_side[np.lexsort(keys)])


def _changes(columns: Sequence[NDArray[Any]], order: Int1D) -> NDArray[np.bool_]:
    """Mark the rows, in this order, that differ from the previous one; NaN equals NaN."""
    changed = np.ones(len(order), dtype=np.bool_)
    changed[1:] = False
    for column in columns:
        later, earlier = column[order[1:]], column[order[:-1]]
        changed[1:] |= (later != earlier) & ~((later != later) & (earlier != earlier))
    return changed


def _parse_trades(table: pa.Table, ends: Int1D) -> _Parsed:
    try:
        trade_id = table["trade_id"].cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InputError("column 'trade_id' has a value that is not an integer") from error
    has_hash = "hash" in table.column_names
    arrays: _Arrays = {
        "time_ms": _integers(table, "exchange_timestamp"),
        "price": _floats(table, "price"),
        "size": _floats(table, "size"),
        "side": np.where(_is_first(table, "buy", "sell"), np.int64(1), np.int64(-1)),
        "trade_id": _whole("trade_id", trade_id),
        "transaction": transaction_codes(table["hash"])
        if has_hash
        else np.zeros(table.num_rows, dtype=np.int64),
        "local_s": _floats(table, "timestamp"),
    }
    sound = sound_times(arrays["time_ms"], arrays["local_s"], ends)
    sound &= sound_numbers(arrays["price"], arrays["size"])
    if sound.all():
        return arrays, ends, None
    ends = _ends_of_kept(sound, ends)
    return {name: array[sound] for name, array in arrays.items()}, ends, ~sound


_PARSERS: Final[Mapping[str, Callable[[pa.Table, Int1D], _Parsed]]] = {
    "orderbooks": _parse_books,
    "prices": _parse_quotes,
    "trades": _parse_trades,
}


def _integers(table: pa.Table, name: str) -> Int1D:
    return _whole(name, table[name])


def _whole(name: str, column: pa.ChunkedArray) -> Int1D:
    if column.null_count:
        raise InputError(f"column {name!r} has {column.null_count} empty values")
    array: Int1D = column.to_numpy()
    return array


def _floats(table: pa.Table, name: str) -> Float1D:
    column = table[name]
    if column.type != pa.float64():
        column = column.cast(pa.float64())
    array: Float1D = column.to_numpy()  # nulls become NaN
    return array


def _is_first(table: pa.Table, first: str, second: str) -> NDArray[np.bool_]:
    """Mark the rows whose side is ``first``; all others must be ``second``."""
    side = table["side"].to_numpy()
    is_first = np.asarray(side == first, dtype=np.bool_)
    wrong = ~(is_first | (side == second))
    if wrong.any():
        value = side[int(np.argmax(wrong))]
        raise InputError(f"column 'side' has {value!r}, expected {first!r} or {second!r}")
    return is_first


def _common_step(arrays: Mapping[str, NDArray[Any]]) -> int:
    prices = np.concatenate([arrays[name] for name in ("price", "bid", "ask") if name in arrays])
    units = np.rint(_credible(prices) * PRICE_UNITS).astype(np.int64)
    return int(np.gcd.reduce(units)) if len(units) else 0


def _credible(prices: Float1D) -> Float1D:
    """Return the prices usable for the step, since one wrong price would make it tiny.

    They are positive, within a factor of two of the median, and have at most five significant
    figures or are whole, by the venue's rule (unless most prices break it: another venue's).
    """
    prices = prices[np.isfinite(prices) & (prices > 0)]
    if not len(prices):
        return prices
    median = np.median(prices)
    prices = prices[(prices > median / 2) & (prices < 2 * median)]
    figures = prices / 10.0 ** (np.floor(np.log10(prices)) - 4)
    off_grid = np.minimum(np.abs(figures - np.rint(figures)), np.abs(prices - np.rint(prices)))
    venue_s = off_grid < 1e-6
    return prices[venue_s] if 2 * venue_s.sum() >= len(prices) else prices
