"""SQL over the shards of a data directory, by DuckDB, which reads them where they lie.

========================= =====================================================================
view                      rows
========================= =====================================================================
``trades``                each trade once, by ``trade_id`` as it was first received
``trades_received``       also those that the venue replayed after a reconnection
``prices``, ``orderbooks``, as in the shards, see `advanced_mm.marketdata.schemas`
``contexts``,
``connections``
========================= =====================================================================

Each has ``coin`` and ``time`` (UTC; the exchange's, of contexts and connections the recorder's)
before the shards' columns.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import DATA_KINDS, KINDS, SCHEMAS
from advanced_mm.marketdata.store import ShardStore

__all__ = ["query"]

_EARLIER_MS: Final = 120_000
_LATER_MS: Final = 3_600_000
"""How far rows may be from the time in their file's name, as readers of recordings assume."""
_TRIES: Final = 5
_READING: Final = {"SELECT", "EXPLAIN"}


def query(
    data_dir: Path,
    sql: str,
    coins: Sequence[str] = (),
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> pa.Table:
    """Return the answer to one statement that only reads.

    Parameters
    ----------
    data_dir : Path
        The recordings.
    sql : str
        ``SELECT`` and the like, in DuckDB's dialect.
    coins : sequence of str
        In any spelling; all by default.
    since_ms, until_ms : int or None
        Exchange time (ms), both included; None leaves that end open. Only files that may have rows
        of this time are opened.

    Raises
    ------
    InputError
        The statement is wrong or does not only read, or there is no such recording.
    """
    store = ShardStore(data_dir)
    chosen = list(dict.fromkeys(map(store.resolve, coins))) if coins else store.coins()
    for left in reversed(range(_TRIES)):
        try:
            return _answer(store, sql, chosen, since_ms, until_ms)
        except duckdb.IOException as error:
            if not left:  # else: a file was merged into another after it had been listed
                raise InputError(f"a shard cannot be read: {_first_line(error)}") from error
        except duckdb.Error as error:
            raise InputError(f"the statement cannot be answered: {_first_line(error)}") from error
    raise AssertionError("unreachable")


def _answer(
    store: ShardStore,
    sql: str,
    coins: Sequence[str],
    since_ms: int | None,
    until_ms: int | None,
) -> pa.Table:
    with duckdb.connect(":memory:") as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET python_enable_replacements = false")
        _require_reading(database, sql)
        for kind in KINDS:
            if re.search(rf"\b{kind}(_received)?\b", sql, re.IGNORECASE):
                _create_view(database, store, kind, coins, since_ms, until_ms)
        return database.sql(sql).to_arrow_table()


def _require_reading(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = database.extract_statements(sql)
    if len(statements) != 1 or statements[0].type.name not in _READING:
        raise InputError(
            "the statement must be one SELECT: recordings are only read here; write the answer to "
            "a file with --csv, --json or --parquet."
        )


def _create_view(
    database: duckdb.DuckDBPyConnection,
    store: ShardStore,
    kind: str,
    coins: Sequence[str],
    since_ms: int | None,
    until_ms: int | None,
) -> None:
    column = "exchange_timestamp" if kind in DATA_KINDS else "CAST(timestamp * 1000 AS BIGINT)"
    low = 0 if since_ms is None else since_ms - _EARLIER_MS
    high = sys.maxsize if until_ms is None else until_ms + _LATER_MS
    limits = [
        f"{column} {sign} {ms}"
        for sign, ms in ((">=", since_ms), ("<=", until_ms))
        if ms is not None
    ]
    where = f" WHERE {' AND '.join(limits)}" if limits else ""
    database.register(f"no_{kind}", SCHEMAS[kind].empty_table())
    parts = [f"SELECT '' AS coin, epoch_ms({column}) AS time, * FROM no_{kind}"]
    for coin in coins:
        files = [file.path for file in shard_files(store.folder(coin), kind, low, high)]
        if files:
            listed = ", ".join(map(_quoted, files))
            parts.append(
                f"SELECT {_quoted(coin)} AS coin, epoch_ms({column}) AS time, * "
                f"FROM read_parquet([{listed}], union_by_name = true){where}"
            )
    rows = " UNION ALL BY NAME ".join(parts)
    if kind != "trades":
        database.execute(f"CREATE VIEW {kind} AS {rows}")
        return
    database.execute(f"CREATE VIEW trades_received AS {rows}")
    database.execute(
        "CREATE VIEW trades AS SELECT * FROM trades_received QUALIFY row_number() OVER "
        "(PARTITION BY coin, trade_id ORDER BY timestamp) = 1"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
