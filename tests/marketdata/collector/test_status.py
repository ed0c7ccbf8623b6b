"""The status line: what was written since the last one, what waits, and the lag."""

import pyarrow as pa
import pytest

from advanced_mm.marketdata.collector.status import CollectorNumbers, Status
from advanced_mm.marketdata.collector.writer import WriterState
from advanced_mm.marketdata.lag import lags_ms
from advanced_mm.marketdata.schemas import SCHEMAS

IDLE = WriterState(0, 0, 0, None)


def trades(*lags, **rest):
    rows = [{"timestamp": 10.0 + lag / 1000, "exchange_timestamp": 10_000, **rest} for lag in lags]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["trades"])


def test_replayed_trades_and_rows_without_time_have_no_lag():
    late = pa.Table.from_pylist([{"timestamp": 10.0}], schema=SCHEMAS["trades"])
    table = pa.concat_tables([trades(50, 70), trades(60_000, snapshot=True), late])
    assert lags_ms(table).round().tolist() == [50, 70]


def test_a_line_counts_from_the_last_one(tmp_path):
    shard = tmp_path / "shard"
    shard.write_bytes(b"x" * 20_000)
    events = ["connect", "gap", "silent", "speaks", "disconnect"]
    log = pa.Table.from_pylist([{"event": e} for e in events], schema=SCHEMAS["connections"])
    status = Status()
    status.written("ETH", "trades", trades(*range(101)), shard)
    status.written("ETH", "connections", log, shard)
    line = status.line(15.02, 120, 7, WriterState(3, 900, 0, None))
    assert line == (
        "15 s: 120 messages, 101 rows, lag p50 50 ms p99 99 ms, 3 gaps, "
        "0.04 MB written, 10 rows unwritten"
    )
    assert status.line(15, 150, 0, IDLE) == (
        "15 s: 30 messages, 0 rows, 0 gaps, 0.00 MB written, 0 rows unwritten"
    )


def test_numbers_count_from_the_start_whatever_lines_were_written(tmp_path):
    shard = tmp_path / "shard"
    shard.write_bytes(b"x" * 100)
    log = pa.Table.from_pylist([{"event": "gap"}], schema=SCHEMAS["connections"])
    status = Status()
    assert status.numbers(0, 0, IDLE) == CollectorNumbers(0, 0, 0, 0, 0, 0, None, {})
    for _ in range(2):
        status.written("ETH", "trades", trades(50, 70), shard)
        status.written("BTC", "connections", log, shard)
        status.line(15, 10, 0, IDLE)
    status.written("ETH", "trades", trades(60), shard)
    found = status.numbers(30, 7, WriterState(3, 900, 40, "the disk is full"))
    assert (found.messages, found.rows, found.bytes, found.gaps) == (30, 5, 500, 2)
    assert (found.unwritten_rows, found.dropped_rows) == (10, 40)
    assert found.lags_ms == (pytest.approx(60), pytest.approx(69.8))
    assert found.newest_s == {"ETH": pytest.approx(10.07)}


def test_a_line_names_what_was_lost_and_why():
    line = Status().line(15, 0, 0, WriterState(3, 900, 40, "the disk is full"))
    assert line.endswith("3 rows unwritten, 40 rows dropped since the start; the disk is full")


def test_a_shard_that_is_gone_at_once_is_counted_without_its_bytes(tmp_path):
    status = Status()
    status.written("ETH", "trades", trades(10), tmp_path / "gone")
    assert "1 rows" in status.line(15, 1, 0, IDLE)
