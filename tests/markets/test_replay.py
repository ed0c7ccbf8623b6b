"""A replay shows what was recorded, later: quotes, prints, market orders, holes, books."""

import logging
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.market import MarketUpdate
from advanced_mm.markets.recorded_books import RecordedBooks, read_books
from advanced_mm.markets.replay import ReplayMarket, load_replay
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.protocol.messages.market_messages import update_messages

RECORDED_MS = 1_765_000_000_037
START_MS = 1_790_000_000_123
RECORDINGS = Path(__file__).parents[2].parent / "shared/hyperliquid"

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the real recordings are not here"
)


def as_recording(updates: list[MarketUpdate], book_ms: list[int], tick: float = 0.1) -> Recording:
    """What a recorder without transaction hashes would have kept of the updates."""
    quotes = [(u.time_ms, u.quote) for u in updates if u.quote]
    prints = [(u.time_ms, one) for u in updates for one in u.prints]

    def prices(values: list[float | None]) -> np.ndarray:
        return np.array([np.nan if v is None else v for v in values])

    quote_ms = np.array([t for t, _ in quotes], dtype=np.int64)
    print_ms = np.array([t for t, _ in prints], dtype=np.int64)
    return Recording(
        "ETH",
        Quotes(
            quote_ms,
            prices([q.bid for _, q in quotes]),
            np.array([q.bid_size for _, q in quotes]),
            prices([q.ask for _, q in quotes]),
            np.array([q.ask_size for _, q in quotes]),
            quote_ms / 1000,
        ),
        Trades(
            print_ms,
            np.array([one.price for _, one in prints]),
            np.array([one.size for _, one in prints]),
            np.array([one.side for _, one in prints], dtype=np.int64),
            np.array([one.tid for _, one in prints], dtype=np.int64),
            np.zeros(len(prints), dtype=np.int64),
            print_ms / 1000,
        ),
        np.array(book_ms, dtype=np.int64),
        tick,
    )


@pytest.fixture(scope="module")
def recorded() -> list[MarketUpdate]:
    return SyntheticMarket(SyntheticParameters(), RECORDED_MS, seed=1).advance(RECORDED_MS + 60_000)


@pytest.fixture
def recording(recorded) -> Recording:
    return as_recording(recorded, list(range(RECORDED_MS + 200, RECORDED_MS + 60_000, 540)))


def flat_books(recording: Recording, every_ms: int) -> RecordedBooks:
    """Snapshots of 20 levels a tick apart around the touch of their time, sizes 1 to 20."""
    quotes = recording.quotes
    times = np.arange(quotes.time_ms[0], quotes.time_ms[-1], every_ms)
    rows = np.searchsorted(quotes.time_ms, times, side="right") - 1
    away = np.arange(20) * 0.1
    sizes = np.tile(np.arange(1.0, 21.0), (len(times), 1))
    bids, asks = quotes.bid[rows][:, None] - away, quotes.ask[rows][:, None] + away
    return RecordedBooks(times, np.arange(len(times)), bids, sizes, asks, sizes)


def test_the_stream_is_the_recorded_one_later(recorded, recording):
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS, loop=False)
    updates = market.advance(START_MS + 120_000)
    assert START_MS <= market.origin_ms < START_MS + 500
    assert (market.origin_ms - RECORDED_MS) % 500 == 0
    assert len(updates) == len(recorded)
    for new, old in zip(updates, recorded, strict=True):
        assert new.time_ms - market.origin_ms == old.time_ms - RECORDED_MS
        assert market.recorded_ms(new.time_ms) == old.time_ms
        assert new.quote == old.quote
        for one, was in zip(new.prints, old.prints, strict=True):
            assert (one.price, one.size, one.side) == (was.price, was.size, was.side)
    assert market.spec.tick == 0.1
    assert market.spec.size_decimals == 4
    tids = [one.tid for u in updates for one in u.prints]
    assert len(set(tids)) == len(tids)
    assert not set(tids) & set(recording.trades.trade_id.tolist())


def test_hashes_group_prints_as_time_and_side_do(recording):
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    hashes_of, orders_of = defaultdict(set), defaultdict(set)
    for update in market.advance(START_MS + 200_000):
        for one in update.prints:
            hashes_of[update.time_ms, one.side].add(one.hash)
            orders_of[one.hash].add((update.time_ms, one.side))
    assert {len(hashes) for hashes in hashes_of.values()} == {1}
    assert {len(orders) for orders in orders_of.values()} == {1}


