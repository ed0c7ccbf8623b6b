"""Hyperliquid's public archive: where its files lie and what a line of them says.

=================================== ================== ============================================
files                               from               a line
=================================== ================== ============================================
``market_data/D/H/l2Book/COIN.lz4`` April 2023         ``{"time", "ver_num", "raw": {"channel":
                                                       "l2Book", "data": {coin, time, levels}}}``
``node_trades/hourly/D/H.lz4``      2025-03-22 10:00   ``{coin, side, time, px, sz, hash,
                                                       side_info: [buyer, seller]}``
``node_fills/hourly/D/H.lz4``       2025-05-25 14:00   ``[address, fill]``
``node_fills_by_block/hourly/D/H``  2025-07-27 08:00   ``{block_number, events: [[address, fill],
                                                       ...]}``
=================================== ================== ============================================

``D`` is the day as ``20251210``, ``H`` the hour of the UTC day without a leading zero. Each trade
is two fills of one ``tid``; that of the aggressor has ``crossed``.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from advanced_mm.bad_rows import BadRows
from advanced_mm.marketdata.importing.rows import (
    Row,
    Rows,
    aggressor,
    book_row,
    finite,
    iso_ms,
    milliseconds,
    positive,
    quote_rows,
    trade_row,
    whole,
)

__all__ = ["BOOKS", "FILLS", "HOUR_MS", "ArchiveFile", "BookLines", "TradeLines", "book_file",
           "fill_files", "hours_between"]  # fmt: skip

BOOKS: Final = "s3://hyperliquid-archive/market_data"
FILLS: Final = "s3://hl-mainnet-node-data"
HOUR_MS: Final = 3_600_000

_FAULTS: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError)


def _hour(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


_TRADES_FROM: Final = _hour("2025-03-22T10:00")
_FILLS_FROM: Final = _hour("2025-05-25T14:00")
_BLOCKS_FROM: Final = _hour("2025-07-27T08:00")


@dataclass(frozen=True)
class ArchiveFile:
    """One hour's file: its name below the archive's folder and the hour's start (ms)."""

    name: str
    hour_ms: int


