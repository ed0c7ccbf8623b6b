"""Merging small shards: nothing is lost, wherever it is interrupted, and readers see no change."""

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata import compaction as compaction_module
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import HOUR_MS, compact_coin

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
ROOT = Path(__file__).parents[2]
LATER_MS = START_MS + 10 * DAY_MS


@pytest.fixture(scope="module")
def original(tmp_path_factory, wire):
    """Two days with one shard per hour and kind, with replays, an empty side and a new tick."""
    store = ShardStore(tmp_path_factory.mktemp("recorded"))
    recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
    recorder.connected(START_MS / 1000)
    for hour in range(48):
        ms = START_MS + hour * 3_600_000
        for k in range(3):
            recorder.handle(wire.bbo(ms + k, bid=None if k == 1 else 100 - k), ms / 1000)
            recorder.handle(wire.trades((ms + k, 10 * hour + k)), ms / 1000)
            recorder.handle(wire.trades((ms + k, 10 * hour)), ms / 1000)  # sent again
            recorder.handle(wire.book(ms + k, levels=3), ms / 1000)
        if hour == 30:
            recorder.set_tick("ETH", 0.5)
        recorder.flush()
    return store.data_dir


@pytest.fixture
def recorded(original, store):
    shutil.copytree(original, store.data_dir)
    return store


def counts(store):
    folders = [store.data_dir / "ETH" / kind for kind in ("orderbooks", "prices", "trades")]
    return [len(list(folder.glob("*.parquet"))) for folder in folders]


def rows(store, kind):
    files = sorted((store.data_dir / "ETH" / kind).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files], promote_options="default")


