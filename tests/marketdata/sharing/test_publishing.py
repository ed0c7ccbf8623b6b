"""Shards reach S3 and come back: nothing is lost in an outage, nothing doubled by a merge."""

import importlib
import sys
import threading
import time
from pathlib import Path

import fsspec
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.compaction import compact_coin
from advanced_mm.marketdata.sharing import locations
from advanced_mm.marketdata.sharing import publisher as publisher_module
from advanced_mm.marketdata.sharing.background import place_of, publishing
from advanced_mm.marketdata.sharing.fetching import fetch
from advanced_mm.marketdata.sharing.ledger import SharedLedger, SharedShard, merged_away
from advanced_mm.marketdata.sharing.locations import Location, LocationError
from advanced_mm.marketdata.sharing.publisher import HOURLY_SECONDS, Published, Publisher

ROOT = Path(__file__).parents[3]
LATER = sys.maxsize // 10**6


@pytest.fixture
def spool(tmp_path):
    return ShardStore(tmp_path / "spool")


def publish(store, url, now_s=LATER, **options):
    with SharedLedger(store.data_dir, url) as ledger:
        return Publisher(store.data_dir, place_of(url), ledger, **options).step(now_s)


def fetched(url, data_dir, *coins, **times):
    with SharedLedger(data_dir, url) as ledger:
        return fetch(Location(url), data_dir, ledger, coins, **times)


def trade_ids(data_dir, coin="ETH"):
    return ShardStore(data_dir).read(coin).trades.trade_id.tolist()


def files(data_dir):
    return sorted(str(p.relative_to(data_dir)) for p in data_dir.rglob("*.parquet"))


@pytest.fixture(params=["local", "s3"])
def url(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "remote")
    request.getfixturevalue("s3")
    return "s3://lake/recordings"


def test_what_is_published_comes_back_as_it_was(spool, made, tmp_path, url):
    for first in range(0, 30, 10):
        made.record(spool, first, 10)
        made.record(spool, first, 5, "xyz:XYZ100")
    assert publish(spool, url).files == 6
    assert publish(spool, url).files == 0
    (eth, xyz) = fetched(url, tmp_path / "copy")
    assert (eth.coin, eth.files, xyz.coin, xyz.files) == ("ETH", 3, "xyz:XYZ100", 3)
    for path in files(spool.data_dir):
        assert (tmp_path / "copy" / path).read_bytes() == (spool.data_dir / path).read_bytes()
    assert [coin.known for coin in fetched(url, tmp_path / "copy")] == [3, 3]


def test_only_the_files_of_the_time_asked_for_are_fetched(spool, made, tmp_path):
    url = str(tmp_path / "remote")
    hour = 3600
    for first in range(0, 10 * hour, hour):
        made.record(spool, first, 2)
    publish(spool, url)
    at = made.START_MS + 5 * hour * 1000
    (eth,) = fetched(url, tmp_path / "copy", "eth", since_ms=at, until_ms=at + 1000)
    assert eth.files == 3  # its own, one hour's replayed trades, and the next, which may be merged
    assert set(trade_ids(tmp_path / "copy")) >= {5 * hour, 5 * hour + 1}


def test_a_merge_replaces_what_it_merged_also_where_it_was_fetched(spool, made, tmp_path, url):
    for first in range(0, 40, 10):
        made.record(spool, first, 10)
    publish(spool, url)
    copy = tmp_path / "copy"
    fetched(url, copy)
    compact_coin(spool.folder("ETH"), made.START_MS + 35_000)
    made.record(spool, 40, 10)
    assert publish(spool, url).files == 2
    there = Location(url).names("ETH/trades")
    assert sorted(there) == [p.name for p in sorted((spool.data_dir / "ETH/trades").iterdir())]
    (eth,) = fetched(url, copy)
    assert (eth.files, eth.replaced) == (2, 2)
    assert files(copy) == files(spool.data_dir)
    assert trade_ids(copy) == list(range(50))


def test_what_retention_deletes_here_stays_there(spool, made, tmp_path):
    url = str(tmp_path / "remote")
    paths = [made.record(spool, first, 10) for first in range(0, 40, 10)]
    publish(spool, url)
    for path in paths[:2]:
        path.unlink()
    compact_coin(spool.folder("ETH"), made.START_MS + 10**9)
    publish(spool, url)
    fetched(url, tmp_path / "copy")
    assert trade_ids(tmp_path / "copy") == list(range(40))
    assert len(files(tmp_path / "copy")) == 3


