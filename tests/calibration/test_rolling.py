"""The rolling window: the result of a full read, from new shards alone.

Behaviours: equal to a full read in all cases (replays, late rows, shards out of order, broken
files, windows that grow and shrink); only new files are opened; if the recorder keeps its journal,
folders are not listed again and order books are not opened; memory holds only the window.
"""

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore, writing
from advanced_mm.marketdata import store as store_module
from advanced_mm.marketdata import tail as tail_module
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
        "position": [0] * len(rows),
        "backfilled": [False] * len(rows),
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
    monkeypatch.setattr("os.fsync", lambda _: None)


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


@settings(deadline=None, max_examples=40)
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


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "data", journal=True)


def step(ahead_ms=5_000, **changes):
    offsets_ms = [0, 100, 200]
    plain = {"books": offsets_ms, "prices": offsets_ms, "trades": offsets_ms, "replays": []}
    return {"ahead_ms": ahead_ms, **plain, "tick": 0.1, "event": "", **changes}


def test_only_new_shards_are_opened_and_no_folder_is_listed(scene, monkeypatch):
    for _ in range(5):
        scene.write(step())
    window = RollingWindow(ShardStore(scene.data_dir), COIN, 1.0)
    window.update()
    opened = []
    read_shards = store_module.read_shards

    def spy(paths, kind):
        opened.extend(Path(path).name for path in paths)
        return read_shards(paths, kind)

    def listed(*_):
        raise AssertionError("a folder of shards was listed")

    monkeypatch.setattr(store_module, "read_shards", spy)
    monkeypatch.setattr(tail_module, "shard_files", listed)
    for _ in range(3):
        opened.clear()
        scene.write(step())
        assert window.update().newest_ms == scene.now_ms + 200
        assert sorted(opened) == [
            f"{kind}_{scene.now_ms + 200}.parquet" for kind in ("prices", "trades")
        ]  # the journal tells of the order books all there is to know
    opened.clear()
    window.update()
    assert opened == []


@pytest.mark.parametrize("noted", [True, False])
def test_order_books_are_the_same_told_by_the_journal_and_read(scene, noted, monkeypatch):
    if not noted:
        monkeypatch.setattr(writing, "book_note", lambda _: "")
    scene.write(step())
    window = RollingWindow(ShardStore(scene.data_dir), COIN, 1.0)
    window.update()
    for tick in (0.1, None, 1.0):  # the last from an order book that is newer than all else
        scene.write(step(prices=[], trades=[], books=[4000, 1000, 2000, 2000], tick=tick))
        found = window.update()
        assert_same(found, full_read(scene.data_dir, 1.0))
    assert found.tick == 1.0


def test_a_longer_window_reads_the_past_only_if_it_is_not_held(scene, monkeypatch):
    for _ in range(40):
        scene.write(step())
    window = RollingWindow(ShardStore(scene.data_dir), COIN, 1.0)
    window.update()
    assert window.has_older_rows(1.0)
    assert not window.has_older_rows(60.0)
    assert len(window.update().trades) == 37  # 12 shards of 5 s, and the row at the very start
    window.minutes = 2.0
    assert_same(window.update(), full_read(scene.data_dir, 2.0))
    window.minutes, window.keep_minutes = 1.0, 2.0
    window.update()
    monkeypatch.setattr(store_module, "read_shards", None)
    window.minutes = 2.0
    assert len(window.update().trades) == 73
    monkeypatch.undo()


def test_memory_holds_the_window_and_no_more(scene):
    window = RollingWindow(ShardStore(scene.data_dir), COIN, 1.0)
    sizes = []
    for _ in range(60):
        scene.write(step())
        window.update()
        sizes.append(window.held_bytes)
    assert max(sizes[36:]) == pytest.approx(max(sizes[12:36]), rel=0.01)


def test_the_coin_may_come_later_and_be_empty_at_first(tmp_path):
    store = ShardStore(tmp_path / "data")
    window = RollingWindow(store, COIN, 1.0)
    with pytest.raises(InputError, match="data directory"):
        window.update()
    store.prepare(COIN)
    assert window.update().newest_ms is None
    store.write(COIN, "trades", trades_table([(START_MS, 1, 1.0)]))
    assert window.update().newest_ms == START_MS


def test_a_data_dir_made_anew_is_followed(scene):
    scene.write(step())
    window = RollingWindow(ShardStore(scene.data_dir), COIN, 1.0)
    window.update()
    shutil.rmtree(scene.data_dir)
    window.update()
    again = Scene(scene.data_dir, journal=True)
    again.now_ms = START_MS + 50_000
    again.write(step())
    assert window.update().newest_ms == again.now_ms + 200


def test_a_folder_that_the_recorder_renames_is_followed(tmp_path):
    """Older recordings have the colon in the folder's name until a recorder writes to them."""
    store, coin = ShardStore(tmp_path), "xyz:XYZ100"
    store.write(coin, "prices", prices_table([(START_MS, 1)]))
    (tmp_path / "xyz-XYZ100").rename(tmp_path / coin)
    window = RollingWindow(ShardStore(tmp_path), coin, 1.0)
    assert len(window.update().quotes) == 1
    ShardStore(tmp_path).write(coin, "prices", prices_table([(START_MS + 500, 2)]))
    assert [path.name for path in tmp_path.iterdir()] == ["xyz-XYZ100"]
    assert len(window.update().quotes) == 2
    store.write(coin, "prices", prices_table([(START_MS + 900, 3)]))
    silent = ((START_MS + 800) / 1e3, "silent", "trades: no message for 9.0 s", START_MS + 700)
    schema = SCHEMAS["connections"]
    row = dict(zip(schema.names, silent, strict=False))
    store.write(coin, "connections", pa.Table.from_pylist([row], schema=schema))
    recording = window.update()
    assert len(recording.quotes) == 3
    assert [one.channel for one in recording.silences] == ["trades"]


@pytest.mark.recorded
def test_an_old_recording_without_a_journal_is_followed_shard_by_shard(recordings_dir, tmp_path):
    """WLFI's shards copied in one after another: named by flush, replays and all."""
    files = sorted((recordings_dir / "WLFI").rglob("*.parquet"), key=lambda f: f.stem.split("_")[1])
    window = RollingWindow(ShardStore(tmp_path), "WLFI", 3.0)
    for number, file in enumerate(files):
        folder = tmp_path / "WLFI" / file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
        found = window.update()
        if number % 20 == 0 or number == len(files) - 1:
            store = ShardStore(tmp_path)
            assert_same(found, store.read("WLFI", store.newest_ms("WLFI") - 180_000))
