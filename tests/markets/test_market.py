"""The contract of `MarketSource`, checked for every implementation."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.market import MarketSource
from advanced_mm.markets.replay import load_replay
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.conditions.history import lay_history

START_MS = 1_790_000_000_123
Source = Callable[[], MarketSource]


@pytest.fixture(params=["synthetic", "replay"])
def source(request, tmp_path: Path) -> Source:
    if request.param == "synthetic":
        return lambda: SyntheticMarket(SyntheticParameters(), START_MS, seed=7)
    recorder = Recorder(ShardStore(tmp_path), ["ETH"], {"ETH": 0.1})
    past_ms = START_MS - 10_000_000
    lay_history(SyntheticMarket(SyntheticParameters(), past_ms, seed=7), recorder, past_ms + 30_000)
    return lambda: load_replay(tmp_path, "ETH", START_MS)


def test_nothing_happens_before_somebody_drives_it(source):
    market = source()
    assert market.now_ms == START_MS
    book = market.book(1)
    assert market.mid == (book.bids[0].price + book.asks[0].price) / 2
    assert market.spec.coin == "ETH"
    assert (market.spec.tick, market.spec.size_decimals) == (0.1, 4)


def test_blocks_come_once_in_order_and_never_early(source):
    market, times = source(), []
    for step in (0, 50, 1, 3_000, 0, 90_000, 77):
        updates = market.advance(market.now_ms + step)
        assert all(update.time_ms <= market.now_ms for update in updates)
        times += [update.time_ms for update in updates]
    assert times[0] >= START_MS
    assert all(a < b for a, b in pairwise(times))
    assert times == [u.time_ms for u in source().advance(market.now_ms)]


def test_time_does_not_run_backwards(source):
    market = source()
    market.advance(START_MS + 5_000)
    assert market.advance(START_MS) == []
    assert market.now_ms == START_MS + 5_000


def test_the_book_shows_the_last_quote_and_never_crosses(source):
    market, quote, most_asks = source(), None, 0
    for _ in range(400):
        for update in market.advance(market.now_ms + 170):
            quote = update.quote or quote
        if quote is None:
            continue
        book = market.book(5)
        bid, ask = book.bids[0], book.asks[0]
        assert (bid.price, bid.size, ask.price, ask.size) == (
            quote.bid, quote.bid_size, quote.ask, quote.ask_size,
        )  # fmt: skip
        assert bid.price < market.mid < ask.price
        assert all(a.price > b.price for a, b in pairwise(book.bids))
        assert all(a.price < b.price for a, b in pairwise(book.asks))
        most_asks = max(most_asks, len(book.asks))
    assert most_asks == 5


def test_prices_and_sizes_are_whole_steps(source):
    for update in source().advance(START_MS + 60_000):
        prices = [one.price for one in update.prints]
        if update.quote:
            prices += [update.quote.bid, update.quote.ask]
        assert prices == [round(price * 10) / 10 for price in prices]
        assert all(one.size == round(one.size, 4) > 0 for one in update.prints)


def test_a_hash_is_one_market_order(source):
    orders = {}
    for update in source().advance(START_MS + 100_000):
        for one in update.prints:
            assert len(one.hash) == 66
            assert orders.setdefault(one.hash, (update.time_ms, one.side)) == (
                update.time_ms, one.side,
            )  # fmt: skip
    assert len(orders) > 100
