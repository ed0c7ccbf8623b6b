"""Which channel was silent while the others spoke: holes that the heartbeat alone does not show.

A channel that is cut off looks like a market in which nothing happens, and every rate divided by
that time is too low. A gap between two messages of a channel, counted in the time the recording
covers, is a hole where it is longer than chance explains at the channel's own rate
(`marketdata.silence`), and where the recorder noted it. A channel without any message is not
judged.

The hole reaches from the channel's last message before to its first one after. So the quiet moments
at its ends, which were observed, are lost with it: a rate over n messages comes out high by one
part in n for each hole.
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
    """A channel's silence between two exchange times; ``open`` where it had not spoken since.

    Both ends are messages of the channel; at an end of the covered time, the millisecond beyond it.
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
        The time in which anything was heard.
    silences
        What the recorder noted.
    least_ms
        A gap that is not longer is no hole unless it was noted.
    late_ms
        The last gap must be so much longer: a recorder writes one channel after the other, and the
        newest messages of one may not have been read while those of others were.
    probability
        Of a longer gap by chance, by which silences are told; 0 leaves those that were noted.
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
    """Return the channels that had not spoken by the end, in order of name."""
    return tuple(sorted({hole.channel for hole in holes if hole.open}))


def quiet_seconds(holes: Iterable[ChannelHole], heard: Stretches) -> dict[str, float]:
    """Return for how long each channel was silent in the time in which anything was heard.

    What is not a second in all is left out: an end of the window, or trades that were sent again.
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
    """Return the longest gap that chance explains; those at the ends are not learned from.

    The usual case, in which no gap is long enough to be looked at, costs nothing.
    """
    if not gap_ms.max() > least_ms:
        return least_ms
    inner = gap_ms[1:-1]
    inner = inner[(inner > 0) & (inner == np.diff(time_ms))]  # not across a hole of the socket
    return max(1000.0 * silence_limit(inner / 1000.0, probability), least_ms)
