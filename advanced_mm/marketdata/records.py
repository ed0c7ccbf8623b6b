"""Market data of the exchange as arrays.

Prices are in the quote currency, sizes in the base currency, times in milliseconds since the epoch
on the exchange's clock; ``local_s`` is the local receive time in seconds since the epoch.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from advanced_mm.bad_rows import BadRow

__all__ = ["Float1D", "Int1D", "Quotes", "Recording", "Silence", "Trades"]

Float1D = NDArray[np.float64]
Int1D = NDArray[np.int64]


@dataclass(frozen=True)
class Quotes:
    """Best bid and offer after each change, sorted stably by exchange time.

    All arrays have shape (n,). An empty side has price NaN and size 0.
    """

    time_ms: Int1D
    bid: Float1D
    bid_size: Float1D
    ask: Float1D
    ask_size: Float1D
    local_s: Float1D

    def __len__(self) -> int:
        return len(self.time_ms)

    def rows(self, chosen: slice | Int1D) -> "Quotes":
        """Return the chosen quotes, as views if ``chosen`` is a slice."""
        return Quotes(*(column[chosen] for column in vars(self).values()))


@dataclass(frozen=True)
class Trades:
    """Single prints, sorted stably by exchange time, one row per ``trade_id``.

    All arrays have shape (n,). ``side`` is the aggressor's: +1 buy, -1 sell. ``transaction`` is a
    64-bit code of the transaction hash, equal for prints of the same market order, 0 if the
    recording has no hash.
    """

    time_ms: Int1D
    price: Float1D
    size: Float1D
    side: Int1D
    trade_id: Int1D
    transaction: Int1D
    local_s: Float1D

    def __len__(self) -> int:
        return len(self.time_ms)

    def rows(self, chosen: slice | Int1D) -> "Trades":
        """Return the chosen prints, as views if ``chosen`` is a slice."""
        return Trades(*(column[chosen] for column in vars(self).values()))


@dataclass(frozen=True)
class Silence:
    """A period, logged by the recorder, in which one channel was silent while others were active.

    ``channel`` is ``bbo``, ``trades`` or ``l2Book``; ``start_ms`` is the exchange time of its last
    message before the silence, ``end_ms`` that of the first one after it, None if the recorder
    received none.
    """

    channel: str
    start_ms: int
    end_ms: int | None


@dataclass(frozen=True)
class Recording:
    """A coin's records over a period of time.

    ``book_time_ms`` holds the exchange times of the L2 snapshots (the heartbeat), sorted; ``tick``
    is the price step in quote currency, from the shards' metadata or, if they have none, the
    greatest common step of the prices; ``skipped_files`` lists shards that could not be read;
    ``bad_rows`` counts the rows dropped from the others; ``silences`` lists the silent channels
    logged by the recorder, none in recordings made by other tools.
    """

    coin: str
    quotes: Quotes
    trades: Trades
    book_time_ms: Int1D
    tick: float
    skipped_files: tuple[str, ...] = field(default=())
    bad_rows: tuple[BadRow, ...] = field(default=())
    silences: tuple[Silence, ...] = field(default=())

    @property
    def newest_ms(self) -> int | None:
        """Exchange time (ms) of the newest row of any kind, None if there are no rows."""
        newest = [
            int(t[-1])
            for t in (self.quotes.time_ms, self.trades.time_ms, self.book_time_ms)
            if len(t)
        ]
        return max(newest, default=None)
