"""Decoding of the venue's websocket messages into shard rows.

Numbers arrive as strings. Channels: ``bbo`` {coin, time, bbo: [bid|null, ask|null]}, ``trades``
[{coin, side "A"|"B", px, sz, hash, time, tid}], ``l2Book`` {coin, time, levels: [bids, asks]}.

Each print, each book level and each side of the touch is checked on its own. A bad print is
dropped; a bad level or side keeps its place without a price, which marks it as unknown.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advanced_mm.bad_rows import BadRows
from advanced_mm.errors import VenueError
from advanced_mm.marketdata.schemas import BOOK_LEVELS

__all__ = ["DATA_CHANNELS", "DecodedRows", "decode"]

FAST_LEVELS: Final = 5
"""Levels per side of the fast l2Book stream, which identify it if the message has no flag."""

_SIDES: Final = {"A": "sell", "B": "buy"}
_EMPTY_LEVEL: Final = (math.nan, math.nan)
_NO_SIDE: Final = (math.nan, 0.0)
_FAULTS: Final = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
_BAD_VALUE: Final = "with a bad value: "
_LATEST_MS: Final = 10**14
"""Later times (beyond the year 5138) are not in milliseconds."""


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """Rows that one message adds to one coin's shards.

    Attributes
    ----------
    coin, kind : str
        Coin and kind of the rows.
    time_ms : int
        Exchange time of the newest row.
    rows : list of tuple
        The venue's columns of each row: exchange_timestamp, levels, fast (``orderbooks``); price,
        size, side, exchange_timestamp (``prices``); price, size, side, trade_id,
        exchange_timestamp, hash (``trades``).
    mid : float or None
        Mid price of a two-sided ``bbo``, quote currency.
    """

    coin: str
    kind: str
    time_ms: int
    rows: list[tuple[Any, ...]]
    mid: float | None = None


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
    for trade in data:
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
            )
            by_coin.setdefault(_coin(trade), []).append(row)
        except _FAULTS as error:
            which = f"tid {trade.get('tid')!r}" if isinstance(trade, Mapping) else repr(trade)
            faults.append(f"{_describe(error)}, {which}")
    return [
        DecodedRows(coin, "trades", max(row[4] for row in rows), rows)
        for coin, rows in by_coin.items()
    ]


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
    if time_ms >= _LATEST_MS:
        raise ValueError(f"time {value!r} is not in milliseconds")
    return time_ms


def _ascii(value: Any) -> str:
    text = str(value)
    if not text.isascii():
        raise ValueError(f"hash {text!r} is not hexadecimal")
    return text
