"""Old shards go by age and by size, the oldest first; the newest hour of each coin stays."""

import subprocess

import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import compaction_lock
from advanced_mm.marketdata.upkeep.retention import Retention, delete_old
from advanced_mm.marketdata.upkeep.upkeep import upkeep, upkeep_command

HOUR_MS = 3_600_000
START_MS = 480_000 * HOUR_MS


@pytest.fixture
def folders(store, wire):
    """Ten hours of two coins with two shards an hour; nothing of BTC in the last five."""
    for coin, hours in (("ETH", 10), ("BTC", 5)):
        recorder = Recorder(store, [coin], {coin: 0.1})
        for half in range(2 * hours):
            recorder.handle(wire.bbo(START_MS + half * HOUR_MS // 2, coin=coin), 1.0)
            recorder.flush()
    return [store.data_dir / coin for coin in ("ETH", "BTC")]


def hours(folder):
    """Hours since the start of the shards that are left."""
    names = sorted(path.stem for path in (folder / "prices").glob("*.parquet"))
    return [(int(name.partition("_")[2]) - START_MS) / HOUR_MS for name in names]


def test_nothing_is_deleted_unless_asked(folders):
    assert delete_old(folders, Retention(), START_MS + 10_000 * HOUR_MS) == []
    assert (len(hours(folders[0])), len(hours(folders[1]))) == (20, 10)


def test_what_is_too_old_goes(folders):
    gone = delete_old(folders, Retention(days=4 / 24), START_MS + 7 * HOUR_MS)
    assert hours(folders[0])[0] == hours(folders[1])[0] == 3
    assert {g.coin_folder.name: g.files for g in gone} == {"ETH": 6, "BTC": 6}
    assert gone[0].newest_ms == START_MS + 5 * HOUR_MS // 2


@pytest.mark.parametrize("retention", [Retention(days=4.5 / 24), Retention(gigabytes=20e-6)])
def test_data_that_stay_keep_their_log(store, wire, retention):
    """Something is logged at the beginning of each hour, whose data are in a file named after its
    end.
    """
    recorder = Recorder(store, ["ETH"], None)
    for minute in range(0, 600, 5):
        now_ms = START_MS + minute * 60_000
        recorder.handle(wire.bbo(now_ms), 60.0 * minute)
        if minute % 60 == 0:
            recorder.refused("ETH", 60.0 * minute, "")
        recorder.flush()
    upkeep(store, ["ETH"], retention, START_MS + 10 * HOUR_MS)
    first_ms = store.read("ETH").quotes.time_ms[0]
    assert first_ms > START_MS + 2 * HOUR_MS, "some were deleted"
    assert store.connections("ETH")[0].exchange_ms <= first_ms


def test_a_clock_put_forward_by_years_deletes_no_more(folders):
    """Age counts from the newest market data of any coin; BTC's end five hours before ETH's."""
    delete_old(folders, Retention(days=6 / 24), START_MS + 10_000 * HOUR_MS)
    assert hours(folders[0])[0] == hours(folders[1])[0] == 3.5


def test_the_newest_hour_of_a_coin_stays_however_old(folders):
    delete_old(folders, Retention(days=1, gigabytes=1e-9), START_MS + 10_000 * HOUR_MS)
    assert (hours(folders[0]), hours(folders[1])) == ([9, 9.5], [4, 4.5])


def test_beyond_the_size_the_oldest_of_any_coin_go(folders):
    sizes = [path.stat().st_size for folder in folders for path in folder.glob("prices/*.parquet")]
    gone = delete_old(folders, Retention(gigabytes=(sum(sizes) - 2.5 * max(sizes)) / 1e9), START_MS)
    assert sum(g.files for g in gone) == 3
    assert (hours(folders[0])[0], hours(folders[1])[0]) in {(1, 0.5), (0.5, 1)}
    assert sum(g.bytes for g in gone) >= 2.5 * max(sizes)


def test_readers_that_follow_are_told_to_look_again(folders, store):
    tail = store.tail("ETH")
    list(tail.start(0))
    delete_old(folders, Retention(days=1 / 24), START_MS + 10 * HOUR_MS)
    assert tail.newer().every == []
    assert len(store.read("ETH").quotes) == 3


def test_shards_being_merged_are_left_alone(folders):
    with compaction_lock(folders[0]), pytest.raises(InputError, match="another compaction"):
        delete_old(folders, Retention(days=2 / 24), START_MS + 1000 * HOUR_MS)
    assert len(hours(folders[0])) == 20
    assert len(hours(folders[1])) == 2, "the others go"


def test_a_coin_that_cannot_be_merged_does_not_keep_the_others_from_it(folders, store):
    """Its folder is being merged by another process, or one of its kinds is no folder."""
    (folders[0] / "trades").write_bytes(b"in the way")
    with pytest.raises(InputError, match=r"NOPE.*ETH: .*Not a directory"):
        upkeep(store, ["NOPE", "ETH", "BTC"], Retention(days=1), START_MS)
    assert hours(folders[1]) == [0.5, 1.5, 2.5, 3.5, 4, 4.5]
    (folders[0] / "trades").unlink()
    with compaction_lock(folders[0]), pytest.raises(InputError, match="another compaction"):
        upkeep(store, ["ETH", "BTC"], Retention(days=2 / 24), START_MS + 10 * HOUR_MS)
    assert hours(folders[1]) == [4, 4.5]


@pytest.mark.parametrize("wrong", [{"days": 0.0}, {"days": float("nan")}, {"gigabytes": -1.0}])
def test_a_bad_value_is_named(wrong):
    with pytest.raises(InputError, match=rf"keep_{next(iter(wrong))} is"):
        Retention(**wrong)


def test_upkeep_merges_past_hours_deletes_and_says_so(folders, store, caplog):
    """By the coin's own clock: five minutes after an hour's end it becomes one file."""
    caplog.set_level("INFO")
    upkeep(store, ["ETH", "BTC"], Retention(days=3 / 24), START_MS + 10 * HOUR_MS)
    assert hours(folders[0]) == [6.5, 7.5, 8.5, 9, 9.5]
    assert hours(folders[1]) == [4, 4.5]
    assert "ETH: merged 18 shards into 9" in caplog.text
    assert "ETH: deleted 6 shards up to" in caplog.text
    assert len(ShardStore(store.data_dir).read("ETH").quotes) == 8


def test_the_connection_log_of_a_past_day_is_one_file(store, wire):
    """Its files are all read; those of market data are by the hour."""
    recorder = Recorder(store, ["ETH"], None)
    for hour in range(30):
        recorder.handle(wire.bbo(START_MS + hour * HOUR_MS), 3600.0 * hour)
        recorder.connected(3600.0 * hour)
        recorder.flush()
    upkeep(store, ["ETH"], Retention(), START_MS + 30 * HOUR_MS)
    assert len(list(store.data_dir.glob("ETH/prices/*.parquet"))) == 30
    assert len(list(store.data_dir.glob("ETH/connections/*.parquet"))) == 1 + 6
    events = [event.local_s for event in store.connections("ETH") if event.event == "connect"]
    assert events == [3600.0 * hour for hour in range(30)]


def test_the_upkeep_runs_as_a_process_of_its_own(folders, store):
    retention = Retention(days=1 / 24, gigabytes=1)
    command = upkeep_command(store.data_dir, ["ETH"], retention)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ETH: merged 18 shards into 9" in done.stderr
    assert "INFO advanced_mm.marketdata.upkeep.upkeep" in done.stderr
    assert hours(folders[0]) == [8.5, 9, 9.5], "and deletes what is older than an hour"
