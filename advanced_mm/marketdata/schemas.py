"""Columns of the shards and their checks.

A shard is a Parquet file of one kind for one coin. The columns are those of earlier public
recorders of this venue plus a few of our own; files without the latter can be read too.

========== ======================================================================================
kind       row
========== ======================================================================================
orderbooks one L2 snapshot: 20 levels a side, best first, NaN where the venue sent fewer
prices     one side of a best-bid-offer update; the bid row, then the ask row of the same update
trades     one print
contexts   one ``activeAssetCtx``: funding, open interest, oracle and mark price
connections one connection event: connect, disconnect, a channel silent or active again, a gap, ...
========== ======================================================================================

``timestamp`` is the local receive time in seconds since the epoch, ``exchange_timestamp`` the
exchange's time in milliseconds. Prices are in the quote currency, sizes in the base currency.
A context carries no exchange time: its row has that of the coin's newest row when it came.

Version 2 (in the metadata, ``schema_version``) added kind ``contexts``; ``position`` (place in its
message) and ``backfilled`` (asked for after a gap) of trades; and of ``connections`` the channel
and the exchange times between which rows may be missing. Recordings of version 1 are read as well.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.file_versions import NewerVersionError

__all__ = [
    "BOOK_LEVELS",
    "DATA_KINDS",
    "EVENT_COLUMNS",
    "KINDS",
    "READ_COLUMNS",
    "SCHEMAS",
    "SCHEMA_VERSION",
    "check_columns",
    "check_version",
    "shard_metadata",
    "tick_of",
]

BOOK_LEVELS: Final = 20
SCHEMA_VERSION: Final = "2"
"""A whole number in each shard's metadata; lower versions, and shards without one, can be read."""

_TIMES = [("timestamp", pa.float64()), ("exchange_timestamp", pa.int64())]
_BOOK_FIELDS = [
    (f"{side}_{field}_{level}", pa.float64())
    for level in range(BOOK_LEVELS)
    for side in ("bid", "ask")
    for field in ("price", "size")
]

SCHEMAS: Final[Mapping[str, pa.Schema]] = {
    "orderbooks": pa.schema(
        [_TIMES[0], ("sequence", pa.int64()), _TIMES[1], *_BOOK_FIELDS, ("fast", pa.bool_())]
    ),
    "prices": pa.schema(
        [
            _TIMES[0],
            ("price", pa.float64()),
            ("size", pa.float64()),
            ("side", pa.string()),
            _TIMES[1],
        ]
    ),
    "trades": pa.schema(
        [
            _TIMES[0],
            ("price", pa.float64()),
            ("size", pa.float64()),
            ("side", pa.string()),
            ("trade_id", pa.string()),
            _TIMES[1],
            ("hash", pa.string()),
            ("snapshot", pa.bool_()),
            ("position", pa.int64()),
            ("backfilled", pa.bool_()),
        ]
    ),
    "contexts": pa.schema(
        [
            _TIMES[0],
            *(
                (name, pa.float64())
                for name in (
                    "mark_price",
                    "mid_price",
                    "oracle_price",
                    "funding",
                    "premium",
                    "open_interest",
                    "impact_bid",
                    "impact_ask",
                    "previous_day_price",
                    "day_volume_quote",
                    "day_volume_base",
                )
            ),
            _TIMES[1],
        ]
    ),
    "connections": pa.schema(
        [
            _TIMES[0],
            ("event", pa.string()),
            ("detail", pa.string()),
            _TIMES[1],
            ("channel", pa.string()),
            ("from_exchange_timestamp", pa.int64()),
            ("to_exchange_timestamp", pa.int64()),
        ]
    ),
}
"""Schema of the shards written, by kind."""

KINDS: Final = tuple(SCHEMAS)
EVENT_COLUMNS: Final = tuple(SCHEMAS["connections"].names)
"""Those of `connection_log.ConnectionEvent`, in the order of its fields."""
DATA_KINDS: Final = ("orderbooks", "prices", "trades")

READ_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "orderbooks": ("exchange_timestamp",),
    "prices": ("timestamp", "price", "size", "side", "exchange_timestamp"),
    "trades": ("timestamp", "price", "size", "side", "trade_id", "exchange_timestamp"),
    "contexts": ("timestamp", "mark_price", "exchange_timestamp"),
    "connections": ("timestamp", "event", "detail", "exchange_timestamp"),
}
"""Columns required to read a shard."""


def check_columns(kind: str, schema: pa.Schema) -> None:
    """Check that a shard's schema has every required column with a compatible type.

    Raises
    ------
    InputError
        A column is missing or has another type; the message names the first.
    """
    for name in READ_COLUMNS[kind]:
        index = schema.get_field_index(name)
        if index < 0:
            raise InputError(f"column {name!r} is missing")
        wanted, found = SCHEMAS[kind].field(name).type, schema.field(index).type
        if not _same_family(wanted, found):
            raise InputError(f"column {name!r} has type {found}, expected {wanted}")


def check_version(schema: pa.Schema) -> int:
    """Return a shard's schema version, 0 if its metadata name none.

    Raises
    ------
    NewerVersionError
        If this program does not know the version yet.
    InputError
        If it is not a whole number.
    """
    raw = (schema.metadata or {}).get(b"schema_version")
    if raw is None:
        return 0
    text = raw.decode(errors="replace")
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"metadata 'schema_version' is {text!r}, must be a whole number")
    if int(text) > int(SCHEMA_VERSION):
        raise NewerVersionError(
            f"metadata 'schema_version' is {text}, this program reads up to {SCHEMA_VERSION}: "
            "update it"
        )
    return int(text)


def shard_metadata(coin: str, tick: float | None) -> dict[str, str]:
    """Return a shard's schema metadata; ``tick`` (quote currency) is omitted if None."""
    metadata = {"coin": coin, "schema_version": SCHEMA_VERSION}
    if tick is not None:
        metadata["tick"] = repr(float(tick))
    return metadata


def tick_of(schema: pa.Schema) -> float | None:
    """Return the price step (quote currency) in a shard's metadata, None if there is none.

    Raises
    ------
    InputError
        If the metadata's tick is not a positive number.
    """
    raw = (schema.metadata or {}).get(b"tick")
    if raw is None:
        return None
    try:
        tick = float(raw)
    except ValueError:
        tick = float("nan")
    if not 0.0 < tick < float("inf"):
        raise InputError(
            f"metadata 'tick' is {raw.decode(errors='replace')!r}, must be a positive number"
        )
    return tick


def _same_family(wanted: pa.DataType, found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_string(wanted):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    if pa.types.is_floating(wanted):
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found))
    return bool(wanted == found)