def test_recorded_transactions_of_one_block_stay_apart(recording):
    trades = recording.trades
    trades.transaction[:] = np.arange(len(trades)) // 2 + 1
    recorded_orders = set(
        zip(trades.time_ms.tolist(), trades.side.tolist(), trades.transaction.tolist(), strict=True)
    )
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS, loop=False)
    updates = market.advance(START_MS + 120_000)
    assert len({one.hash for u in updates for one in u.prints}) == len(recorded_orders)


@settings(deadline=None, max_examples=15)
@given(steps=st.lists(st.integers(0, 70_000), max_size=8))
def test_the_steps_of_advance_do_not_matter(steps):
    recorded = SyntheticMarket(SyntheticParameters(), RECORDED_MS, seed=2).advance(
        RECORDED_MS + 20_000
    )
    recording = as_recording(recorded, [RECORDED_MS + 20_040])
    whole = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    stepped = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    pieces = [stepped.advance(stepped.now_ms + step) for step in steps]
    end_ms = stepped.now_ms + 1_000
    pieces.append(stepped.advance(end_ms))
    assert [u for piece in pieces for u in piece] == whole.advance(end_ms)
    assert stepped.book(5) == whole.book(5)
    assert stepped.mid == whole.mid


def test_a_loop_has_no_jump_at_its_seam(recording):
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    updates = market.advance(START_MS + 5 * market.period_ms)
    quotes = [(u.time_ms, (u.quote.bid + u.quote.ask) / 2) for u in updates if u.quote]
    recorded = recording.quotes.bid[-1] - recording.quotes.bid[0]
    assert abs(recorded) > 1  # a jump to be removed
    seams = [
        (a, b) for a, b in pairwise(quotes) if market.recorded_ms(a[0]) > market.recorded_ms(b[0])
    ]
    assert len(seams) == 4
    assert all(abs(a[1] - b[1]) < 0.05 + 1e-9 for a, b in seams)
    times = [u.time_ms for u in updates]
    assert all(a < b for a, b in pairwise(times))
    assert market.period_ms % 500 == 0
    tids = [one.tid for u in updates for one in u.prints]
    assert len(set(tids)) == len(tids)
    second = [u for u in updates if u.time_ms >= market.origin_ms + market.period_ms]
    shift = second[0].quote.bid - updates[0].quote.bid
    assert second[0].time_ms - updates[0].time_ms == market.period_ms
    assert shift == pytest.approx(recorded, abs=1e-6)


def test_a_drifting_loop_returns_to_the_recorded_prices(recorded, caplog):
    recording = as_recording(recorded, [RECORDED_MS])
    recording.quotes.bid[-1] += 400
    recording.quotes.ask[-1] += 400
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    with caplog.at_level(logging.WARNING):
        market.advance(START_MS + 20 * market.period_ms)
        assert 2_000 < market.mid < 4_400
    assert "jump back to the recorded" in caplog.text


def test_without_a_loop_the_end_is_silence(recording):
    market = ReplayMarket(recording, flat_books(recording, 540), START_MS, loop=False)
    market.advance(START_MS + 120_000)
    last = market.book(5)
    assert market.advance(START_MS + 500_000) == []
    assert market.book(5) == last
    assert last.time_ms == market.origin_ms + 60_000


def test_a_hole_stays_silent_and_the_clock_of_the_book_stands_still(recorded):
    low, high = RECORDED_MS + 20_000, RECORDED_MS + 40_000
    kept = [u for u in recorded if not low < u.time_ms < high]
    books = [t for t in range(RECORDED_MS, RECORDED_MS + 60_000, 540) if not low < t < high]
    market = ReplayMarket(as_recording(kept, books), RecordedBooks.none(), START_MS)
    market.advance(market.origin_ms + 20_000)
    before = market.book(5).time_ms
    assert market.advance(market.origin_ms + 39_900) == []
    assert market.book(5).time_ms == before
    assert market.advance(market.origin_ms + 41_000)
    assert market.book(5).time_ms > market.origin_ms + 40_000


