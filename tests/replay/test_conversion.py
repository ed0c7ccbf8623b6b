"""Records as hftbacktest's events."""

from dataclasses import replace

import numpy as np
import pytest
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS, Converted, convert
from tests.replay.markets import T0, Market

NAMES = {DEPTH_EVENT: "level", TRADE_EVENT: "trade", DEPTH_CLEAR_EVENT: "clear"}


def told(converted: Converted) -> list[tuple[int, int, str, str, float, float]]:
    """Milliseconds after T0, nanoseconds of it, kind, side, price, size of each event."""
    rows = []
    for event in converted.events:
        kind = int(event["ev"])
        assert kind & EXCH_EVENT
        ms, ns = divmod(int(event["exch_ts"]), NS_PER_MS)
        side = "bid" if kind & BUY_EVENT else "ask"
        assert bool(kind & SELL_EVENT) != bool(kind & BUY_EVENT)
        price, size = round(float(event["px"]), 6), float(event["qty"] / SIZE_UNITS)
        rows.append((ms - T0, ns, NAMES[kind & 0xFF], side, price, size))
    return rows


def test_touch_trade_and_snapshot_of_one_millisecond_come_in_the_order_of_their_causes() -> None:
    market = Market().book(500, [(100.0, 1.0)], [(100.2, 2.0)]).touch(500, 100.0, 100.2, 1.5, 2.0)
    market.trade(500, 100.0, 0.4, -1)
    assert told(market.converted())[2:] == [
        (500, 0, "trade", "ask", 100.0, 0.4),
        (500, 1, "level", "bid", 100.0, 1.5),
        (500, 1, "level", "ask", 100.2, 2.0),
        (500, 2, "level", "bid", 100.0, 1.0),
    ]


def test_only_differences_between_snapshots_are_sent() -> None:
    bids, asks = [(100.0, 1.0), (99.9, 2.0), (99.7, 3.0)], [(100.2, 1.0)]
    later = [(100.0, 1.0), (99.8, 4.0), (99.7, 3.0)]
    market = Market().book(0, bids, asks).book(500, later, asks)
    assert told(market.converted())[6:] == [
        (500, 2, "level", "bid", 99.9, 0.0),
        (500, 2, "level", "bid", 99.8, 4.0),
    ]


def test_level_beyond_the_end_of_a_snapshot_is_not_known_to_be_gone() -> None:
    asks = [(100.2, 1.0)]
    market = Market().book(0, [(100.0, 1.0), (99.5, 7.0)], asks)
    market.book(500, [(100.1, 1.0), (100.0, 1.0)], asks).book(900, [(99.9, 1.0), (99.4, 1.0)], asks)
    after = [row[2:] for row in told(market.converted()) if row[0] == 900]
    assert ("level", "bid", 99.5, 0.0) in after  # now within it, and gone
    assert all(row[4] != 99.5 for row in told(market.converted()) if row[0] == 500)


def test_new_touch_removes_what_is_in_front_of_it() -> None:
    market = Market().book(0, [(100.0, 1.0), (99.9, 2.0)], [(100.2, 1.0), (100.3, 2.0)])
    market.touch(700, 99.9, 100.3, 0.5, 0.7)
    assert told(market.converted())[6:] == [
        (700, 1, "level", "bid", 100.0, 0.0),
        (700, 1, "level", "bid", 99.9, 0.5),
        (700, 1, "level", "ask", 100.2, 0.0),
        (700, 1, "level", "ask", 100.3, 0.7),
    ]


Side = st.lists(st.tuples(st.integers(0, 15), st.integers(1, 9)), min_size=1, max_size=6).map(
    lambda levels: sorted(dict(levels).items())
)


@settings(deadline=None)
@given(st.lists(st.tuples(Side, Side, st.integers(-3, 3)), min_size=1, max_size=8))
def test_events_build_the_book_that_each_snapshot_shows(
    shots: list[tuple[list[tuple[int, int]], list[tuple[int, int]], int]],
) -> None:
    market = Market()
    books = []
    for number, (bids, asks, shift) in enumerate(shots):
        middle = 1000 + shift
        bid_side = [((middle - depth) / 10, float(size)) for depth, size in bids]
        ask_side = [((middle + 1 + depth) / 10, float(size)) for depth, size in asks]
        market.book(500 * number, bid_side, ask_side)
        books.append((bid_side, ask_side))
    rows = told(market.converted())
    levels: dict[tuple[str, float], float] = {}
    for number, sides in enumerate(books):
        for _, _, kind, side, price, size in (row for row in rows if row[0] == 500 * number):
            if kind == "level":
                levels[side, price] = size
        for name, shown in zip(("bid", "ask"), sides, strict=True):
            last = shown[-1][0]
            known = {p: s for (side, p), s in levels.items() if side == name and s > 0}
            if name == "bid":
                inside = {p: s for p, s in known.items() if p >= last - 1e-9}
            else:
                inside = {p: s for p, s in known.items() if p <= last + 1e-9}
            assert inside == {round(p, 6): s for p, s in shown}
    touch = market.converted().touch
    assert touch["bid"].tolist() == [bids[0][0] for bids, _ in books]
    assert touch["ask"].tolist() == [asks[0][0] for _, asks in books]


def test_touch_is_seen_when_it_was_received_and_not_before_its_predecessor() -> None:
    market = Market(latency_ms=30.0).steady(0, 2000, 100.0, 100.2).book(700, [(100.0, 1.0)], [])
    local = market.converted().touch
    latency = (local["local_ns"] - local["exchange_ns"]) / NS_PER_MS
    assert latency == pytest.approx(np.full(6, 30.0), abs=0.01)  # the snapshot's is the median
    recording = market.recording()
    received = recording.quotes.local_s.copy()
    received[1] += 2.0  # a slow message delays those after it
    received[3] = 0.0  # not recorded
    late = replace(recording, quotes=replace(recording.quotes, local_s=received))
    seen = convert(late, market.levels()).touch["local_ns"]
    assert np.all(np.diff(seen) >= 0)
    assert seen[1] // NS_PER_MS == T0 + 500 + 2030
    assert seen[-1] == seen[1]


def test_lot_is_the_step_of_the_traded_sizes() -> None:
    market = Market().steady(0, 1000, 100.0, 100.2).trade(100, 100.0, 0.25, -1)
    assert market.converted().lot == 0.01
    assert market.trade(200, 100.0, 3.0004, -1).converted().lot == 0.0001


def test_prices_out_of_all_proportion_are_refused() -> None:
    market = Market().steady(0, 1000, 100.0, 100.2).touch(1500, 100.0, 1e8)
    with pytest.raises(InputError, match="prices span"):
        market.converted()
