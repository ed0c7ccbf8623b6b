"""Decoding of the venue's websocket frames into shard rows.

Numbers arrive as text. Channels: ``bbo`` {coin, time, bbo: [bid|null, ask|null]}, ``trades``
[{coin, side "A"|"B", px, sz, hash, time, tid}], ``l2Book`` {coin, time, levels: [bids, asks]},
``activeAssetCtx`` {coin, ctx: {funding, openInterest, oraclePx, markPx, midPx, premium, ...}}.

A frame that fits its type (see `messages`) is taken as it is, which is fast. In any other each
print, each book level and each side of the touch is checked on its own: a bad print is dropped; a
bad level or side keeps its place without a price, which marks it as unknown.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError
from advanced_mm.marketdata.feed import messages
from advanced_mm.marketdata.feed.messages import LATEST_MS
from advanced_mm.marketdata.schemas import BOOK_LEVELS

__all__ = [
    "DATA_CHANNELS",
    "Acknowledged",
    "Complaint",
    "Data",
    "DecodedRows",
    "Frame",
    "Pong",
    "Unsound",
    "decode",
    "read_frame",
]

FAST_LEVELS: Final = 5
"""Levels per side of the fast l2Book stream, which identify it if the message has no flag."""

_SIDES: Final = {"A": "sell", "B": "buy"}
_EMPTY_LEVEL: Final = (math.nan, math.nan)
_NO_SIDE: Final = (math.nan, 0.0)
_FAULTS: Final = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
_BAD_VALUE: Final = "with a bad value: "
_NONE_LEFT: Final = [math.nan] * (4 * BOOK_LEVELS)
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """Rows that one message adds to one coin's shards.

    Attributes
    ----------
    coin, kind : str
        Coin and kind of the rows.
    time_ms : int or None
        Exchange time of the newest row; None for ``contexts``, which carry none.
    rows : list of tuple
        The venue's columns of each row: exchange_timestamp, levels, fast (``orderbooks``); price,
        size, side, exchange_timestamp (``prices``); price, size, side, trade_id,
        exchange_timestamp, hash, position in the message (``trades``); the columns of
        `schemas` from ``mark_price`` on (``contexts``).
    mid : float or None
        Mid price of a two-sided ``bbo``, quote currency.
    """

    coin: str
    kind: str
    time_ms: int | None
    rows: list[tuple[Any, ...]]
    mid: float | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """Market data; ``dropped`` is the reason for which prints among them were dropped, or empty."""

    rows: list[DecodedRows]
    dropped: str = ""


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a ping."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A subscription to a channel of a coin was begun, or ended."""

    coin: str
    begun: bool


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error that the venue reports, in its words."""

    text: str


@dataclass(frozen=True, slots=True)
class Unsound:
    """A frame of which nothing can be used: its channel, or what is in its place, and why.

    ``readable`` says that it is JSON, so that it names the coins that it is about.
    """

    channel: str
    reason: str
    readable: bool = True


Frame = Data | Pong | Acknowledged | Complaint | Unsound


def read_frame(frame: bytes | str, bad_rows: BadRows) -> Frame:
    """Read one websocket frame; bad rows and frames of no use are counted in ``bad_rows``."""
    try:
        return _of_message(messages.parse(frame))
    except (msgspec.DecodeError, RecursionError, ValueError):
        pass  # something is unsound: look closer
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        shown = repr(frame[:_SHOWN])
        bad_rows.add("frame", f"it is no JSON object: {shown}")
        return Unsound(
            "(unreadable)", f"the venue sent an unreadable message: {shown}", readable=False
        )
    channel = message.get("channel")
    if not isinstance(channel, str) or channel not in DATA_CHANNELS:
        bad_rows.add("frame", f"its channel is unknown: {str(channel)[:_SHOWN]!r}")
        return Unsound(str(channel), f"the venue sent a message on unknown channel {channel!r}")
    try:
        before = bad_rows.count("trades")
        rows = decode(message, bad_rows)
        lost = channel == "trades" and bad_rows.count("trades") > before
        return Data(rows, "a print was unsound" if lost else "")
    except VenueError as error:
        bad_rows.add(f"{channel} message", str(error))
        return Unsound(channel, str(error))


class _HashError(ValueError):
    """A transaction hash has characters that a shard cannot hold."""


def _of_message(message: messages.Message) -> Frame:
    """Return the rows of a message that has passed all checks of its type."""
    if isinstance(message, messages.Bbo):
        data = message.data
        bid, ask = data.bbo
        rows: list[tuple[Any, ...]] = [
            (*(_NO_SIDE if bid is None else (bid.px, bid.sz)), "bid", data.time),
            (*(_NO_SIDE if ask is None else (ask.px, ask.sz)), "ask", data.time),
        ]
        mid = None if bid is None or ask is None else (bid.px + ask.px) / 2.0
        return Data([DecodedRows(data.coin, "prices", data.time, rows, mid)])
    if isinstance(message, messages.L2Book):
        book = message.data
        bids, asks = book.levels
        fast = max(len(bids), len(asks)) <= FAST_LEVELS if book.fast is None else book.fast
        levels = _NONE_LEFT.copy()
        _lay(levels, bids, 0)
        _lay(levels, asks, 2)
        return Data([DecodedRows(book.coin, "orderbooks", book.time, [(book.time, *levels, fast)])])
    if isinstance(message, messages.Trades):
        return Data(_of_trades(message.data))
    if isinstance(message, messages.ActiveAssetCtx | messages.ActiveSpotAssetCtx):
        return Data([_of_context(message.data.coin, message.data.ctx)])
    if isinstance(message, messages.Pong):
        return Pong()
    if isinstance(message, messages.Complaint):
        return Complaint(str(message.data))
    return _of_response(message.data)


def _of_response(data: Any) -> Frame:
    """Return what was acknowledged; subscriptions that are no coin's have an empty name."""
    data = data if isinstance(data, dict) else {}
    subscription = data.get("subscription")
    coin = subscription.get("coin") if isinstance(subscription, dict) else None
    return Acknowledged(str(coin or ""), data.get("method") == "subscribe")


