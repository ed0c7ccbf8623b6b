"""What was traded, as arrays, from a journal or Freqtrade's database.

Times are epoch milliseconds, prices and money in the quote currency, sizes in the base currency.
What is not known is NaN, or -1 where it is a place in another array.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = [
    "BotSpan",
    "Fills",
    "Observations",
    "Quotes",
    "Record",
    "Refusals",
    "Words",
    "depth_from_mid",
]

Strings = NDArray[np.object_]


@dataclass(frozen=True)
class Words:
    """Few words, many times: each row's place among the ``names``, -1 where it is not known."""

    codes: NDArray[np.integer]
    names: Sequence[str]

    @classmethod
    def unknown(cls, n: int) -> "Words":
        """Return unknown words."""
        return cls(np.full(n, -1, dtype=np.int64), ())

    def rows(self, places: Int1D) -> "Words":
        """Return the words at some places, where a place of -1 has none."""
        if not len(self.codes):
            return Words.unknown(len(places))
        return Words(np.where(places >= 0, self.codes[places], -1), self.names)


@dataclass(frozen=True)
class Fills:
    """Fills in the order of their times; all arrays have shape (n,).

    ``sign`` is +1 where we bought, -1 where we sold; ``fee`` positive where it was paid; ``maker``
    1, 0 or NaN; ``own_mid`` the mid as the bot last saw it before the fill, a minute old at most;
    ``quote`` the place of its order among the quotes; ``bot`` that of its bot among the record's.
    """

    time_ms: Int1D
    sign: Int1D
    price: Float1D
    size: Float1D
    fee: Float1D
    maker: Float1D
    rested_s: Float1D
    own_mid: Float1D
    quote: Int1D
    bot: Int1D

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def signed_size(self) -> Float1D:
        """Size with its sign: what the fill added to the position."""
        return self.sign * self.size

    def rows(self, chosen: NDArray[np.bool_] | Int1D | slice) -> "Fills":
        """Return some of the fills."""
        return Fills(*(column[chosen] for column in vars(self).values()))


def depth_from_mid(depth: Float1D, sign: Int1D, mid: Float1D, fair: Float1D) -> None:
    """Change distances from the fair price into those from the mid, in place; at least 0.

    What is earned and lost is judged by the mid, and the published laws of fills are fitted around
    it. ``fair`` is NaN where quotes were set around the mid; ``sign`` is +1 for a bid.
    """
    known = np.flatnonzero(np.isfinite(fair))
    ideal = depth[known] + sign[known] * (mid[known] - fair[known])
    depth[known] = np.maximum(ideal, 0.0)


@dataclass(frozen=True)
class Quotes:
    """Orders that were sent to rest; all arrays have shape (n,).

    ``sign`` is +1 for a bid; ``depth`` the distance from the mid when it was decided; ``edge`` the
    expected profit of a fill per unit; ``queue_ahead`` the size before it at its price. ``end_ms``
    is the window's end for one that still rested then. ``refused`` ones never rested.
    """

    time_ms: Int1D
    end_ms: Int1D
    sign: Int1D
    size: Float1D
    filled: Float1D
    mid: Float1D
    depth: Float1D
    edge: Float1D
    queue_ahead: Float1D
    refused: NDArray[np.bool_]
    calibration_id: Words
    regime: Words
    bot: Int1D

    def __len__(self) -> int:
        return len(self.time_ms)


@dataclass(frozen=True)
class Observations:
    """Mids that the program which traded has seen, in the order of their times."""

    time_ms: Int1D
    mid: Float1D


@dataclass(frozen=True)
class Refusals:
    """When which kind of reason not to quote began; an empty kind allows quoting again."""

    time_ms: Int1D
    kind: Strings


@dataclass(frozen=True)
class BotSpan:
    """One bot's part of the window: what it held at both ends and what the account was worth.

    ``start_mark`` and ``end_mark`` are the prices its account is valued at, NaN where it did not
    say; ``start_equity`` and ``end_equity`` its account's own figures at its first and last look.
    ``earned_before`` is what fills and funding before the first look had earned by then. ``missed``
    is the position that its fills do not explain at its last look, base currency.
    """

    name: str
    start_ms: int
    end_ms: int
    opening: float = 0.0
    start_mark: float = np.nan
    end_mark: float = np.nan
    start_equity: float = np.nan
    end_equity: float = np.nan
    earned_before: float = 0.0
    missed: float = 0.0


@dataclass(frozen=True)
class Record:
    """One coin's record between ``start_ms`` and ``end_ms``, all its bots together.

    ``requests`` is the number of actions the venue counted, None if unknown; ``skipped`` names the
    files that could not be read. ``source`` says where it comes from.
    """

    coin: str
    source: str
    start_ms: int
    end_ms: int
    fills: Fills
    quotes: Quotes
    seen: Observations
    refusals: Refusals
    funding_ms: Int1D
    funding: Float1D
    funding_bot: Int1D
    bots: Sequence[BotSpan]
    requests: int | None = None
    skipped: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    def of_fills(self, column: Float1D) -> Float1D:
        """Return a column of the quotes for each fill, NaN for fills without a quote."""
        place = self.fills.quote
        if not len(column):
            return np.full(len(place), np.nan)
        return np.where(place >= 0, column[np.maximum(place, 0)], np.nan)

    @property
    def capital(self) -> float:
        """Equity at the start; accounts that show the same at both ends are one. NaN if unknown."""
        ends = {(bot.start_equity, bot.end_equity) for bot in self.bots}
        known = [start for start, _ in ends if np.isfinite(start)]
        return sum(known) if known else np.nan
