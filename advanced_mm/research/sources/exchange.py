"""Candles of any exchange that ccxt knows, kept on disk as they come.

Binance's klines (and those of its sister exchanges) carry the number of trades, the quote volume
and what takers bought. ccxt's own form drops them; here they are kept. Other exchanges give prices
and volume alone.

A download goes part by part. A part that is over, an hour of one-second candles or a day of longer
ones, is written to the cache and never asked for again, so that an interrupted download goes on
where it stopped and the next day costs a day.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ccxt
import pandas as pd

from advanced_mm.errors import InputError, VenueError
from advanced_mm.instruments import nearest
from advanced_mm.research.candles import CANDLE_COLUMNS, Candles, without_holes

__all__ = ["CandleCache", "exchange_candles", "exchange_named"]

Track = Callable[[Sequence[int], str], Iterable[int]]
"""Shows progress over steps that have a title."""

_PAGE: Final = 1000
_SHORT_PAGE: Final = 300
"""Candles of a page that any exchange gives, whatever it was asked for."""
_TRIES: Final = 5
_FIRST_PAUSE_S: Final = 1.0
_LATE_MS: Final = 120_000
"""A part is kept once it ended so long ago: before, the exchange may still add candles."""
_HOUR_MS: Final = 3_600_000
_MONTH_S: Final = 28 * 86_400

# Where Binance puts them: time, open, high, low, close, volume, end, quote volume, trades,
# taker buy volume, taker buy quote volume. Of coin-margined contracts the volumes are numbers of
# contracts, and the base units stand in place of the quote currency.
_KLINE: Final = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10)
_INVERSE_KLINE: Final = (0, 1, 2, 3, 4, 7, None, 8, 10, None)


@dataclass(frozen=True)
class CandleCache:
    """Parts of downloads, ``<folder>/<exchange>/<pair>/<timeframe>/<start ms>.parquet``.

    A file holds `CANDLE_COLUMNS` and the candle's ``time`` (ms). One that cannot be read counts as
    absent.
    """

    folder: Path

    def read(self, key: Sequence[str], start_ms: int) -> pd.DataFrame | None:
        """Return the part that begins at ``start_ms``, None if it is not kept."""
        try:
            found = pd.read_parquet(self._path(key, start_ms))
        except (OSError, ValueError):  # absent, or cut short: it is asked for again
            return None
        return found if set(found) == {"time", *CANDLE_COLUMNS} else None

    def write(self, key: Sequence[str], start_ms: int, part: pd.DataFrame) -> None:
        """Keep a part.

        Raises
        ------
        InputError
            If the folder cannot be written to.
        """
        path = self._path(key, start_ms)
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.to_parquet(new, compression="zstd")
            new.replace(path)
        except OSError as error:
            raise InputError(
                f"candles cannot be kept in {str(path)!r}: {error.strerror}"
            ) from error

    def _path(self, key: Sequence[str], start_ms: int) -> Path:
        names = [name.replace("/", "-").replace(":", "_") for name in key]
        return self.folder.joinpath(*names, f"{start_ms}.parquet")


def exchange_named(name: str, options: dict[str, Any] | None = None) -> Any:
    """Return ccxt's client of an exchange, made to keep all columns of Binance's klines.

    Raises
    ------
    InputError
        If ccxt does not know the exchange or it publishes no candles.
    """
    name = name.lower()
    if name not in ccxt.exchanges:
        near = nearest(name, ccxt.exchanges)
        meant = f"did you mean {' or '.join(near)}?" if near else "ccxt's documentation lists them."
        raise InputError(f"--exchange is {name!r}, which ccxt does not know; {meant}")
    kind = getattr(ccxt, name)
    if issubclass(kind, ccxt.binance):
        kind = type(kind.__name__, (kind,), {"parse_ohlcv": _whole_kline})
    exchange = kind({"enableRateLimit": True, **(options or {})})
    if not exchange.has.get("fetchOHLCV"):
        raise InputError(f"--exchange {name} publishes no candles through ccxt.")
    return exchange


def exchange_candles(
    exchange: Any,
    pair: str,
    timeframe: str = "1s",
    days: float = 1.0,
    cache: CandleCache | None = None,
    track: Track = lambda steps, _: steps,
    now_ms: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Candles:
    """Return the newest ``days`` of a pair's finished candles.

    Parameters
    ----------
    exchange
        From `exchange_named`; its rate limit is respected.
    pair
        ccxt's symbol, such as ``POL/USDT`` or ``ETH/USDC:USDC``; a dash may stand for the slash.
    timeframe
        In ccxt's notation; a step of up to a week.
    cache
        Where parts are kept; None keeps nothing.
    track
        Shows progress over the parts.
    now_ms
        End of the period, ms; by default now.
    sleep
        Waits so many seconds before another try.

    Raises
    ------
    InputError
        The pair or the timeframe is unknown, or there are no such candles.
    VenueError
        The exchange cannot be reached, or gave up answering; what came is in the cache.
    """
    _load_markets(exchange, pair)
    market = _market(exchange, pair)
    step_ms = 1000 * _step_seconds(exchange, timeframe)
    now = now_ms if now_ms is not None else exchange.milliseconds()
    if days <= 0:
        raise InputError(f"--days is {days:g}, must be above 0.")
    end = now - now % step_ms
    start = end - max(round(days * 86_400_000) // step_ms, 1) * step_ms
    length = max(_HOUR_MS if step_ms < 60_000 else 24 * _HOUR_MS, _PAGE * step_ms)
    key = (exchange.id, market["symbol"], timeframe)
    starts = range(start - start % length, end, length)
    source = f"{market['symbol']} ({exchange.name})"
    parts = []
    for number, at in enumerate(track(starts, f"candles of {source}")):
        part = cache.read(key, at) if cache else None
        if part is None:
            fetch = _Fetch(exchange, market, timeframe, step_ms, sleep)
            part = fetch.part(at, min(at + length, end), f"{number} of {len(starts)} parts")
            if cache and len(part) and at + length <= now - _LATE_MS:
                cache.write(key, at, part)
        parts.append(part)
    rows = pd.concat([part for part in parts if len(part)] or parts[:1])
    rows = rows[(rows["time"] >= start) & (rows["time"] < end)]
    if not len(rows):
        raise InputError(
            f"{source} has no {timeframe} candles of the last {days:g} days; few exchanges keep "
            "candles for long: ask for fewer days or a longer timeframe."
        )
    index = pd.to_datetime(rows["time"].to_numpy(), unit="ms", utc=True)
    given = rows.drop(columns="time").set_index(index).dropna(axis="columns", how="all")
    frame, missing, longest = without_holes(given, step_ms // 1000, source)
    lacking = [name for name in CANDLE_COLUMNS if name not in given]
    return Candles(
        frame,
        step_ms // 1000,
        source,
        missing=missing,
        tick=_tick(exchange, market),
        notes=_notes(frame, start, timeframe, (missing, longest), lacking),
    )


@dataclass(frozen=True)
class _Fetch:
    """Asks for one market's candles."""

    exchange: Any
    market: dict[str, Any]
    timeframe: str
    step_ms: int
    sleep: Callable[[float], None]

    def part(self, start_ms: int, end_ms: int, done: str) -> pd.DataFrame:
        """Return the candles that start in ``[start_ms, end_ms)``, page by page."""
        rows: list[list[float | None]] = []
        since = start_ms
        while since < end_ms:
            page = self._page(since, min(_PAGE, (end_ms - since) // self.step_ms), done)
            new = [row for row in page if row[0] is not None and row[0] >= since]
            rows += [row for row in new if (row[0] or 0) < end_ms]
            # Some exchanges look no further than one page for a candle after ``since``.
            newest = int(new[-1][0] or 0) if new else since + (_SHORT_PAGE - 1) * self.step_ms
            since = newest + self.step_ms
        names = ["time", *CANDLE_COLUMNS]
        table = pd.DataFrame(
            [row + [None] * (len(names) - len(row)) for row in rows], columns=names
        )
        return table.astype({"time": "int64"} | dict.fromkeys(CANDLE_COLUMNS, "float64"))

    def _page(self, since: int, limit: int, done: str) -> list[list[float | None]]:
        pause = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                found = self.exchange.fetch_ohlcv(
                    self.market["symbol"], self.timeframe, since=since, limit=limit
                )
                return list(found)
            except ccxt.NetworkError as error:
                if not left:
                    raise VenueError(
                        f"{self.exchange.name} stopped answering after {done} of "
                        f"{self.market['symbol']} ({_words(error)}); what came is kept: run the "
                        "same command again to go on."
                    ) from error
            except ccxt.BaseError as error:
                raise InputError(
                    f"{self.exchange.name} refuses {self.timeframe} candles of "
                    f"{self.market['symbol']}: {_words(error)}"
                ) from error
            self.sleep(pause)
            pause *= 2
        raise AssertionError  # the last try returns or raises


def _whole_kline(self: Any, ohlcv: Any, market: Any = None) -> list[float | None]:
    """Return time (ms) and `CANDLE_COLUMNS` of a kline, in place of ccxt's six columns."""
    inverse = bool(market and market.get("inverse"))
    number = [
        None if place is None else self.safe_number(ohlcv, place)
        for place in (_INVERSE_KLINE if inverse else _KLINE)
    ]
    return [self.safe_integer(ohlcv, 0), *number[1:]]


def _load_markets(exchange: Any, pair: str) -> None:
    reload = False
    if exchange.id == "binance":  # three hosts list its markets: only the one that is needed
        types = ["linear", "inverse"] if ":" in pair else ["spot"]
        reload = exchange.options["fetchMarkets"]["types"] != types
        exchange.options["fetchMarkets"]["types"] = types
    try:
        exchange.load_markets(reload)
    except ccxt.NetworkError as error:
        raise VenueError(
            f"{exchange.name} cannot be reached ({_words(error)}); check the network, or read a "
            "recording or a file instead: --recording, --file."
        ) from error
    except ccxt.BaseError as error:
        raise VenueError(f"{exchange.name} does not list its markets: {_words(error)}") from error


def _market(exchange: Any, pair: str) -> dict[str, Any]:
    symbol = pair.upper()
    if symbol not in exchange.markets:
        symbol = symbol.replace("-", "/", 1)
    if symbol not in exchange.markets:
        near = nearest(symbol, exchange.markets)
        meant = f"; did you mean {' or '.join(near)}?" if near else "."
        raise InputError(f"--pair is {pair!r}, which {exchange.name} does not list{meant}")
    return dict(exchange.market(symbol))


def _step_seconds(exchange: Any, timeframe: str) -> int:
    offered = exchange.timeframes or {}
    step = exchange.parse_timeframe(timeframe) if timeframe in offered else None
    if step is None or step >= _MONTH_S:
        fitting = [name for name in offered if exchange.parse_timeframe(name) < _MONTH_S]
        raise InputError(
            f"--timeframe is {timeframe!r}, {exchange.name} offers: {', '.join(fitting)}"
        )
    return int(step)


def _tick(exchange: Any, market: dict[str, Any]) -> float | None:
    precision = market.get("precision", {}).get("price")
    if not precision:
        return None
    if exchange.precisionMode == ccxt.TICK_SIZE:
        return float(precision)
    return float(10.0**-precision) if exchange.precisionMode == ccxt.DECIMAL_PLACES else None


def _notes(
    frame: pd.DataFrame, start: int, timeframe: str, holes: tuple[int, int], lacking: list[str]
) -> tuple[str, ...]:
    notes = []
    missing, longest = holes
    if missing:
        notes.append(
            f"{missing} of {len(frame)} candles were missing and stand as rows without trades "
            f"(the longest run: {longest})."
        )
    first = frame.index[0]
    if int(first.timestamp() * 1000) > start:
        notes.append(f"The exchange gave no {timeframe} candles before {first:%Y-%m-%d %H:%M} UTC.")
    if lacking:
        words = ", ".join(name.replace("_", " ") for name in lacking)
        notes.append(f"The exchange's candles do not tell: {words}.")
    return tuple(notes)


def _words(error: Exception) -> str:
    """Return the first line of ccxt's message, without the text of a whole page."""
    text = str(error).splitlines()
    return text[0][:200] if text and text[0] else type(error).__name__
