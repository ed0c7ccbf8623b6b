"""Decoding of the venue's websocket messages into rows of the shards.

Numbers arrive as strings. Channels: ``bbo`` {coin, time, bbo: [bid|null, ask|null]}, ``trades``
[{coin, side "A"|"B", px, sz, hash, time, tid}], ``l2Book`` {coin, time, levels: [bids, asks]}.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advanced_mm.errors import VenueError
from advanced_mm.marketdata.schemas import BOOK_LEVELS

__all__ = ["DATA_CHANNELS", "DecodedRows", "decode"]

FAST_LEVELS: Final = 5
"""Levels a side of the fast l2Book stream, by which it is told where the message does not say."""

_SIDES: Final = {"A": "sell", "B": "buy"}
_EMPTY_LEVEL: Final = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """What one message adds to one coin's shards.

    Attributes
    ----------
    coin, kind : str
        Where the rows belong.
    time_ms : int
        Exchange time of the newest row.
    rows : list of tuple
        The venue's part of the row: exchange_timestamp, levels, fast (``orderbooks``); price,
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


def decode(message: Mapping[str, Any]) -> list[DecodedRows]:
    """Decode one message; other channels than `DATA_CHANNELS` give no rows.

    Raises
    ------
    VenueError
        If a field is absent or has a value it cannot have. No part of the message is kept then.
    """
    channel = message.get("channel")
    decoder = _DECODERS.get(channel) if isinstance(channel, str) else None
    if decoder is None:
        return []
    try:
        return decoder(message["data"])
    except KeyError as error:
        raise VenueError(f"the venue sent a {channel!r} message without field {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise VenueError(
            f"the venue sent a {channel!r} message with a bad value: {error}"
        ) from error


def _decode_bbo(data: Mapping[str, Any]) -> list[DecodedRows]:
    time_ms = _whole(data["time"])
    bid, ask = (
        (math.nan, 0.0) if level is None else (_price(level["px"]), _size(level["sz"]))
        for level in data["bbo"]
    )
    rows = [(*bid, "bid", time_ms), (*ask, "ask", time_ms)]
    mid = (bid[0] + ask[0]) / 2.0
    return [DecodedRows(_coin(data), "prices", time_ms, rows, None if math.isnan(mid) else mid)]


def _decode_trades(data: list[Mapping[str, Any]]) -> list[DecodedRows]:
    by_coin: dict[str, list[tuple[Any, ...]]] = {}
    for trade in data:
        side = _SIDES.get(trade["side"])
        if side is None:
            raise ValueError(f"side {trade['side']!r} is neither 'A' nor 'B'")
        row = (
            _price(trade["px"]),
            _size(trade["sz"]),
            side,
            str(_whole(trade["tid"])),
            _whole(trade["time"]),
            _ascii(trade.get("hash") or ""),
        )
        by_coin.setdefault(_coin(trade), []).append(row)
    return [
        DecodedRows(coin, "trades", max(row[4] for row in rows), rows)
        for coin, rows in by_coin.items()
    ]


def _decode_book(data: Mapping[str, Any]) -> list[DecodedRows]:
    time_ms = _whole(data["time"])
    bids, asks = (
        [(_price(level["px"]), _size(level["sz"])) for level in side[:BOOK_LEVELS]]
        for side in data["levels"]
    )
    fast = bool(data["fast"]) if "fast" in data else max(len(bids), len(asks)) <= FAST_LEVELS
    levels: list[float] = []
    for level in range(BOOK_LEVELS):
        levels += bids[level] if level < len(bids) else _EMPTY_LEVEL
        levels += asks[level] if level < len(asks) else _EMPTY_LEVEL
    return [DecodedRows(_coin(data), "orderbooks", time_ms, [(time_ms, *levels, fast)])]


_DECODERS: Final[Mapping[str, Callable[[Any], list[DecodedRows]]]] = {
    "bbo": _decode_bbo,
    "trades": _decode_trades,
    "l2Book": _decode_book,
}

DATA_CHANNELS: Final = frozenset(_DECODERS)
"""Channels whose messages carry market data."""


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
        raise ValueError(f"{value!r} is not a time or number of 63 bits")
    return number


def _ascii(value: Any) -> str:
    text = str(value)
    if not text.isascii():
        raise ValueError(f"hash {text!r} is not hexadecimal")
    return text
