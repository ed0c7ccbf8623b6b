"""A coin's records as hftbacktest's events: changes of levels, and trades.

Snapshots are not sent as a clear and its levels, because a clear makes the queue models forget how
a level shrank: only the differences to the book known so far are sent. A level that leaves a
snapshot because the snapshot ends before it keeps its size; it is not known to be gone. A best bid
and offer between snapshots removes the levels in front of it and sets the touch. Where several
records have the same millisecond, trades come first, then the touch, then snapshots: the venue
publishes a block's trades and the book after it with one time, and the queue models expect a trade
before the change of the level that it causes. Their nanoseconds (0, 1 and 2) tell them apart.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
)
from hftbacktest.types import event_dtype
from numpy.typing import NDArray

from advanced_mm.compiled import compiled
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Int1D, Quotes, Recording
from advanced_mm.markets.recorded_books import RecordedBooks
from advanced_mm.replay.layout import TOUCH

__all__ = ["NS_PER_MS", "SIZE_UNITS", "Converted", "convert"]

NS_PER_MS: Final = 1_000_000
SIZE_UNITS: Final = 1e8
"""Sizes in events are whole hundred-millionths of the base currency, so that sums are exact.

With fractions, hftbacktest's partial fills leave rests of 1e-18 that it then cannot fill.
"""
_MOST_TICKS: Final = 1 << 25
_FEED_LATENCY_NS: Final = 50 * NS_PER_MS
_LONGEST_FEED_NS: Final = 5_000 * NS_PER_MS
_TRADE, _TOUCH, _BOOK = 0, 1, 2

_BID = np.uint64(EXCH_EVENT | DEPTH_EVENT | BUY_EVENT)
_ASK = np.uint64(EXCH_EVENT | DEPTH_EVENT | SELL_EVENT)
_CLEAR_BIDS = np.uint64(EXCH_EVENT | LOCAL_EVENT | DEPTH_CLEAR_EVENT | BUY_EVENT)
_CLEAR_ASKS = np.uint64(EXCH_EVENT | DEPTH_CLEAR_EVENT | SELL_EVENT)
_BOUGHT = np.uint64(EXCH_EVENT | TRADE_EVENT | BUY_EVENT)
_SOLD = np.uint64(EXCH_EVENT | TRADE_EVENT | SELL_EVENT)

Arrays = tuple[Any, ...]
Floats = NDArray[np.float64]
Rows = NDArray[Any]


@dataclass(frozen=True)
class Converted:
    """A recording, or a part of it, in the form in which it is replayed.

    Attributes
    ----------
    events
        hftbacktest's ``event_dtype``, ascending. They are for the venue; the maker sees ``touch``.
        Only the first is for both: hftbacktest frees an array that its maker's side has left
        before its venue's side has come to it.
    touch
        Rows of `layout.TOUCH`: the best bid and offer as the maker sees it, ascending.
    tick
        Smallest price step, quote currency.
    lot
        Smallest step of the traded sizes, base currency, a power of ten.
    rows
        Records converted: snapshots, best bids and offers, trades.
    """

    events: NDArray[Any]
    touch: NDArray[Any]
    tick: float
    lot: float
    rows: int


def convert(recording: Recording, books: RecordedBooks) -> Converted:
    """Convert one coin's records.

    Raises
    ------
    InputError
        The prices span too many ticks: the recording has wrong prices or a wrong tick.
    """
    quotes, trades = _both_sides(recording.quotes), recording.trades
    tick = _tick(recording, books)
    levels = _ticks(np.stack([books.bid, books.ask]), tick)
    touches = _ticks(np.stack([quotes.bid, quotes.ask]), tick)[:, :, None]
    low, high = _range(recording.coin, levels, touches)
    traded = np.rint(trades.price / tick).astype(np.int64)
    times = np.concatenate([trades.time_ms, quotes.time_ms, books.time_ms])
    kinds = np.repeat([_TRADE, _TOUCH, _BOOK], [len(trades), len(quotes), len(books)])
    at = np.concatenate([np.arange(len(x)) for x in (trades, quotes, books)])
    order = np.lexsort((at, kinds, times))
    exchange_ns = times * NS_PER_MS + kinds
    records = (
        (kinds[order].astype(np.int8), at[order], exchange_ns[order]),
        (traded, _units(trades.size), trades.side),
        (touches, _units(np.stack([quotes.bid_size, quotes.ask_size]))[:, :, None]),
        (levels, _units(np.stack([books.bid_size, books.ask_size]))),
    )
    seen = np.empty((len(quotes) + len(books), 3), np.int64)
    imbalance = np.zeros(len(seen))
    # Each level that is set is removed once at most; rows that are not written cost no memory.
    most = len(trades) + 2 * int((touches > 0).sum() + (levels > 0).sum()) + 2
    events = np.zeros(most, event_dtype)
    events = events[: _walk(*records, low, high, tick, events, seen, imbalance)]
    touch = np.zeros(len(seen), TOUCH)
    touch["exchange_ns"] = seen[:, 0]
    for column, side in ((1, "bid"), (2, "ask")):
        price = np.round(seen[:, column] * tick, _decimals(tick))
        touch[side] = np.where(seen[:, column] > 0, price, np.nan)
    touch["imbalance"] = imbalance
    touch["local_ns"] = _local(seen[:, 0], quotes)
    return Converted(events, touch, tick, _common_step(trades.size), len(order))


def _both_sides(quotes: Quotes) -> Quotes:
    """Return the quotes with a price on each side that is not crossed."""
    sound = np.isfinite(quotes.bid) & np.isfinite(quotes.ask) & (quotes.bid < quotes.ask)
    return quotes if sound.all() else quotes.rows(np.flatnonzero(sound))


def _tick(recording: Recording, books: RecordedBooks) -> float:
    """Return the price step of all records: a recording's own is of its touches and trades only."""
    found = recording.tick
    quotes = recording.quotes
    for prices in (recording.trades.price, quotes.bid, quotes.ask, books.bid, books.ask):
        known = prices[np.isfinite(prices)]
        off = np.abs(known / found - np.rint(known / found))
        if np.any(off > 1e-3) or not _is_power_of_ten(found):
            found = min(found, _common_step(known))
    return found


