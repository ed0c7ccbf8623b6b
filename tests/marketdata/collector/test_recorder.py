"""Recording of messages: which rows are kept, marked or rejected.

Properties: the recording read back does not depend on how messages are split into shards; it equals
what a naive reader of the messages keeps; recording everything twice does not change the trades.
"""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata import Recording, ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.records import Silence


def tables(store: ShardStore, kind: str) -> list[dict[str, Any]]:
    folder = store.data_dir / "ETH" / kind
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


class TestRows:
    def test_a_print_keeps_ids_hash_and_both_times(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
        recorder.handle(wire.trades((1000, 8)), 1.25)
        recorder.flush()
        assert tables(store, "trades") == [
            {
                "timestamp": 1.25,
                "price": 100.1,
                "size": 0.5,
                "side": "buy",
                "trade_id": "8",
                "exchange_timestamp": 1000,
                "hash": f"0x{3:064x}",
                "snapshot": False,
                "position": 0,
                "backfilled": False,
            }
        ]
        (file,) = (store.data_dir / "ETH/trades").iterdir()
        metadata = pq.read_schema(file).metadata
        assert (metadata[b"tick"], metadata[b"coin"]) == (b"0.1", b"ETH")
        assert b"schema_version" in metadata

    def test_unknown_tick_is_left_out(self, store: ShardStore, wire: SimpleNamespace) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.handle(wire.bbo(1000), 1.0)
        recorder.flush()
        (file,) = (store.data_dir / "ETH/prices").iterdir()
        assert b"tick" not in pq.read_schema(file).metadata

    def test_books_are_padded_and_their_cadence_told(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        marked = wire.book(1002, 3)
        marked["data"]["fast"] = False
        for message in (wire.book(1000, 5), wire.book(1001, 25), marked):
            recorder.handle(message, 1.0)
        recorder.flush()
        fast, slow, thin = tables(store, "orderbooks")
        assert (fast["fast"], slow["fast"], thin["fast"]) == (True, False, False)
        assert fast["bid_price_4"] == pytest.approx(99.5)
        assert np.isnan(fast["bid_price_5"])
        assert np.isnan(fast["ask_size_19"])
        assert slow["ask_price_19"] == pytest.approx(102.0)
        assert fast["sequence"] < slow["sequence"] < thin["sequence"]

    def test_first_trades_of_each_connection_are_marked_as_replay(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        for session in (0, 10):
            recorder.connected(float(session))
            replay = [(1000, 1), (1001, 2), *([(5000, 4)] if session else [])]
            recorder.handle(wire.trades(*replay), session + 1.0)
            recorder.handle(wire.trades((session * 1000 + 2000, session + 3)), session + 2.0)
            recorder.disconnected(session + 3.0, "test")
        recorder.flush()
        assert [(row["trade_id"], row["snapshot"]) for row in tables(store, "trades")] == [
            ("1", True), ("2", True), ("3", False), ("4", True), ("13", False),
        ]  # fmt: skip
        assert store.read("ETH").trades.trade_id.tolist() == [1, 2, 3, 4, 13]

    def test_other_coins_and_channels_leave_no_row(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.handle(wire.bbo(1000, coin="BTC"), 1.0)
        recorder.handle({"channel": "candle", "data": {}}, 1.0)
        recorder.handle({"channel": ["bbo"]}, 1.0)
        recorder.handle({}, 1.0)
        assert not recorder.flush_due(1e9)
        recorder.flush()
        assert not store.data_dir.exists()

    def test_mid_follows_two_sided_quotes(self, store: ShardStore, wire: SimpleNamespace) -> None:
        recorder = Recorder(store, ["ETH"], None)
        assert recorder.mid("ETH") is None
        recorder.handle(wire.bbo(1000, 100, 102), 1.0)
        recorder.handle(wire.bbo(1001, None, 99), 1.0)
        assert recorder.mid("ETH") == 101.0


class TestConnectionLog:
    def test_connect_gap_disconnect(self, store: ShardStore, wire: SimpleNamespace) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(100.0)
        for _ in range(2):  # answers to the two subscriptions of books
            recorder.handle(wire.book(1000), 103.0)
        recorder.handle(wire.trades((1000, 1)), 103.0)
        recorder.handle(wire.bbo(1000), 103.0)
        for message in (wire.bbo(5500), wire.book(5500), wire.trades((5500, 2))):
            recorder.handle(message, 107.5)
        recorder.flush()
        recorder.disconnected(108.0, "no data for 15 s")
        recorder.connected(200.0)
        recorder.handle(wire.bbo(100_000), 201.0)
        recorder.flush()
        events = store.connections("ETH")
        assert [(e.event, e.local_s, e.exchange_ms) for e in events] == [
            ("connect", 100.0, None),
            *3 * [("gap", 107.5, 1000)],
            ("disconnect", 108.0, 5500),
            ("connect", 200.0, 5500),
        ]
        assert [e.detail for e in events] == [
            "", *3 * ["no data for 4.5 s"], "no data for 15 s", "",
        ]  # fmt: skip

    def test_a_recording_without_log_has_none(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.handle(wire.bbo(1000), 1.0)
        recorder.flush()
        assert store.connections("ETH") == []

    def test_unreadable_log_is_named(self, store: ShardStore) -> None:
        folder = store.data_dir / "ETH/connections"
        folder.mkdir(parents=True)
        (folder / "connections_1.parquet").write_bytes(b"")
        with pytest.raises(InputError, match=r"connections_1\.parquet"):
            store.connections("ETH")


class TestSilentChannels:
    """Silences found by the watchdog are in the connection log and in the recording read back."""

    def test_silence_and_its_end(self, store: ShardStore, wire: SimpleNamespace) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(1000.0)
        wire.speak(recorder, 1000, 60)
        recorder.flush()
        assert store.read("ETH").silences == (Silence("trades", 1_059_600, None),)
        recorder.handle(wire.trades((1_059_600, 1_059_600)), 1081.0)  # the replay has no news
        recorder.handle(wire.trades((1_080_900, 1_080_900)), 1081.2)
        recorder.flush()
        events = [e for e in store.connections("ETH") if e.event in ("silent", "speaks")]
        assert [(e.event, e.exchange_ms) for e in events] == [
            ("silent", 1_059_600),
            ("speaks", 1_080_900),
        ]
        assert events[0].local_s - 1059.6 < 15
        assert events[1].detail == "trades: no message for 21.6 s"
        (silence,) = store.read("ETH").silences
        assert silence == Silence("trades", 1_059_600, 1_080_900)

    def test_a_replay_that_was_asked_for_is_marked(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(1000.0)
        wire.speak(recorder, 1000, 60)
        recorder.handle(wire.trades((1_080_000, 1_080_000)), 1081.0)
        recorder.handle(wire.trades((1_081_100, 1_081_100)), 1081.1)
        recorder.flush()
        (file,) = store.data_dir.glob("ETH/trades/*.parquet")
        assert pq.read_table(file)["snapshot"].to_pylist()[-2:] == [True, False]

    def test_silences_reach_into_the_stretch_that_is_read(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(1000.0)
        wire.speak(recorder, 1000, 60)
        recorder.handle(wire.trades((1_080_900, 1_080_900)), 1081.2)
        recorder.flush()
        found = {
            bounds: len(store.read("ETH", *bounds).silences)
            for bounds in (
                (None, 1_050_000),
                (1_050_000, 1_070_000),
                (1_070_000, None),
                (1_081_000, None),
            )
        }
        assert list(found.values()) == [0, 1, 1, 0]

    def test_a_recorder_that_was_stopped_in_a_silence_and_begins_anew(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        for start_s in (1000, 2000):
            recorder = Recorder(store, ["ETH"], None)
            recorder.connected(float(start_s))
            wire.speak(recorder, start_s, 60)
            recorder.flush()
        assert store.read("ETH").silences == (
            Silence("trades", 1_059_600, 2_059_600),
            Silence("trades", 2_059_600, None),
        )

    def test_an_unreadable_log_costs_what_it_says(
        self, store: ShardStore, wire: SimpleNamespace, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.handle(wire.bbo(1000), 1.0)
        recorder.flush()
        folder = store.data_dir / "ETH/connections"
        folder.mkdir(parents=True)
        (folder / "connections_1.parquet").write_bytes(b"")
        assert store.read("ETH").silences == ()
        assert "connections_1.parquet" in caplog.text

    def test_the_log_is_followed_as_it_grows(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None)
        recorder.connected(1000.0)
        recorder.handle(wire.bbo(1_000_000), 1000.0)
        recorder.flush()
        log = store.silence_log("ETH")
        assert log.between(None, None) == ()
        wire.speak(recorder, 1000, 60)
        recorder.flush()
        assert log.between(None, None) == store.read("ETH").silences != ()


class TestFlushTimer:
    def test_due_when_the_oldest_row_has_waited(
        self, store: ShardStore, wire: SimpleNamespace
    ) -> None:
        recorder = Recorder(store, ["ETH"], None, flush_seconds=5.0)
        assert not recorder.flush_due(1e9)
        recorder.handle(wire.bbo(1000), 10.0)
        recorder.handle(wire.bbo(2000), 14.0)
        assert not recorder.flush_due(14.9)
        assert recorder.flush_due(15.0)
        recorder.flush()
        assert not recorder.flush_due(1e9)

    @pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
    def test_impossible_flush_time(self, store: ShardStore, seconds: float) -> None:
        with pytest.raises(InputError, match="flush_seconds"):
            Recorder(store, ["ETH"], None, flush_seconds=seconds)

    def test_no_coin(self, store: ShardStore) -> None:
        with pytest.raises(InputError, match="no coin"):
            Recorder(store, [], None)


class TestMalformedMessages:
    @pytest.mark.parametrize(
        ("channel", "path", "value"),
        [
            ("bbo", ("time",), "soon"),
            ("bbo", ("time",), 2**63),
            ("bbo", ("time",), float("inf")),
            ("bbo", ("bbo",), [None]),
            ("bbo", ("bbo",), 3),
            ("bbo", ("coin",), 7),
            ("bbo", ("time",), 1_790_000_000_000_000),
            ("bbo", ("bbo",), [{"px": "NaN", "sz": "1"}, None]),
            ("l2Book", ("levels",), [[]]),
            ("l2Book", ("levels",), [[{"px": "1"}], [7]]),
        ],
    )
    def test_bad_value_of_all_rows_is_refused_and_nothing_of_the_message_kept(
        self, store: ShardStore, wire: SimpleNamespace, channel: str, path: Any, value: Any
    ) -> None:
        good = {"bbo": wire.bbo(1), "trades": wire.trades((1, 1), (1, 2)), "l2Book": wire.book(1)}
        message = json.loads(json.dumps(good[channel]))
        target = message["data"]
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
        recorder = Recorder(store, ["ETH"], None)
        with pytest.raises(VenueError, match=channel):
            recorder.handle(message, 1.0)
        recorder.flush()
        assert not store.data_dir.exists()

    def test_missing_field_is_named(self, store: ShardStore) -> None:
        recorder = Recorder(store, ["ETH"], None)
        with pytest.raises(VenueError, match="'time'"):
            recorder.handle({"channel": "bbo", "data": {"coin": "ETH"}}, 1.0)
        with pytest.raises(VenueError, match="'data'"):
            recorder.handle({"channel": "trades"}, 1.0)


# Messages of the laws: times jump back and forth, ids repeat with their own time and price, as
# replays do; receipt never goes back.
_PRINT = st.integers(0, 30).map(lambda tid: (1000 + 100 * (tid // 3), tid))
_STEP = st.tuples(
    st.one_of(
        st.tuples(st.just("bbo"), st.integers(1000, 1010), st.integers(1, 5)),
        st.tuples(st.just("trades"), st.lists(_PRINT, min_size=1, max_size=5)),
        st.tuples(st.just("book"), st.integers(1000, 1010)),
    ),
    st.sampled_from([0.0, 0.0, 0.1, 4.0]),  # seconds since the message before
    st.booleans(),  # flush after it
)


def _messages(steps: list[Any], wire: SimpleNamespace) -> list[tuple[dict[str, Any], float, bool]]:
    received_s, messages = 0.0, []
    for (kind, *what), wait, flush in steps:
        received_s += wait
        if kind == "bbo":
            message = wire.bbo(what[0], bid=None if what[1] == 5 else 100 - what[1])
        elif kind == "trades":
            message = wire.trades(*what[0])
        else:
            message = wire.book(what[0])
        messages.append((message, received_s, flush))
    return messages


def _recorded(messages: list[tuple[dict[str, Any], float, bool]]) -> Recording:
    with tempfile.TemporaryDirectory() as folder:
        store = ShardStore(Path(folder))
        recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
        recorder.connected(0.0)
        for message, received_s, flush in messages:
            recorder.handle(message, received_s)
            if flush:
                recorder.flush()
        recorder.flush()
        return store.read("ETH")


def _columns(recording: Recording) -> dict[str, list[Any]]:
    columns = {"book": recording.book_time_ms.tolist(), "tick": [repr(recording.tick)]}
    for kind in (recording.quotes, recording.trades):
        for name in kind.__dataclass_fields__:
            values = getattr(kind, name)
            columns[f"{type(kind).__name__}.{name}"] = np.nan_to_num(values, nan=-1.0).tolist()
    return columns


@settings(max_examples=25, deadline=None)
@given(st.lists(_STEP, max_size=25))
def test_any_split_into_shards_gives_the_same_recording(
    wire: SimpleNamespace, steps: list[Any]
) -> None:
    messages = _messages(steps, wire)
    whole = [(message, received_s, False) for message, received_s, _ in messages]
    assert _columns(_recorded(messages)) == _columns(_recorded(whole))


@settings(max_examples=25, deadline=None)
@given(st.lists(_STEP, max_size=25))
def test_reading_keeps_what_a_naive_reader_of_the_messages_keeps(
    wire: SimpleNamespace, steps: list[Any]
) -> None:
    messages = _messages(steps, wire)
    recording = _recorded(messages)
    first: dict[int, tuple[int, int, float]] = {}
    quotes: list[tuple[int, float]] = []
    for message, received_s, _ in messages:
        data = message["data"]
        if message["channel"] == "trades":
            for row in data:
                first.setdefault(row["tid"], (row["time"], row["tid"], received_s))
        elif message["channel"] == "bbo":
            bid = data["bbo"][0]
            quotes.append((data["time"], -1.0 if bid is None else float(bid["px"])))
    kept = sorted(first.values(), key=lambda row: row[0])
    quotes.sort(key=lambda row: row[0])
    read = recording.trades
    ids = zip(read.time_ms.tolist(), read.trade_id.tolist(), read.local_s.tolist(), strict=True)
    assert list(ids) == kept
    assert np.nan_to_num(recording.quotes.bid, nan=-1.0).tolist() == [bid for _, bid in quotes]
    # Prints of one hash, and only those, share a code.
    codes = {tid: code for tid, code in zip(read.trade_id, read.transaction, strict=True)}
    assert len({(tid // 3, code) for tid, code in codes.items()}) == len(set(codes.values()))


@settings(max_examples=15, deadline=None)
@given(st.lists(_STEP, max_size=15))
def test_hearing_all_trades_again_changes_nothing(wire: SimpleNamespace, steps: list[Any]) -> None:
    messages = [m for m in _messages(steps, wire) if m[0]["channel"] == "trades"]
    again = [(message, 1e6, True) for message, _, _ in reversed(messages)]
    once, twice = _columns(_recorded(messages)), _columns(_recorded(messages + again))
    assert once == {**twice, "tick": once["tick"]}
