"""The writer: a disk that is full, gone or slow costs nothing that memory could have kept."""

import errno
import logging
import threading
import time

import pyarrow as pa
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.collector.writer import ShardWriter
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata

WRITER = "advanced_mm.marketdata.collector.writer"


def table(kind, *seconds, coin="ETH"):
    """Rows received at these local times, published 0.1 s before."""
    schema = SCHEMAS[kind].with_metadata(shard_metadata(coin, None))
    rows = [{"timestamp": float(s), "exchange_timestamp": 1000 * s - 100} for s in seconds]
    return pa.Table.from_pylist(rows, schema=schema)


class Disk:
    """A store whose disk can be full, and on which a write can be held up."""

    def __init__(self):
        self.full = False
        self.free = threading.Event()
        self.free.set()
        self.shards = []

    def write(self, coin, kind, rows):
        self.free.wait(30)
        if self.full:
            raise InputError("cannot write") from OSError(errno.ENOSPC, "No space left on device")
        self.shards.append((coin, kind, rows))

    def seconds(self, kind, coin="ETH"):
        tables = [rows for c, k, rows in self.shards if (c, k) == (coin, kind)]
        return [second for rows in tables for second in rows["timestamp"].to_pylist()]


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def disk():
    return Disk()


def test_what_is_given_is_written_and_reported(disk):
    reported = []
    writer = ShardWriter(disk, on_written=lambda coin, kind, *_: reported.append((coin, kind)))
    writer.write("ETH", "prices", table("prices", 1, 2))
    writer.write("BTC", "trades", table("trades", 3, coin="BTC"))
    assert writer.close(5)
    assert (disk.seconds("prices"), disk.seconds("trades", "BTC")) == ([1, 2], [3])
    assert reported == [("ETH", "prices"), ("BTC", "trades")]
    assert writer.state.rows == writer.state.bytes == 0


def test_a_full_disk_is_waited_for_and_said_once(disk, caplog):
    disk.full = True
    writer = ShardWriter(disk, retry_seconds=0.01)
    for second in range(5):
        writer.write("ETH", "prices", table("prices", second))
    until(lambda: writer.state.problem)
    assert writer.state.rows == 5
    time.sleep(0.03)
    disk.full = False
    until(lambda: writer.state.rows == 0)
    assert disk.seconds("prices") == [0, 1, 2, 3, 4]
    assert writer.close(5)
    assert [r.levelno for r in caplog.records if r.name == WRITER] == [
        logging.ERROR,
        logging.WARNING,
    ]
    assert "kept in memory" in caplog.text


def test_rows_that_wait_together_become_one_shard_of_bounded_size(disk, monkeypatch):
    monkeypatch.setattr(f"{WRITER}._ROWS_A_SHARD", 3)
    disk.free.clear()
    writer = ShardWriter(disk)
    for second in range(8):
        writer.write("ETH", "prices", table("prices", second))
    disk.free.set()
    assert writer.close(5)
    assert disk.seconds("prices") == list(range(8))
    assert 3 <= len(disk.shards) <= 4
    assert max(rows.num_rows for *_, rows in disk.shards) == 3


def test_rows_of_different_metadata_stay_apart(disk):
    disk.free.clear()
    writer = ShardWriter(disk)
    ticked = SCHEMAS["prices"].with_metadata(shard_metadata("ETH", 0.1))
    for second in range(4):
        rows = table("prices", second)
        writer.write("ETH", "prices", rows.cast(ticked) if second >= 2 else rows)
    disk.free.set()
    assert writer.close(5)
    assert disk.seconds("prices") == [0, 1, 2, 3]
    assert len({rows.schema.metadata.get(b"tick") for *_, rows in disk.shards}) == 2
    assert [rows.schema.metadata.get(b"tick") for *_, rows in disk.shards][-1] == b"0.1"


def test_beyond_the_bound_the_oldest_are_dropped_and_listed_as_a_gap(disk, caplog):
    """Whatever the kind and coin; the connection log itself is kept."""
    size = table("prices", 1).nbytes + 200 * 5
    disk.full = True
    writer = ShardWriter(disk, most_bytes=4 * size, retry_seconds=0.01)
    writer.write("ETH", "connections", table("connections", 0))
    for second in range(1, 11):
        writer.write("ETH", "prices", table("prices", second))
    assert writer.state.bytes <= 4 * size
    lost = writer.state.dropped_rows
    assert 6 <= lost <= 8
    disk.full = False
    until(lambda: writer.state.rows == 0)
    assert disk.seconds("prices") == list(range(lost + 1, 11))
    assert not writer.close(5), "rows were lost"
    log = [
        row for _, kind, rows in disk.shards if kind == "connections" for row in rows.to_pylist()
    ]
    assert [row["timestamp"] for row in log] == [0, lost]
    assert log[1]["event"] == "gap"
    assert log[1]["detail"].startswith(f"prices: {lost} rows of {lost - 1}.0 s dropped")
    assert log[1]["exchange_timestamp"] == 1000 * lost - 100
    assert caplog.text.count("are dropped") == 1


def test_the_end_does_not_wait_for_a_full_disk(disk):
    disk.full = True
    writer = ShardWriter(disk, retry_seconds=60)
    writer.write("ETH", "prices", table("prices", 1))
    until(lambda: writer.state.problem)
    began = time.monotonic()
    assert not writer.close(30)
    assert time.monotonic() - began < 20  # of the 30 or 60 that it might wait
    assert writer.state.rows == 1


def test_the_end_writes_what_waits_once_there_is_space(disk):
    disk.full = True
    writer = ShardWriter(disk, retry_seconds=60)
    writer.write("ETH", "prices", table("prices", 1))
    until(lambda: writer.state.problem)
    disk.full = False
    assert writer.close(5)
    assert disk.seconds("prices") == [1]


def test_the_end_does_not_wait_for_a_disk_that_hangs(disk):
    disk.free.clear()
    writer = ShardWriter(disk)
    writer.write("ETH", "prices", table("prices", 1))
    assert not writer.close(0.02)
    disk.free.set()


@pytest.mark.parametrize("error", [InputError("a prices shard needs rows"), RuntimeError("a bug")])
def test_any_other_error_ends_the_recording(error, disk):
    def refuse(*_):
        raise error

    disk.write = refuse
    writer = ShardWriter(disk)
    writer.write("ETH", "prices", table("prices", 1))
    until(lambda: writer._failure)
    with pytest.raises(InputError, match=str(error)):
        writer.write("ETH", "prices", table("prices", 2))
    with pytest.raises(InputError, match=str(error)):
        writer.close(1)
