"""Events as rows: one table for all kinds, the columns of a kind's own null in the others'."""

import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.json

from advanced_mm.day_files import Rows
from advanced_mm.journal.events import EVENTS, Event

__all__ = ["COLUMNS", "JOURNAL_VERSION", "NEEDED", "ROWS", "RUN_SHIFT", "event_of", "line_of"]

JOURNAL_VERSION: Final = 1
"""Raised when a column changes its meaning or type; what is only added needs no other."""

RUN_SHIFT: Final = 24
"""``row`` is the run's number times 2^24, plus how many events it had recorded before."""

_TYPES: Final = {int: pa.int64(), float: pa.float64(), str: pa.string()}


def _type_of(annotation: Any) -> pa.DataType:
    if annotation in _TYPES:
        return _TYPES[annotation]
    if get_origin(annotation) is Literal:
        return pa.string()
    return _type_of(get_args(annotation)[0])  # of an optional field


COLUMNS: Final = {
    kind.event: {
        one.name: _type_of(get_type_hints(kind)[one.name])
        for one in fields(kind)  # in the order in which they are declared
    }
    for kind in EVENTS
}
"""Columns of each kind, by ``Event.event``."""

NEEDED: Final = {
    kind.event: tuple(
        one.name
        for one in fields(kind)
        if one.default is MISSING and type(None) not in get_args(get_type_hints(kind)[one.name])
    )
    for kind in EVENTS
}
"""What an event of the kind must have; its numbers must be finite."""

_NAMES: Final = {kind: tuple(columns) for kind, columns in COLUMNS.items()}
_KINDS: Final = {kind.event: kind for kind in EVENTS}

_SCHEMA: Final = pa.schema(
    {"row": pa.int64(), "written_ms": pa.int64(), "version": pa.int64(), "event": pa.string()}
    | {name: kind for columns in COLUMNS.values() for name, kind in columns.items()}
)


def line_of(event: Event, row: int, written_ms: int) -> str:
    """Return an event as one line of JSON; numbers that are not finite are left out."""
    line = {
        "row": row,
        "written_ms": written_ms,
        "version": JOURNAL_VERSION,
        "event": event.event,
    }
    for name in _NAMES[event.event]:
        value = getattr(event, name)
        if value is not None:
            line[name] = value
    try:
        return json.dumps(line, allow_nan=False)
    except ValueError:
        return json.dumps({name: one for name, one in line.items() if _is_sound(one)})


def _is_sound(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def event_of(row: dict[str, Any]) -> Event:
    """Return the event of a row, as a table's ``to_pylist()`` gives it.

    Raises
    ------
    KeyError
        The row is of no known kind, or lacks a column.
    """
    kind = _KINDS[row["event"]]
    return kind(**{name: row[name] for name in _NAMES[kind.event]})


def _decode(lines: Sequence[bytes]) -> pa.Table:
    if not lines:
        return _SCHEMA.empty_table()
    text = b"\n".join(lines) + b"\n"
    table = pyarrow.json.read_json(
        pa.BufferReader(text),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"
        ),
    )
    return table.select(_SCHEMA.names)


ROWS: Final = Rows(
    what="journal",
    plural="events",
    version=JOURNAL_VERSION,
    schema=_SCHEMA,
    decode=_decode,
    key="row",
    needed=["written_ms", "event", "time_ms"],
    dictionary=[field.name for field in _SCHEMA if field.type == pa.string()],
)
"""What `day_files` must know of the journal."""
