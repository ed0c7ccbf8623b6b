"""The recorded market of one coin, followed for a page and for the judgement of fills."""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.followed_mids import FollowedMids

__all__ = ["Market", "Touch"]

_STEP_MS: Final = 500
"""Between two points of the price's line."""


@dataclass(frozen=True)
class Touch:
    """The newest recorded best prices (quote currency, None for an empty side).

    ``lag_ms`` is the time from the exchange's clock to the recorder's at their receipt.
    """

    time_ms: int
    bid: float | None
    ask: float | None
    lag_ms: float | None


class Market:
    """A `MidSource` that one thread may update while another one asks it.

    Parameters
    ----------
    data_dir, coin
        As in `FollowedMids`.
    since_ms
        The earliest time that is asked for, epoch milliseconds.
    """

    name = FollowedMids.name
    holds_ms = FollowedMids.holds_ms

    def __init__(self, data_dir: Path, coin: str, since_ms: int) -> None:
        self._mids = FollowedMids(ShardStore(data_dir), coin, since_ms)
        self._lock = threading.Lock()
        self._drawn_ms = since_ms

    def at(self, times_ms: Int1D) -> tuple[Float1D, Int1D]:
        """See `MidSource.at`."""
        with self._lock:
            return self._mids.at(times_ms)

    def update(self) -> None:
        """Read what was recorded since the last call."""
        with self._lock:
            self._mids.update()

    @property
    def touch(self) -> Touch | None:
        """The newest best prices; None if nothing is recorded."""
        newest = self._mids.newest
        if newest is None:
            return None
        time_ms, bid, ask, local_s = (
            float(column[0]) for column in (newest.time_ms, newest.bid, newest.ask, newest.local_s)
        )
        return Touch(int(time_ms), _known(bid), _known(ask), _known(local_s * 1000 - time_ms))

    def line(self, since_ms: int) -> list[tuple[int, float]]:
        """Return times and mids that were not returned before, from a time on."""
        touch = self.touch
        if touch is None:
            return []
        start = max(self._drawn_ms, since_ms // _STEP_MS * _STEP_MS)
        times = np.arange(start, touch.time_ms + 1, _STEP_MS, dtype=np.int64)
        if not len(times):
            return []
        self._drawn_ms = int(times[-1]) + _STEP_MS
        mids, _ = self.at(times)
        return [
            (int(when), float(mid))
            for when, mid in zip(times, mids, strict=True)
            if math.isfinite(mid)
        ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