def test_a_pass_in_the_middle_of_a_merge_waits_for_its_end(spool, made, tmp_path, monkeypatch):
    url = str(tmp_path / "remote")
    for first in range(0, 30, 10):
        made.record(spool, first, 10)
    publish(spool, url)
    unlink = Path.unlink
    seen = []

    def late(path, **options):
        if path.parent.name == "trades" and path.name.startswith("trades_"):
            seen.append(publish(spool, url).files)
        unlink(path, **options)

    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", late)
        compact_coin(spool.folder("ETH"), made.START_MS + 10**9)
    assert seen == [0, 0]
    publish(spool, url)
    assert len(Location(url).names("ETH/trades")) == 1
    assert publish(spool, url).files == 0


def test_hourly_publishing_waits_until_an_hour_can_have_been_merged(spool, made, tmp_path):
    made.record(spool, 0, 10)
    url, newest_s = str(tmp_path / "remote"), made.START_MS / 1000 + 9
    options = {"delay_seconds": HOURLY_SECONDS}
    assert publish(spool, url, newest_s + HOURLY_SECONDS - 1, **options).files == 0
    assert publish(spool, url, newest_s + HOURLY_SECONDS + 1, **options).files == 1


def test_an_outage_of_s3_loses_nothing(spool, made, tmp_path, s3, caplog, monkeypatch):
    # Else a pass that took half a second of processor time is followed by ten seconds of rest.
    monkeypatch.setattr(publisher_module, "_SHARE_OF_A_CORE", 1.0)
    url = "s3://lake/recordings"
    made.record(spool, 0, 10)
    with publishing(spool.data_dir, [url], every_seconds=0.02) as (publisher,):
        until(lambda: Location(url).names("ETH/trades"))
        s3.stop()
        for first in range(10, 50, 10):
            made.record(spool, first, 10)  # would wait forever if it waited for the outage's end
        until(lambda: publisher.failures > 0)
        s3.start()
        until(lambda: len(Location(url).names("ETH/trades")) == 5)
    assert "publishing waits, nothing is lost" in caplog.text
    fetched(url, tmp_path / "copy")
    assert trade_ids(tmp_path / "copy") == list(range(50))


