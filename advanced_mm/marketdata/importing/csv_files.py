"""CSV recordings of the earlier public collectors: ``prices_ETH.csv``, ``trades_ETH.csv``,
``orderbooks_ETH.csv``, one row an event, appended for as long as the collector ran.

Their columns are those of our shards; ``symbol`` and ``exchange_timestamp`` may be missing or
empty.
"""

import csv
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advanced_mm.errors import InputError
from advanced_mm.instruments import is_coin_name
from advanced_mm.marketdata.importing.rows import Row, RowError, finite, milliseconds, positive
from advanced_mm.marketdata.schemas import BOOK_LEVELS

__all__ = ["CsvColumns", "csv_name"]

_NAME: Final = re.compile(r"(?:prices|trades|orderbooks?)_(?P<coin>.+?)\.csv(?:\.\w+)?")
_LEVEL: Final = re.compile(r"(?:bid|ask)_(?:price|size)_(\d+)")
_LATEST_S: Final = 10**11
_SIDES: Final[Mapping[str, tuple[str, str]]] = {"prices": ("bid", "ask"), "trades": ("buy", "sell")}
_COLUMNS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "prices": (frozenset({"timestamp", "price", "size", "side"}), frozenset()),
    "trades": (
        frozenset({"timestamp", "price", "size", "side", "trade_id"}),
        frozenset({"hash", "snapshot"}),
    ),
    "orderbooks": (
        frozenset({"timestamp", "bid_price_0", "bid_size_0", "ask_price_0", "ask_size_0"}),
        frozenset({"sequence", "fast"}),
    ),
}
"""By kind, the columns a file must have and those it may have."""
_ANY: Final = frozenset({"symbol", "exchange_timestamp"})


def csv_name(name: str) -> str | None:
    """Return the coin in a recording's file name, empty if it names none; None for other files."""
    if not re.search(r"\.csv(?:\.\w+)?$", name):
        return None
    found = _NAME.fullmatch(name)
    return found["coin"] if found and is_coin_name(found["coin"]) else ""


@dataclass(frozen=True)
class CsvColumns:
    """What the first line of a file says: its kind and where each column is.

    Attributes
    ----------
    where : str
        The file, for messages.
    kind : str
        ``prices``, ``trades`` or ``orderbooks``.
    names : tuple of str
        The columns in order.
    """

    where: str
    kind: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, where: str, line: bytes) -> "CsvColumns":
        """Read the first line.

        Raises
        ------
        InputError
            It is not the header of a known recording; the message names the column.
        """
        names = tuple(name.strip() for name in _fields(where, 1, line))
        kind = _kind_of(names)
        if kind is None:
            raise InputError(
                f"{where} line 1: columns {', '.join(names[:8])} are those of no known recording; "
                "prices need timestamp, price, size, side; trades also trade_id; order books "
                "bid_price_0 and so on."
            )
        needed, allowed = _COLUMNS[kind]
        for name in sorted(needed - set(names)):
            raise InputError(f"{where} line 1: column {name!r} is missing, which {kind} need.")
        for number, name in enumerate(names, 1):
            level = _LEVEL.fullmatch(name) if kind == "orderbooks" else None
            if name not in needed | allowed | _ANY and level is None:
                raise InputError(
                    f"{where} line 1: column {number}, {name!r}, is not known in a recording of "
                    f"{kind}; remove it from the file if it is of no use."
                )
        return cls(where, kind, names)

    def row(self, number: int, line: bytes) -> tuple[Row, str]:
        """Return a line's row and its symbol, empty if the file has none.

        Raises
        ------
        InputError
            A value cannot be used; the message names file, line and column.
        """
        fields = _fields(self.where, number, line)
        if len(fields) != len(self.names):
            raise InputError(
                f"{self.where} line {number}: {len(fields)} values for {len(self.names)} columns; "
                "remove the line if its writer was interrupted."
            )
        values = dict(zip(self.names, fields, strict=True))
        try:
            return _READ[self.kind](values) | _times(values), values.get("symbol", "")
        except RowError as error:
            raise InputError(f"{self.where} line {number}: column {error}.") from None


def _fields(where: str, number: int, line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8-sig" if number == 1 else "utf-8")]))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise InputError(f"{where} line {number} is no line of a CSV file ({error}).") from None


def _kind_of(names: tuple[str, ...]) -> str | None:
    if "bid_price_0" in names:
        return "orderbooks"
    if "trade_id" in names:
        return "trades"
    return "prices" if {"price", "side"} <= set(names) else None


def _times(values: Mapping[str, str]) -> Row:
    local_s = finite("timestamp", values["timestamp"])
    if not 0.0 < local_s < _LATEST_S:
        raise RowError(f"timestamp is {values['timestamp']!r}, must be in seconds since 1970")
    exchange = values.get("exchange_timestamp", "").strip().removesuffix(".0")
    time_ms = milliseconds("exchange_timestamp", exchange) if exchange else round(local_s * 1000)
    return {"timestamp": local_s, "exchange_timestamp": time_ms}


def _price(values: Mapping[str, str]) -> Row:
    price = values["price"].strip()
    if price.lower() in {"", "nan"}:  # an empty side of the book
        return {"price": math.nan, "size": 0.0, "side": _side("prices", values)}
    return {
        "price": positive("price", price),
        "size": finite("size", values["size"] or "0"),
        "side": _side("prices", values),
    }


def _trade(values: Mapping[str, str]) -> Row:
    trade_id = values["trade_id"].strip().removesuffix(".0")
    if not trade_id.isdecimal() or int(trade_id) >= 2**63:
        raise RowError(f"trade_id is {values['trade_id']!r}, must be a whole number")
    return {
        "price": positive("price", values["price"]),
        "size": finite("size", values["size"]),
        "side": _side("trades", values),
        "trade_id": trade_id,
        "hash": values.get("hash", ""),
        "snapshot": values.get("snapshot", "").lower() in {"1", "true"},
        "position": 0,
        "backfilled": False,
    }


def _book(values: Mapping[str, str]) -> Row:
    row: Row = {
        "sequence": _sequence(values.get("sequence", "")),
        "fast": values.get("fast", "").lower() in {"1", "true"},
    }
    for level in range(BOOK_LEVELS):
        for name in ("bid_price", "bid_size", "ask_price", "ask_size"):
            column = f"{name}_{level}"
            text = values.get(column, "").strip()
            row[column] = math.nan if text.lower() in {"", "nan"} else finite(column, text)
    return row


def _sequence(text: str) -> int:
    """Return a book's sequence number, 0 if there is none."""
    text = text.strip().removesuffix(".0")
    if text and not text.isdecimal():
        raise RowError(f"sequence is {text!r}, must be a whole number")
    return int(text) if text and int(text) < 2**63 else 0


def _side(kind: str, values: Mapping[str, str]) -> str:
    side = values["side"].strip().lower()
    if side not in _SIDES[kind]:
        raise RowError(f"side is {values['side']!r}, must be {' or '.join(_SIDES[kind])}")
    return side


_READ: Final[Mapping[str, Callable[[Mapping[str, Any]], Row]]] = {
    "prices": _price,
    "trades": _trade,
    "orderbooks": _book,
}