def hours_between(start_ms: int, end_ms: int) -> list[int]:
    """Return the starts (ms) of the UTC hours that overlap a time."""
    return list(range(start_ms // HOUR_MS * HOUR_MS, end_ms, HOUR_MS))


def book_file(coin: str, hour_ms: int) -> ArchiveFile:
    """Return a coin's L2 snapshots of an hour, below `BOOKS`."""
    day, hour = _named(hour_ms)
    return ArchiveFile(f"{day}/{hour}/l2Book/{coin}.lz4", hour_ms)


def fill_files(hour_ms: int) -> list[ArchiveFile]:
    """Return the files with all trades of an hour, below `FILLS`; none before March 2025.

    The hour in which one layout replaced another is split between both.
    """
    day, hour = _named(hour_ms)
    folders = []
    if _TRADES_FROM <= hour_ms <= _FILLS_FROM:
        folders.append("node_trades")
    if _FILLS_FROM <= hour_ms <= _BLOCKS_FROM:
        folders.append("node_fills")
    if hour_ms >= _BLOCKS_FROM:
        folders.append("node_fills_by_block")
    return [ArchiveFile(f"{name}/hourly/{day}/{hour}.lz4", hour_ms) for name in folders]


def _named(hour_ms: int) -> tuple[str, int]:
    moment = datetime.fromtimestamp(hour_ms / 1000, UTC)
    return f"{moment:%Y%m%d}", moment.hour


class _Lines:
    """Collects the rows of one file; a bad line or row is counted and skipped."""

    kind = ""

    def __init__(self, coins: Iterable[str], bad_rows: BadRows, where: str) -> None:
        self._coins = frozenset(coins)
        self._bad_rows = bad_rows
        self._where = where

    def take(self, number: int, line: bytes) -> None:
        """Read one line of the file."""
        try:
            self._read(number, json.loads(line))
        except _FAULTS as error:
            self._bad(number, error)

    def finish(self) -> Rows:
        """Return the rows of the whole file."""
        raise NotImplementedError

    def _read(self, number: int, entry: Any) -> None:
        raise NotImplementedError

    def _bad(self, number: int, error: Exception) -> None:
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        self._bad_rows.add(self.kind, f"{self._where} line {number}: {reason}")


class BookLines(_Lines):
    """L2 snapshots; the best bid and offer of each becomes a quote."""

    kind = "orderbooks"

    def __init__(self, coins: Iterable[str], bad_rows: BadRows, where: str) -> None:
        super().__init__(coins, bad_rows, where)
        self._rows: Rows = {}

    def finish(self) -> Rows:
        """Return the snapshots and the quotes derived from them."""
        return self._rows

    def _read(self, number: int, entry: Mapping[str, Any]) -> None:
        data = entry["raw"]["data"]
        coin = data["coin"]
        if coin not in self._coins:
            return
        time_ms = milliseconds("time", data["time"])
        bids, asks = data["levels"]
        book = book_row(time_ms, number, (_levels(bids), _levels(asks)))
        self._rows.setdefault((coin, "orderbooks"), []).append(book)
        # Also where the top is unchanged: else readers would take the pause for a silent channel.
        self._rows.setdefault((coin, "prices"), []).extend(quote_rows(book))


def _levels(side: Iterable[Mapping[str, Any]]) -> list[tuple[float, float]]:
    return [(positive("px", level["px"]), finite("sz", level["sz"])) for level in side]


class TradeLines(_Lines):
    """Trades, in any of the archive's three layouts."""

    kind = "trades"

    def __init__(self, coins: Iterable[str], bad_rows: BadRows, where: str) -> None:
        super().__init__(coins, bad_rows, where)
        self._found: dict[tuple[str, int], list[Row]] = {}

    def take(self, number: int, line: bytes) -> None:
        """Read one line, unless none of the coins is in it: most of a file is about others."""
        if any(f'"{coin}"'.encode() in line for coin in self._coins):
            super().take(number, line)

    def finish(self) -> Rows:
        """Return one row a trade; trades without one clear aggressor are counted as bad."""
        rows: Rows = {}
        for (coin, trade_id), found in self._found.items():
            if len(found) == 1:
                rows.setdefault((coin, "trades"), []).append(found[0])
            else:
                self._bad_rows.add(
                    self.kind, f"{self._where}: {coin} tid {trade_id} has {len(found)} aggressors"
                )
        return rows

    def _read(self, number: int, entry: Any) -> None:
        if isinstance(entry, Mapping) and "events" in entry:
            fills = entry["events"]
        elif isinstance(entry, Mapping):
            self._trade(entry)
            return
        else:
            fills = [entry]
        for position, fill in enumerate(fills):
            try:
                self._fill(fill[1], position)
            except _FAULTS as error:
                self._bad(number, error)

    def _fill(self, fill: Mapping[str, Any], position: int) -> None:
        coin = fill["coin"]
        if coin not in self._coins or not fill["crossed"]:
            return
        trade_id = whole("tid", fill["tid"])
        row = trade_row(
            milliseconds("time", fill["time"]),
            positive("px", fill["px"]),
            finite("sz", fill["sz"]),
            aggressor("side", fill["side"]),
            trade_id,
            str(fill.get("hash") or ""),
            position,
        )
        self._found.setdefault((coin, trade_id), []).append(row)

    def _trade(self, trade: Mapping[str, Any]) -> None:
        """Read a trade of the layout without ``tid``: its id is a code of its two orders.

        A node's own files of 2024 list each trade once for either side; then the younger order is
        taken as the aggressor's.
        """
        coin = trade["coin"]
        if coin not in self._coins:
            return
        buyer, seller = (whole("oid", side["oid"]) for side in trade["side_info"])
        price, size = positive("px", trade["px"]), finite("sz", trade["sz"])
        named = f"{trade['hash']} {buyer} {seller} {trade['time']} {trade['px']} {trade['sz']}"
        digest = hashlib.blake2b(named.encode(), digest_size=8).digest()
        trade_id = int.from_bytes(digest, "big") >> 1
        side = aggressor("side", trade["side"])
        row = trade_row(
            iso_ms("time", trade["time"]), price, size, side, trade_id, str(trade["hash"])
        )
        before = self._found.setdefault((coin, trade_id), [row])
        if before[0]["side"] != side:
            before[0]["side"] = "buy" if buyer > seller else "sell"
