"""Orders in a recorded market: the recording is unchanged, and fills orders that it reaches."""

from collections import defaultdict

import numpy as np
import pytest

from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.markets.market import MarketUpdate
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.markets.replay import ReplayMarket
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules

RECORDED_MS, START_MS = 1_765_000_000_000, 1_790_000_000_000
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20


def recording(quotes: list[tuple], trades: list[tuple]) -> Recording:
    """Quotes (ms, bid, size, ask, size), trades (ms, price, size, side, transaction)."""
    quote = [np.array(column) for column in zip(*quotes, strict=True)]
    trade = [np.array(column) for column in zip(*trades, strict=True)]
    return Recording(
        "ETH",
        Quotes(quote[0], *(one.astype(float) for one in quote[1:]), quote[0] / 1000),
        Trades(
            trade[0], trade[1], trade[2], trade[3], np.arange(len(trade[0])), trade[4],
            trade[0] / 1000,
        ),
        np.empty(0, dtype=np.int64),
        0.1,
    )  # fmt: skip


def replay(recorded: Recording) -> ReplayMarket:
    return ReplayMarket(recorded, RecordedBooks.none(), START_MS, loop=False)


@pytest.fixture(scope="module")
def two_minutes() -> Recording:
    market = SyntheticMarket(SyntheticParameters(), RECORDED_MS, seed=4)
    quotes, trades, transactions = [], [], {}
    for update in market.advance(RECORDED_MS + 120_000):
        if update.quote:
            q = update.quote
            quotes.append((update.time_ms, q.bid, q.bid_size, q.ask, q.ask_size))
        for one in update.prints:
            number = transactions.setdefault(one.hash, len(transactions) + 1)
            trades.append((update.time_ms, one.price, one.size, one.side, number))
    return recording(quotes, trades)


@pytest.mark.parametrize(
    ("share", "filled"), [("proportional", 0.1667), (1.0, 1.0), (0.5, 0.5), (0.0, 0.0)]
)
def test_an_order_advances_with_trades_and_its_share_of_cancels(share, filled):
    quotes = [
        (0, 100.0, 5.0, 100.1, 5.0),
        (2_000, 100.0, 3.0, 100.1, 5.0),  # the trade
        (3_000, 100.0, 2.0, 100.1, 5.0),  # a cancel, which can only have been ahead
        (4_000, 100.0, 6.0, 100.1, 5.0),  # 4 more, behind
        (5_000, 100.0, 4.0, 100.1, 5.0),  # 2 cancelled of 6, of which 2 ahead
        (9_000, 100.0, 1.0, 100.1, 5.0),
    ]
    trades = [(2_000, 100.0, 2.0, -1, 1), (6_000, 100.0, 1.5, -1, 2)]
    recorded = recording(
        [(RECORDED_MS + ms, *rest) for ms, *rest in quotes],
        [(RECORDED_MS + ms, *rest) for ms, *rest in trades],
    )
    exchange = Exchange([replay(recorded)], Rules(cancels_ahead=share))
    exchange.advance(START_MS + 1_000)
    units = exchange.books["ETH"].units
    assert recorded.quotes.bid_size[0] == 5.0
    order = exchange.place(
        ALICE, [OrderRequest("ETH", True, units.price_units(100.0), units.lots(1.0))]
    )[0].order
    assert units.size(order.ahead) == 5.0
    exchange.advance(START_MS + 3_500)
    assert units.size(exchange.order(ALICE, order.oid).ahead) == pytest.approx(2.0)
    updates = exchange.advance(START_MS + 8_000)["ETH"]
    (last,) = (block for block in updates if block.prints)
    assert sum(one.size for one in last.prints) == pytest.approx(1.5)
    # Sizes are recorded to a tenth: the venue trades in tenths here.
    whole = np.floor(round(filled * 10, 6)) / 10
    assert sum(units.size(one.lots) for one in exchange.fills(ALICE)) == pytest.approx(whole)


def by_order(updates: list[MarketUpdate]) -> dict[str, dict[float, float]]:
    """Return the printed size by transaction and price."""
    sizes: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for update in updates:
        for one in update.prints:
            sizes[one.hash][one.price] += one.size
    return sizes


def test_orders_nobody_reaches_change_nothing(two_minutes):
    plain = replay(two_minutes).advance(START_MS + 130_000)
    exchange = Exchange([replay(two_minutes)], Rules())
    mark = exchange.books["ETH"].mark // 10 * 10
    for is_buy, price in ((True, mark - 10_000), (False, mark + 10_000)):
        assert exchange.place(ALICE, [OrderRequest("ETH", is_buy, price, 10**4)])[0].order.resting
    updates = []
    while exchange.now_ms < START_MS + 130_000:
        updates += exchange.advance(exchange.now_ms + 170)["ETH"]
    assert updates == plain
    assert exchange.fills(ALICE) == []


@pytest.mark.parametrize("position", [0.3, 1.0])
def test_the_recorded_orders_stay_as_they_were_but_for_our_extra_volume(two_minutes, position):
    recorded = by_order(replay(two_minutes).advance(START_MS + 130_000))
    exchange = Exchange([replay(two_minutes)], Rules(queue_position=position))
    units, updates = exchange.books["ETH"].units, []
    while exchange.now_ms < START_MS + 130_000:
        touch = exchange.venue.markets["ETH"].touch
        for account, is_buy, price in ((ALICE, True, touch.bid), (BOB, False, touch.ask)):
            live = [("ETH", one.oid) for one in exchange.open_orders(account)]
            exchange.cancel(account, live)
            request = OrderRequest(
                "ETH", is_buy, units.price_units(price), units.lots(0.5), tif=TimeInForce.ALO
            )
            exchange.place(account, [request])
        updates += exchange.advance(exchange.now_ms + 700)["ETH"]
    published = by_order(updates)
    ours: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for fill in [*exchange.fills(ALICE), *exchange.fills(BOB)]:
        ours[fill.hash][units.price(fill.price)] += units.size(fill.lots)
    assert len(exchange.fills(ALICE)) > 20 < len(exchange.fills(BOB))
    sides = {one.hash: one.side for u in updates for one in u.prints}
    on_top = shared = 0
    for name, sizes in published.items():
        if name not in recorded:  # the quote ran over us
            assert sizes == pytest.approx(ours[name])
            continue
        farthest = max(recorded[name], key=lambda price: sides[name] * price)
        for price, size in sizes.items():
            extra = size - recorded[name][price]
            assert -1e-9 < extra < ours[name][price] + 1e-9
            on_top += extra > 1e-9
            shared += ours[name][price] - extra > 1e-9
            if price == farthest:
                assert extra == pytest.approx(0)
    assert set(recorded) <= set(published)
    # An order near the front of its level shares its prints; one behind it adds to them.
    assert (on_top if position == 1.0 else shared) > 20
