"""Holes of single channels: silences while other channels were active.

The heartbeat does not show these holes. A channel that is cut off looks like a market in which
nothing happens, and every rate divided by that time is too low. A gap between two messages of a
channel, measured in covered time, is a hole if it is longer than chance explains at the channel's
own rate (`marketdata.silence`) or if the recorder logged it. A channel without any message is not
checked.

The hole extends from the channel's last message before it to the first one after it. The quiet
moments at its ends, although observed, are lost with it: a rate over n messages is too high by one
part in n per hole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from advanced_mm.calibration.windows.coverage import Stretches
from advanced_mm.marketdata.records import Int1D, Silence
from advanced_mm.marketdata.silence import silence_limit

__all__ = ["ALL_CHANNELS", "ChannelHole", "channel_holes", "quiet_seconds", "silent_channels"]


ALL_CHANNELS: Final = ("bbo", "l2Book", "trades")


@dataclass(frozen=True)
class ChannelHole:
    """A channel's silence between two exchange times; ``open`` if it lasts to the end.

    Both ends are messages of the channel or, at an end of the covered time, the millisecond beyond.
    """

    channel: str
    start_ms: int
    end_ms: int
    open: bool


def channel_holes(
    beats: Mapping[str, Int1D],
    stretches: Stretches,
    silences: Iterable[Silence],
    *,
    least_ms: int,
    late_ms: int,
    probability: float,
) -> list[ChannelHole]:
    """Return the silences of every channel.

    Parameters
    ----------
    beats
        Each channel's exchange times, sorted.
    stretches
        The time covered by messages of any channel.
    silences
        Silences logged by the recorder.
    least_ms
        Gaps up to this length are not holes unless they were logged.
    late_ms
        Extra length required of the last gap: a recorder writes one channel after the other, so the
        newest messages of one may be missing while those of others have been read.
    probability
        Probability of a longer gap by chance below which a gap is a silence; 0 keeps only those
        that were logged.
    """
    noted = list(silences)
    return [
        hole
        for channel, time_ms in beats.items()
        for hole in _holes(
            channel,
            time_ms,
            stretches,
            [silence for silence in noted if silence.channel == channel],
            least_ms=least_ms,
            late_ms=late_ms,
            probability=probability,
        )
    ]


def silent_channels(holes: Iterable[ChannelHole]) -> tuple[str, ...]:
    """Return the channels still silent at the end, sorted by name."""
    return tuple(sorted({hole.channel for hole in holes if hole.open}))


def quiet_seconds(holes: Iterable[ChannelHole], heard: Stretches) -> dict[str, float]:
    """Return how long (seconds) each channel was silent within the stretches ``heard``.

    Channels silent for less than a second are omitted: the cause is an end of the window or
    replayed trades.
    """
    ends: dict[str, list[tuple[int, int]]] = {}
    for hole in sorted(holes, key=lambda hole: hole.channel):
        ends.setdefault(hole.channel, []).append((hole.start_ms, hole.end_ms))
    lost = {
        channel: heard.observed_seconds
        - heard.without(*np.array(pairs, dtype=np.int64).T).observed_seconds
        for channel, pairs in ends.items()
    }
    return {channel: seconds for channel, seconds in lost.items() if seconds >= 1.0}


def _holes(
    channel: str,
    time_ms: Int1D,
    stretches: Stretches,
    noted: list[Silence],
    *,
    least_ms: int,
    late_ms: int,
    probability: float,
) -> list[ChannelHole]:
    if not len(stretches):
        return []
    first, last = int(stretches.start_ms[0]), int(stretches.end_ms[-1])
    low, high = np.searchsorted(time_ms, (first, last + 1))
    time_ms = time_ms[low:high]
    if not len(time_ms):
        return [ChannelHole(channel, first - 1, last + 1, open=True)] if noted else []
    edges = np.concatenate(([first - 1], time_ms, [last + 1]))
    covered_ms = stretches.covered_ms(edges)
    gap_ms = covered_ms[1:] - covered_ms[:-1]
    limit_ms = _limit_ms(gap_ms, time_ms, least_ms, probability)
    silent = gap_ms > limit_ms
    silent[-1] = gap_ms[-1] > limit_ms + late_ms
    for silence in noted:
        if silence.end_ms is None or first < silence.end_ms:
            after = int(np.searchsorted(edges, silence.start_ms, side="right")) - 1
            silent[min(max(after, 0), len(silent) - 1)] = True
    return [
        ChannelHole(channel, int(edges[i]), int(edges[i + 1]), open=i == len(gap_ms) - 1)
        for i in np.flatnonzero(silent)
    ]


def _limit_ms(gap_ms: Int1D, time_ms: Int1D, least_ms: int, probability: float) -> float:
    """Return the longest gap that chance explains, learned from all gaps but those at the ends.

    In the usual case no gap exceeds ``least_ms`` and nothing is computed.
    """
    if not gap_ms.max() > least_ms:
        return least_ms
    inner = gap_ms[1:-1]
    inner = inner[(inner > 0) & (inner == np.diff(time_ms))]  # not across a hole of all channels
    return max(1000.0 * silence_limit(inner / 1000.0, probability), least_ms)
