"""Small recordings, and an object store and a folder server on real sockets."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pytest

from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata

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
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
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


class S3:
    """moto's server, which can be stopped and started again with what it holds."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture(scope="session")
def _s3() -> Iterator[S3]:
    s3 = S3()
    yield s3
    s3.stop()


@pytest.fixture
def s3(_s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3:
    """An empty bucket ``lake`` on this machine, with credentials for it in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_s3.port}",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    if files.exists("lake"):
        files.rm("lake", recursive=True)
    files.mkdir("lake")
    return _s3
