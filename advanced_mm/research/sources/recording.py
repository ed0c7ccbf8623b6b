"""One-second candles of our own recordings, with the touch and the true spread.

Every print counts once, in the second of its exchange time. A second is known only if it was
observed from end to end: a hole of the recording is no quiet market, so its seconds are NaN.
Nothing is carried across a hole, neither a price nor a quote.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.calibration.windows import Stretches, Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.research.candles import CANDLE_COLUMNS, QUOTE_COLUMNS, Candles

__all__ = ["recorded_candles", "seconds_of"]

Track = Callable[[Sequence[int], str], Iterable[int]]
"""Shows progress over steps that have a title."""

_CHUNK_S: Final = 3 * 3600
"""Read at a time, so that a month needs no more memory than a few hours of rows."""
_BEFORE_MS: Final = 600_000
"""Read before a chunk: the quote and the price at its start may be this old."""
_AFTER_MS: Final = 20_000
"""Read after a chunk, so that its end is not taken for the end of the data."""
_NAMES: Final = (*CANDLE_COLUMNS, *QUOTE_COLUMNS)


def recorded_candles(
    store: ShardStore,
    coin: str,
    days: float | None = None,
    track: Track = lambda steps, _: steps,
) -> Candles:
    """Return a coin's recording as one-second candles.

    Parameters
    ----------
    store, coin
        Where it lies; ``coin`` as `ShardStore.resolve` understands it.
    days
        Only the newest so many days; None takes the whole recording.
    track
        Shows progress over the hours.

    Raises
    ------
    InputError
        The coin is not recorded, or no second of its recording was observed from end to end.
    """
    coin = store.resolve(coin)
    newest, oldest = store.newest_ms(coin), store.oldest_ms(coin)
    if newest is None or oldest is None:
        raise InputError(
            f"{coin}: the recording in {str(store.data_dir)!r} has no rows; record first with "
            "scripts/hyperliquid_data_collector.py."
        )
    end = newest // 1000 + 1
    start = oldest // 1000
    if days is not None:
        start = max(start, end - round(days * 86_400))
    columns = {name: np.full(end - start, np.nan) for name in _NAMES}
    tick: float | None = None
    left_out, skipped = 0, set[str]()
    for at in track(range(start, end, _CHUNK_S), f"candles of {coin}"):
        until = min(at + _CHUNK_S, end)
        recording = store.read(coin, at * 1000 - _BEFORE_MS, until * 1000 + _AFTER_MS)
        skipped |= set(recording.skipped_files)
        if not len(recording.quotes) or not recording.tick > 0:
            continue  # nobody listened here
        gaps = store.gaps(coin, at * 1000, until * 1000)
        holes = np.array([(gap.start_ms, gap.end_ms) for gap in gaps], np.int64).reshape(-1, 2)
        part, unused = seconds_of(recording, at, until - at, holes)
        left_out += unused
        tick = recording.tick if tick is None else min(tick, recording.tick)
        for name, values in part.items():
            columns[name][at - start : until - start] = values
    known = np.isfinite(columns["volume"])
    if not known.any():
        raise InputError(
            f"{coin}: no second of the recording in {str(store.data_dir)!r} was observed from end "
            "to end; scripts/hyperliquid_data_collector.py --check shows its holes."
        )
    _carry(columns, known)
    inside = slice(int(np.argmax(known)), len(known) - int(np.argmax(known[::-1])))
    known = known[inside]
    time = pd.to_datetime(np.arange(start, end)[inside], unit="s", utc=True)
    frame = pd.DataFrame(
        {name: values[inside] for name, values in columns.items()},
        index=pd.DatetimeIndex(time, name="time").as_unit("ms"),
    )
    unknown = int(len(known) - known.sum())
    return Candles(
        frame,
        1,
        f"{coin} (Hyperliquid recording)",
        missing=0,
        unknown=unknown,
        tick=tick,
        notes=_notes(len(known), unknown, left_out, len(skipped)),
    )


def seconds_of(
    recording: Recording, first_s: int, count: int, holes_ms: Int1D | None = None
) -> tuple[dict[str, Float1D], int]:
    """Return the columns of ``count`` seconds, and how many of their prints no second holds.

    Parameters
    ----------
    recording
        Rows from some time before the first second to some time after the last.
    first_s
        The first second, since the epoch.
    holes_ms
        Periods in which rows may be missing, exchange ms, shape (k, 2).

    Returns
    -------
    columns
        `CANDLE_COLUMNS` and `QUOTE_COLUMNS`, shape (count,), NaN where not observed. Prices of
        seconds without prints are the last print's of the same stretch, NaN if there is none.
    left_out
        Prints in seconds that were not observed from end to end.
    """
    stretches = Window.of(recording).stretches
    if holes_ms is not None and len(holes_ms):
        stretches = stretches.without(holes_ms[:, 0], holes_ms[:, 1])
    numbers, stretch = stretches.bins_inside(1000)
    mine = (numbers >= first_s) & (numbers < first_s + count)
    numbers, stretch = numbers[mine], stretch[mine]
    columns = {name: np.full(count, np.nan) for name in _NAMES}
    found = _prints(recording.trades, stretches, numbers, stretch)
    found |= _touch(recording.quotes, stretches, numbers)
    for name, values in found.items():
        columns[name][numbers - first_s] = values
    times = recording.trades.time_ms
    low, high = np.searchsorted(times, [first_s * 1000, (first_s + count) * 1000])
    return columns, int(high - low - found["trades"].sum())


def _prints(
    trades: Trades, stretches: Stretches, numbers: Int1D, stretch: Int1D
) -> dict[str, Float1D]:
    """Return prices and flows of the seconds ``numbers``, each in its ``stretch``."""
    time, price, size = trades.time_ms, trades.price, trades.size
    begin, end = np.searchsorted(time, np.stack((numbers * 1000, (numbers + 1) * 1000)))
    traded = end > begin
    last = end - 1  # the newest print before the second's end, -1 without any
    if len(time):
        seen = (last >= 0) & (stretches.index(time)[np.maximum(last, 0)] == stretch)
        close = np.where(seen, price[np.maximum(last, 0)], np.nan)
    else:
        close = np.full(len(numbers), np.nan)
    opened, high, low = close.copy(), close.copy(), close.copy()
    if traded.any():
        ranges = np.stack((begin[traded], end[traded]), axis=1).ravel()
        pad = np.append(price, price[-1])  # a range may end at the last print
        opened[traded] = price[begin[traded]]
        close[traded] = price[last[traded]]
        high[traded] = np.maximum.reduceat(pad, ranges)[::2]
        low[traded] = np.minimum.reduceat(pad, ranges)[::2]
    buys = size * (trades.side > 0)

    def total(values: Float1D) -> Float1D:
        found = np.zeros(len(numbers))
        if traded.any():
            found[traded] = np.add.reduceat(np.append(values, 0.0), ranges)[::2]
        return found

    return {
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": total(size),
        "quote_volume": total(size * price),
        "trades": (end - begin).astype(float),
        "taker_buy_volume": total(buys),
        "taker_buy_quote_volume": total(buys * price),
    }


def _touch(quotes: Quotes, stretches: Stretches, numbers: Int1D) -> dict[str, Float1D]:
    """Return the touch at the end of each second and the spread's mean over its known time."""
    sound = (quotes.bid > 0) & (quotes.ask > quotes.bid)
    inside = stretches.index(quotes.time_ms) >= 0
    # At the start of a stretch no quote is known: a row of NaN ends what was before.
    places = np.searchsorted(quotes.time_ms[inside], stretches.start_ms, side="left")
    time = np.insert(quotes.time_ms[inside], places, stretches.start_ms)
    bid = np.insert(np.where(sound, quotes.bid, np.nan)[inside], places, np.nan)
    ask = np.insert(np.where(sound, quotes.ask, np.nan)[inside], places, np.nan)
    known = np.isfinite(bid).astype(float)
    spread = np.where(known > 0, ask - bid, 0.0)
    lasting = np.diff(time, append=time[-1:]).astype(float)

    def until(values: Float1D, at: Int1D) -> Float1D:
        """Integral of a step function up to each time, unit times ms."""
        whole = np.cumsum(values * lasting) - values * lasting
        k = np.searchsorted(time, at, side="right") - 1
        return np.asarray(whole[k] + values[k] * (at - time[k]))

    start, end = numbers * 1000, numbers * 1000 + 1000
    seconds = until(known, end) - until(known, start)
    area = until(spread, end) - until(spread, start)
    at_end = np.searchsorted(time, end, side="left") - 1
    mean = np.where(seconds > 0, area / np.where(seconds > 0, seconds, 1.0), np.nan)
    return {"bid": bid[at_end], "ask": ask[at_end], "spread": mean}


def _carry(columns: dict[str, Float1D], known: np.ndarray) -> None:
    """Carry the last close over the seconds without prints, as far as they were observed."""
    close = columns["close"]
    place = np.arange(len(close))
    last = np.maximum.accumulate(np.where(np.isfinite(close), place, -1))
    hole = np.maximum.accumulate(np.where(~known, place, -1))
    empty = known & ~np.isfinite(close) & (last > hole)
    for name in ("open", "high", "low", "close"):
        columns[name][empty] = close[last[empty]]


def _notes(rows: int, unknown: int, left_out: int, skipped: int) -> tuple[str, ...]:
    notes = []
    if unknown:
        notes.append(
            f"{unknown} of {rows} seconds lie in holes of the recording: they are unknown, "
            "not quiet, and count nowhere."
        )
    if left_out:
        notes.append(f"{left_out} trades in seconds that were observed only in part do not count.")
    if skipped:
        notes.append(f"{skipped} files of the recording could not be read.")
    return tuple(notes)
