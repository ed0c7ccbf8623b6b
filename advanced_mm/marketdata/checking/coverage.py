"""Holes of a recording and the share of time that was observed. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from advanced_mm.marketdata.checking.findings import Hole
from advanced_mm.marketdata.connection_log import ConnectionEvent, Gap
from advanced_mm.marketdata.records import Int1D, Silence

__all__ = ["CHANNELS_OF_KINDS", "HOLE_MS", "covered_share", "find_holes"]

HOLE_MS: Final = 10_000
"""The venue sends books more often than this, however quiet the market."""

CHANNELS_OF_KINDS: Final = {"orderbooks": "l2Book", "prices": "bbo", "trades": "trades"}
_ALL: Final = "all"
_EARLIER_MS: Final = 1_000
_LATER_MS: Final = 10_000
_EXPLAINING: Final = ("gap", "disconnect", "connect", "silent")

_Span = tuple[int, int]


def find_holes(
    stretches: Sequence[tuple[Int1D, Int1D]],
    events: Sequence[ConnectionEvent],
    gaps: Iterable[Gap],
    silences: Iterable[Silence],
) -> list[Hole]:
    """Return the holes in order of time.

    Parameters
    ----------
    stretches : sequence of pairs of arrays
        Starts and ends (exchange ms) of periods with rows, of any kind and in any order.
    events, gaps, silences
        The connection log and what follows from it.

    Returns
    -------
    list of Hole
        What the log lists, and periods of at least `HOLE_MS` without any row that it does not.
    """
    starts = np.concatenate([np.empty(0, np.int64), *(starts for starts, _ in stretches)])
    ends = np.concatenate([np.empty(0, np.int64), *(ends for _, ends in stretches)])
    if not len(starts):
        return []
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    holes = [Hole(gap.start_ms, gap.end_ms, gap.channel, gap.reason, True) for gap in gaps]
    for silence in silences:
        end_ms = int(ends[-1]) if silence.end_ms is None else silence.end_ms
        if _rest((silence.start_ms, end_ms), holes, silence.channel):
            holes.append(
                Hole(silence.start_ms, end_ms, silence.channel, "the channel was silent", True)
            )
    for place in np.flatnonzero(starts[1:] - ends[:-1] > HOLE_MS).tolist():
        for low, high in _rest((int(ends[place]), int(starts[place + 1])), holes, "l2Book"):
            if high - low >= HOLE_MS:
                holes.append(_unlisted(low, high, events))
    return sorted(holes, key=lambda hole: (hole.start_ms, hole.end_ms, hole.channel))


def covered_share(kind: str, first_ms: int, last_ms: int, holes: Iterable[Hole]) -> float:
    """Return the share of a recording's time in which a kind of rows was observed."""
    channel = CHANNELS_OF_KINDS.get(kind, _ALL)
    missing = at = 0
    for hole in sorted(holes, key=lambda hole: hole.start_ms):
        if hole.channel in (channel, _ALL):
            low = max(hole.start_ms, at, first_ms)
            high = min(hole.end_ms, last_ms)
            if high > low:
                missing += high - low
                at = high
    return 1.0 - missing / (last_ms - first_ms) if last_ms > first_ms else 1.0


def _rest(span: _Span, holes: Iterable[Hole], channel: str) -> list[_Span]:
    """Return the parts of a period that no hole of the channel accounts for."""
    left = [span]
    for hole in holes:
        if hole.channel in (channel, _ALL):
            left = [
                part
                for low, high in left
                for part in ((low, min(high, hole.start_ms)), (max(low, hole.end_ms), high))
                if part[1] > part[0]
            ]
    return left


def _unlisted(low: int, high: int, events: Sequence[ConnectionEvent]) -> Hole:
    """Return the hole of all channels; logs without times of gaps name it by their events."""
    near = [
        event.event
        for event in events
        if event.event in _EXPLAINING
        and low - _EARLIER_MS <= 1000 * event.local_s <= high + _LATER_MS
    ]
    if near:
        return Hole(low, high, _ALL, f"logged: {', '.join(dict.fromkeys(near))}", True)
    reason = "not in the connection log" if events else "no row of any kind; no connection log"
    return Hole(low, high, _ALL, reason, False)