def _is_power_of_ten(step: float) -> bool:
    return bool(abs(np.log10(step) - np.rint(np.log10(step))) < 1e-9)


def _ticks(price: NDArray[np.float64], tick: float) -> Int1D:
    """Return prices in ticks, 0 where there is none."""
    return np.nan_to_num(np.rint(price / tick)).astype(np.int64)


def _units(size: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(np.nan_to_num(size) * SIZE_UNITS))


def _decimals(tick: float) -> int:
    return max(0, -int(np.floor(np.log10(tick) + 1e-9)) + 2)


def _range(coin: str, *prices: Int1D) -> tuple[int, int]:
    found = [array[array > 0] for array in prices]
    found = [array for array in found if len(array)]
    if not found:
        return 0, 1
    low, high = min(int(a.min()) for a in found), max(int(a.max()) for a in found)
    if high - low > _MOST_TICKS:
        raise InputError(
            f"{coin}: the recording's prices span {high - low} ticks, at most {_MOST_TICKS} can be "
            "replayed: check its tick and its prices, or replay a shorter time."
        )
    return low, high


def _common_step(numbers: Floats) -> float:
    """Return the largest power of ten, at most 1, that divides all numbers."""
    for decimals in range(8):
        scaled = numbers * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < np.minimum(1e-3, 1e-9 * scaled + 1e-7)):
            return float(f"1e-{decimals}")
    return 1e-8


