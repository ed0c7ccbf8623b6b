"""A bad row of a message is dropped and counted; the others are recorded.

- prints: whatever is wrong with some, exactly the others are recorded;
- books and touches: a bad level or side becomes unknown, all others keep their place;
- dropped rows are counted, with the reason for the last, and logged by the collector;
- a message without any good row is rejected as a whole.
"""

import asyncio
import copy
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector import collector
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.feed.wire import decode

NUMBERS_OF_NONE = ["NaN", "Infinity", "-1", "", "abc", None, [], {}, "1e999"]
SPOILERS = st.one_of(
    st.tuples(st.sampled_from(["px", "sz"]), st.sampled_from(NUMBERS_OF_NONE)),
    st.tuples(st.just("px"), st.just("0")),
    st.tuples(st.just("side"), st.sampled_from(["C", "", None, 1])),
    st.tuples(st.just("time"), st.sampled_from([-1, "soon", None, 2**63, float("nan"), 10**15])),
    st.tuples(st.just("tid"), st.sampled_from([-1, None, 2**63, "x"])),
    st.tuples(st.just("hash"), st.just("\u00e4")),
    st.tuples(st.just("coin"), st.sampled_from([None, 7, ["ETH"]])),
)
NO_PRINT = st.sampled_from([None, 7, "trade", [], {}])


def prints(wire: SimpleNamespace, count: int) -> list[dict[str, Any]]:
    return wire.trades(*((1000 + tid, tid) for tid in range(count)))["data"]


@given(st.lists(st.one_of(st.none(), SPOILERS, NO_PRINT), min_size=1, max_size=12), st.data())
def test_exactly_the_good_prints_are_decoded_and_the_bad_ones_counted(
    wire: SimpleNamespace, plan: list[Any], data: st.DataObject
) -> None:
    rows: list[Any] = prints(wire, len(plan))
    good = []
    for tid, spoiler in enumerate(plan):
        if spoiler is None:
            good.append(tid)
        elif isinstance(spoiler, tuple):
            if data.draw(st.booleans()):
                rows[tid][spoiler[0]] = spoiler[1]
            else:
                del rows[tid][spoiler[0] if spoiler[0] != "hash" else "px"]
        else:
            rows[tid] = spoiler
    bad_rows = BadRows()
    message = {"channel": "trades", "data": rows}
    if not good:
        with pytest.raises(VenueError, match="'trades' message"):
            decode(message, bad_rows)
        return
    (decoded,) = decode(message, bad_rows)
    assert [row[3] for row in decoded.rows] == [str(tid) for tid in good]
    assert bad_rows.count("trades") == bad_rows.total == len(plan) - len(good)
    alone = decode({"channel": "trades", "data": [rows[tid] for tid in good]})[0].rows
    assert [row[:-1] for row in decoded.rows] == [row[:-1] for row in alone]
    assert [row[-1] for row in decoded.rows] == good  # each print keeps its place
    if len(good) < len(plan):
        with pytest.raises(VenueError):  # without a counter no row is dropped silently
            decode(message)


@given(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 4)), max_size=9), st.data())
def test_bad_levels_leave_the_others_in_their_places(
    wire: SimpleNamespace, places: set[tuple[int, int]], data: st.DataObject
) -> None:
    good = wire.book(1000, 5)
    bad = copy.deepcopy(good)
    for side, level in places:
        field = data.draw(st.sampled_from(["px", "sz"]))
        bad["data"]["levels"][side][level][field] = data.draw(st.sampled_from(NUMBERS_OF_NONE))
    bad_rows = BadRows()
    (wanted,), (found,) = decode(good), decode(bad, bad_rows)
    assert bad_rows.count("l2Book") == len(places)
    time_ms, *levels, fast = found.rows[0]
    assert (time_ms, fast) == (1000, True)
    expected = np.array(wanted.rows[0][1:-1])
    for side, level in places:
        expected[4 * level + 2 * side : 4 * level + 2 * side + 2] = np.nan
    np.testing.assert_array_equal(levels, expected)


