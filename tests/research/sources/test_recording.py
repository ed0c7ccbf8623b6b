"""One-second candles of recordings: each print once, true spreads, and holes that stay unknown."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.research.candles import CANDLE_COLUMNS
from advanced_mm.research.sources import recording as module
from advanced_mm.research.sources.recording import recorded_candles, seconds_of
from tests.calibration.test_runner import lay

T0 = 1_765_000_000  # s
SHARED = Path(__file__).parents[4] / "shared" / "hyperliquid"


def recording(quotes, prints, beats):
    """Quotes (ms, bid, ask), prints (ms, price, size, side) and snapshots, ms after `T0`."""
    time, bid, ask = np.array(quotes, float).reshape(-1, 3).T
    time_ms = T0 * 1000 + time.astype(np.int64)
    ones = np.ones(len(time))
    at, price, size, side = np.array(prints, float).reshape(-1, 4).T
    at_ms = T0 * 1000 + at.astype(np.int64)
    number = np.arange(len(at))
    trades = Trades(at_ms, price, size, side.astype(np.int64), number, 0 * number, at_ms / 1000)
    books = T0 * 1000 + np.asarray(beats, np.int64)
    return Recording(
        "ETH", Quotes(time_ms, bid, ones, ask, ones, time_ms / 1000), trades, books, 0.1
    )


def simulated(seconds, seed=0, holes=()):
    """A busy market with snapshots each half second, silent in the holes (seconds)."""
    rng = np.random.default_rng(seed)

    def heard(ms):
        return ms[[not any(a * 1000 < at < b * 1000 for a, b in holes) for at in ms]]

    quoted = heard(np.sort(rng.choice(seconds * 1000, 4 * seconds, replace=False)))
    bid = np.round(100 + 0.1 * np.cumsum(rng.choice([-1, 0, 1], len(quoted))), 1)
    ask = np.round(bid + 0.1 * rng.integers(1, 4, len(quoted)), 1)
    # Prints come with the quotes, so that none is taken for one whose quote was lost.
    chosen = np.sort(rng.choice(len(quoted), seconds, replace=False))
    side = rng.choice([-1, 1], len(chosen))
    price = np.where(side > 0, ask[chosen], bid[chosen])
    prints = np.column_stack((quoted[chosen], price, rng.integers(1, 9, len(chosen)), side))
    beats = heard(np.arange(0, seconds * 1000 + 1, 500))
    return recording(np.column_stack((quoted, bid, ask)), prints, beats)


def by_definition(found, second):
    """The columns of one second in plain Python, from rows of one stretch."""
    start, end = (T0 + second) * 1000, (T0 + second + 1) * 1000
    quotes, trades = found.quotes, found.trades
    rows = [k for k in range(len(trades)) if start <= trades.time_ms[k] < end]
    before = [k for k in range(len(trades)) if trades.time_ms[k] < start]
    prices = [trades.price[k] for k in rows] or [trades.price[before[-1]]]
    bought = [k for k in rows if trades.side[k] > 0]
    spread = [np.nan] * 1000
    for k in range(len(quotes)):
        for ms in range(max(int(quotes.time_ms[k]), start), end):
            spread[ms - start] = quotes.ask[k] - quotes.bid[k]
    last = max(k for k in range(len(quotes)) if quotes.time_ms[k] < end)
    return [
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(trades.size[k] for k in rows),
        sum(trades.size[k] * trades.price[k] for k in rows),
        len(rows),
        sum(trades.size[k] for k in bought),
        sum(trades.size[k] * trades.price[k] for k in bought),
        quotes.bid[last],
        quotes.ask[last],
        np.nanmean(spread),
    ]


def test_every_column_is_what_it_is_by_definition():
    found = simulated(40)
    columns, left_out = seconds_of(found, T0, 40)
    table = pd.DataFrame(columns)
    for second in range(5, 39, 3):
        assert table.iloc[second].to_list() == pytest.approx(by_definition(found, second))
    in_part = table["volume"].isna()  # before the first message, after the last
    assert left_out == len(found.trades) - table["trades"].sum()
    assert set(np.flatnonzero(in_part)) <= {0, 39}


def test_a_hole_is_unknown_and_nothing_is_carried_across_it(tmp_path):
    store = ShardStore(tmp_path)
    holed = simulated(60, holes=[(20, 40)])
    lay(store, "ETH", holed)
    candles = recorded_candles(store, "eth")
    frame = candles.frame
    offset = int(frame.index[0].timestamp()) - T0
    hole = frame.iloc[20 - offset + 1 : 40 - offset - 1]
    assert hole.isna().all(axis=None)
    assert len(hole) == 18
    assert candles.unknown == frame["volume"].isna().sum() >= 18
    assert (candles.tick, candles.step_seconds, candles.missing) == (0.1, 1, 0)
    assert candles.name == "ETH (Hyperliquid recording)"
    assert f"{candles.unknown} of {len(frame)} seconds lie in holes" in candles.notes[0]
    after = frame["close"].iloc[40 - offset :]
    first = holed.trades.time_ms[holed.trades.time_ms >= (T0 + 40) * 1000][0] // 1000
    assert after[after.index < pd.Timestamp(first, unit="s", tz="UTC")].isna().all()


def test_a_price_is_carried_as_far_as_the_market_was_observed():
    columns = {name: np.array([1.0, np.nan, np.nan, np.nan, 2, np.nan]) for name in CANDLE_COLUMNS}
    module._carry(columns, np.array([True, True, False, True, True, True]))
    for name in ("open", "high", "low", "close"):
        wanted = [1, 1, np.nan, np.nan, 2, 2]
        np.testing.assert_array_equal(columns[name], wanted)


def test_a_gap_that_the_recorder_listed_is_unknown_too():
    whole, _ = seconds_of(simulated(40), T0, 40)
    gap = np.array([[(T0 + 10) * 1000 + 500, (T0 + 12) * 1000 + 300]])
    columns, _ = seconds_of(simulated(40), T0, 40, gap)
    known = np.isfinite(columns["volume"])
    assert np.flatnonzero(~known & np.isfinite(whole["volume"])).tolist() == [10, 11, 12]
    assert np.array_equal(columns["volume"][known], whole["volume"][known])


def test_an_empty_or_crossed_side_is_no_spread():
    quotes = [(0, 10, 11), (1000, 10, 12), (1500, 10, np.nan), (2250, 12, 11), (2500, 10, 11)]
    found = recording(quotes, [(100, 10, 1, 1), (2600, 10, 1, 1)], range(0, 5001, 500))
    columns, _ = seconds_of(found, T0, 3)
    assert columns["spread"].tolist() == pytest.approx([1.0, 2.0, 1.0])
    assert columns["ask"].tolist() == pytest.approx([11, np.nan, 11], nan_ok=True)
    assert columns["close"].tolist() == [10, 10, 10]


def test_reading_part_by_part_changes_nothing_and_replayed_prints_count_once(tmp_path, monkeypatch):
    store = ShardStore(tmp_path)
    found = simulated(900, seed=1, holes=[(300, 310)])
    lay(store, "ETH", found)
    whole = recorded_candles(store, "ETH").frame
    (shard,) = (tmp_path / "ETH" / "trades").iterdir()
    newest_ms = int(shard.stem.split("_")[1])
    shutil.copy(shard, shard.with_name(f"trades_{newest_ms + 5000}.parquet"))  # all of them again
    monkeypatch.setattr(module, "_CHUNK_S", 120)
    pd.testing.assert_frame_equal(recorded_candles(store, "ETH").frame, whole)
    assert whole["trades"].sum() > 850
    newest = recorded_candles(store, "ETH", days=300 / 86_400).frame
    pd.testing.assert_frame_equal(newest, whole.iloc[-len(newest) :])
    assert 299 <= len(newest) <= 300


def test_nothing_recorded_is_said(tmp_path):
    lay(ShardStore(tmp_path), "ETH", recording([(0, 10, 11)], [], []))
    with pytest.raises(InputError, match=r"ETH: no second of the recording in .* was observed"):
        recorded_candles(ShardStore(tmp_path), "ETH")
    with pytest.raises(InputError, match="BTC"):
        recorded_candles(ShardStore(tmp_path), "BTC")


@pytest.mark.recorded
@pytest.mark.skipif(not SHARED.is_dir(), reason="no recordings here")
@pytest.mark.parametrize("coin", ["ETH", "WLFI"])
def test_a_real_recordings_candles_are_those_of_pandas(coin):
    store = ShardStore(SHARED)
    candles = recorded_candles(store, coin)
    trades = store.read(coin).trades
    rows = pd.DataFrame(
        {"price": trades.price, "size": trades.size, "bought": trades.size * (trades.side > 0)},
        index=pd.to_datetime(trades.time_ms, unit="ms", utc=True),
    )
    sampled = rows.resample("1s")
    wanted = (
        sampled["price"]
        .ohlc()
        .assign(
            volume=sampled["size"].sum(),
            trades=sampled["size"].count(),
            taker_buy_volume=sampled["bought"].sum(),
        )
    )
    traded = candles.frame[candles.frame["trades"] > 0]
    assert len(traded) > 30
    names = [name for name in CANDLE_COLUMNS if name in wanted]
    both = wanted.loc[traded.index, names]
    np.testing.assert_allclose(traded[names].to_numpy(), both.to_numpy(float), rtol=1e-12)
    spread = candles.frame["spread"].dropna()
    assert (spread > 0.999 * candles.tick).all()
    assert (candles.frame["ask"] > candles.frame["bid"])[candles.frame["bid"].notna()].all()
