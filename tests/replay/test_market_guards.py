"""Guards of the market in a replay: what a bot's guards say, and what becomes of the table."""

import numpy as np
import pytest

from advanced_mm.parameter_files import Settings
from advanced_mm.quoting.guards import Ruling
from advanced_mm.replay.decisions import fixed_depth
from advanced_mm.replay.market_guards import (
    GUARDS_OFF,
    MarketPath,
    Rulings,
    guarded_table,
    rulings_of,
)

T0 = 1_790_000_000_000


def path(seconds=60, jump_at=30, jump=0.0, trades=()):
    """A touch every second that stands still, but for one jump; trades are (second, buys, size)."""
    time_ms = T0 + 1000 * np.arange(seconds)
    bid = np.where(np.arange(seconds) < jump_at, 2999.9, 2999.9 + jump)
    traded = np.array([T0 + int(1000 * second) for second, _, _ in trades], np.int64)
    buys = np.array([buys for _, buys, _ in trades], bool)
    sizes = np.array([size for _, _, size in trades], float)
    return MarketPath(time_ms, bid, bid + 0.2, traded, buys, sizes)


def ruled(market, settings=None, sigma=1.0, published_s=0):
    sigmas = (np.array([T0 + 1000 * published_s]), [sigma])
    return rulings_of(market, settings or Settings(), sigmas, T0, T0 + 60_000)


def kinds(rulings):
    return [
        (time - T0, bid.refusal, ask.refusal)
        for time, (bid, ask) in zip(rulings.time_ms, rulings.by_side, strict=True)
    ]


def test_a_jump_pauses_entries_from_the_look_that_sees_it_for_the_window():
    found = ruled(path(jump=-20.0))
    assert kinds(found) == [(0, None, None), (30_000, *2 * ["volatility"]), (40_000, None, None)]
    assert kinds(ruled(path(jump=-20.0), sigma=None)) == [(0, None, None)]
    late = kinds(ruled(path(jump=-20.0), published_s=35))
    assert late[1][0] == 35_000  # before that no usual volatility was known


def test_a_large_order_pauses_its_side_once_it_is_heard_of():
    trades = [(k / 2, k % 2 == 0, 1.0) for k in range(40)] + [(25.0, False, 50.0)]
    found = kinds(ruled(path(trades=trades)))
    assert found == [(0, None, None), (25_500, "one-sided flow", None), (30_500, None, None)]


def test_without_guards_nothing_is_said():
    off = Settings(**GUARDS_OFF)
    trades = [(k / 2, k % 2 == 0, 1.0) for k in range(40)] + [(25.0, False, 50.0)]
    found = ruled(path(jump=-500.0, trades=trades), off)
    assert found.by_side == ((Ruling(), Ruling()),)
    table = fixed_depth(1.0, 0, 1, T0)
    assert guarded_table(table, found, off, {}, np.array([3000.0])) is table


def test_a_pause_refuses_what_opens_and_leaves_what_closes(make_set):
    table = fixed_depth(1.0, -1, 1, T0)
    paused = Ruling("volatility")
    rulings = Rulings((T0, T0 + 5000, T0 + 9000), (
        (Ruling(), Ruling()), (paused, Ruling()), (paused, Ruling(None, 1.5)),
    ))  # fmt: skip
    guarded = guarded_table(table, rulings, Settings(), {}, np.array([3000.0]))
    assert (guarded.time_ms - T0).tolist() == [0, 5000, 9000]
    assert guarded.refusals == ("", "volatility")
    # columns: inventory -1, 0, 1; a bid closes at -1 and is not quoted at 1
    assert guarded.bid_refusal.tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert not guarded.ask_refusal.any()
    assert guarded.ask_depth[2].tolist() == [pytest.approx(np.nan, nan_ok=True), 1.5, 1.0]
    assert table.ask_depth[0, 1] == 1.0


def test_a_wider_entry_s_edge_is_its_own(make_set):
    parameters = make_set()
    table = fixed_depth(1.0, 0, 1, T0)
    table = type(table)(**{**vars(table), "calibration_id": ("r1",)})
    rulings = Rulings((T0,), ((Ruling(None, 2.0), Ruling()),))
    settings = Settings(quote_age_seconds=0)
    guarded = guarded_table(table, rulings, settings, {"r1": parameters}, np.array([3000.0]))
    assert guarded.bid_depth[0, 0] == 2.0
    assert guarded.bid_edge[0, 0] == pytest.approx(2.0 - 0.6 - 0.45)