def test_the_book_is_the_newest_snapshot_behind_the_touch(recording):
    market = ReplayMarket(recording, flat_books(recording, 5_000), START_MS)
    touch = None
    for _ in range(700):
        for update in market.advance(market.now_ms + 190):
            touch = update.quote or touch
        if touch is None:
            continue
        book = market.book(20)
        best_bid, best_ask = book.bids[0], book.asks[0]
        assert (best_bid.price, best_bid.size) == (touch.bid, touch.bid_size)
        assert (best_ask.price, best_ask.size) == (touch.ask, touch.ask_size)
        assert all(a.price > b.price for a, b in pairwise(book.bids))
        assert all(a.price < b.price for a, b in pairwise(book.asks))
        assert market.mid == (touch.bid + touch.ask) / 2
        assert market.book(3).bids == book.bids[:3]


def test_a_fresh_snapshot_is_shown_as_recorded(recording):
    books = flat_books(recording, 500)
    market = ReplayMarket(recording, books, START_MS)
    row = 40
    market.advance(market.origin_ms + int(books.time_ms[row] - RECORDED_MS))
    book = market.book(20)
    assert [level.price for level in book.bids] == pytest.approx(books.bid[row].tolist())
    assert [level.size for level in book.asks[1:]] == books.ask_size[row, 1:].tolist()


def test_an_empty_side_is_empty_in_quote_and_book(recorded):
    recording = as_recording(recorded, [RECORDED_MS])
    recording.quotes.bid[30:] = np.nan
    recording.quotes.bid_size[30:] = 0
    market = ReplayMarket(recording, flat_books(recording, 500), START_MS, loop=False)
    quotes = [u.quote for u in market.advance(START_MS + 70_000) if u.quote]
    assert (quotes[-1].bid, quotes[-1].bid_size) == (None, 0.0)
    assert market.book(5).bids == ()
    assert len(market.book(5).asks) == 5
    assert market.mid == (recording.quotes.bid[29] + recording.quotes.ask[29]) / 2


def test_prints_outside_the_heartbeats_are_left_out(recording):
    recording.trades.time_ms[0] = RECORDED_MS - 5_000
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS, loop=False)
    prints = [one for u in market.advance(START_MS + 120_000) for one in u.prints]
    assert len(prints) == len(recording.trades) - 1


def test_before_its_first_quote_a_market_shows_it(recording):
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS)
    book = market.book(5)
    assert (book.bids[0].price, book.asks[0].price) == (
        recording.quotes.bid[0],
        recording.quotes.ask[0],
    )
    assert book.time_ms <= market.now_ms == START_MS


def test_a_recording_without_quotes_is_refused(recorded):
    recording = as_recording(recorded, [RECORDED_MS])
    recording.quotes.bid[:] = np.nan
    with pytest.raises(InputError, match="ETH has no two-sided quote"):
        ReplayMarket(recording, RecordedBooks.none(), START_MS)


def write_books(folder: Path, name_ms: int, times: list[int], price: float, fast: bool) -> None:
    columns = {"timestamp": [t / 1000 for t in times], "exchange_timestamp": times}
    for i in range(20):
        for side, sign in (("bid", -1), ("ask", 1)):
            value = np.nan if fast and i >= 5 else price + sign * (i + 1)
            columns[f"{side}_price_{i}"] = [value] * len(times)
            columns[f"{side}_size_{i}"] = [1.0] * len(times)
    columns["fast"] = [fast] * len(times)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"orderbooks_{name_ms}.parquet")


def test_snapshots_are_read_in_time_order_and_broken_shards_skipped(tmp_path, caplog):
    folder = tmp_path / "ETH" / "orderbooks"
    write_books(folder, 3, [5_000, 10_000], 100.0, fast=False)
    write_books(folder, 4, [500, 6_000], 200.0, fast=True)
    write_books(folder, 5, [1_000], 50.0, fast=False)
    (folder / "orderbooks_6.parquet").write_bytes(b"PAR1")
    with caplog.at_level(logging.WARNING):
        books = read_books(tmp_path, "ETH")
    assert books.time_ms.tolist() == [500, 1_000, 5_000, 6_000, 10_000]
    assert books.bid[:, 0].tolist() == [199.0, 49.0, 99.0, 199.0, 99.0]
    assert books.deep.tolist() == [0, 1, 2, 2, 4]
    assert np.isnan(books.bid[0, 5:]).all()
    assert "orderbooks_6.parquet" in caplog.text
    assert len(read_books(tmp_path, "BTC")) == 0


