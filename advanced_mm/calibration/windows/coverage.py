"""Stretches of time covered by a recording.

A recording has holes. Rates are counts divided by the covered time, never by the nominal window,
and nothing is carried across a hole.
"""

from dataclasses import dataclass

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["Stretches", "covered_stretches"]


@dataclass(frozen=True)
class Stretches:
    """Covered stretches, sorted and disjoint; both ends (exchange ms) belong to the stretch."""

    start_ms: Int1D
    end_ms: Int1D

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def observed_seconds(self) -> float:
        """Total length of the stretches, seconds."""
        return float((self.end_ms - self.start_ms).sum()) / 1000.0

    def index(self, time_ms: Int1D) -> Int1D:
        """Return the index of the stretch that contains each time, -1 if none does."""
        if not len(self):
            return np.full(len(time_ms), -1, dtype=np.int64)
        if len(self) == 1:  # the usual case
            inside = (time_ms >= self.start_ms[0]) & (time_ms <= self.end_ms[0])
            return np.where(inside, 0, -1)
        k = np.searchsorted(self.start_ms, time_ms, side="right") - 1
        inside = (k >= 0) & (time_ms <= self.end_ms[np.maximum(k, 0)])
        return np.where(inside, k, -1).astype(np.int64)

    def covered_ms(self, time_ms: Int1D) -> Int1D:
        """Return the covered time before each time, in ms; needs at least one stretch."""
        length = self.end_ms - self.start_ms
        before = np.cumsum(length) - length
        k = np.maximum(np.searchsorted(self.start_ms, time_ms, side="right") - 1, 0)
        inside = np.clip(time_ms - self.start_ms[k], 0, length[k])
        return np.asarray(before[k] + inside, dtype=np.int64)

    def without(self, start_ms: Int1D, end_ms: Int1D) -> "Stretches":
        """Return the stretches minus open intervals, which may overlap.

        The ends of an interval that lie in a stretch are kept, so stretches of length 0 may remain.
        """
        holes = sorted(zip(start_ms.tolist(), end_ms.tolist(), strict=True))
        left: list[tuple[int, int]] = []
        for low, high in zip(self.start_ms.tolist(), self.end_ms.tolist(), strict=True):
            at = low
            for begins, ends in holes:
                if ends > at and begins < high:
                    if begins >= at:
                        left.append((at, begins))
                    at = ends
            if at <= high:
                left.append((at, high))
        pairs = np.array(left, dtype=np.int64).reshape(-1, 2)
        return Stretches(pairs[:, 0].copy(), pairs[:, 1].copy())

    def bins_inside(self, width_ms: int) -> tuple[Int1D, Int1D]:
        """Return the whole bins ``[k w, (k+1) w)`` on epoch multiples, and each one's stretch.

        Returns
        -------
        k, stretch
            Integer bin numbers, ascending, and the index of the stretch that contains both edges.
        """
        first = -(-self.start_ms // width_ms)
        count = np.maximum(self.end_ms // width_ms - first, 0)
        stretch = np.repeat(np.arange(len(self)), count)
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.asarray(first[stretch] + offset), stretch.astype(np.int64)

    def blocks(self, width_ms: int) -> tuple[Int1D, Float1D]:
        """Return the epoch blocks that overlap any stretch, and the seconds covered in each."""
        first, last = self.start_ms // width_ms, self.end_ms // width_ms
        count = last - first + 1
        stretch = np.repeat(np.arange(len(self)), count)
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        block = first[stretch] + offset
        low = np.maximum(block * width_ms, self.start_ms[stretch])
        high = np.minimum((block + 1) * width_ms, self.end_ms[stretch])
        numbers, place = np.unique(block, return_inverse=True)
        seconds = np.bincount(place, weights=(high - low) / 1000.0, minlength=len(numbers))
        return numbers, np.asarray(seconds, dtype=np.float64)


def covered_stretches(heartbeat_ms: Int1D, max_gap_ms: int) -> Stretches:
    """Split heartbeats into stretches in which no gap exceeds ``max_gap_ms``.

    Parameters
    ----------
    heartbeat_ms
        Exchange times of all messages that arrive regularly (quotes, L2 snapshots), sorted.
    max_gap_ms
        A longer gap is a hole.
    """
    if not len(heartbeat_ms):
        empty = np.empty(0, dtype=np.int64)
        return Stretches(empty, empty)
    hole = np.flatnonzero(np.diff(heartbeat_ms) > max_gap_ms)
    start = heartbeat_ms[np.concatenate(([0], hole + 1))]
    end = heartbeat_ms[np.concatenate((hole, [len(heartbeat_ms) - 1]))]
    return Stretches(start, end)