def test_what_a_killed_publisher_had_not_sent_the_next_one_sends(
    spool, made, tmp_path, monkeypatch
):
    url = str(tmp_path / "remote")
    for first in range(0, 30, 10):
        made.record(spool, first, 10)
    put, sent = Location.put, []

    def killed(self, name, content):
        sent.append(name)
        if len(sent) == 3:
            raise KeyboardInterrupt
        put(self, name, content)

    with monkeypatch.context() as context:
        context.setattr(Location, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(spool, url)
    assert publish(spool, url).files == 2
    fetched(url, tmp_path / "copy")
    assert trade_ids(tmp_path / "copy") == list(range(30))


def test_a_coin_has_one_publisher(spool, made, tmp_path):
    url = str(tmp_path / "remote")
    made.record(spool, 0, 10)
    publish(spool, url)
    other = ShardStore(tmp_path / "other")
    made.record(other, 100, 10, "WLFI")
    assert publish(other, url).files == 1  # another coin
    made.record(other, 100, 10)
    with pytest.raises(InputError, match=r"ETH is published by another data directory"):
        publish(other, url)
    publish(other, url, take_over=True)
    with pytest.raises(InputError, match=r"published by another data directory"):
        publish(spool, url)
    with SharedLedger(spool.data_dir, url), pytest.raises(InputError, match="another process"):
        publish(spool, url)


def test_a_lost_ledger_sends_nothing_again(spool, made, tmp_path):
    url = str(tmp_path / "remote")
    made.record(spool, 0, 10)
    publish(spool, url)
    for path in (spool.data_dir / ".shared").iterdir():
        path.unlink()
    made.record(spool, 10, 10)
    assert publish(spool, url, take_over=True).files == 1


def test_unreadable_shards_are_counted(spool, made, tmp_path, caplog):
    made.record(spool, 0, 10)
    (spool.data_dir / "ETH/trades/trades_1765400500000.parquet").write_bytes(b"half")
    done = publish(spool, str(tmp_path / "remote"))
    assert (done.files, done.unreadable) == (1, 1)
    assert "is not published: it is not readable" in caplog.text


@pytest.mark.parametrize(
    ("known", "rows", "expected"),
    [
        ({1: 10, 2: 10, 3: 10}, 30, [1, 2]),
        ({1: 10, 2: 10, 3: 10}, 20, [2]),  # the first was deleted by retention
        ({1: 10, 2: 10, 3: 10}, 25, []),
        ({1: 10, 2: -1, 3: 10}, 30, []),
        ({1: 10, 2: 20}, 30, []),  # the larger one was not shared before
    ],
)
def test_rows_tell_what_was_merged(known, rows, expected):
    shards = {f"trades_{n}.parquet": SharedShard(1, count) for n, count in known.items()}
    merged = merged_away(shards, set(), "trades_3.parquet", "trades", rows)
    assert merged == [f"trades_{n}.parquet" for n in expected]


def test_refusals_are_one_sentence(spool, made, tmp_path, s3, monkeypatch):
    made.record(spool, 0, 10)
    with pytest.raises(InputError, match="has no recordings; publish some first"):
        fetched("s3://lake/nothing", tmp_path / "copy")
    publish(spool, "s3://lake/one")
    with pytest.raises(InputError, match="has no coin 'ETHH'; did you mean ETH"):
        fetched("s3://lake/one", tmp_path / "copy", "ETHH")
    with pytest.raises(InputError, match="is the recording itself"):
        publish(spool, f"{spool.data_dir}/")
    (tmp_path / "file").touch()
    for folder in ("/proc/no/such", str(tmp_path / "file" / "below")):
        with pytest.raises(LocationError, match=r"cannot be (written|reached)"):
            publish(spool, folder)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(LocationError, match="set AWS_ACCESS_KEY_ID"):
        publish(spool, "s3://lake/two")
    monkeypatch.setattr(locations, "url_to_fs", missing)
    with pytest.raises(InputError, match="pip install s3fs"):
        place_of("s3://lake/three")


def test_passes_that_cost_much_come_further_apart(spool, tmp_path, monkeypatch):
    """As over months of many coins: the recorder needs the core."""
    waits = []

    class Stop(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            if len(waits) == 2:
                self.set()

    def costly(_, now_s):
        if not waits:
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
        return Published()

    monkeypatch.setattr(Publisher, "step", costly)
    with SharedLedger(spool.data_dir, "nowhere") as ledger:
        place = place_of(str(tmp_path / "remote"))
        Publisher(spool.data_dir, place, ledger).run(Stop(), every_seconds=0.01)
    assert 0.8 <= waits[0] < 10
    assert waits[1] < 0.1


def test_the_scripts(spool, made, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    publish_script = importlib.import_module("publish_recordings")
    fetch_script = importlib.import_module("fetch_recordings")
    made.record(spool, 0, 10)
    remote, copy = str(tmp_path / "remote"), tmp_path / "copy"
    assert publish_script.main(["--data-dir", str(spool.data_dir), "--to", remote]) == 0
    assert f"{remote}: sent 1 files" in capsys.readouterr().out
    stop = threading.Event()
    monkeypatch.setattr(publish_script, "stop_at_signals", lambda: stop)
    following = threading.Thread(
        target=publish_script.main,
        args=(["--data-dir", str(spool.data_dir), "--to", remote, "--follow", "--every", "0.02"],),
    )
    following.start()
    made.record(spool, 10, 10)
    until(lambda: len(list(Path(remote, "ETH/trades").glob("*.parquet"))) == 2)
    stop.set()
    following.join(60.0)
    asked = ["--from", remote, "--data-dir", str(copy), "--crypto", "ETH"]
    assert fetch_script.main(asked) == 0
    assert fetch_script.main([*asked, "--since", "2025-12-10T21:00"]) == 0
    assert "ETH: fetched 0 files, 0.0 MB; 2 were here" in capsys.readouterr().out
    assert trade_ids(copy) == list(range(20))
    with pytest.raises(InputError, match="--every is 0"):
        publish_script.main(["--data-dir", str(spool.data_dir), "--to", remote, "--every", "0"])
    with pytest.raises(InputError, match="cannot be read"):
        publish_script.main(["--data-dir", str(tmp_path / "nowhere"), "--to", remote])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no recording to publish"):
        publish_script.main(["--data-dir", str(tmp_path / "empty"), "--to", remote])


def missing(*_, **__):
    raise ImportError("Install s3fs to access S3")


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)