def test_depth_behind_a_fast_snapshot_comes_from_the_last_full_one(recorded, tmp_path):
    recording = as_recording(recorded, [RECORDED_MS])
    recording.quotes.bid[:], recording.quotes.ask[:] = 2999.0, 3001.0
    folder = tmp_path / "ETH" / "orderbooks"
    write_books(folder, 1, [RECORDED_MS], 3001.0, fast=False)  # bids 3000, 2999, 2998, ...
    write_books(folder, 2, [RECORDED_MS + 500], 3000.0, fast=True)  # bids 2999 to 2995
    market = ReplayMarket(recording, read_books(tmp_path, "ETH"), START_MS)
    market.advance(market.origin_ms + 600)
    book = market.book(20)
    assert [level.price for level in book.bids] == [2999.0 - i for i in range(19)]
    assert [level.price for level in book.asks[:6]] == [3001.0 + i for i in range(6)]


def test_an_unknown_coin_is_named(tmp_path):
    (tmp_path / "ETH").mkdir()
    with pytest.raises(InputError, match="'BTC'"):
        load_replay(tmp_path, "BTC", START_MS)


@needs_recordings
@pytest.mark.recorded
@pytest.mark.parametrize("coin", ["ETH", "WLFI"])
def test_a_real_recording_is_played_to_the_row(coin):
    recording = ShardStore(RECORDINGS).read(coin)
    market = load_replay(RECORDINGS, coin, START_MS, loop=False)
    updates = market.advance(START_MS + market.period_ms + 1_000)
    quotes = recording.quotes
    played = [(market.recorded_ms(u.time_ms), u.quote.bid, u.quote.ask) for u in updates if u.quote]
    times, bids, asks = map(np.array, zip(*played, strict=True))
    last_of_ms = np.append(np.diff(quotes.time_ms) > 0, True)
    np.testing.assert_array_equal(times, quotes.time_ms[last_of_ms])
    np.testing.assert_allclose(bids, quotes.bid[last_of_ms], rtol=1e-12)
    np.testing.assert_allclose(asks, quotes.ask[last_of_ms], rtol=1e-12)
    beats = np.union1d(quotes.time_ms, recording.book_time_ms)
    inside = (recording.trades.time_ms >= beats[0]) & (recording.trades.time_ms <= beats[-1])
    prints = [(market.recorded_ms(u.time_ms), p.price, p.size) for u in updates for p in u.prints]
    expected = zip(
        recording.trades.time_ms[inside].tolist(),
        recording.trades.price[inside].tolist(),
        recording.trades.size[inside].tolist(),
        strict=True,
    )
    assert prints == [tuple(map(pytest.approx, row)) for row in expected]


def test_rows_that_rounding_leaves_nothing_of_are_left_out(recording, caplog):
    """Sizes that are not a number or less than a lot, and prices below a tick."""
    quotes, trades = recording.quotes, recording.trades
    quotes.bid[10], quotes.bid_size[11], quotes.ask_size[12] = 0.001, np.nan, 1e-9
    trades.size[:2], trades.price[2] = [np.nan, 1e-9], 0.001
    market = ReplayMarket(recording, RecordedBooks.none(), START_MS, loop=False)
    assert 4 <= market.spec.size_decimals <= 6
    updates = market.advance(START_MS + 120_000)
    shown = [update.quote for update in updates if update.quote is not None]
    assert shown[10].bid is shown[11].bid is shown[12].ask is None
    assert shown[10].ask and shown[12].bid
    prints = [one for update in updates for one in update.prints]
    assert len(prints) == len(trades) - 3
    assert all(one.price > 0 and one.size > 0 for one in prints)
    assert "skipping 3 prints without a price or a size" in caplog.text
    for update in updates:
        update_messages(market.spec, update)  # all of it can be published


def test_a_shift_puts_no_level_below_the_lowest_price(recording):
    books = flat_books(recording, 1000)
    books.bid[:, 19] = 0.2  # far down
    recording.quotes.bid[-1] -= 100.0
    recording.quotes.ask[-1] -= 100.0
    market = ReplayMarket(recording, books, START_MS)
    market.advance(START_MS + 100_000)  # the second pass, 100 lower
    levels = market.book(40).bids
    assert levels[0].price < 2950
    assert all(level.price > 0 for level in levels)
    assert levels[-1].price > 1
