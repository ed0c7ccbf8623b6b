"""Candles without holes, whatever they come from.

A second in which nothing traded has a candle, too: flat at the last close, without volume. A second
that nobody observed has one as well, of NaN: what happened in it is unknown, which is not nothing.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.errors import InputError

__all__ = ["CANDLE_COLUMNS", "QUOTE_COLUMNS", "Candles", "without_holes"]

PRICES: Final = ("open", "high", "low", "close")
FLOWS: Final = ("volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")
CANDLE_COLUMNS: Final = (*PRICES, *FLOWS)
"""Columns of every source; those that a source lacks are NaN."""
QUOTE_COLUMNS: Final = ("bid", "ask", "spread")
"""Columns of recordings alone."""
_MOST_ROWS: Final = 50_000_000


@dataclass(frozen=True)
class Candles:
    """Candles of one market, one row a step.

    ``frame`` is indexed by the candles' starts (UTC, no holes, at least one row) and holds
    float64: `CANDLE_COLUMNS`, prices and quote volumes in the quote currency, volumes in base
    units, ``trades`` a number; recordings add `QUOTE_COLUMNS`: the touch at the candle's end and
    the mean spread over it, quote currency. A row without trades has all four prices at the last
    close; a row that was not observed is NaN.

    Attributes
    ----------
    step_seconds
        Length of a candle.
    name
        The market as a heading shows it, such as ``ETH (Hyperliquid recording)``.
    missing
        Rows that the source lacked and that were filled in as rows without trades.
    unknown
        Rows of NaN, because nobody observed them.
    tick
        Least price step, quote currency; None if the source does not say.
    notes
        What the user should know about the data, a sentence each.
    """

    frame: pd.DataFrame
    step_seconds: int
    name: str
    missing: int = 0
    unknown: int = 0
    tick: float | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check the frame: a caller that hands in another form has a bug.

        Raises
        ------
        ValueError
            If rows or columns are missing, or times are not a whole grid of UTC.
        """
        lacking = [name for name in CANDLE_COLUMNS if name not in self.frame]
        if lacking or not len(self.frame):
            raise ValueError(f"{self.name}: no rows, or columns missing: {lacking}")
        index = self.frame.index
        if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC":
            raise ValueError(f"{self.name}: the index must be a DatetimeIndex in UTC")
        steps = np.diff(index.as_unit("ms").asi8)
        if (steps != self.step_seconds * 1000).any():
            raise ValueError(f"{self.name}: the candles leave holes or overlap")


def without_holes(
    frame: pd.DataFrame, step_seconds: int, source: str
) -> tuple[pd.DataFrame, int, int]:
    """Fill the steps that a source lacks with rows without trades.

    Parameters
    ----------
    frame
        Rows in time order, indexed by the candles' starts in UTC, each a whole number of steps
        after the first, none twice; some of `CANDLE_COLUMNS`.
    step_seconds
        Length of a candle.
    source
        Where the rows come from, for the error.

    Returns
    -------
    tuple
        The frame of `Candles`, the number of rows filled in, and the length of the longest hole.

    Raises
    ------
    InputError
        If there are no rows, or so few over so long a time that the result would not fit into
        memory.
    """
    if frame.empty:
        raise InputError(f"{source} has no candles.")
    times = pd.DatetimeIndex(frame.index).as_unit("ms").asi8
    place = (times - times[0]) // (step_seconds * 1000)
    count = int(place[-1]) + 1
    if count > _MOST_ROWS:
        raise InputError(
            f"{source}: {len(frame)} candles of {step_seconds} s reach over {count} steps; is the "
            "unit of its times right, and the timeframe?"
        )
    grid = times[0] + step_seconds * 1000 * np.arange(count)
    index = pd.DatetimeIndex(pd.to_datetime(grid, unit="ms", utc=True), name="time")
    was = np.zeros(count, bool)
    was[place] = True
    filled: dict[str, np.ndarray] = {}
    last = np.maximum.accumulate(np.where(was, np.arange(count), 0))
    for name in CANDLE_COLUMNS:
        values = np.full(count, np.nan)
        if name in frame:
            values[place] = frame[name].to_numpy(float)
        filled[name] = values
    close = filled["close"][last]
    for name in PRICES:
        filled[name][~was] = close[~was]
    for name in FLOWS:
        if name in frame:
            filled[name][~was] = 0.0
    holes = np.diff(np.flatnonzero(was)) - 1
    return pd.DataFrame(filled, index=index), int(count - was.sum()), int(holes.max(initial=0))
