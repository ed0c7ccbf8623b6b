"""Rows into ClickHouse over its HTTP interface: one table a kind, with the shards' columns and
``coin``.

A row that arrives twice is stored once: the tables are ``ReplacingMergeTree``, which drops copies
in the background; ``SELECT ... FINAL`` never shows them. Only what servers since 2018 understand is
used.
"""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import requests

from advanced_mm.errors import InputError
from advanced_mm.marketdata.schemas import SCHEMAS
from advanced_mm.marketdata.sharing.locations import LocationError

__all__ = ["ClickHouse"]

SCHEMES: Final = {"clickhouse": "http", "clickhouses": "https"}

_TYPES: Final = {
    pa.float64(): "Float64",
    pa.int64(): "Int64",
    pa.string(): "String",
    pa.bool_(): "UInt8",
}
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "trades": ("coin", "exchange_timestamp", "trade_id"),
    "prices": ("coin", "exchange_timestamp", "timestamp", "side"),
    "orderbooks": ("coin", "exchange_timestamp", "timestamp", "sequence"),
    "contexts": ("coin", "timestamp"),
    "connections": (
        "coin",
        "timestamp",
        "event",
        "detail",
        "channel",
        "from_exchange_timestamp",
        "to_exchange_timestamp",
    ),
}
"""By kind, what rows of which only one is kept have in common."""
_PORTS: Final = {"clickhouse": 8123, "clickhouses": 8443}
_SECONDS: Final = 30.0
_ROWS_AN_INSERT: Final = 20_000
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class ClickHouse:
    """A place of shards for a `Publisher`.

    Parameters
    ----------
    url : str
        ``clickhouse://user@host:8123/database``, ``clickhouses://`` over TLS. The password may be
        part of it; else it is taken from ``CLICKHOUSE_PASSWORD``.

    Raises
    ------
    InputError
        The address has no host or names no database.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        database = parts.path.strip("/")
        if not parts.hostname or not database.isidentifier():
            raise InputError(
                f"{parts.scheme}://… needs a host and a database's name: write for example "
                "clickhouse://default@localhost:8123/hyperliquid."
            )
        port = parts.port or _PORTS[parts.scheme]
        self.url = f"{parts.scheme}://{parts.hostname}:{port}/{database}"
        self._address = f"{SCHEMES[parts.scheme]}://{parts.hostname}:{port}/"
        self._database = database
        self._session = requests.Session()
        self._session.headers["X-ClickHouse-User"] = unquote(parts.username or "default")
        password = unquote(parts.password or "") or os.environ.get("CLICKHOUSE_PASSWORD", "")
        if password:
            self._session.headers["X-ClickHouse-Key"] = password
        self._ready: set[str] = set()

    def claim(self, folder: str, owner: str, *, take_over: bool) -> None:
        """Accept any publisher: rows of several do not collide."""

    def sizes(self, folder: str, kind: str) -> dict[str, int | None]:
        """Return nothing, as a database keeps rows, not files."""
        return {}

    def put(self, coin: str, kind: str, name: str, content: bytes) -> None:
        """Insert a shard's rows.

        Raises
        ------
        LocationError
            The server cannot be reached or refuses.
        """
        self._prepare(kind)
        table = pq.read_table(io.BytesIO(content))
        fields = [f for f in SCHEMAS[kind] if f.name in table.column_names]
        columns = ", ".join(["coin", *(field.name for field in fields)])
        insert = f"INSERT INTO {self._database}.{kind} ({columns}) FORMAT TabSeparated"
        for first in range(0, table.num_rows, _ROWS_AN_INSERT):
            part = table.slice(first, _ROWS_AN_INSERT)
            texts = [[coin.translate(_ESCAPES)] * part.num_rows]
            texts += [_texts(part[field.name], field.type) for field in fields]
            body = "".join("\t".join(row) + "\n" for row in zip(*texts, strict=True))
            self.ask(insert, body.encode())

    def replace(self, coin: str, kind: str, name: str, content: bytes, old: Sequence[str]) -> None:
        """Do nothing: the merged shard's rows have been inserted before."""

    def ask(self, query: str, body: bytes = b"") -> str:
        """Run a statement and return the answer's text.

        Raises
        ------
        LocationError
            The server cannot be reached or refuses.
        """
        try:
            answer = self._session.post(
                self._address, params={"query": query}, data=body, timeout=_SECONDS
            )
        except requests.RequestException as error:
            raise LocationError(
                f"{self.url} cannot be reached ({type(error).__name__}): is ClickHouse running, "
                "and is this the port of its HTTP interface?"
            ) from error
        if answer.status_code != requests.codes.ok:
            reason = answer.text.strip().splitlines()[0][:300] if answer.text else ""
            raise LocationError(f"{self.url} refused ({answer.status_code}): {reason}")
        return answer.text

    def _prepare(self, kind: str) -> None:
        """Create the kind's table, or the columns it lacks."""
        if kind in self._ready:
            return
        table = f"{self._database}.{kind}"
        types = {"coin": "String", **{f.name: _TYPES[f.type] for f in SCHEMAS[kind]}}
        columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
        key = ", ".join(_KEYS[kind])
        self.ask(f"CREATE DATABASE IF NOT EXISTS {self._database}")
        self.ask(
            f"CREATE TABLE IF NOT EXISTS {table} ({columns}) ENGINE = ReplacingMergeTree() "
            f"PARTITION BY toYYYYMM(toDateTime(toUInt32(timestamp))) ORDER BY ({key})"
        )
        there = self.ask(
            "SELECT name FROM system.columns "
            f"WHERE database = '{self._database}' AND table = '{kind}'"
        ).split()
        for name in types.keys() - set(there):
            self.ask(f"ALTER TABLE {table} ADD COLUMN {name} {types[name]}")
        self._ready.add(kind)


def _texts(column: Any, type_: pa.DataType) -> list[str]:
    """Return a column's values as ClickHouse reads them; what is empty becomes 0 or ''."""
    values = column.to_pylist()
    if pa.types.is_string(type_):
        return ["" if value is None else str(value).translate(_ESCAPES) for value in values]
    if pa.types.is_boolean(type_):
        return ["1" if value else "0" for value in values]
    if pa.types.is_integer(type_):
        return ["0" if value is None else str(value) for value in values]
    return ["nan" if value is None else repr(value) for value in values]
