"""Market data in Hyperliquid's wire format: websocket messages and bodies of ``/info``.

Structure and names are the venue's. Numbers are strings with as many decimals as needed, at least
one ("3000.0"); times are exchange ms; "B" marks a buying aggressor, "A" a selling one.
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
    """The touch, bid first; null if a side is empty."""

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
    """Channel ``l2Book``; the two cadences differ only in the number of levels."""

    channel: Literal["l2Book"]
    data: BookData


MarketMessage = TradesMessage | BboMessage | BookMessage


@lru_cache(maxsize=64)
def _grid(step: float) -> StepGrid:
    return StepGrid(step)


def price_text(price: float, spec: CoinSpec) -> str:
    """Format a price (quote currency), rounded to the tick, at least one tick.

    Rounding matters for synthetic bars, whose prices may lie between two ticks.
    """
    grid = _grid(spec.tick)
    return _text(max(1, round(price / spec.tick)) * spec.tick, grid.decimals)


def _order_price_text(price: float, spec: CoinSpec) -> str:
    """Format the price of an order, which may be finer than the tick at low prices."""
    decimals = max(_grid(spec.tick).decimals, _PERPETUAL_DECIMALS - spec.size_decimals)
    return _positive_text(price, decimals)


def size_text(size: float, spec: CoinSpec) -> str:
    """Format a size or volume (base currency), rounded to the size step."""
    return _text(size, spec.size_decimals)


@lru_cache(maxsize=1 << 15)
def _text(value: float, decimals: int) -> str:
    text = f"{value:.{max(1, decimals)}f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


@lru_cache(maxsize=1 << 15)
def _positive_text(value: float, decimals: int) -> str:
    """Format the price or size of an order; ValueError if it is not positive after rounding."""
    text = _text(value, decimals)
    if not (0 < value < math.inf) or not text.strip("0."):
        raise ValueError(
            f"order price or size {value} is {text} with {decimals} decimals; it must be positive"
        )
    return text


def _level(price: float, size: float, orders: int, spec: CoinSpec) -> LevelData:
    return {
        "px": _order_price_text(price, spec),
        "sz": _positive_text(size, spec.size_decimals),
        "n": orders,
    }


def trade_data(spec: CoinSpec, time_ms: int, one: Print) -> TradeData:
    """Return a print as in ``trades`` and ``recentTrades``; unknown users are address zero."""
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
    """Build a message of prints with times (exchange ms): a block's, or the recent ones."""
    return {
        "channel": "trades",
        "data": [trade_data(spec, time_ms, one) for time_ms, one in prints],
    }


def bbo_message(spec: CoinSpec, time_ms: int, quote: Quote) -> BboMessage:
    """Build a message of the touch since ``time_ms``; n is 1, as order counts are unknown here."""
    sides = ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size))
    bbo = [None if price is None else _level(price, size, 1, spec) for price, size in sides]
    return {"channel": "bbo", "data": {"coin": spec.coin, "time": time_ms, "bbo": bbo}}


def book_data(spec: CoinSpec, book: Book) -> BookData:
    """Return the book as in ``l2Book`` messages and in the body of that request."""

    def side(levels: Iterable[Level]) -> list[LevelData]:
        return [_level(level.price, level.size, level.orders, spec) for level in levels]

    return {
        "coin": spec.coin,
        "time": book.time_ms,
        "levels": [side(book.bids), side(book.asks)],
    }


def book_message(spec: CoinSpec, book: Book) -> BookMessage:
    """Build a message of the book: 20 levels at the slow cadence, 5 at the fast one."""
    return {"channel": "l2Book", "data": book_data(spec, book)}


def update_messages(spec: CoinSpec, update: MarketUpdate) -> list[TradesMessage | BboMessage]:
    """Return a block's messages for subscribers of trades and bbo: prints, then the new touch."""
    messages: list[TradesMessage | BboMessage] = []
    if update.prints:
        messages.append(trades_message(spec, ((update.time_ms, one) for one in update.prints)))
    if update.quote is not None:
        messages.append(bbo_message(spec, update.time_ms, update.quote))
    return messages