def _lay(levels: list[float], side: Iterable[messages.Level], place: int) -> None:
    """Write one side into the columns of a book; ``place`` is that of its best price."""
    for level in side:
        if place >= len(levels):
            return
        levels[place], levels[place + 1] = level.px, level.sz
        place += 4


def _of_trades(trades: Iterable[messages.Trade]) -> list[DecodedRows]:
    by_coin: dict[str, list[tuple[Any, ...]]] = {}
    for position, one in enumerate(trades):
        text = one.hash or ""
        if not text.isascii():
            raise _HashError
        row = (one.px, one.sz, _SIDES[one.side], str(one.tid), one.time, text, position)
        by_coin.setdefault(one.coin, []).append(row)
    return _grouped(by_coin)


def _grouped(by_coin: Mapping[str, list[tuple[Any, ...]]]) -> list[DecodedRows]:
    return [
        DecodedRows(coin, "trades", max(row[4] for row in rows), rows)
        for coin, rows in by_coin.items()
    ]


def _of_context(coin: str, ctx: messages.Context) -> DecodedRows:
    row = (
        ctx.markPx,
        ctx.midPx,
        ctx.oraclePx,
        ctx.funding,
        ctx.premium,
        ctx.openInterest,
        *(ctx.impactPxs or (None, None)),
        ctx.prevDayPx,
        ctx.dayNtlVlm,
        ctx.dayBaseVlm,
    )
    return DecodedRows(coin, "contexts", None, [row])


def decode(message: Mapping[str, Any], bad_rows: BadRows | None = None) -> list[DecodedRows]:
    """Decode one message; channels other than `DATA_CHANNELS` give no rows.

    Parameters
    ----------
    message : mapping
        ``{"channel": ..., "data": ...}``.
    bad_rows : BadRows or None
        Counts the bad rows that are dropped; with None a bad row is an error.

    Raises
    ------
    VenueError
        If a field shared by the rows (time, coin) is missing or invalid, or none of the rows is
        good. Nothing of the message is kept then.
    """
    channel = message.get("channel")
    decoder = _DECODERS.get(channel) if isinstance(channel, str) else None
    if decoder is None:
        return []
    faults: list[str] = []
    try:
        decoded = decoder(message["data"], faults)
    except _FAULTS as error:
        raise VenueError(f"the venue sent a {channel!r} message {_describe(error)}") from error
    if faults and (bad_rows is None or not decoded):
        raise VenueError(f"the venue sent a {channel!r} message {faults[-1]}")
    if faults and bad_rows is not None:
        bad_rows.add(str(channel), faults[-1].removeprefix(_BAD_VALUE), len(faults))
    return decoded


