"""Small recordings."""

from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata
from tests.marketdata.object_store import s3, s3_server

__all__ = ["s3", "s3_server"]

START_MS = 1_765_400_400_000


def record(store: ShardStore, first: int, count: int, coin: str = "ETH") -> Path:
    """Write a shard of trades numbered from ``first`` on, one a second."""
    numbers = range(first, first + count)
    columns = {
        "timestamp": [START_MS / 1000 + n + 0.1 for n in numbers],
        "price": [3000.0 + n for n in numbers],
        "size": [0.5] * count,
        "side": ["buy" if n % 2 else "sell" for n in numbers],
        "trade_id": [str(n) for n in numbers],
        "exchange_timestamp": [START_MS + 1000 * n for n in numbers],
        "hash": [f"0x{n:064x}" for n in numbers],
        "snapshot": [False] * count,
    }
    schema = SCHEMAS["trades"].with_metadata(shard_metadata(coin, 0.1))
    arrays = [pa.array(columns.get(field.name, [None] * count), field.type) for field in schema]
    return store.write(coin, "trades", pa.Table.from_arrays(arrays, schema=schema))


def record_quotes(store: ShardStore, first: int, count: int, coin: str = "ETH") -> Path:
    """Write a shard of quotes, one a second, with an empty ask in the first."""
    rows = [
        {"timestamp": START_MS / 1000 + n, "price": 3000.0 + n + (side == "ask") / 10,
         "size": 1.5, "side": side, "exchange_timestamp": START_MS + 1000 * n}
        for n in range(first, first + count) for side in ("bid", "ask")
    ]  # fmt: skip
    rows[1] |= {"price": float("nan"), "size": 0.0}
    schema = SCHEMAS["prices"].with_metadata(shard_metadata(coin, 0.1))
    return store.write(coin, "prices", pa.Table.from_pylist(rows, schema=schema))


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    return SimpleNamespace(record=record, quotes=record_quotes, START_MS=START_MS)
