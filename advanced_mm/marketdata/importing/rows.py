"""Rows of other people's recordings, collected until they become shards."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from advanced_mm.marketdata.schemas import BOOK_LEVELS, SCHEMAS, shard_metadata

__all__ = ["Row", "RowError", "Rows", "aggressor", "book_row", "finite", "iso_ms", "milliseconds",
           "positive", "quote_rows", "table_of", "trade_row", "whole"]  # fmt: skip

Row = dict[str, Any]
"""A row of a shard by column; columns left out are empty."""
Rows = dict[tuple[str, str], list[Row]]
"""Rows by coin and kind."""

_SIDES: Final = {"A": "sell", "B": "buy"}
_LATEST_MS: Final = 10**14


class RowError(ValueError):
    """A value of a row cannot be used; the message names it."""


def table_of(coin: str, kind: str, rows: Sequence[Row], notes: Mapping[str, str]) -> pa.Table:
    """Return rows as a shard's table, by exchange time (stable); ``notes`` join its metadata."""
    rows = sorted(rows, key=lambda row: int(row["exchange_timestamp"]))
    schema = SCHEMAS[kind].with_metadata({**shard_metadata(coin, None), **notes})
    arrays = [pa.array([row.get(f.name) for row in rows], f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def trade_row(
    time_ms: int,
    price: float,
    size: float,
    side: str,
    trade_id: int,
    order_hash: str,
    position: int = 0,
) -> Row:
    """Return a print's row; its local time is the exchange's, ``position`` its place in a block."""
    return {
        "timestamp": time_ms / 1000.0,
        "price": price,
        "size": size,
        "side": side,
        "trade_id": str(trade_id),
        "exchange_timestamp": time_ms,
        "hash": order_hash,
        "snapshot": False,
        "position": position,
        "backfilled": False,
    }


def book_row(
    time_ms: int, sequence: int, sides: tuple[list[tuple[float, float]], list[tuple[float, float]]]
) -> Row:
    """Return a snapshot's row from its levels (price, size), bids and asks, best first."""
    row: Row = {
        "timestamp": time_ms / 1000.0,
        "sequence": sequence,
        "exchange_timestamp": time_ms,
        "fast": False,
    }
    for name, levels in zip(("bid", "ask"), sides, strict=True):
        for level in range(BOOK_LEVELS):
            price, size = levels[level] if level < len(levels) else (math.nan, math.nan)
            row[f"{name}_price_{level}"], row[f"{name}_size_{level}"] = price, size
    return row


def quote_rows(book: Row) -> list[Row]:
    """Return a snapshot's best bid and offer as the two rows of an update."""
    rows = []
    for side in ("bid", "ask"):
        price, size = book[f"{side}_price_0"], book[f"{side}_size_0"]
        rows.append(
            {
                "timestamp": book["timestamp"],
                "price": price,
                "size": 0.0 if math.isnan(price) else size,
                "side": side,
                "exchange_timestamp": book["exchange_timestamp"],
            }
        )
    return rows


def positive(name: str, value: Any) -> float:
    """Return a price; raise `RowError` if it is not positive."""
    number = finite(name, value)
    if not number > 0.0:
        raise RowError(f"{name} is {value!r}, must be positive")
    return number


def finite(name: str, value: Any) -> float:
    """Return a number; raise `RowError` if it is none, infinite or negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise RowError(f"{name} is {value!r}, must be a number") from None
    if not 0.0 <= number < math.inf:
        raise RowError(f"{name} is {value!r}, must be a number that is not negative")
    return number


def whole(name: str, value: Any) -> int:
    """Return a non-negative integer of 63 bits; raise `RowError` if it is none."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise RowError(f"{name} is {value!r}, must be a whole number") from None
    if not 0 <= number < 2**63:
        raise RowError(f"{name} is {value!r}, must be a whole number of 63 bits")
    return number


def milliseconds(name: str, value: Any) -> int:
    """Return a time in ms since the epoch; raise `RowError` if it is none."""
    time_ms = whole(name, value)
    if time_ms >= _LATEST_MS:
        raise RowError(f"{name} is {value!r}, which is not in milliseconds")
    return time_ms


def aggressor(name: str, value: Any) -> str:
    """Return ``buy`` or ``sell`` for the venue's ``B`` or ``A``."""
    if value not in _SIDES:
        raise RowError(f"{name} is {value!r}, must be 'A' or 'B'")
    return _SIDES[value]


def iso_ms(name: str, value: Any) -> int:
    """Return a time in ISO 8601 (UTC unless it names a zone, any number of decimals) in ms."""
    head, dot, tail = str(value).removesuffix("Z").partition(".")
    digits = "".join(character for character in tail if character.isdigit())
    try:
        parsed = datetime.fromisoformat(head)
        fraction = int((digits + "000")[:3]) if dot else 0
    except ValueError:
        raise RowError(f"{name} is {value!r}, must be a time in ISO 8601") from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000) + fraction