def _describe(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"without field {error}"
    return f"{_BAD_VALUE}{error}"


def _decode_bbo(data: Mapping[str, Any], faults: list[str]) -> list[DecodedRows]:
    coin, time_ms = _coin(data), _time_ms(data["time"])
    bid, ask = (
        _NO_SIDE if level is None else _level(level, faults, *_NO_SIDE) for level in data["bbo"]
    )
    mid = (bid[0] + ask[0]) / 2.0
    if faults and math.isnan(bid[0]) and math.isnan(ask[0]):
        return []  # both sides are unknown or empty: must not be recorded as an empty book
    rows = [(*bid, "bid", time_ms), (*ask, "ask", time_ms)]
    return [DecodedRows(coin, "prices", time_ms, rows, None if math.isnan(mid) else mid)]


def _decode_trades(data: list[Mapping[str, Any]], faults: list[str]) -> list[DecodedRows]:
    by_coin: dict[str, list[tuple[Any, ...]]] = {}
    for position, trade in enumerate(data):
        try:
            if not isinstance(trade, Mapping):
                raise ValueError("it is no object")
            side = _SIDES.get(trade["side"])
            if side is None:
                raise ValueError(f"side {trade['side']!r} is neither 'A' nor 'B'")
            row = (
                _price(trade["px"]),
                _size(trade["sz"]),
                side,
                str(_whole(trade["tid"])),
                _time_ms(trade["time"]),
                _ascii(trade.get("hash") or ""),
                position,
            )
            by_coin.setdefault(_coin(trade), []).append(row)
        except _FAULTS as error:
            which = f"tid {trade.get('tid')!r}" if isinstance(trade, Mapping) else repr(trade)
            faults.append(f"{_describe(error)}, {which}")
    return _grouped(by_coin)


def _decode_context(data: Mapping[str, Any], faults: list[str]) -> list[DecodedRows]:
    """Decode a context as a whole: its figures belong together."""
    try:
        ctx = msgspec.convert(data["ctx"], messages.Context, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return [_of_context(_coin(data), ctx)]


def _decode_book(data: Mapping[str, Any], faults: list[str]) -> list[DecodedRows]:
    coin, time_ms = _coin(data), _time_ms(data["time"])
    bids, asks = (
        [_level(level, faults, *_EMPTY_LEVEL) for level in side[:BOOK_LEVELS]]
        for side in data["levels"]
    )
    if faults and len(faults) == len(bids) + len(asks):
        return []
    fast = bool(data["fast"]) if "fast" in data else max(len(bids), len(asks)) <= FAST_LEVELS
    levels: list[float] = []
    for level in range(BOOK_LEVELS):
        levels += bids[level] if level < len(bids) else _EMPTY_LEVEL
        levels += asks[level] if level < len(asks) else _EMPTY_LEVEL
    return [DecodedRows(coin, "orderbooks", time_ms, [(time_ms, *levels, fast)])]


def _level(
    level: Mapping[str, Any], faults: list[str], no_price: float, no_size: float
) -> tuple[float, float]:
    """Return price and size of a level, ``no_price`` and ``no_size`` if it is bad."""
    try:
        return _price(level["px"]), _size(level["sz"])
    except _FAULTS as error:
        faults.append(f"{_describe(error)}, in {level!r}")
        return no_price, no_size


_DECODERS: Final[Mapping[str, Callable[[Any, list[str]], list[DecodedRows]]]] = {
    "bbo": _decode_bbo,
    "trades": _decode_trades,
    "l2Book": _decode_book,
    "activeAssetCtx": _decode_context,
    "activeSpotAssetCtx": _decode_context,
}

DATA_CHANNELS: Final = frozenset(_DECODERS)
"""Channels that carry market data."""


def _coin(data: Mapping[str, Any]) -> str:
    coin = data["coin"]
    if not isinstance(coin, str):
        raise ValueError(f"coin {coin!r} is not a name")
    return coin


def _price(value: Any) -> float:
    price = float(value)
    if not 0.0 < price < math.inf:
        raise ValueError(f"price {value!r} is not positive")
    return price


def _size(value: Any) -> float:
    size = float(value)
    if not 0.0 <= size < math.inf:
        raise ValueError(f"size {value!r} is negative or not a number")
    return size


def _whole(value: Any) -> int:
    number = int(value)
    if not 0 <= number < 2**63:
        raise ValueError(f"{value!r} is not a non-negative 63-bit integer")
    return number


def _time_ms(value: Any) -> int:
    time_ms = _whole(value)
    if time_ms >= LATEST_MS:
        raise ValueError(f"time {value!r} is not in milliseconds")
    return time_ms


def _ascii(value: Any) -> str:
    text = str(value)
    if not text.isascii():
        raise ValueError(f"hash {text!r} is not hexadecimal")
    return text
