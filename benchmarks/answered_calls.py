"""Time from a touch that calls for a new quote to that quote at the venue."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from advanced_mm.journal import QuoteSent
from advanced_mm.price_grid import PriceGrid

__all__ = ["LATENCY_MS", "Call", "answered_calls"]

LATENCY_MS: Final = 50
OFF_TICKS: Final = 2.0


@dataclass(frozen=True)
class Call:
    """Seconds from a call for a new quote to the order that answered it, and the way's part of it.

    The way is the venue's latency, once for each request made: cancel and order, or an edit.
    """

    seconds: float
    way: float


def answered_calls(
    time_ms: npt.NDArray[np.int64],
    mids: npt.NDArray[np.float64],
    sent: Mapping[str, QuoteSent],
    history: Sequence[Mapping[str, Any]],
    least_age_ms: float,
) -> list[Call]:
    """Find the calls for a new quote and their answers.

    A call lasts as long as the resting price is off by `OFF_TICKS`; it begins when the mid has
    gone there, but not before the quote's least age. Only quotes of the same refit and side as the
    one they replace are counted, and only calls that lasted until the cancel was sent.
    """
    orders = sorted(history, key=lambda one: int(one["order"]["timestamp"]))
    found = []
    for old, new in itertools.pairwise(orders):
        first, second = (sent.get(str(one["order"]["oid"])) for one in (old, new))
        if old["status"] != "canceled" or first is None or second is None:
            continue
        if first.calibration_id != second.calibration_id or first.side != second.side:
            continue
        placed, ended = int(old["order"]["timestamp"]), int(old["statusTimestamp"])
        grid = PriceGrid(4, first.tick)
        price_at = grid.bid if first.side == "bid" else grid.ask
        begin, end = np.searchsorted(time_ms, (placed, ended - LATENCY_MS), side="right")
        called: float | None = None
        for row in range(max(int(begin) - 1, 0), int(end)):
            if not np.isfinite(mids[row]):
                continue
            off = abs(price_at(float(mids[row]), first.depth) - first.price) / first.tick
            if off < OFF_TICKS - 1e-6:
                called = None
            elif called is None:
                called = max(float(time_ms[row]), placed + least_age_ms)
        if called is not None:
            replaced = int(new["order"]["timestamp"])
            requests = 2 if replaced > ended else 1
            found.append(Call((replaced - called) / 1000, requests * LATENCY_MS / 1000))
    return found