def _local(exchange_ns: Int1D, quotes: Quotes) -> Int1D:
    """Return when each touch was received, ns.

    Where that was not recorded (snapshots) or is no plausible latency, it is the exchange's time
    plus the median latency; what is received later than its successor delays it, as on a socket.
    """
    own = np.rint(quotes.local_s * 1e3).astype(np.int64) * NS_PER_MS
    latency = own - quotes.time_ms * NS_PER_MS
    plausible = (latency > 0) & (latency < _LONGEST_FEED_NS)
    usual = int(np.median(latency[plausible])) if plausible.any() else _FEED_LATENCY_NS
    local = exchange_ns + usual
    places = np.flatnonzero(exchange_ns % NS_PER_MS == _TOUCH)
    local[places] = np.where(plausible, exchange_ns[places] + latency, local[places])
    return np.maximum.accumulate(local)


@compiled
def _write(events: Rows, place: int, kind: np.uint64, now: int, price: float, size: float) -> int:
    """Write an event; return the next place."""
    event = events[place]
    event.ev, event.exch_ts, event.local_ts = kind, now, now
    event.px, event.qty = price, size
    return place + 1


@compiled
def _set_levels(
    side: int, prices: Int1D, sizes: Floats, book: Floats, best: int, low: int, tick: float,
    now: int, events: Rows, place: int,
) -> int:  # fmt: skip
    """Set the levels of one side, and remove those from the best to the last that are gone.

    ``prices`` (ticks) start with the best one and end with 0 if there are fewer; ``book`` has the
    size of each price from ``low``; ``best`` is the best price known so far.
    """
    count = 0
    while count < len(prices) and prices[count] > 0:
        count += 1
    if count == 0:
        return place
    toward = -1 if side == 0 else 1
    first = max(best, prices[0]) if side == 0 else min(best, prices[0])
    first = min(max(first, low), low + len(book) - 1)
    kind = _BID if side == 0 else _ASK
    at = 0
    for price in range(first, prices[count - 1] + toward, toward):
        size = 0.0
        if prices[at] == price:
            size = sizes[at]
            at += 1
        if book[price - low] != size:
            book[price - low] = size
            place = _write(events, place, kind, now, price * tick, size)
    return place


@compiled
def _walk(
    stream: Arrays, trades: Arrays, touches: Arrays, books: Arrays,
    low: int, high: int, tick: float, events: Rows, seen: NDArray[np.int64], imbalance: Floats,
) -> int:  # fmt: skip
    """Write the events, for which there is room; return how many there are.

    ``stream`` has the kind, the row among its kind and the time of each record; trades have prices,
    sizes and sides, touches and snapshots prices and sizes of shape (2, n, levels), bids first.
    ``seen`` gets the time and the best bid and ask after each touch and snapshot, ``imbalance``
    that of their sizes, 0 where a side is empty.
    """
    kinds, rows, times = stream
    traded, amounts, sides = trades
    book = np.zeros((2, high - low + 1))
    best = np.array([low - 1, high + 1])  # bid, ask; beyond the range if there is none
    place = looks = 0
    if len(times):
        begins = times[0] - times[0] % NS_PER_MS - 2  # time starts with it, before the first look
        place = _write(events, place, _CLEAR_BIDS, begins, low * tick, 0.0)
        place = _write(events, place, _CLEAR_ASKS, begins, high * tick, 0.0)
    for i in range(len(times)):
        row, now = rows[i], times[i]
        if kinds[i] == 0:
            kind = _BOUGHT if sides[row] > 0 else _SOLD
            place = _write(events, place, kind, now, traded[row] * tick, amounts[row])
            continue
        prices, sizes = touches if kinds[i] == 1 else books
        for side in range(2):
            place = _set_levels(
                side, prices[side, row], sizes[side, row], book[side], best[side], low, tick,
                now, events, place,
            )  # fmt: skip
            if prices[side, row, 0] > 0:
                best[side] = prices[side, row, 0]
        seen[looks, 0] = now
        seen[looks, 1] = best[0] if best[0] >= low else 0
        seen[looks, 2] = best[1] if best[1] <= high else 0
        if low <= best[0] < best[1] <= high:
            bid, ask = book[0, best[0] - low], book[1, best[1] - low]
            if bid > 0 and ask > 0:
                imbalance[looks] = (bid - ask) / (bid + ask)
        looks += 1
    return place
