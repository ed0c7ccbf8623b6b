"""Candles of a recording: mids at both ends, prints between, none where nobody listened."""

from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets import recorded_candles
from advanced_mm.markets.recorded_candles import KINDS, bars_of, left_out, read_bars
from tests.calibration.test_runner import lay

T0 = 1_765_000_020_000  # a whole minute
TICK = 0.1


def recording(prints=(), seconds=130, mid=lambda second: 100.05 + 0.1 * second, holes=()):
    """A quote a second at mid -/+ half a tick, except in holes, and prints (ms, price, size)."""
    times = np.array([k for k in range(seconds) if not any(low <= k < high for low, high in holes)])
    mids = np.array([mid(k) for k in times])
    ones = np.ones(len(times))
    time_ms = T0 + 1000 * times
    quotes = Quotes(time_ms, mids - 0.05, ones, mids + 0.05, ones, time_ms / 1000)
    offset, price, size = np.array(prints, dtype=np.float64).reshape(-1, 3).T
    at = (T0 + offset).astype(np.int64)
    whole = np.arange(len(at), dtype=np.int64)
    trades = Trades(at, price, size, np.ones_like(whole), whole, np.zeros_like(whole), at / 1000)
    return Recording("ETH", quotes, trades, time_ms, TICK)


def test_open_and_close_are_the_mids_at_both_ends():
    bars = bars_of(recording(), 1000)
    assert bars.open_ms.tolist() == [T0 + 1000 * k for k in range(129)]
    for kind in KINDS:
        candles = bars.candles(kind)
        assert candles.open[:2].tolist() == [100.05, 100.15]
        assert candles.close[:-1].tolist() == candles.open[1:].tolist()


def test_touch_reaches_to_the_prints_and_through_a_tick_less():
    flat = recording([(200, 99.5, 1.0), (900, 100.3, 0.5), (1000, 98.0, 2.0)], mid=lambda _: 100.05)
    bars = bars_of(flat, 1000)
    touch, through = bars.candles("touch"), bars.candles("through")
    assert (touch.low[0], touch.high[0], touch.volume[0]) == (99.5, 100.3, 1.5)
    assert (through.low[0], through.high[0]) == (99.6, 100.2)
    assert (touch.low[1], through.low[1], touch.volume[1]) == (98.0, 98.1, 2.0)
    # One tick of reach is none: an order a tick off the print was not traded through.
    assert (through.low[2], through.high[2], through.volume[2]) == (100.05, 100.05, 0.0)


def test_only_touch_takes_an_order_that_the_mid_has_passed_for_reached():
    bars = bars_of(recording(mid=lambda second: 100.05 - second), 1000)
    touch, through = bars.candles("touch"), bars.candles("through")
    assert (touch.low[0], touch.high[0]) == (99.05, 100.05)
    assert (through.low[0], through.high[0]) == (100.05, 100.05)


def test_through_never_reaches_further_than_touch():
    bars = bars_of(recording([(k * 300, 99.0 + 0.1 * (k % 40), 1.0) for k in range(400)]), 1000)
    touch, through = bars.candles("touch"), bars.candles("through")
    assert (touch.low <= through.low).all()
    assert (touch.high >= through.high).all()
    for candles in (touch, through):  # a quote is placed around the open, which no range leaves out
        assert (candles.low <= candles.open).all()
        assert (candles.high >= candles.open).all()


def test_bars_that_were_not_observed_from_end_to_end_are_left_out():
    found = recording(seconds=300, holes=[(70, 80), (200, 210)])
    minutes = bars_of(found, 60_000)
    assert ((minutes.open_ms - T0) // 60_000).tolist() == [0, 2]
    seconds = bars_of(found, 1000)
    assert left_out(seconds.open_ms, 1000) == [
        (T0 + 69_000, T0 + 80_000),
        (T0 + 199_000, T0 + 210_000),
    ]
    assert left_out(minutes.open_ms, 60_000) == [(T0 + 60_000, T0 + 120_000)]


def test_longer_bars_are_merged_from_those_there_are():
    prints = [(200, 99.5, 1.0), (61_000, 101.0, 2.0)]
    seconds = bars_of(recording(prints, mid=lambda _: 100.05), 1000)
    minutes = seconds.merged(60_000)
    assert minutes.open_ms.tolist() == [T0, T0 + 60_000, T0 + 120_000]
    assert minutes.lowest[:2].tolist() == [99.5, 101.0]
    assert minutes.volume.tolist() == [1.0, 2.0, 0.0]
    assert np.isnan(minutes.lowest[2])
    assert len(seconds.between(0, 1).merged(60_000)) == 0


def test_a_recording_read_in_parts_gives_the_bars_of_the_whole(tmp_path, monkeypatch):
    prints = [(k * 700, 100.0 + 0.1 * (k % 7), 1.0) for k in range(800)]
    whole = recording(prints, seconds=600, holes=[(250, 290)])
    lay(ShardStore(tmp_path), "ETH", whole)
    monkeypatch.setattr(recorded_candles, "_CHUNK_MS", 120_000)
    (parts,) = read_bars(ShardStore(tmp_path), "ETH", [1000])
    expected = bars_of(replace(whole, tick=parts.tick), 1000)
    for name, column in vars(expected).items():
        np.testing.assert_array_equal(getattr(parts, name), column, err_msg=name)
    (later,) = read_bars(ShardStore(tmp_path), "ETH", [1000], T0 + 300_000)
    assert later.open_ms.tolist() == [t for t in expected.open_ms if t >= T0 + 300_000]


def test_a_coin_without_rows_is_refused(tmp_path):
    (tmp_path / "ETH").mkdir()
    with pytest.raises(InputError, match=r"ETH: the recording in .* has no rows"):
        read_bars(ShardStore(tmp_path), "ETH", [1000])
