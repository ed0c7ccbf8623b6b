"""A bad row of a shard is dropped and counted; the good rows are read.

- whatever is wrong with some rows (no time, no side, no id, NaN), exactly the others are read;
- a quote's bad side is unknown, its other side is kept;
- a row dated far ahead of its file does not push the others out of the window;
- the recording, read at once or followed, has the number of bad rows and the last one's content.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.bad_rows import BadRows
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata
from advanced_mm.marketdata.shards import Shard, read_shards, shard_of

NOW_MS = 1_790_000_000_000
NAN, INF = float("nan"), float("inf")

TIMES = [
    ("exchange_timestamp", None),
    ("exchange_timestamp", -5),
    ("exchange_timestamp", NOW_MS * 1000),  # of another unit
    ("exchange_timestamp", NOW_MS + 3 * 86_400_000),  # far ahead
    ("timestamp", NAN),
    ("timestamp", None),
]
SIDES = [("side", "both"), ("side", None), ("side", "")]
NUMBERS = [
    *(("price", value) for value in (INF, 0.0, -1.0)),
    *(("size", value) for value in (NAN, INF, -1.0, None)),
]
TRADES = [("trade_id", value) for value in ("x", None, "1.5", "9" * 30, "")]
TRADES += [("price", NAN), ("price", None)]


def table(kind: str, rows: list[dict[str, Any]], tick: float | None = 0.1) -> pa.Table:
    schema = SCHEMAS[kind].with_metadata(shard_metadata("ETH", tick))
    return pa.Table.from_pylist([{k: r.get(k) for k in schema.names} for r in rows], schema=schema)


def prints(count: int) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": NOW_MS / 1000 + 0.05 * i,
            "price": 3000.0 + 0.1 * (i % 7),
            "size": 0.5,
            "side": "buy" if i % 3 else "sell",
            "trade_id": str(i),
            "exchange_timestamp": NOW_MS + 50 * i,
            "hash": f"0x{i // 2:064x}",
            "snapshot": False,
        }
        for i in range(count)
    ]


def sides(updates: int) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": NOW_MS / 1000 + 0.05 * i,
            "price": 3000.0 + 0.1 * (i % 7) + (0.1 if side == "ask" else 0.0),
            "size": 1.0 + i,
            "side": side,
            "exchange_timestamp": NOW_MS + 50 * i,
        }
        for i in range(updates)
        for side in ("bid", "ask")
    ]


def assert_same(found: Shard, wanted: Shard) -> None:
    assert found.columns.keys() == wanted.columns.keys()
    for name, column in wanted.columns.items():
        np.testing.assert_array_equal(found.columns[name], column, err_msg=name)
    assert (found.newest_ms, found.tick, found.step) == (wanted.newest_ms, wanted.tick, wanted.step)


def count(shard: Shard) -> int:
    return sum(row.count for row in shard.bad_rows)


@settings(deadline=None)
@given(
    st.lists(
        st.none() | st.sampled_from([*TIMES, *SIDES, *NUMBERS, *TRADES]), min_size=1, max_size=20
    ),
    st.sampled_from([0.1, None]),
)
def test_exactly_the_good_prints_are_read(plan: list[Any], tick: float | None) -> None:
    # Three more good ones: "far ahead" is judged by most rows of the file.
    plan = [*plan, *[None] * (len(plan) + 3)]
    rows = prints(len(plan))
    good = [row for row, spoilt in zip(rows, plan, strict=True) if spoilt is None]
    mixed = [
        row if spoilt is None else {**row, spoilt[0]: spoilt[1]}
        for row, spoilt in zip(rows, plan, strict=True)
    ]
    found = shard_of(table("trades", mixed, tick), "trades")
    assert_same(found, shard_of(table("trades", good, tick), "trades"))
    assert count(found) == len(plan) - len(good)
    assert found.columns["trade_id"].tolist() == [int(row["trade_id"]) for row in good]


@settings(deadline=None)
@given(st.lists(st.none() | st.sampled_from([*TIMES, *SIDES]), min_size=1, max_size=20))
def test_exactly_the_good_rows_of_quotes_are_read(plan: list[Any]) -> None:
    plan = [*plan, *[None] * (len(plan) + 4 + len(plan) % 2)]
    rows = sides(len(plan) // 2)
    plan = plan[: len(rows)]
    mixed = [
        row if spoilt is None else {**row, spoilt[0]: spoilt[1]}
        for row, spoilt in zip(rows, plan, strict=True)
    ]
    good = [row for row, spoilt in zip(rows, plan, strict=True) if spoilt is None]
    found = shard_of(table("prices", mixed), "prices")
    assert_same(found, shard_of(table("prices", good), "prices"))
    assert count(found) == len(plan) - len(good)


@pytest.mark.parametrize("spoilt", NUMBERS)
def test_a_bad_side_of_a_quote_is_not_known_and_the_other_stands(spoilt: tuple[str, Any]) -> None:
    rows = sides(3)
    rows[2] = {**rows[2], spoilt[0]: spoilt[1]}
    found = shard_of(table("prices", rows), "prices")
    assert np.isnan(found.columns["bid"]).tolist() == [False, True, False]
    assert found.columns["bid_size"].tolist() == [1.0, 0.0, 3.0]
    assert found.columns["ask"].tolist() == pytest.approx([3000.1, 3000.2, 3000.3])
    assert count(found) == 1


def test_an_empty_side_is_no_bad_row() -> None:
    rows = sides(2)
    rows[0] |= {"price": NAN, "size": NAN}
    assert shard_of(table("prices", rows), "prices").bad_rows == ()


def test_files_parsed_together_are_each_what_they_are_alone(tmp_path: Path) -> None:
    clean, dirty, hopeless = prints(6), prints(6), prints(2)
    dirty[2]["size"], dirty[3]["side"] = NAN, "both"
    for row in hopeless:
        row["price"] = -1.0
    paths = []
    for name, rows in (("a", clean), ("b", dirty), ("c", hopeless), ("d", clean)):
        paths.append(str(tmp_path / name))
        pq.write_table(table("trades", rows), paths[-1])
    first, second, third, last = read_shards(paths, "trades")
    assert isinstance(first, Shard)
    assert isinstance(second, Shard)
    assert isinstance(last, Shard)
    assert_same(first, last)
    assert second.columns["trade_id"].tolist() == [0, 1, 4, 5]
    assert (count(first), count(second), count(last)) == (0, 2, 0)
    told = str(BadRows(second.bad_rows))
    assert told.startswith("2 bad trades rows (last: row ")
    assert "size nan" in told or "side 'both'" in told
    assert isinstance(third, InputError)
    assert "no good rows" in str(third)


def test_the_recording_tells_of_bad_rows_whole_and_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ShardStore(tmp_path)
    rows = prints(40)
    rows[7]["size"] = NAN
    rows[33]["exchange_timestamp"] = NOW_MS + 400 * 86_400_000
    for first in range(0, 40, 10):
        part = rows[first : first + 10]
        pq_table = table("trades", part)
        folder = tmp_path / "ETH/trades"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq_table, folder / f"trades_{part[0]['exchange_timestamp']}.parquet")
        if first == 20:
            window = RollingWindow(store, "ETH", 30.0)
            assert sum(b.count for b in window.update().bad_rows) == 1
    recording = window.update()
    assert sorted(set(range(40)) - set(recording.trades.trade_id.tolist())) == [7, 33]
    assert window.bad_rows.count("trades") == 2
    assert recording.newest_ms == NOW_MS + 50 * 39
    whole = store.read("ETH")
    assert whole.trades.trade_id.tolist() == recording.trades.trade_id.tolist()
    assert BadRows(whole.bad_rows).total == 2
    assert "ETH: dropped from its shards: 2 bad trades rows" in caplog.text


def test_events_without_a_time_are_left_out_of_the_connection_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "ETH/connections"
    folder.mkdir(parents=True)
    rows = [
        {"timestamp": 1.0, "event": "connect", "detail": "", "exchange_timestamp": None},
        {"timestamp": None, "event": "gap", "detail": "", "exchange_timestamp": 5},
        {"timestamp": 2.0, "event": None, "detail": "", "exchange_timestamp": 5},
    ]
    pq.write_table(table("connections", rows), folder / "connections_1.parquet")
    assert [event.event for event in ShardStore(tmp_path).connections("ETH")] == ["connect"]
    assert "dropped 2 bad connections rows" in caplog.text
