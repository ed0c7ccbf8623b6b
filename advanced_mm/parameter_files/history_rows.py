"""Columns of the history, and conversion between a parameter set and a row.

Columns have the keys of the parameter files (``kappa+``, ``epsilon_fill-_se``, ...). Fields that
every file has are prefixed with the file's name (``kappa_status``, ``lambda_fitted_at``,
``epsilon_n+``), because they differ between files after a partly failed refit.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import pyarrow as pa
from pydantic import AwareDatetime

from advanced_mm.parameter_files.entries import (
    EpsilonEntry,
    FairPriceEntry,
    KappaEntry,
    LambdaEntry,
    ParameterEntry,
)
from advanced_mm.parameter_files.files import ParameterSet

__all__ = ["HISTORY_VERSION", "SCHEMA", "history_row", "parameter_set_of", "rows_table"]

HISTORY_VERSION: Final = 1
"""Raised when a column changes its meaning or type; what is only added needs no other."""

Entry = TypeVar("Entry", bound=ParameterEntry)

_FILES: Final[Mapping[str, type[ParameterEntry]]] = {
    "kappa": KappaEntry,
    "epsilon": EpsilonEntry,
    "lambda": LambdaEntry,
    "fair_price": FairPriceEntry,
    "fair_kappa": KappaEntry,
    "fair_epsilon": EpsilonEntry,
    "fair_lambda": LambdaEntry,
}
_AROUND_FAIR: Final = ("kappa", "epsilon", "lambda_")
"""Entries within that of the fair price; their keys have the prefix ``fair_``."""
_SHARED: Final = ("calibration_id", "published_at")  # the same in all entries of a refit
_TIME: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final[Mapping[Any, pa.DataType]] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    datetime: _TIME,
    AwareDatetime: _TIME,
}


def _columns(file: str) -> Iterator[tuple[str, str, pa.DataType]]:
    """Yield field, column and type of an entry's fields, except the shared ones."""
    for name, field in _FILES[file].model_fields.items():
        if name in (*_SHARED, "version") or (file == "fair_price" and name in _AROUND_FAIR):
            continue
        key = field.alias or name
        own = f"fair_{key}" if file.startswith("fair_") and file != "fair_price" else key
        column = f"{file}_{key}" if name in ParameterEntry.model_fields else own
        yield name, column, _type_of(field.annotation)


def _type_of(annotation: Any) -> pa.DataType:
    """Return the column type of a field's value, ignoring None and bounds."""
    if annotation in _TYPES:
        return _TYPES[annotation]
    if get_origin(annotation) is Literal:
        return pa.string()
    return _type_of(get_args(annotation)[0])


_COLUMNS: Final = {file: tuple(_columns(file)) for file in _FILES}

SCHEMA: Final = pa.schema(
    [
        ("calibration_id", pa.string()),
        ("published_at", _TIME),
        ("version", pa.int64()),
        *((column, kind) for columns in _COLUMNS.values() for _, column, kind in columns),
        ("value_function_status", pa.string()),
        ("value_rate", pa.float64()),
    ]
)
"""Columns of the history; unpublished values are null. ``value_rate`` is that of the solved
problem, quote currency per second."""


def history_row(parameters: ParameterSet) -> str:
    """Return a refit as one line of JSON, keyed by column."""
    row: dict[str, Any] = {
        "calibration_id": parameters.calibration_id,
        "published_at": parameters.kappa.published_at,
        "version": HISTORY_VERSION,
    }
    fair_price = parameters.fair_price
    around = [getattr(fair_price, name, None) for name in _AROUND_FAIR]
    entries = (parameters.kappa, parameters.epsilon, parameters.lambda_, fair_price, *around)
    for columns, entry in zip(_COLUMNS.values(), entries, strict=True):
        for name, column, _ in columns:
            row[column] = getattr(entry, name, None)
    for solved in parameters.value_functions[:1]:
        row |= {"value_function_status": solved.status, "value_rate": solved.value_rate}
    known = {column: value for column, value in row.items() if value is not None}
    return json.dumps(known, default=datetime.isoformat, allow_nan=False)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return decoded lines as a table; keys without a column are ignored.

    Raises
    ------
    pyarrow.ArrowException
        If a value is not of its column's type.
    """
    arrays = []
    for field in SCHEMA:
        values = [row.get(field.name) for row in rows]
        if field.type == _TIME:
            arrays.append(pa.array(values, pa.string()).cast(_TIME))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def parameter_set_of(coin: str, row: Mapping[str, Any]) -> ParameterSet:
    """Return the parameters of a row, without the value function.

    Parameters
    ----------
    coin : str
        The coin's name at the venue.
    row : Mapping
        Values by column, as from ``table.to_pylist()``.

    Raises
    ------
    ValueError
        The row is not valid for the parameter files (pydantic's ValidationError).
    """

    def entry(file: str, kind: type[Entry], **inside: ParameterEntry) -> Entry:
        values: dict[str, Any] = {name: row.get(column) for name, column, _ in _COLUMNS[file]}
        values |= {name: row[name] for name in _SHARED} | inside
        return kind.model_validate({n: value for n, value in values.items() if value is not None})

    inside: dict[str, ParameterEntry] = {}
    if row.get("fair_kappa_status"):
        inside = {
            "kappa": entry("fair_kappa", KappaEntry),
            "epsilon": entry("fair_epsilon", EpsilonEntry),
            "lambda_": entry("fair_lambda", LambdaEntry),
        }
    return ParameterSet(
        coin,
        entry("kappa", KappaEntry),
        entry("epsilon", EpsilonEntry),
        entry("lambda", LambdaEntry),
        (),
        entry("fair_price", FairPriceEntry, **inside) if row.get("fair_price_status") else None,
    )
