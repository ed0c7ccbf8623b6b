"""Events of a recording's connections, and the gaps they tell: intervals of exchange time."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import pyarrow.parquet as pq

from advanced_mm.marketdata.schemas import EVENT_COLUMNS, check_columns, check_version

__all__ = [
    "CHANNELS",
    "CHANNEL_OF",
    "FILLED",
    "GAP",
    "ConnectionEvent",
    "Gap",
    "gaps_of",
    "read_events",
]

CHANNEL_OF: Final[Mapping[str, str]] = {
    "orderbooks": "l2Book",
    "prices": "bbo",
    "trades": "trades",
    "contexts": "activeAssetCtx",
}
"""The channel from which the rows of a kind come."""

CHANNELS: Final = ("bbo", "trades", "l2Book")
"""Channels that are watched and whose gaps are listed."""

GAP: Final = "gap"
FILLED: Final = "filled"
"""Events of the connection log, each with exchange times from and to; without a channel it is about
all. A filled interval is a part of a gap whose trades the venue told afterwards."""

_MOST_REASONS: Final = 5
_Interval = tuple[int, int]


@dataclass(frozen=True)
class ConnectionEvent:
    """One event of the connection log.

    Attributes
    ----------
    local_s : float
        Local time, seconds.
    event : str
        ``connect``, ``subscribed``, ``refused``, ``disconnect``; ``silent`` or ``speaks`` for a
        single channel; ``gap``, or ``filled`` for trades that the venue told afterwards.
    detail : str
        Reason in words.
    exchange_ms : int or None
        Exchange time (ms) of the coin's last row before the event, None if there is none. For a
        single channel, the time of its last row before a silence or of the row that ends it.
    channel : str or None
        Channel of a gap, None for all. None too in recordings made before gaps had times.
    from_ms, to_ms : int or None
        Exchange times (ms, both included) between which rows may be missing, or were filled in.
    """

    local_s: float
    event: str
    detail: str
    exchange_ms: int | None
    channel: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


def read_events(path: str) -> list[ConnectionEvent]:
    """Return the rows of one log file as they are; any value may be missing.

    Raises
    ------
    FileNotFoundError, OSError, pyarrow.ArrowException
        The file is gone or cannot be read.
    InputError
        A column is missing, or the file was written by a later version of this program.
    """
    with pq.ParquetFile(path) as log:
        schema = log.schema_arrow
        check_version(schema)
        check_columns("connections", schema)
        table = log.read(columns=[name for name in EVENT_COLUMNS if name in schema.names])
    return [ConnectionEvent(*row) for row in zip(*table.to_pydict().values(), strict=True)]


@dataclass(frozen=True)
class Gap:
    """A period in which rows of a channel may be missing.

    ``start_ms`` and ``end_ms`` are exchange times, both included: rows of these two milliseconds
    may be missing too. ``reason`` says what happened.
    """

    channel: str
    start_ms: int
    end_ms: int
    reason: str


def gaps_of(
    events: Iterable[ConnectionEvent], start_ms: int | None = None, end_ms: int | None = None
) -> tuple[Gap, ...]:
    """Return the gaps in a connection log by time and channel, without what was filled later.

    Overlapping gaps of a channel are joined. With ``start_ms`` or ``end_ms``, only gaps that
    overlap that interval are returned.
    """
    spans = [
        (channel, event.event, (event.from_ms, event.to_ms), event.detail)
        for event in events
        if event.event in (GAP, FILLED) and event.from_ms is not None and event.to_ms is not None
        for channel in (CHANNELS if event.channel is None else (event.channel,))
    ]
    found: list[Gap] = []
    for channel in CHANNELS:
        filled = _united(
            span for name, event, span, _ in spans if (name, event) == (channel, FILLED)
        )
        left = [
            Gap(channel, *rest, reason)
            for name, event, span, reason in spans
            if (name, event) == (channel, GAP)
            for rest in _without(span, filled)
        ]
        found += _joined(left)
    return tuple(
        gap
        for gap in sorted(found, key=lambda gap: (gap.start_ms, gap.end_ms))
        if (end_ms is None or gap.start_ms <= end_ms)
        and (start_ms is None or gap.end_ms >= start_ms)
    )


def _united(spans: Iterable[_Interval]) -> list[_Interval]:
    """Return what some intervals cover as intervals that do not overlap, in order."""
    united: list[_Interval] = []
    for low, high in sorted(spans):
        if united and low <= united[-1][1] + 1:
            united[-1] = united[-1][0], max(united[-1][1], high)
        else:
            united.append((low, high))
    return united


def _without(span: _Interval, filled: Sequence[_Interval]) -> list[_Interval]:
    """Return the parts of an interval outside others, which are in order; months have many."""
    left = []
    first, last = span
    for at in range(bisect_left(filled, first, key=itemgetter(1)), len(filled)):
        low, high = filled[at]
        if low > last:
            break
        if first < low:
            left.append((first, low - 1))
        first = high + 1
    if first <= last:
        left.append((first, last))
    return left


def _joined(gaps: list[Gap]) -> list[Gap]:
    """Join gaps that overlap; of many different reasons the first are told."""
    joined: list[Gap] = []
    reasons: dict[str, None] = {}
    for gap in sorted(gaps, key=lambda gap: gap.start_ms):
        if not joined or gap.start_ms > joined[-1].end_ms:
            joined.append(gap)
            reasons = {gap.reason: None}
            continue
        before, reason = joined[-1], joined[-1].reason
        if gap.reason not in reasons and len(reasons) <= _MOST_REASONS:
            reasons[gap.reason] = None
            told = gap.reason if len(reasons) <= _MOST_REASONS else "and others"
            reason = f"{reason}; {told}"
        end_ms = max(before.end_ms, gap.end_ms)
        joined[-1] = Gap(gap.channel, before.start_ms, end_ms, reason)
    return joined
