"""The collector against a venue that drops connections, falls silent, sends junk and replays."""

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from advanced_mm.errors import InputError, VenueError
from advanced_mm.marketdata import Recording, ShardStore
from advanced_mm.marketdata.collector.collector import Collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.feed.feed import HyperliquidFeed
from advanced_mm.marketdata.feed.policy import ConnectionSettings
from advanced_mm.marketdata.feed.venue_meta import fetch_size_decimals, info_address
from advanced_mm.marketdata.feed.watchdog import WatchdogSettings
from advanced_mm.marketdata.journal import ShardJournal

QUICK = ConnectionSettings(
    first_delay_seconds=0.02,
    longest_delay_seconds=0.05,
    silence_seconds=0.4,
    ping_seconds=0.1,
    connections_a_minute=1000,
)


def says(*messages: Any, then_drop: bool = False, every: float = 0.0) -> Any:
    """Make a behaviour: wait for the subscriptions, send the messages, then drop or be silent."""

    async def behave(venue: Any, socket: web.WebSocketResponse) -> None:
        mine = venue.connections - 1
        while len(venue.subscriptions) <= mine or len(venue.subscriptions[mine]) < 5:
            await asyncio.sleep(0.005)
        for message in messages:
            await (socket.send_str if isinstance(message, str) else socket.send_json)(message)
            await asyncio.sleep(every)
        if then_drop:
            await socket.close()

    return behave


async def collect(
    store: ShardStore, url: str, until: Callable[[], bool], coins: tuple[str, ...] = ("ETH",)
) -> None:
    stop = asyncio.Event()
    collector = Collector(store, coins, url, flush_seconds=0.1, settings=QUICK)
    running = asyncio.create_task(collector.run(stop))
    async with asyncio.timeout(30):
        while not until() and not running.done():
            await asyncio.sleep(0.01)
        stop.set()
        await running


def rows(store: ShardStore, kind: str) -> int:
    return sum(
        pq.read_metadata(file).num_rows for file in store.data_dir.glob(f"ETH/{kind}/*.parquet")
    )


