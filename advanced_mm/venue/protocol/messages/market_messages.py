"""The market in Hyperliquid's words: websocket messages and bodies of ``/info``.

Shapes and names are the venue's. Numbers are strings with as many decimals as they need, one at
least ("3000.0"); times are exchange ms; "B" marks a buying aggressor, "A" a selling one.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, TypedDict

from advanced_mm.markets.grid import StepGrid
from advanced_mm.markets.market import Book, CoinSpec, Level, MarketUpdate, Print, Quote

__all__ = [
    "BboData",
    "BboMessage",
    "BookData",
    "BookMessage",
    "LevelData",
    "MarketMessage",
    "TradeData",
    "TradesMessage",
    "bbo_message",
    "book_data",
    "book_message",
    "price_text",
    "size_text",
    "trade_data",
    "trades_message",
    "update_messages",
]

_NOBODY = "0x" + "0" * 40
_PERPETUAL_DECIMALS = 6  # of price and size together


class LevelData(TypedDict):
    """Price, size and number of orders of a level."""

    px: str
    sz: str
    n: int


class TradeData(TypedDict):
    """One print; ``users`` are buyer and seller."""

    coin: str
    side: Literal["A", "B"]
    px: str
    sz: str
    time: int
    hash: str
    tid: int
    users: list[str]


class BboData(TypedDict):
    """The touch, bid first; null where a side is empty."""

    coin: str
    time: int
    bbo: list[LevelData | None]


class BookData(TypedDict):
    """Bids and asks, best first."""

    coin: str
    time: int
    levels: list[list[LevelData]]


class TradesMessage(TypedDict):
    """Channel ``trades``."""

    channel: Literal["trades"]
    data: list[TradeData]


class BboMessage(TypedDict):
    """Channel ``bbo``."""

    channel: Literal["bbo"]
    data: BboData


class BookMessage(TypedDict):
    """Channel ``l2Book``; both cadences look alike but for the number of levels."""

    channel: Literal["l2Book"]
    data: BookData


MarketMessage = TradesMessage | BboMessage | BookMessage


@lru_cache(maxsize=64)
def _grid(step: float) -> StepGrid:
    return StepGrid(step)


def price_text(price: float, spec: CoinSpec) -> str:
    """Write a price (quote currency), to the nearest tick: a made-up bar may lie between two.

    One tick at least, which is the lowest price there is.
    """
    grid = _grid(spec.tick)
    return _text(max(1, round(price / spec.tick)) * spec.tick, grid.decimals)


def _order_price_text(price: float, spec: CoinSpec) -> str:
    """Write the price of an order, which may be finer than the tick where the price is low."""
    decimals = max(_grid(spec.tick).decimals, _PERPETUAL_DECIMALS - spec.size_decimals)
    return _positive_text(price, decimals)


def size_text(size: float, spec: CoinSpec) -> str:
    """Write a size or volume (base currency), to the nearest size step."""
    return _text(size, spec.size_decimals)


@lru_cache(maxsize=1 << 15)
def _text(value: float, decimals: int) -> str:
    text = f"{value:.{max(1, decimals)}f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


@lru_cache(maxsize=1 << 15)
def _positive_text(value: float, decimals: int) -> str:
    """Write the price or size of an order; ValueError where its decimals leave nothing of it."""
    text = _text(value, decimals)
    if not (0 < value < math.inf) or not text.strip("0."):
        raise ValueError(f"an order's price or size of {value} is {text} with {decimals} decimals")
    return text


def _level(price: float, size: float, orders: int, spec: CoinSpec) -> LevelData:
    return {
        "px": _order_price_text(price, spec),
        "sz": _positive_text(size, spec.size_decimals),
        "n": orders,
    }


def trade_data(spec: CoinSpec, time_ms: int, one: Print) -> TradeData:
    """One print, as in ``trades`` messages and ``recentTrades``; users unknown are address zero."""
    return {
        "coin": spec.coin,
        "side": "B" if one.side > 0 else "A",
        "px": _order_price_text(one.price, spec),
        "sz": _positive_text(one.size, spec.size_decimals),
        "time": time_ms,
        "hash": one.hash,
        "tid": one.tid,
        "users": list(one.users or (_NOBODY, _NOBODY)),
    }


def trades_message(spec: CoinSpec, prints: Iterable[tuple[int, Print]]) -> TradesMessage:
    """Prints with their times (exchange ms), one block's or those replayed on subscribing."""
    return {
        "channel": "trades",
        "data": [trade_data(spec, time_ms, one) for time_ms, one in prints],
    }


def bbo_message(spec: CoinSpec, time_ms: int, quote: Quote) -> BboMessage:
    """The touch since ``time_ms``. How many orders it is made of is not known here: n is 1."""
    sides = ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size))
    bbo = [None if price is None else _level(price, size, 1, spec) for price, size in sides]
    return {"channel": "bbo", "data": {"coin": spec.coin, "time": time_ms, "bbo": bbo}}


def book_data(spec: CoinSpec, book: Book) -> BookData:
    """The book, as in ``l2Book`` messages and as the body of the request of that name."""

    def side(levels: Iterable[Level]) -> list[LevelData]:
        return [_level(level.price, level.size, level.orders, spec) for level in levels]

    return {
        "coin": spec.coin,
        "time": book.time_ms,
        "levels": [side(book.bids), side(book.asks)],
    }


def book_message(spec: CoinSpec, book: Book) -> BookMessage:
    """The book to subscribers: 20 levels at the slow cadence, 5 at the fast one."""
    return {"channel": "l2Book", "data": book_data(spec, book)}


def update_messages(spec: CoinSpec, update: MarketUpdate) -> list[TradesMessage | BboMessage]:
    """What one block means to a subscriber of trades and bbo: the prints, then the new touch."""
    messages: list[TradesMessage | BboMessage] = []
    if update.prints:
        messages.append(trades_message(spec, ((update.time_ms, one) for one in update.prints)))
    if update.quote is not None:
        messages.append(bbo_message(spec, update.time_ms, update.quote))
    return messages