@pytest.mark.parametrize("value", NUMBERS_OF_NONE)
def test_a_bad_side_of_the_touch_is_unknown_the_other_known(
    wire: SimpleNamespace, value: Any
) -> None:
    message = wire.bbo(1000, 100, 102)
    message["data"]["bbo"][0]["px"] = value
    bad_rows = BadRows()
    (decoded,) = decode(message, bad_rows)
    (bid, bid_size, *_), (ask, ask_size, *_) = decoded.rows
    assert np.isnan(bid)
    assert (bid_size, ask, decoded.mid) == (0.0, 102.0, None)
    assert ask_size > 0
    assert bad_rows.count("bbo") == 1


def test_the_recorder_keeps_the_good_prints_and_says_what_it_left_out(
    wire: SimpleNamespace, tmp_path: Path
) -> None:
    recorder = Recorder(ShardStore(tmp_path), ["ETH"], None)
    message = wire.trades((1000, 1), (1001, 2), (1002, 123), (1003, 4))
    message["data"][2]["sz"] = "NaN"
    recorder.handle(message, 1.0)
    with pytest.raises(VenueError):
        recorder.handle({"channel": "bbo", "data": {"coin": "ETH"}}, 1.0)
    recorder.flush()
    (shard,) = (tmp_path / "ETH/trades").iterdir()
    assert pq.read_table(shard)["trade_id"].to_pylist() == ["1", "2", "4"]
    assert recorder.bad_rows.count("trades") == 1
    told = recorder.bad_rows.news()
    assert told is not None
    assert "1 bad trades row (last: size 'NaN' is negative or not a number, tid 123)" in told
    assert "1 bad bbo message" in told
    assert recorder.bad_rows.news() is None  # until there is something new


@pytest.mark.parametrize("row", [None, 7, "trade", []])
def test_a_row_that_is_no_print_is_shown_as_it_came(wire: SimpleNamespace, row: Any) -> None:
    bad_rows = BadRows()
    decode({"channel": "trades", "data": [*prints(wire, 1), row]}, bad_rows)
    assert str(bad_rows) == f"1 bad trades row (last: it is no object, {row!r})"


def test_rows_are_counted_by_kind_in_words() -> None:
    bad_rows = BadRows()
    assert str(bad_rows) == "no bad rows"
    bad_rows.add("trades", "size NaN of tid 1")
    bad_rows.add("trades", "size NaN of tid 123", 2)
    bad_rows.add("fills", "x" * 1000)
    assert str(bad_rows).startswith("1 bad fills row (last: xxx")
    assert str(bad_rows).endswith("; 3 bad trades rows (last: size NaN of tid 123)")
    assert len(str(bad_rows)) < 300
    assert bad_rows.total == 4


async def test_the_collectors_log_tells_of_bad_rows_of_messages_and_of_meta(
    venue: Any, wire: SimpleNamespace, tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(collector, "_BAD_ROWS_LOG_SECONDS", 0.05)
    venue.meta["universe"] += [{"name": "BAD", "szDecimals": None}, None, {"szDecimals": 1}]
    message = wire.trades((1000, 1), (1001, 2))
    message["data"][0]["px"] = "NaN"

    async def behave(fake: Any, socket: Any) -> None:
        await socket.send_json(message)

    venue.behaviours = [behave]
    caplog.set_level(logging.INFO)
    stop = asyncio.Event()
    recording = asyncio.create_task(
        collector.Collector(ShardStore(tmp_path), ["ETH"], venue.url, 0.1).run(stop)
    )
    async with asyncio.timeout(60):
        while "3 bad meta rows" not in caplog.text or "1 bad trades row" not in caplog.text:
            await asyncio.sleep(0.01)
    assert "dropped from the venue's messages so far:" in caplog.text
    stop.set()
    await recording
    assert "everything received is on disk; 3 bad meta rows" in caplog.text
    assert ShardStore(tmp_path).read("ETH").trades.trade_id.tolist() == [2]
