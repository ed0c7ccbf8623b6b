"""The rolling window: what a full read gives, from new shards alone.

Behaviours: equal to a full read whatever comes (replays, late rows, shards out of order, broken
files, windows that grow and shrink); only new files are opened; folders are not listed again where
the recorder keeps its journal; memory holds the window and no more.
"""

import shutil
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata import store as store_module
from advanced_mm.marketdata.schemas import SCHEMAS, shard_metadata

COIN = "ETH"
START_MS = 1_790_000_000_000


def trades_table(rows, tick=0.1):
    """Rows (exchange ms, tid, local s)."""
    times = [t for t, _, _ in rows]
    columns = {
        "timestamp": [s for _, _, s in rows],
        "price": [100.0 + 0.1 * (i % 7) for _, i, _ in rows],
        "size": [1.0 + i for _, i, _ in rows],
        "side": ["buy" if i % 2 else "sell" for _, i, _ in rows],
        "trade_id": [str(i) for _, i, _ in rows],
        "exchange_timestamp": times,
        "hash": [f"0x{i // 3 + 1:064x}" for _, i, _ in rows],
        "snapshot": [False] * len(rows),
    }
    return table("trades", columns, tick)


def prices_table(rows, tick=0.1):
    """Updates (exchange ms, number): two rows each."""
    doubled = [(t, i, side) for t, i in rows for side in ("bid", "ask")]
    columns = {
        "timestamp": [t / 1e3 + 0.5 for t, _, _ in doubled],
        "price": [100.0 + 0.1 * i + (side == "ask") * 0.1 for _, i, side in doubled],
        "size": [1.0] * len(doubled),
        "side": [side for _, _, side in doubled],
        "exchange_timestamp": [t for t, _, _ in doubled],
    }
    return table("prices", columns, tick)


def books_table(times, tick=0.1):
    names = SCHEMAS["orderbooks"].names
    columns = {name: [np.nan] * len(times) for name in names}
    columns |= {
        "timestamp": [t / 1e3 for t in times],
        "sequence": list(range(len(times))),
        "exchange_timestamp": list(times),
        "fast": [True] * len(times),
    }
    return table("orderbooks", columns, tick)


def table(kind, columns, tick):
    schema = SCHEMAS[kind].with_metadata(shard_metadata(COIN, tick))
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def assert_same(found, expected):
    for part in ("quotes", "trades"):
        for field in fields(getattr(expected, part)):
            a, b = (getattr(getattr(r, part), field.name) for r in (found, expected))
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b, err_msg=f"{part}.{field.name}")
    np.testing.assert_array_equal(found.book_time_ms, expected.book_time_ms)
    np.testing.assert_array_equal(found.tick, expected.tick)
    assert found.skipped_files == expected.skipped_files


def full_read(data_dir, minutes):
    store = ShardStore(data_dir)
    newest = store.newest_ms(COIN)
    return store.read(COIN, None if newest is None else newest - round(minutes * 60_000))


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch):
    monkeypatch.setattr(store_module.os, "fsync", lambda _: None)


# A step of the market: what the recorder writes before the next look.
offsets = st.lists(st.integers(-3000, 5000), max_size=6)  # ms around the step's time: late rows
replays = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=4)
steps = st.lists(
    st.fixed_dictionaries(
        {
            "ahead_ms": st.sampled_from([0, 1, 5_000, 20_000, 70_000]),
            "books": offsets,
            "prices": offsets,
            "trades": offsets,
            "replays": replays,
            "tick": st.sampled_from([0.1, 0.1, 0.1, 1.0, None]),
            "minutes": st.sampled_from([None, None, None, 0.5, 1.0, 3.0, 60.0]),
            "event": st.sampled_from(["", "", "", "", "broken", "foreign", "relist"]),
        }
    ),
    min_size=1,
    max_size=8,
)


class Scene:
    """A recorder that writes steps and remembers the trades it may have to replay."""

    def __init__(self, data_dir, journal):
        self.data_dir, self.journal = data_dir, journal
        self.store = ShardStore(data_dir)
        self.now_ms, self.next_id = START_MS, 0
        self.past = []

    def write(self, step):
        self.now_ms += step["ahead_ms"]
        tick = step["tick"]
        rows = []
        for offset in step["trades"]:
            row = (self.now_ms + offset, self.next_id, self.now_ms / 1e3 + offset % 7)
            self.next_id += 1
            self.past.append(row)
            rows.append(row)
        for place, earlier in step["replays"]:
            if place < len(self.past):  # a copy has the trade's own id and exchange time
                time_ms, tid, local_s = self.past[-1 - place]
                rows.append((time_ms, tid, local_s + (-0.25 if earlier else 9.0)))
        if rows:
            self.store.write(COIN, "trades", trades_table(rows, tick))
        if step["prices"]:
            quotes = [(self.now_ms + o, o % 9) for o in step["prices"]]
            self.store.write(COIN, "prices", prices_table(quotes, tick))
        if step["books"]:
            books = [self.now_ms + o for o in step["books"]]
            self.store.write(COIN, "orderbooks", books_table(books, tick))
        self.happen(step["event"])
        if not self.journal:
            shutil.rmtree(self.data_dir / COIN / "journal", ignore_errors=True)

    def happen(self, event):
        folder = self.data_dir / COIN / "prices"
        folder.mkdir(parents=True, exist_ok=True)
        if event == "broken":  # announced like any other
            good = self.store.write(COIN, "prices", prices_table([(self.now_ms, 1)]))
            good.write_bytes(b"PAR1")
        elif event == "foreign":  # another tool's shard, between those already read
            path = folder / f"prices_{self.now_ms - 12_345}.parquet"
            if not path.exists():
                pq.write_table(prices_table([(self.now_ms - 13_000, 3)], None), path)
                self.store.prepare(COIN)
        elif event == "relist":
            self.store.prepare(COIN)


@settings(deadline=None, max_examples=80)
@given(steps, st.booleans())
def test_every_update_is_the_full_read(tmp_path_factory, course, journal):
    data_dir = tmp_path_factory.mktemp("data", numbered=True)
    scene = Scene(data_dir, journal)
    scene.store.prepare(COIN)
    window = RollingWindow(ShardStore(data_dir), COIN, 1.0)
    kept = []
    for step in course:
        scene.write(step)
        window.minutes = step["minutes"] or window.minutes
        found = window.update()
        expected = full_read(data_dir, window.minutes)
        assert_same(found, expected)
        kept.append((found, expected))
    for found, expected in kept:  # later updates left earlier results as they were
        assert_same(found, expected)
