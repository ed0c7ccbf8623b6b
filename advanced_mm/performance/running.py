"""What a running session has earned so far, by the same code that judges a finished one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc

from advanced_mm.journal import GrowingJournal, Journal, Look
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.assess import attribute_bots
from advanced_mm.performance.attribution import Parts
from advanced_mm.performance.followed_mids import FollowedMids
from advanced_mm.performance.from_journal import RECORD_COLUMNS, record_of
from advanced_mm.performance.mids import Marks, MidSource, SeenMids, find_marks
from advanced_mm.performance.paths import equity_path
from advanced_mm.performance.records import Record
from advanced_mm.performance.truth import edges_of_fills, expected_edge, realised_edge

__all__ = ["EARNED_COLUMNS", "EarnedSoFar", "LatestFill", "RunningPerformance", "earned_until"]

_LATEST: Final = 5
EARNED_COLUMNS: Final = RECORD_COLUMNS | {Look: (*RECORD_COLUMNS[Look], "what")}
"""What `earned_until` takes of each kind of event."""
_LEAST_BETWEEN_S: Final = 2.0


@dataclass(frozen=True)
class LatestFill:
    """One fill.

    ``bought`` is the side, ``price`` in the quote currency and ``size`` in the base currency.
    ``expected_bp`` is the edge that its quote expected, ``markout_bp`` what it was worth ten
    seconds later, both after the fee in bp of the price; NaN where that is not known (yet).
    """

    time_ms: int
    bought: bool
    price: float
    size: float
    expected_bp: float
    markout_bp: float


@dataclass(frozen=True)
class EarnedSoFar:
    """All bots together since the start of a session.

    ``parts`` add up to the change of equity, with open positions at the newest mid. ``equity`` is
    that change at the times ``time_ms``, quote currency; both have shape (n,). ``expected_bp`` and
    ``realised_bp`` are the mean edges, by value, of the ``judged`` fills that have both; NaN
    without any. ``latest`` has the newest fill first.
    """

    parts: Parts
    time_ms: Int1D
    equity: Float1D
    expected_bp: float
    realised_bp: float
    judged: int
    latest: Sequence[LatestFill]


class RunningPerformance:
    """Follows a session's journal, and the recording beside it.

    Parameters
    ----------
    journal : Path
        The journal's folder; it need not exist yet.
    data_dir : Path
        Where the market is recorded; nothing need be there yet.
    coin : str
        The venue's name of the coin.
    clock_ms, monotonic_s
        Epoch milliseconds, and seconds that only increase.
    """

    def __init__(
        self,
        journal: Path,
        data_dir: Path,
        coin: str,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._coin = coin
        self._clock_ms, self._monotonic_s = clock_ms, monotonic_s
        since_ms = clock_ms()
        self._journal = GrowingJournal(journal, coin, since_ms, EARNED_COLUMNS)
        self._recording = FollowedMids(ShardStore(data_dir), coin, since_ms)
        self._last: EarnedSoFar | None = None
        self._next_s = monotonic_s()

    def look(self) -> EarnedSoFar | None:
        """Return the state, at most two seconds old; None while no bot has written anything."""
        now_s = self._monotonic_s()
        if now_s >= self._next_s:
            self._recording.update()
            journal = self._journal.read()
            self._last = earned_until(journal, self._coin, self._clock_ms(), [self._recording])
            self._next_s = now_s + _LEAST_BETWEEN_S
        return self._last


def earned_until(
    journal: Journal, coin: str, now_ms: int, sources: Sequence[MidSource] = ()
) -> EarnedSoFar | None:
    """Judge a journal that is still written; None if nothing traded the coin.

    Parameters
    ----------
    journal, coin
        What was written so far, read with `EARNED_COLUMNS`, and the venue's name of the coin.
    now_ms
        The time, epoch milliseconds. Before a markout's time has come it is not known, though a
        finished journal's may be taken from the newest mid before it.
    sources
        Who saw the mid, the best first; what the bots saw comes last.
    """
    record = record_of(journal, coin)
    if record is None:
        return None
    record = _still_running(record, journal, now_ms)
    marks = _known_by(now_ms, record, find_marks(record, [*sources, SeenMids(record.seen)]))
    attribution = attribute_bots(record, marks)
    path = equity_path(record, marks, attribution.by_fill)
    expected, realised = edges_of_fills(record, marks)
    judged = np.isfinite(realised)
    value = np.where(judged, record.fills.price * record.fills.size, 0.0)
    return EarnedSoFar(
        parts=attribution.parts,
        time_ms=path.time_ms,
        equity=path.equity,
        expected_bp=_mean(expected, value),
        realised_bp=_mean(realised, value),
        judged=int(judged.sum()),
        latest=_latest(record, marks),
    )


def _still_running(record: Record, journal: Journal, now_ms: int) -> Record:
    """Extend the record until now: a bot that has not ended is worth what the newest mid says."""
    looks = journal.table(Look)
    ended = set(looks.filter(pc.equal(looks["what"], "end"))["bot"].to_pylist())
    bots = [
        bot if bot.name in ended else replace(bot, end_ms=now_ms, end_mark=np.nan)
        for bot in record.bots
    ]
    return replace(record, end_ms=max(record.end_ms, now_ms), bots=bots)


def _known_by(now_ms: int, record: Record, marks: Marks) -> Marks:
    """Leave out the markouts whose time has not come."""
    after = {
        horizon: np.where(record.fills.time_ms + 1000 * horizon <= now_ms, mid, np.nan)
        for horizon, mid in marks.after.items()
    }
    return replace(marks, after=after)


def _mean(values: Float1D, weights: Float1D) -> float:
    """The weighted mean of the known values; what is not known has no weight."""
    return float(np.average(np.nan_to_num(values), weights=weights)) if weights.any() else np.nan


def _latest(record: Record, marks: Marks) -> list[LatestFill]:
    fills = record.fills
    expected, markout = expected_edge(record), realised_edge(record, marks, marks.horizon_s)
    return [
        LatestFill(
            time_ms=int(fills.time_ms[n]),
            bought=bool(fills.sign[n] > 0),
            price=float(fills.price[n]),
            size=float(fills.size[n]),
            expected_bp=float(expected[n]),
            markout_bp=float(markout[n]),
        )
        for n in reversed(range(max(len(fills) - _LATEST, 0), len(fills)))
    ]
