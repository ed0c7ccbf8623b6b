"""What a ladder's maker sees at a moment: the book, volatility, the last large market order.

The book is that of the newest touch the maker has received: all changes of levels that the venue
had published by then, no later ones.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hftbacktest import BUY_EVENT, DEPTH_CLEAR_EVENT, DEPTH_EVENT, TRADE_EVENT
from numpy.typing import NDArray

from advanced_mm.compiled import compiled
from advanced_mm.policies import MarketState
from advanced_mm.policies.volatility import VolatilityEstimator, VolatilitySettings
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.layout import Refused
from advanced_mm.replay.options import ReplayOptions

__all__ = ["FairPrices", "MarketSight"]

_KINDS: Final = 0xFF
_DEPTH, _CLEAR, _TRADE = int(DEPTH_EVENT), int(DEPTH_CLEAR_EVENT), int(TRADE_EVENT)
_BUY: Final = np.uint64(BUY_EVENT)
_ORDERS_BEFORE: Final = 20
"""Market orders seen before one of them can be large."""

Rows = NDArray[Any]


@dataclass(frozen=True)
class FairPrices:
    """How far the fair price lies from the mid.

    From ``time_ms`` (ascending, shape (n,)) on, by ``beta`` (quote currency) times the imbalance of
    the sizes at the touch.
    """

    time_ms: NDArray[np.int64]
    beta: NDArray[np.float64]

    def beta_at(self, time_ms: int) -> float:
        """Return the newest beta; NaN before the first."""
        place = int(np.searchsorted(self.time_ms, time_ms, side="right")) - 1
        return float(self.beta[place]) if place >= 0 else np.nan


class MarketSight:
    """The market as a maker sees it; moments must ascend.

    Parameters
    ----------
    data, options
        As `hft_venue.prepared` returns them.
    touch
        Rows of `layout.TOUCH`, as `hft_venue.seen_touches` returns them.
    levels
        Levels of each side of the book that a policy sees.
    large_order_multiple
        A market order of this many times the mean size so far is large; None: none is.
    fair
        None: nobody estimates the fair price.
    volatility
        Of the estimator that is given the mid at each look; None: its defaults.
    """

    def __init__(
        self,
        data: ReplayData,
        options: ReplayOptions,
        touch: Rows,
        *,
        levels: int = 20,
        large_order_multiple: float | None = None,
        fair: FairPrices | None = None,
        volatility: VolatilitySettings | None = None,
    ) -> None:
        self._touch, self._fair = touch, fair
        self._volatility = VolatilityEstimator(volatility)
        self._local = np.ascontiguousarray(touch["local_ns"])
        self._oldest_ns = round(options.max_book_age_seconds * 1e9)
        self._starts = data.covered.start_ms * NS_PER_MS
        self._ends = data.covered.end_ms * NS_PER_MS
        self._tick, self._decimals = data.tick, max(0, 2 - int(np.floor(np.log10(data.tick))))
        self._events = [part.events for part in data.parts]
        self._part = self._place = 0
        self._low, self._book = _empty_book(self._events, data.tick)
        self._orders = np.zeros(7)
        self._orders[6] = np.inf if large_order_multiple is None else large_order_multiple
        self._levels = np.zeros((2, levels, 2))

    def refusal(self, now_ns: int) -> int:
        """Return why there is no book to quote from (`layout.Refused`), 0 if there is one."""
        stretch = int(np.searchsorted(self._starts, now_ns, side="right")) - 1
        if stretch < 0 or now_ns >= self._ends[stretch]:
            return Refused.NO_DATA
        seen = self.seen(now_ns)
        if seen < 0 or not 0 < self._touch["bid"][seen] < self._touch["ask"][seen]:
            return Refused.NO_BOOK
        if now_ns - self._touch["exchange_ns"][seen] > self._oldest_ns:
            return Refused.OLD_BOOK
        return 0

    def seen(self, now_ns: int) -> int:
        """Return the place of the newest touch received, -1 before the first."""
        return int(np.searchsorted(self._local, now_ns, side="right")) - 1

    def touch(self, now_ns: int, tick: float) -> tuple[int, int]:
        """Return the best bid and ask seen last, in ticks; 0 where there is none."""
        seen = self.seen(now_ns)
        if seen < 0:
            return 0, 0
        bid, ask = (np.nan_to_num(self._touch[name][seen]) for name in ("bid", "ask"))
        return round(bid / tick), round(ask / tick)

    def next_start(self, now_ns: int) -> int | None:
        """Return when the next stretch with data begins; None if there is none."""
        place = int(np.searchsorted(self._starts, now_ns, side="right"))
        return int(self._starts[place]) if place < len(self._starts) else None

    def stretch_end(self, now_ns: int) -> int | None:
        """Return the end of the stretch with data that holds now; None outside of one."""
        place = int(np.searchsorted(self._starts, now_ns, side="right")) - 1
        if place < 0 or now_ns >= self._ends[place]:
            return None
        return int(self._ends[place])

    def state(self, now_ns: int, inventory: float, quote_balance: float) -> MarketState:
        """Return what the policy sees; only where `refusal` is 0."""
        row = self._touch[self.seen(now_ns)]
        self._walk(int(row["exchange_ns"]))
        bids, asks = (
            self._side(side, float(row[name])) for side, name in enumerate(("bid", "ask"))
        )
        mid = 0.5 * (float(row["bid"]) + float(row["ask"]))
        volatility = self._volatility.update(now_ns // NS_PER_MS, mid)
        beta = np.nan if self._fair is None else self._fair.beta_at(now_ns // NS_PER_MS)
        large = int(self._orders[5])
        return MarketState(
            time_ms=now_ns // NS_PER_MS,
            bids=bids,
            asks=asks,
            inventory=inventory,
            quote_balance=quote_balance,
            volatility=volatility.effective,
            usual_volatility=volatility.long,
            fair_price=mid + beta * float(row["imbalance"]),
            large_trade_ms=large if large else None,
        )

    def _walk(self, until_ns: int) -> None:
        while self._part < len(self._events):
            events = self._events[self._part]
            self._place = _advance(
                events, self._place, until_ns, self._book, self._low, self._tick, self._orders
            )
            if self._place < len(events) or self._part == len(self._events) - 1:
                return
            self._part, self._place = self._part + 1, 0

    def _side(self, side: int, best: float) -> tuple[tuple[float, float], ...]:
        first = round(best / self._tick) - self._low
        count = _best_levels(self._book[side], first, -1 if side == 0 else 1, self._levels[side])
        rows = self._levels[side, :count].tolist()
        tick, low, decimals = self._tick, self._low, self._decimals
        return tuple(
            (round((low + place) * tick, decimals), size / SIZE_UNITS) for place, size in rows
        )


def _empty_book(events: list[Rows], tick: float) -> tuple[int, NDArray[np.float64]]:
    """Return the lowest price (ticks) and room for a size at each price, bids first."""
    lows = [float(part["px"].min()) for part in events if len(part)]
    highs = [float(part["px"].max()) for part in events if len(part)]
    low, high = round(min(lows) / tick), round(max(highs) / tick)
    return low, np.zeros((2, high - low + 1))


@compiled
def _advance(
    events: Rows, place: int, until_ns: int, book: NDArray[np.float64], low: int, tick: float,
    orders: NDArray[np.float64],
) -> int:  # fmt: skip
    """Take in the events until a time; return the next place.

    ``orders`` holds, of the market order that is being read, time (ns), side and size; of those
    before it their number and their total size; when the last large one was (ms); and how many
    times the mean is large.
    """
    while place < len(events) and events[place].exch_ts <= until_ns:
        event = events[place]
        kind, side = int(event.ev) & 0xFF, 0 if event.ev & _BUY else 1
        at = int(np.rint(event.px / tick)) - low
        if kind == _DEPTH:
            book[side, at] = event.qty
        elif kind == _CLEAR:
            book[side, :] = 0.0
        elif kind == _TRADE:
            if event.exch_ts != orders[0] or side != orders[1]:
                if orders[2] > 0:
                    orders[3] += 1
                    orders[4] += orders[2]
                orders[0], orders[1], orders[2] = event.exch_ts, side, 0.0
            orders[2] += event.qty
            usual = orders[4] / orders[3] if orders[3] >= _ORDERS_BEFORE else np.inf
            if orders[2] >= orders[6] * usual:
                orders[5] = event.exch_ts // 1_000_000
        place += 1
    return place


@compiled
def _best_levels(
    sizes: NDArray[np.float64], first: int, toward: int, found: NDArray[np.float64]
) -> int:
    """Write places and sizes of the best levels, the touch always first; return their number."""
    found[0, 0], found[0, 1] = first, sizes[first]
    count, at = 1, first + toward
    while count < len(found) and 0 <= at < len(sizes):
        if sizes[at] > 0:
            found[count, 0], found[count, 1] = at, sizes[at]
            count += 1
        at += toward
    return count
