"""Messages are in Hyperliquid's format: an unmodified ccxt client and our recorder read them."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace

import ccxt.pro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote
from advanced_mm.venue.protocol.messages.market_messages import (
    bbo_message,
    book_data,
    book_message,
    price_text,
    size_text,
    trade_data,
    trades_message,
    update_messages,
)

SPEC = CoinSpec("ETH", 4, 25, 0.1)
TIME_MS = 1_790_000_000_123
HASH = "0x" + "ab" * 32
BUY = Print(3000.0, 0.25, 1, 7, HASH)
SELL = Print(2999.9, 1.0, -1, 8, HASH, ("0x" + "1" * 40, "0x" + "2" * 40))
BOOK = Book(
    TIME_MS,
    (Level(2999.9, 5.0, 4), Level(2999.8, 0.0001, 1)),
    (Level(3000.0, 12.3456, 2),),
)


@pytest.fixture
async def client() -> AsyncIterator[ccxt.pro.hyperliquid]:
    exchange = ccxt.pro.hyperliquid()
    listing = {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "markPx": "3000.0", "baseId": 0}
    exchange.set_markets([exchange.parse_market(listing)])
    yield exchange
    await exchange.close()


async def test_ccxt_reads_trades(client):
    seen = []
    wire = SimpleNamespace(resolve=lambda value, name: seen.append((name, list(value))))
    client.handle_trades(wire, trades_message(SPEC, [(TIME_MS, BUY), (TIME_MS + 100, SELL)]))
    [(name, (buy, sell))] = seen
    assert name == "trade:ETH/USDC:USDC"
    assert (buy["price"], buy["amount"], buy["side"], buy["id"]) == (3000.0, 0.25, "buy", "7")
    assert (sell["price"], sell["side"], sell["timestamp"]) == (2999.9, "sell", TIME_MS + 100)
    assert buy["info"]["hash"] == HASH


async def test_ccxt_reads_the_book_of_the_stream_and_of_the_request(client):
    wire = SimpleNamespace(resolve=lambda value, name: None)
    client.handle_order_book(wire, book_message(SPEC, BOOK))
    streamed = client.orderbooks["ETH/USDC:USDC"]
    body = book_data(SPEC, BOOK)
    asked = client.parse_order_book(
        {"bids": body["levels"][0], "asks": body["levels"][1]}, "ETH", TIME_MS,
        "bids", "asks", "px", "sz",
    )  # fmt: skip
    for read in (streamed, asked):
        assert read["bids"] == [[2999.9, 5.0], [2999.8, 0.0001]]
        assert read["asks"] == [[3000.0, 12.3456]]
        assert read["timestamp"] == TIME_MS
    assert body["levels"][0][0]["n"] == 4


def test_a_price_finer_than_the_tick_is_written_as_it_is():
    spec = CoinSpec("ETH", 3, 25, 0.1)  # 99.95 has five figures too
    one = Print(99.95, 0.25, 1, 7, HASH)
    assert trade_data(spec, TIME_MS, one)["px"] == "99.95"
    quote = Quote(99.95, 1.0, 100.0, 1.0)
    assert [side["px"] for side in bbo_message(spec, TIME_MS, quote)["data"]["bbo"]] == [
        "99.95", "100.0",
    ]  # fmt: skip


def test_trades_carry_what_the_venue_documents():
    assert trade_data(SPEC, TIME_MS, SELL) == {
        "coin": "ETH",
        "side": "A",
        "px": "2999.9",
        "sz": "1.0",
        "time": TIME_MS,
        "hash": HASH,
        "tid": 8,
        "users": ["0x" + "1" * 40, "0x" + "2" * 40],
    }
    assert trade_data(SPEC, TIME_MS, BUY)["side"] == "B"
    assert trade_data(SPEC, TIME_MS, BUY)["users"] == ["0x" + "0" * 40] * 2


def test_an_empty_side_of_the_touch_is_null():
    message = bbo_message(SPEC, TIME_MS, Quote(None, 0.0, 3000.0, 2.5))
    assert message == {
        "channel": "bbo",
        "data": {
            "coin": "ETH",
            "time": TIME_MS,
            "bbo": [None, {"px": "3000.0", "sz": "2.5", "n": 1}],
        },
    }


def test_a_block_is_its_prints_and_then_the_touch_they_left():
    quote = Quote(2999.9, 5.0, 3000.0, 5.0)
    both = update_messages(SPEC, MarketUpdate(TIME_MS, quote, (BUY, SELL)))
    assert [message["channel"] for message in both] == ["trades", "bbo"]
    assert [trade["tid"] for trade in both[0]["data"]] == [7, 8]
    assert both[1]["data"]["time"] == TIME_MS
    assert [m["channel"] for m in update_messages(SPEC, MarketUpdate(TIME_MS, quote))] == ["bbo"]
    unchanged = MarketUpdate(TIME_MS, None, (BUY,))
    assert [m["channel"] for m in update_messages(SPEC, unchanged)] == ["trades"]
    assert json.loads(json.dumps(both)) == both


@given(ticks=st.integers(1, 99_999), exponent=st.integers(-6, 1))
def test_prices_on_the_grid_are_written_exactly(ticks, exponent):
    tick = float(f"1e{exponent}")
    text = price_text(ticks * tick, CoinSpec("X", 0, 3, tick))
    assert float(text) == float(f"{ticks}e{exponent}")
    whole, decimals = text.split(".")
    assert whole.isdecimal()
    assert decimals == "0" or not decimals.endswith("0")
    assert "e" not in text


@pytest.mark.parametrize(
    ("size", "decimals", "text"),
    [(0.25, 4, "0.25"), (1.0, 4, "1.0"), (61776.0, 0, "61776.0"), (0.1 + 0.2, 4, "0.3")],
)
def test_sizes_have_the_decimals_they_need(size, decimals, text):
    assert size_text(size, CoinSpec("X", decimals, 3, 0.1)) == text


def test_a_price_between_two_ticks_goes_to_the_nearest():
    assert price_text(3000.04, SPEC) == "3000.0"
    assert price_text(3000.06, SPEC) == "3000.1"


def test_rounding_leaves_no_order_without_a_price_or_a_size():
    with pytest.raises(ValueError, match=r"price or size 1e-05 is 0\.0 with 4 decimals"):
        trade_data(SPEC, TIME_MS, replace(BUY, size=0.00001))
    with pytest.raises(ValueError, match=r"price or size 0\.001 is 0\.0 with 2 decimals"):
        trade_data(SPEC, TIME_MS, replace(BUY, price=0.001))
    with pytest.raises(ValueError, match="price or size nan"):
        bbo_message(SPEC, TIME_MS, Quote(3000.0, float("nan"), None, 0.0))
    assert price_text(0.01, SPEC) == "0.1"  # of a synthetic bar: at least one tick
    assert size_text(0.0, SPEC) == "0.0"  # a volume may be zero