def assert_same(found, expected):
    for part in ("quotes", "trades"):
        for a, b in zip(
            vars(getattr(found, part)).values(), vars(getattr(expected, part)).values(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.book_time_ms, expected.book_time_ms)


def test_a_day_becomes_one_file_and_every_read_stays_as_it_was(recorded):
    bounds = [(None, None), (START_MS + 5 * 3_600_000, START_MS + 9 * 3_600_000), (None, START_MS)]
    bounds += [(START_MS + 40 * 3_600_000, None), (START_MS + DAY_MS, START_MS + DAY_MS + 2)]
    before = [ShardStore(recorded.data_dir).read("ETH", *b) for b in bounds]
    tables = {kind: rows(recorded, kind) for kind in ("orderbooks", "prices", "trades")}
    done = compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert counts(recorded) == [3, 3, 3]  # the second day in two files: the tick changed
    assert done.files_before - done.files_after == 192 - 12  # connections too
    for bound, expected in zip(bounds, before, strict=True):
        assert_same(ShardStore(recorded.data_dir).read("ETH", *bound), expected)
    for kind, table in tables.items():
        assert rows(recorded, kind).to_pylist().__repr__() == table.to_pylist().__repr__()
    again = compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert (again.files_before, again.rows) == (again.files_after, 0)
    assert [event.event for event in recorded.connections("ETH")].count("connect") == 1


def test_past_hours_become_a_file_each(recorded, wire):
    """And an hour's late shard is merged into its file by the next run."""
    recorder = Recorder(recorded, ["ETH"], {"ETH": 0.1})
    for minute in range(1, 4):
        recorder.handle(wire.bbo(START_MS + 60_000 * minute), 1.0)
        recorder.flush()
    expected = ShardStore(recorded.data_dir).read("ETH")
    assert counts(recorded) == [48, 51, 48]
    compact_coin(recorded.data_dir / "ETH", START_MS + HOUR_MS, HOUR_MS)
    assert counts(recorded) == [48, 48, 48]
    recorder.handle(wire.bbo(START_MS + 60_000 * 4), 1.0)
    recorder.flush()
    assert counts(recorded) == [48, 49, 48]
    compact_coin(recorded.data_dir / "ETH", START_MS + HOUR_MS, HOUR_MS)
    found = ShardStore(recorded.data_dir).read("ETH")
    assert len(found.quotes) == len(expected.quotes) + 1
    assert counts(recorded) == [48, 48, 48]


def test_only_hours_of_several_files_are_opened(recorded, monkeypatch):
    compact_coin(recorded.data_dir / "ETH", LATER_MS, HOUR_MS)
    monkeypatch.setattr(compaction_module.pq, "ParquetFile", None)  # nothing to do for any of them
    assert compact_coin(recorded.data_dir / "ETH", LATER_MS, HOUR_MS).rows == 0


def test_a_recorder_finishes_a_merge_before_it_writes(recorded, monkeypatch):
    """Else its first shard could take the name of one that the merge still has to delete."""
    unlink = Path.unlink

    def killed(path, **rest):
        if path.suffix == ".parquet":
            raise Killed
        unlink(path, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with contextlib.suppress(Killed):
            compact_coin(recorded.data_dir / "ETH", START_MS + DAY_MS)
    listed = list(recorded.data_dir.glob("ETH/*/.merged.json"))
    assert len(listed) == 1
    expected = ShardStore(recorded.data_dir).read("ETH")
    with ShardStore(recorded.data_dir).recording("ETH"):
        assert not listed[0].exists()
    found = ShardStore(recorded.data_dir).read("ETH")
    np.testing.assert_array_equal(found.trades.trade_id, expected.trades.trade_id)


def test_young_shards_are_left_alone(recorded):
    compact_coin(recorded.data_dir / "ETH", START_MS + DAY_MS)
    assert counts(recorded) == [25, 25, 25]


def test_a_shard_that_cannot_be_read_stays_where_it_is(recorded):
    bad = recorded.data_dir / "ETH/prices" / f"prices_{START_MS + 2 * 3_600_000 + 2}.parquet"
    bad.write_bytes(bad.read_bytes()[:-9])
    expected = ShardStore(recorded.data_dir).read("ETH")
    done = compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert done.unreadable == (str(bad),)
    assert bad.exists()
    assert counts(recorded) == [3, 5, 3]
    assert_same(ShardStore(recorded.data_dir).read("ETH"), expected)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(1, 240, 23))
def test_an_interruption_anywhere_loses_nothing(recorded, monkeypatch, step):
    """Killed before any one of its changes to the disk; the next run finishes."""
    expected = ShardStore(recorded.data_dir).read("ETH")
    left = step

    def counted(original):
        def change(*args, **rest):
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return original(*args, **rest)

        return change

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(compaction_module.os, "fsync", counted(lambda _: None))
        with contextlib.suppress(Killed):
            compact_coin(recorded.data_dir / "ETH", LATER_MS)
    found = ShardStore(recorded.data_dir).read("ETH")
    np.testing.assert_array_equal(found.trades.trade_id, expected.trades.trade_id)
    np.testing.assert_array_equal(
        np.unique(found.quotes.time_ms), np.unique(expected.quotes.time_ms)
    )
    compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert_same(ShardStore(recorded.data_dir).read("ETH"), expected)
    assert counts(recorded) == [3, 3, 3]
    kinds = ("orderbooks", "prices", "trades")
    assert not [f for k in kinds for f in (recorded.data_dir / "ETH" / k).glob(".*")]


def test_a_merged_file_that_differs_is_refused_and_nothing_deleted(recorded, monkeypatch):
    monkeypatch.setattr(compaction_module, "_same_rows", lambda *_: False)
    with pytest.raises(InputError, match="originals were kept"):
        compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert counts(recorded) == [48, 48, 48]


def test_a_follower_goes_on_over_a_compaction(recorded, wire):
    tail = ShardStore(recorded.data_dir).tail("ETH")
    list(tail.start(0))
    compact_coin(recorded.data_dir / "ETH", LATER_MS)
    assert tail.newer().every == []
    recorder = Recorder(recorded, ["ETH"], None)
    recorder.handle(wire.bbo(LATER_MS), 1.0)
    recorder.flush()
    assert [named.name_ms for named in tail.newer().every] == [LATER_MS]


def test_only_one_compaction_runs_at_a_time(recorded):
    folder = recorded.data_dir / "ETH"
    with (
        compaction_module.compaction_lock(folder),
        pytest.raises(InputError, match="another compaction"),
    ):
        compact_coin(folder, LATER_MS)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "scripts/compact_recordings.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_command_tells_what_it_did(recorded):
    done = command("--data-dir", recorded.data_dir)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ETH: merged 192 files into 12")
    assert time.time() * 1000 > START_MS + DAY_MS


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--older-than-hours", "0"], "at least 1"),
        (["--older-than-hours", "nan"], "at least 1"),
        (["--crypto", "BTC"], "'BTC' has no recording"),
        (["--data-dir", "nowhere"], "'nowhere' cannot be read"),
        (["--data-dir", "examples"], "'examples' has no recording to compact"),
    ],
)
def test_bad_input_is_one_sentence(recorded, arguments, complaint):
    done = command("--data-dir", recorded.data_dir, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