async def test_subscribes_five_streams_a_coin(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    venue.behaviours = [says(wire.bbo(1000))]
    venue.meta["universe"].append({"name": "WLFI", "szDecimals": 0})
    await collect(
        store,
        venue.url,
        lambda: bool(venue.subscriptions) and len(venue.subscriptions[0]) == 10,
        ("ETH", "WLFI"),
    )
    for coin in ("ETH", "WLFI"):
        assert [s for s in venue.subscriptions[0] if s["coin"] == coin] == [
            {"type": "activeAssetCtx", "coin": coin},
            {"type": "trades", "coin": coin},
            {"type": "l2Book", "coin": coin},
            {"type": "l2Book", "fast": True, "coin": coin},
            {"type": "bbo", "coin": coin},
        ]


async def test_drop_and_replay_lose_and_double_nothing(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    """The second connection replays the trades of the first, and one from the time between."""
    venue.behaviours = [
        says(wire.trades((1000, 1), (1001, 2)), wire.trades((1002, 3)), then_drop=True),
        says(wire.trades((1001, 2), (1002, 3), (1003, 4)), wire.trades((1004, 5))),
    ]
    await collect(store, venue.url, lambda: rows(store, "trades") >= 5)
    recording = store.read("ETH")
    assert recording.trades.trade_id.tolist() == [1, 2, 3, 4, 5]
    assert (recording.trades.local_s[:3] < recording.trades.local_s[3]).all()
    assert rows(store, "trades") == 5  # what is told again is not written again
    events = [event.event for event in store.connections("ETH") if event.event != "gap"]
    assert events == 2 * ["connect", "subscribed", "disconnect"]
    assert {gap.channel for gap in store.gaps("ETH")} == {"bbo", "trades", "l2Book"}


async def test_a_minute_of_a_thousand_messages_a_second_is_recorded_whole(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    """Sent faster than that: as fast as they are read."""
    messages = 60_000
    frames = [
        json.dumps(wire.trades((1000 + ms, ms)) if ms % 4 == 3 else wire.bbo(1000 + ms))
        for ms in range(messages)
    ]
    venue.behaviours = [says(*frames)]
    stop = asyncio.Event()
    patient = WatchdogSettings(least_seconds=1000, first_word_seconds=1000)  # no books are sent
    collector = Collector(store, ["ETH"], venue.url, 0.5, watchdog=patient)
    running = asyncio.create_task(collector.run(stop))
    async with asyncio.timeout(120):
        while sum(rows(store, kind) for kind in ("prices", "trades")) < 1.75 * messages:
            await asyncio.sleep(0.25)
        stop.set()
        assert await running
    recording = store.read("ETH")
    assert recording.trades.trade_id.tolist() == list(range(3, messages, 4))
    assert len(recording.quotes) == messages * 3 // 4
    assert (np.diff(recording.quotes.time_ms) > 0).all()
    assert store.gaps("ETH") == ()


async def test_silent_socket_is_left_for_a_new_one(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    venue.behaviours = [says(wire.bbo(1000)), says(wire.bbo(2000))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 4 and venue.pings >= 1)
    assert store.read("ETH").quotes.time_ms.tolist() == [1000, 2000]
    details = [event.detail for event in store.connections("ETH") if event.event == "disconnect"]
    assert details[0] == "no data for 0.4 s"


async def test_garbage_is_named_once_and_the_rest_recorded(
    venue: Any, store: ShardStore, wire: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    broken = wire.bbo(1500)
    del broken["data"]["time"]
    venue.behaviours = [
        says(
            wire.bbo(1000), "not json", "[1]", "\x00", {"channel": "news"}, {"channel": "news"},
            broken, broken, {"channel": "trades", "data": None}, wire.bbo(2000),
        )
    ]  # fmt: skip
    with caplog.at_level(logging.WARNING, "advanced_mm"):
        await collect(store, venue.url, lambda: rows(store, "prices") >= 4)
    assert store.read("ETH").quotes.time_ms.tolist() == [1000, 2000]
    messages = [record.message for record in caplog.records]
    assert sum("unreadable" in message for message in messages) == 1
    assert sum("'news'" in message for message in messages) == 1
    assert sum("'time'" in message for message in messages) == 1


async def test_garbage_that_names_ever_new_channels_does_not_fill_log_and_memory(
    venue: Any, store: ShardStore, wire: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    junk = [{"channel": f"news{number}"} for number in range(300)]
    venue.behaviours = [says(wire.bbo(1000), *junk, wire.bbo(2000))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 4)
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert sum("unknown channel" in record.message for record in warned) == 100


def speaks_without_trades(until_subscribed_anew: bool) -> Any:
    """Make a behaviour: all channels, then no trades, until they are subscribed a second time.

    A venue that ignores that speaks of trades again on its next connection only.
    """

    async def behave(venue: Any, socket: web.WebSocketResponse) -> None:
        mine, wire = venue.connections - 1, venue.wire
        muted = False
        for number in range(10_000):
            asked = sum(s["type"] == "trades" for s in venue.subscriptions[mine])
            time_ms = 1_000_000 * (mine + 1) + 10 * number
            await socket.send_json(wire.bbo(time_ms))
            await socket.send_json(wire.book(time_ms))
            muted = mine == 0 and number > 60 and (asked < 3 or not until_subscribed_anew)
            if not muted:
                await socket.send_json(wire.trades((time_ms, time_ms)))
            await asyncio.sleep(0.01)

    return behave


@pytest.mark.parametrize("helps", [True, False])
async def test_a_silent_channel_is_subscribed_anew_or_the_connection_made_anew(
    venue: Any,
    store: ShardStore,
    wire: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    helps: bool,
) -> None:
    venue.wire, venue.behaviours = wire, [speaks_without_trades(helps)]
    settings = replace(QUICK, silence_seconds=5, ping_seconds=5, pong_seconds=5, look_seconds=0.05)
    watchdog = WatchdogSettings(
        least_seconds=0.4, first_word_seconds=2, first_retry_seconds=0.3, longest_retry_seconds=0.3
    )
    stop = asyncio.Event()
    collector = Collector(store, ("ETH",), venue.url, 0.1, settings, watchdog)
    running = asyncio.create_task(collector.run(stop))
    async with asyncio.timeout(60):
        while "trades active again" not in caplog.text:
            await asyncio.sleep(0.02)
    stop.set()
    await running
    asked = [s["type"] for s in venue.subscriptions[0]]
    assert asked[:5] == ["activeAssetCtx", "trades", "l2Book", "l2Book", "bbo"]
    assert asked[5:7] == ["trades", "trades"]  # unsubscribed and subscribed
    assert set(asked[5:]) == {"trades"}
    assert venue.connections == (1 if helps else 2)
    silent = [m for m in caplog.messages if "ETH: trades silent for" in m and "resubscribing" in m]
    assert len([m for m in silent if "while other channels are active" in m]) == 1
    assert helps or any("resubscribing did not help" in m for m in caplog.messages)
    (quiet,) = [gap for gap in store.gaps("ETH") if "no message" in gap.reason]
    assert quiet.channel == "trades"
    assert ("trades", quiet.start_ms) in {
        (s.channel, s.start_ms) for s in store.read("ETH").silences
    }


@pytest.mark.parametrize(("age_s", "known"), [(60, True), (7200, False)])
async def test_usual_rates_are_those_of_the_recording_where_it_is_fresh(
    venue: Any,
    store: ShardStore,
    wire: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    age_s: int,
    known: bool,
) -> None:
    learned: list[Recording] = []
    monkeypatch.setattr(Recorder, "learn", lambda _, recording: learned.append(recording))
    recorder = Recorder(store, ["ETH"], None)
    newest_s = time.time() - age_s
    for second in range(10):
        recorder.handle(wire.bbo(round(1000 * (newest_s - second))), newest_s)
    recorder.flush()
    venue.behaviours = [says(wire.bbo(1000))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 22)
    assert [len(recording.quotes) for recording in learned] == ([10] if known else [])


async def test_a_refused_coin_is_named_and_left_out_while_the_others_go_on(
    venue: Any, store: ShardStore, wire: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    venue.meta = None
    refusal = {"channel": "error", "data": 'Invalid subscription {"type":"bbo","coin":"NOPE"}'}
    venue.behaviours = [says(wire.bbo(1000), refusal, refusal, wire.bbo(2000))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 4, ("ETH", "NOPE"))
    assert sum("NOPE: the venue at" in message for message in caplog.messages) == 1
    (event,) = [e for e in store.connections("NOPE") if e.event == "refused"]
    assert "Invalid subscription" in event.detail
    assert "refused" not in [e.event for e in store.connections("ETH")]


async def test_a_venue_that_refuses_every_coin_ends_the_recording_with_a_sentence(
    venue: Any, store: ShardStore
) -> None:
    venue.meta = None
    refusal = {"channel": "error", "data": 'Invalid subscription {"type":"bbo","coin":"NOPE"}'}
    venue.behaviours = [says(refusal)]
    with pytest.raises(VenueError, match=r"NOPE.*check the coin's name"):
        await collect(store, venue.url, lambda: False, ("NOPE",))


async def test_passing_complaints_do_not_end_the_recording(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    complaints = [
        'Already subscribed: {"type":"bbo","coin":"ETH"}',
        'Already unsubscribed: {"type":"bbo","coin":"ETH"}',
        "Cannot send more than 2000 messages per minute.",
    ]
    errors = [{"channel": "error", "data": complaint} for complaint in complaints]
    late = {"channel": "error", "data": "Invalid subscription"}  # ETH is heard by then
    venue.behaviours = [says(*errors, wire.bbo(1000), late, wire.bbo(2000))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 4)


async def test_coin_unknown_to_meta_ends_with_a_sentence(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    venue.behaviours = [says(wire.bbo(1000))]
    with pytest.raises(VenueError, match=r"no coin 'NOPE'.*such as ETH"):
        await collect(store, venue.url, lambda: False, ("NOPE",))


@pytest.mark.parametrize("late", [False, True])
async def test_a_coin_that_was_delisted_does_not_keep_the_others_from_being_recorded(
    venue: Any,
    store: ShardStore,
    wire: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    late: bool,
) -> None:
    """Whether the venue's list comes at the start or later; a name never recorded is a mistake."""
    monkeypatch.setattr(
        "advanced_mm.marketdata.collector.collector._META_RETRY_SECONDS", (0.05, 0.05)
    )
    earlier = Recorder(store, ["OLD", "@107"], None)
    for coin in earlier.coins:  # no list names spot pairs
        earlier.handle(wire.bbo(500, coin=coin), 0.5)
    earlier.flush()
    meta = venue.meta
    if late:
        venue.meta = None
    refusal = {"channel": "error", "data": 'Invalid subscription {"type":"bbo","coin":"OLD"}'}
    venue.behaviours = [says(refusal, *(wire.bbo(1000 + i) for i in range(100)), every=0.01)]

    def heard_of_it() -> bool:
        if venue.connections:
            venue.meta = meta
        return "OLD: the venue at" in caplog.text and "not list it" in caplog.text

    names = ("ETH", "@107", "OLD" if late else "OLD/USDC:USDC")
    await collect(store, venue.url, lambda: heard_of_it() and rows(store, "prices") >= 4, names)
    assert caplog.text.count("does not list it any more") == 1
    assert [event.event for event in store.connections("OLD")].count("refused") == 1
    with pytest.raises(VenueError, match="no coin 'OLE'"):
        await collect(store, venue.url, lambda: False, ("ETH", "OLD", "OLE"))
    with pytest.raises(VenueError, match="no coin 'OLD'"):
        await collect(store, venue.url, lambda: False, ("OLD",))


@pytest.fixture
def many(venue: Any) -> Any:
    """A venue with a coin of a thousand tokens and two builder-deployed exchanges."""
    venue.meta["universe"].append({"name": "kPEPE", "szDecimals": 0})
    venue.dexs = {
        dex: {"universe": [{"name": f"{dex}:{coin}", "szDecimals": 3} for coin in coins]}
        for dex, coins in {"xyz": ["XYZ100", "TSLA"], "flx": ["TSLA", "CRCL"]}.items()
    }
    return venue


@pytest.mark.parametrize(
    ("name", "coin", "dexs_asked"),
    [
        ("kPEPE", "kPEPE", []),
        ("KPEPE", "kPEPE", []),
        ("KPEPE/USDC:USDC", "kPEPE", []),
        ("xyz:XYZ100", "xyz:XYZ100", ["xyz"]),
        ("XYZ-XYZ100/USDC:USDC", "xyz:XYZ100", ["xyz"]),
        ("FLX-TSLA", "flx:TSLA", ["flx"]),
        ("@107", "@107", []),
    ],
)
async def test_any_spelling_is_recorded_by_the_venue_s_name(
    many: Any, store: ShardStore, wire: SimpleNamespace, name: str, coin: str, dexs_asked: list[str]
) -> None:
    many.behaviours = [says(wire.bbo(1000, coin=coin), wire.bbo(1000, coin="KPEPE"))]
    shard = f"{coin.replace(':', '-')}/prices/*.parquet"
    await collect(store, many.url, lambda: list(store.data_dir.glob(shard)) != [], (name, "ETH"))
    assert {one["coin"] for one in many.subscriptions[0]} == {coin, "ETH"}
    assert store.coins() == sorted((coin, "ETH"))
    assert len(store.read(coin).quotes) == 1
    assert [asked["dex"] for asked in many.asked if "dex" in asked] == dexs_asked


async def test_two_spellings_of_one_coin_are_recorded_once(
    many: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    many.behaviours = [says(wire.bbo(1000, coin="kPEPE"))]
    names = ("kPEPE", "KPEPE/USDC:USDC")
    await collect(
        store, many.url, lambda: any(store.data_dir.glob("kPEPE/prices/*.parquet")), names
    )
    assert store.coins() == ["kPEPE"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PEPE", "kPEPE"),
        ("PEPE/USDC:USDC", "kPEPE"),
        ("XYZ100", "xyz:XYZ100"),
        ("abc:XYZ100", "xyz:XYZ100"),
        ("xyz:XYZ10", "xyz:XYZ100"),
        ("TSLA", "flx:TSLA or xyz:TSLA"),
    ],
)
async def test_a_wrong_name_gets_the_right_one_in_the_answer(
    many: Any, store: ShardStore, name: str, meant: str
) -> None:
    many.behaviours = [says()]
    with pytest.raises(VenueError, match=rf"no coin '{name}'.*did you mean {meant}"):
        await collect(store, many.url, lambda: False, ("ETH", name))
    assert many.subscriptions == []
    assert not store.data_dir.exists()


async def test_a_pair_waits_for_the_venue_s_list(
    many: Any,
    store: ShardStore,
    wire: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A spelling other than the venue's needs its list of coins; the venue's own does not."""
    monkeypatch.setattr(
        "advanced_mm.marketdata.collector.collector._META_RETRY_SECONDS", (0.01, 0.05)
    )
    meta, many.meta = many.meta, None
    many.behaviours = [says(wire.bbo(1000, coin="kPEPE"))]
    stop = asyncio.Event()
    collector = Collector(store, ["KPEPE/USDC:USDC"], many.url, 0.1, settings=QUICK)
    running = asyncio.create_task(collector.run(stop))
    async with asyncio.timeout(30):
        while len(many.asked) < 3:
            await asyncio.sleep(0.01)
        assert many.connections == 0
        many.meta = meta
        while not list(store.data_dir.glob("kPEPE/prices/*.parquet")):
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert "KPEPE/USDC:USDC: waiting for the venue to resolve the name" in caplog.text


async def test_a_name_taken_as_it_stands_is_compared_once_the_list_is_there(
    many: Any, store: ShardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "advanced_mm.marketdata.collector.collector._META_RETRY_SECONDS", (0.05, 0.05)
    )
    meta, many.meta = many.meta, None
    many.behaviours = [says()]
    collector = Collector(store, ["KPEPE"], many.url, 0.1, settings=QUICK)
    running = asyncio.create_task(collector.run(asyncio.Event()))
    async with asyncio.timeout(30):
        while many.connections == 0:
            await asyncio.sleep(0.01)
        many.meta = meta
        with pytest.raises(VenueError, match="no coin 'KPEPE': did you mean kPEPE"):
            await running


async def test_waiting_for_a_list_ends_at_once(store: ShardStore, unused_tcp_port: int) -> None:
    stop = asyncio.Event()
    collector = Collector(store, ["KPEPE/USDC:USDC"], f"ws://127.0.0.1:{unused_tcp_port}/ws")
    running = asyncio.create_task(collector.run(stop))
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(1):
        await running
    assert not store.data_dir.exists()


async def test_a_builder_s_coin_carries_its_tick(
    many: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    many.behaviours = [says(wire.bbo(1000, 25000.0, 25001.0, coin="xyz:XYZ100"))]
    path = "xyz-XYZ100/prices/*.parquet"
    await collect(store, many.url, lambda: list(store.data_dir.glob(path)) != [], ("XYZ-XYZ100",))
    (file,) = store.data_dir.glob(path)
    assert pq.read_schema(file).metadata[b"tick"] == b"1.0"
    assert pq.read_schema(file).metadata[b"coin"] == b"xyz:XYZ100"


async def test_tick_follows_from_meta_and_mid(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    venue.behaviours = [says(wire.bbo(1000, 3331.0, 3331.1))]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 2)
    (file,) = store.data_dir.glob("ETH/prices/*.parquet")
    assert pq.read_schema(file).metadata[b"tick"] == b"0.1"


@pytest.mark.parametrize("meta", [None, {"universe": [{"name": "ETH"}]}, [1]])
async def test_without_meta_the_log_says_so_and_the_tick_is_left_out(
    venue: Any,
    store: ShardStore,
    wire: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
    meta: Any,
) -> None:
    venue.meta = meta
    venue.behaviours = [says(wire.bbo(1000, 3331.0, 3331.5))]
    with caplog.at_level(logging.WARNING, "advanced_mm"):
        await collect(store, venue.url, lambda: rows(store, "prices") >= 2)
    assert any("without a tick" in record.message for record in caplog.records)
    assert store.read("ETH").tick == 0.5  # the greatest common step of two prices


async def test_venue_that_comes_late_is_waited_for(store: ShardStore, unused_tcp_port: int) -> None:
    stop = asyncio.Event()
    collector = Collector(store, ["ETH"], f"ws://127.0.0.1:{unused_tcp_port}/ws", settings=QUICK)
    running = asyncio.create_task(collector.run(stop))
    await asyncio.sleep(0.3)
    assert not running.done()
    stop.set()
    await running


async def test_nothing_half_written_is_left_and_leftovers_are_cleared(
    venue: Any, store: ShardStore, wire: SimpleNamespace
) -> None:
    folder = store.data_dir / "ETH/prices"
    folder.mkdir(parents=True)
    (folder / ".prices_5.parquet.4194999.tmp").write_bytes(b"half")
    venue.behaviours = [says(*(wire.bbo(1000 + i) for i in range(50)), every=0.01)]
    await collect(store, venue.url, lambda: rows(store, "prices") >= 40)
    assert [path for path in store.data_dir.rglob("*") if path.name.startswith(".")] == []
    assert store.read("ETH").skipped_files == ()
    assert len({path.name for path in folder.iterdir()}) >= 2


async def test_a_full_disk_loses_nothing_once_there_is_space(
    venue: Any,
    wire: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = True
    sync = os.fsync

    def refuse(handle: int) -> None:
        if full:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr("os.fsync", refuse)
    venue.behaviours = [says(*(wire.bbo(1000 + i) for i in range(60)), every=0.005)]
    store = ShardStore(tmp_path)

    def seen_full() -> bool:
        nonlocal full
        if full and "kept in memory" in caplog.text and len(caplog.records) > 3:
            assert rows(store, "prices") == 0
            full = False
        return rows(store, "prices") >= 120

    await collect(store, venue.url, seen_full)
    assert set(store.read("ETH").quotes.time_ms) == set(range(1000, 1060))
    assert caplog.text.count("No space left") == 1
    assert not list(tmp_path.rglob(".*.tmp"))


@pytest.mark.parametrize("recorded_before", [False, True])
async def test_a_disk_that_is_full_at_the_start_is_waited_for(
    venue: Any,
    wire: SimpleNamespace,
    store: ShardStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    recorded_before: bool,
) -> None:
    """What a coin that was recorded before has meanwhile is in memory; a new one has no folder."""
    if recorded_before:
        with store.recording("ETH"):
            earlier = Recorder(store, ["ETH"], None)
            earlier.handle(wire.bbo(500), 0.5)
            earlier.flush()
    full = True

    def refuse_if_full(function: Any) -> Any:
        def refuse(*arguments: Any, **rest: Any) -> Any:
            if full and not (rest.get("exist_ok") and arguments[0].exists()):
                raise OSError(28, "No space left on device")
            return function(*arguments, **rest)

        return refuse

    package = "advanced_mm.marketdata"
    monkeypatch.setattr(f"{package}.collector.collector._FULL_SECONDS", 0.05)
    monkeypatch.setattr(Path, "mkdir", refuse_if_full(Path.mkdir))
    for function in (
        "writing.tempfile.TemporaryFile",
        "writing.os.fsync",
        "writing.os.write",
    ):
        module, _, name = f"{package}.{function}".rpartition(".")
        original = {"TemporaryFile": tempfile.TemporaryFile, "fsync": os.fsync, "write": os.write}
        monkeypatch.setattr(f"{module}.{name}", refuse_if_full(original[name]))
    monkeypatch.setattr(ShardJournal, "_append", refuse_if_full(ShardJournal._append))
    venue.behaviours = [says(*(wire.bbo(1000 + i) for i in range(60)), every=0.005)]
    store = ShardStore(store.data_dir)
    tail = None
    if recorded_before:
        tail = store.tail("ETH")
        list(tail.start(0))

    def space_after_a_while() -> bool:
        nonlocal full
        waits = "kept in memory" if recorded_before else "nothing is recorded until there is space"
        if full and waits in caplog.text:
            full = False
        return rows(store, "prices") >= 120

    await collect(store, venue.url, space_after_a_while)
    assert set(range(1000, 1060)) <= set(store.read("ETH").quotes.time_ms)
    if tail is not None:
        news = tail.newer()
        assert news is not None
        told = {ms for named in news.by_kind["prices"] for ms in named.shard.columns["time_ms"]}
        assert told == set(range(1000, 1060))


async def test_an_end_on_a_full_disk_is_no_success(
    venue: Any,
    wire: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    venue.behaviours = [says(wire.bbo(1000))]
    stop = asyncio.Event()
    collector = Collector(ShardStore(tmp_path), ["ETH"], venue.url, 0.1, status_seconds=0.05)
    caplog.set_level("INFO")
    running = asyncio.create_task(collector.run(stop))
    async with asyncio.timeout(30):
        while "rows unwritten; cannot write" not in caplog.text:
            await asyncio.sleep(0.01)
        stop.set()
        assert await running is False
    assert "rows are not on disk" in caplog.text
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["recorder.lock"]


async def test_what_goes_wrong_beside_the_recording_does_not_end_it(
    venue: Any,
    wire: SimpleNamespace,
    store: ShardStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A machine without memory for another process, an unreadable folder, a bug in a side job."""

    async def no_memory(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    def unreadable(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    async def bug(_: Any) -> None:
        raise ZeroDivisionError

    package = "advanced_mm.marketdata.collector"
    monkeypatch.setattr(f"{package}.tidying._FIRST_SECONDS", 0.0)
    monkeypatch.setattr(f"{package}.tidying.asyncio.create_subprocess_exec", no_memory)
    monkeypatch.setattr(f"{package}.collector._ANEW_SECONDS", 0.05)
    monkeypatch.setattr(f"{package}.collector.Backfill.run", bug)
    monkeypatch.setattr(store, "newest_by_kind", unreadable)
    monkeypatch.setattr(store, "newest_ms", unreadable)
    venue.behaviours = [says(*(wire.bbo(1000 + i) for i in range(30)), every=0.01)]
    await collect(store, venue.url, lambda: rows(store, "prices") == 60)
    assert caplog.text.count("the upkeep of the recording cannot be started") == 1
    assert caplog.text.count("ZeroDivisionError") >= 2
    assert "message rates are learned from scratch: [Errno 13]" in caplog.text


async def test_one_coin_has_one_recorder_and_other_coins_their_own(
    venue: Any, wire: SimpleNamespace, store: ShardStore
) -> None:
    venue.meta = {"universe": [{"name": name, "szDecimals": 4} for name in ("ETH", "BTC")]}
    venue.behaviours = [says(wire.bbo(1000), wire.bbo(1000, coin="BTC"))]
    stop = asyncio.Event()
    first = asyncio.create_task(Collector(store, ["ETH"], venue.url).run(stop))
    async with asyncio.timeout(30):
        while not (store.data_dir / "ETH/recorder.lock").exists():
            await asyncio.sleep(0.01)
        with pytest.raises(InputError, match=f"already being recorded by process {os.getpid()}"):
            await Collector(store, ["BTC", "ETH"], venue.url).run(stop)
        second = asyncio.create_task(Collector(store, ["BTC"], venue.url).run(stop))
        await asyncio.sleep(0.1)
        assert not second.done()
        stop.set()
        assert await first
        assert await second
        assert await Collector(store, ["ETH"], venue.url).run(stop), "released"


@pytest.mark.parametrize("url", ["http://127.0.0.1/ws", "127.0.0.1:80", "ws://", ""])
def test_address_that_is_no_websocket(store: ShardStore, url: str) -> None:
    with pytest.raises(InputError, match="not a websocket"):
        Collector(store, ["ETH"], url)


def test_more_coins_than_the_venue_allows_an_address(store: ShardStore) -> None:
    coins = [f"C{number}" for number in range(201)]
    with pytest.raises(InputError, match=r"201 coins need 1005 subscriptions.*at most 200 coins"):
        Collector(store, coins, "ws://127.0.0.1/ws")
    Collector(store, coins[:200], "ws://127.0.0.1/ws")


def test_rest_address_follows_from_the_websocket() -> None:
    assert info_address("wss://api.example/ws") == "https://api.example/info"
    assert info_address("ws://127.0.0.1:81/ws") == "http://127.0.0.1:81/info"
    assert info_address("ws://127.0.0.1:81") == "http://127.0.0.1:81/info"


async def test_unreachable_meta_is_a_sentence(unused_tcp_port: int) -> None:
    with pytest.raises(VenueError, match="does not answer"):
        await fetch_size_decimals(f"ws://127.0.0.1:{unused_tcp_port}/ws")


async def test_feed_stamps_messages_with_its_clock(venue: Any, wire: SimpleNamespace) -> None:
    class Taker:
        def __init__(self) -> None:
            self.times: list[float] = []

        def connected(self, received_s: float) -> None:
            self.times.append(received_s)

        def disconnected(self, received_s: float, reason: str) -> None:
            self.times.append(received_s)

        def take(self, rows: Any, received_s: float) -> None:
            self.times.append(received_s)

        def subscribed(self, coin: str, received_s: float) -> None:
            pass

        def look(self, now_s: float) -> list[Any]:
            return []

    taker, ticking = Taker(), iter(range(100))
    venue.behaviours = [says(wire.bbo(1000), wire.bbo(1001))]
    settings = replace(QUICK, silence_seconds=5)
    feed = HyperliquidFeed(venue.url, ["ETH"], taker, settings, lambda: float(next(ticking)))
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(30):
        while len(taker.times) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert taker.times == sorted(taker.times)
    assert len(taker.times) == 4
