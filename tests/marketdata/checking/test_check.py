"""A check finds each planted fault by its name, and nothing in a sound recording."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.checking import Check
from advanced_mm.marketdata.checking.command import check_recording
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import HOUR_MS, compact_coin
from advanced_mm.marketdata.contexts import CONTEXT_COLUMNS
from advanced_mm.marketdata.schemas import SCHEMA_VERSION, SCHEMAS

START_MS = 480_000 * HOUR_MS
MINUTE_MS = 60_000
LAG_S = 0.05


def played(store, wire, *, outage=None):
    """Ten minutes around the end of an hour: a shard of each kind a minute, a row a second.

    ``outage`` is a pair of seconds in which the connection is lost. After it, as at the start, the
    venue tells recent trades again.
    """
    recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
    recorder.connected(START_MS / 1000 - 300)
    replay = [(START_MS - 310_000 + k, k) for k in range(5)]
    recorder.handle(wire.trades(*replay), START_MS / 1000 - 300 + LAG_S)
    lost = False
    for second in range(-300, 300):
        ms = START_MS + 1000 * second
        if outage is not None and outage[0] <= second < outage[1]:
            if not lost:
                recorder.disconnected(ms / 1000, "the venue closed the connection")
            lost = True
            continue
        if lost:
            recorder.connected(ms / 1000)
            recorder.handle(wire.trades(*replay[-3:]), ms / 1000 + LAG_S)
            lost = False
        local_s = ms / 1000 + LAG_S
        recorder.handle(wire.bbo(ms, bid=100 - second % 3), local_s)
        recorder.handle(wire.book(ms, levels=3), local_s)
        if second % 2:
            replay.append((ms, 1000 + second))
            recorder.handle(wire.trades(replay[-1]), local_s)
        if second % 60 == 59:
            recorder.flush()
    recorder.flush()


@pytest.fixture(scope="module")
def original(tmp_path_factory, wire):
    store = ShardStore(tmp_path_factory.mktemp("sound"))
    played(store, wire)
    return store.data_dir


@pytest.fixture
def recorded(original, store):
    shutil.copytree(original, store.data_dir)
    return store


def checked(store):
    check = Check(store, "ETH")
    assert len(list(check.steps())) == len(check)
    return check.findings()


def shard(store, kind, place=4):
    return sorted((store.data_dir / "ETH" / kind).glob("*.parquet"))[place]


def change(store, kind, edit, place=4):
    """Rewrite one shard."""
    path = shard(store, kind, place)
    pq.write_table(edit(pq.read_table(path)), path)


def put(name, value, row=5):
    """Return an edit that sets one row of a column, or all with ``row`` None."""

    def edit(table):
        values = table[name].to_pylist()
        for place in range(len(values)) if row is None else [row]:
            values[place] = value(values[place]) if callable(value) else value
        index = table.schema.get_field_index(name)
        return table.set_column(index, table.schema.field(name), pa.array(values, table[name].type))

    return edit


def swapped(table):
    order = np.arange(table.num_rows)
    order[[10, 30]] = order[[30, 10]]
    return table.take(order)


def twice(table, first=20, count=1):
    return pa.concat_tables([table, table.slice(first, count)])


def renamed(store, kind, change_ms):
    path = shard(store, kind)
    name_ms = int(path.stem.partition("_")[2]) + change_ms
    path.rename(path.with_name(f"{kind}_{name_ms}.parquet"))


def test_a_sound_recording_has_no_fault_and_full_coverage(recorded):
    found = checked(recorded)
    assert found.faults() == []
    assert found.holes == []
    kinds = found.kinds
    assert {kind: kinds[kind].rows for kind in ("orderbooks", "prices", "trades")} == {
        "orderbooks": 600, "prices": 1200, "trades": 305,
    }  # fmt: skip
    assert (kinds["prices"].first_ms, kinds["prices"].last_ms) == (
        START_MS - 300_000, START_MS + 299_000,
    )  # fmt: skip
    assert {kinds[kind].coverage for kind in ("orderbooks", "prices", "trades")} == {1.0}
    assert kinds["prices"].versions == {int(SCHEMA_VERSION): 10}
    assert (kinds["prices"].lag_p50_ms, kinds["prices"].lag_p99_ms) == (50, 50)
    assert kinds["trades"].lag_p99_ms == 50, "trades told again have no lag"
    size = sum(path.stat().st_size for path in (recorded.data_dir / "ETH/prices").iterdir())
    assert kinds["prices"].bytes == size
    assert found.events["connect"] == 1


def test_a_merged_recording_is_as_sound(recorded):
    before = checked(recorded).as_json()
    compact_coin(recorded.data_dir / "ETH", START_MS + HOUR_MS, HOUR_MS)
    after = checked(recorded).as_json()
    for kind, findings in before["kinds"].items():
        same = set(findings) - {"files", "bytes", "versions"}
        assert {k: findings[k] for k in same} == {k: after["kinds"][kind][k] for k in same}
    assert after["kinds"]["prices"]["files"] == 2
    assert after["faults"] == []


PLANTED = {
    "a truncated file": (
        lambda s: shard(s, "prices").write_bytes(shard(s, "prices").read_bytes()[:-50]),
        ["prices: 1 unreadable files"],
    ),
    "an empty file": (
        lambda s: shard(s, "trades").write_bytes(b""),
        ["trades: 1 unreadable files"],
    ),
    "no rows": (
        lambda s: change(s, "trades", lambda t: t.slice(0, 0)),
        ["trades: 1 unreadable files"],
    ),
    "a column less": (
        lambda s: change(s, "prices", lambda t: t.drop_columns(["side"])),
        ["prices: 1 unreadable files"],
    ),
    "a later version": (
        lambda s: change(
            s, "prices", lambda t: t.replace_schema_metadata({"schema_version": "99"})
        ),
        ["prices: 1 unreadable files"],
    ),
    "another coin": (
        lambda s: change(s, "prices", lambda t: t.replace_schema_metadata({"coin": "BTC"})),
        ["prices: 1 unreadable files"],
    ),
    "rows newer than the name": (
        lambda s: renamed(s, "prices", -10 * MINUTE_MS),
        ["prices: 1 misnamed files", "prices: 1 out of order"],
    ),
    "a negative price": (
        lambda s: change(s, "trades", put("price", -1.0)),
        ["trades: 1 bad rows"],
    ),
    "an infinite size": (
        lambda s: change(s, "prices", put("size", float("inf"))),
        ["prices: 1 bad rows"],
    ),
    "no exchange time": (
        lambda s: change(s, "orderbooks", put("exchange_timestamp", None)),
        ["orderbooks: 1 bad rows"],
    ),
    "no local time": (
        lambda s: change(s, "orderbooks", put("timestamp", float("nan"))),
        ["orderbooks: 1 bad rows"],
    ),
    "an unknown side": (
        lambda s: change(s, "trades", put("side", "B")),
        ["trades: 1 bad rows"],
    ),
    "a trade twice": (
        lambda s: change(s, "trades", lambda t: pa.concat_tables([t, t.slice(29, 1)])),
        ["trades: 1 duplicates"],
    ),
    "a quote twice": (
        lambda s: change(s, "prices", lambda t: pa.concat_tables([t, t.slice(118, 2)])),
        ["prices: 2 duplicates"],
    ),
    "a book twice": (
        lambda s: change(s, "orderbooks", lambda t: pa.concat_tables([t, t.slice(59, 1)])),
        ["orderbooks: 1 duplicates"],
    ),
    "two trades of one id": (
        lambda s: change(
            s, "trades", lambda t: put("trade_id", t["trade_id"][6].as_py(), row=7)(t)
        ),
        ["trades: 1 conflicting trade ids"],
    ),
    "a crossed book": (
        lambda s: change(s, "orderbooks", put("bid_price_0", 200.0)),
        ["orderbooks: 1 crossed"],
    ),
    "a crossed quote": (
        lambda s: change(s, "prices", put("price", 200.0, row=6)),  # a bid
        ["prices: 1 crossed"],
    ),
    "rows out of order": (
        lambda s: change(s, "orderbooks", swapped),
        ["orderbooks: 2 out of order", "orderbooks: 2 clock steps back"],
    ),
    "the local clock steps back": (
        lambda s: change(s, "orderbooks", put("timestamp", lambda t: t - 30)),
        ["orderbooks: 1 clock steps back"],
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_and_no_other(recorded, name):
    plant, expected = PLANTED[name]
    plant(recorded)
    found = checked(recorded)
    assert found.faults() == expected
    assert found.as_json()["faults"] == expected


def test_a_file_copied_under_another_name_is_found(recorded):
    for kind in ("orderbooks", "prices", "trades"):
        path = shard(recorded, kind)
        name_ms = int(path.stem.partition("_")[2])
        shutil.copy(path, path.with_name(f"{kind}_{name_ms + 1}.parquet"))
    faults = checked(recorded).faults()
    assert "orderbooks: 60 duplicates" in faults
    assert "prices: 120 duplicates" in faults
    assert "trades: 30 duplicates" in faults


def test_an_outage_is_a_gap_with_its_reason_and_no_fault(store, wire):
    played(store, wire, outage=(100, 160))
    found = checked(store)
    assert found.faults() == []
    assert {hole.channel for hole in found.holes} <= {"bbo", "l2Book", "trades", "all"}
    assert all(hole.logged and "closed the connection" in hole.reason for hole in found.holes)
    for kind in ("orderbooks", "prices"):
        assert found.kinds[kind].coverage == pytest.approx(1 - 61 / 599, abs=0.005)
    # The venue told the last trades before the outage again, and none between.
    assert found.kinds["trades"].coverage >= found.kinds["prices"].coverage
    assert found.kinds["trades"].duplicates == found.kinds["trades"].conflicts == 0


@pytest.mark.parametrize("events", ["none", "earlier"])
def test_a_hole_that_the_log_does_not_name_is_a_fault(recorded, events):
    """The log of an outage was lost, or nobody noticed; but other tools have no log at all."""
    for kind in ("orderbooks", "prices", "trades"):
        shard(recorded, kind, 6).unlink()
    if events == "none":
        shutil.rmtree(recorded.data_dir / "ETH/connections")
    found = checked(recorded)
    (hole,) = found.holes
    assert (hole.channel, hole.logged) == ("all", False)
    assert hole.seconds == pytest.approx(61)
    assert found.kinds["prices"].coverage == pytest.approx(1 - 61 / 599)
    named = ["1 holes that the connection log does not name"]
    assert found.faults() == (named if events == "earlier" else [])


def test_a_log_without_times_of_gaps_explains_a_hole_by_its_events(recorded):
    """As recordings of version 1 have it."""
    for kind in ("orderbooks", "prices", "trades"):
        shard(recorded, kind, 6).unlink()
    local_s = START_MS / 1000 + 120.05
    rows = [{"timestamp": local_s, "event": "gap", "detail": "no data for 60.0 s"}]
    schema = pa.schema([SCHEMAS["connections"].field(i) for i in range(4)])
    path = shard(recorded, "connections", 0)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path.with_stem("connections_9"))
    found = checked(recorded)
    assert found.faults() == []
    assert [hole.reason for hole in found.holes] == ["logged: gap"]


def test_trades_that_other_tools_recorded_twice_are_told_again(recorded):
    """Without marks nobody knows whether the venue repeated them; readers drop them."""
    for path in (recorded.data_dir / "ETH/trades").iterdir():
        table = pq.read_table(path).drop_columns(["snapshot", "backfilled"])
        pq.write_table(twice(table, count=3), path)
    found = checked(recorded)
    assert found.faults() == []
    assert found.kinds["trades"].told_again == 30


def test_a_recording_of_nothing_but_trades_of_other_tools_has_its_time(recorded):
    for kind in ("orderbooks", "prices", "connections"):
        shutil.rmtree(recorded.data_dir / "ETH" / kind)
    for path in (recorded.data_dir / "ETH/trades").iterdir():
        pq.write_table(pq.read_table(path).drop_columns(["snapshot"]), path)
    found = checked(recorded)
    assert found.faults() == []
    assert found.kinds["trades"].coverage == pytest.approx(1 - 11 / 609, abs=1e-4), (
        "from the replay on"
    )


def test_lags_are_counted_by_the_millisecond(recorded):
    def lag(table):
        ms = pa.array(np.arange(60) * 10.0)
        local_s = pc.divide(pc.add(table["exchange_timestamp"].cast(pa.float64()), ms), 1000.0)
        return table.set_column(0, table.schema.field(0), local_s)

    for place in range(10):
        change(recorded, "orderbooks", lag, place)
    found = checked(recorded).kinds["orderbooks"]
    assert (found.lag_p50_ms, found.lag_p99_ms) == (290, 590)


def test_the_command_prints_and_returns_what_it_found(recorded, capsys):
    assert check_recording(recorded.data_dir, [], as_json=False) == 0
    screen = capsys.readouterr().out
    assert "ETH: sound" in screen
    assert "…" not in screen
    assert max(map(len, screen.splitlines())) <= 80
    assert "100.00%" in screen
    shard(recorded, "prices").write_bytes(b"PAR1")
    shard(recorded, "trades", 6).unlink()
    assert check_recording(recorded.data_dir, ["eth/USDC:USDC"], as_json=False) == 1
    screen = capsys.readouterr().out
    assert "ETH: prices: 1 unreadable files" in screen
    assert f"{shard(recorded, 'prices')}: " in screen
    assert check_recording(recorded.data_dir, ["ETH"], as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["sound"] is False
    assert document["coins"][0]["kinds"]["prices"]["faults"] == {"unreadable files": 1}


def test_a_context_that_came_before_any_exchange_time_is_no_bad_row(recorded):
    figures = {name: 1.0 for name in CONTEXT_COLUMNS}
    rows = [
        {"timestamp": START_MS / 1000 + i, "exchange_timestamp": time_ms, **figures}
        for i, time_ms in enumerate([None, START_MS + 1000, START_MS + 2000])
    ]
    recorded.write("ETH", "contexts", pa.Table.from_pylist(rows, schema=SCHEMAS["contexts"]))
    found = checked(recorded)
    assert found.faults() == []
    assert (found.kinds["contexts"].rows, found.kinds["contexts"].bad_rows) == (3, 0)
    assert found.kinds["contexts"].coverage is None, "gaps are listed for the other kinds"


def test_what_cannot_be_checked_is_a_sentence(tmp_path, recorded):
    with pytest.raises(InputError, match="cannot be read"):
        check_recording(tmp_path / "nowhere", [], as_json=False)
    with pytest.raises(InputError, match="no recording to check"):
        check_recording(tmp_path, [], as_json=False)
    with pytest.raises(InputError, match="'BTC' has no recording"):
        check_recording(recorded.data_dir, ["BTC"], as_json=False)


@pytest.mark.recorded
def test_the_real_recordings_are_sound_and_covered_as_their_readme_says(recordings, tmp_path):
    for coin, covered in (("ETH", 1139 / 1425), ("WLFI", 242 / 542)):
        shutil.copytree(recordings / coin, tmp_path / coin)
        check = Check(ShardStore(tmp_path), coin)
        list(check.steps())
        found = check.findings()
        assert found.faults() == []
        assert found.kinds["prices"].coverage == pytest.approx(covered, abs=0.002)
        assert len(found.holes) == 2
