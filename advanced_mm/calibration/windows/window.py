"""A calibration window: the input of the estimators, prepared once.

Turns raw records into covered time, market orders and the quotes before them. All joins use the
exchange's time, since local time lags and may be out of order.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from advanced_mm.calibration.windows.blocks import TimeBlocks
from advanced_mm.calibration.windows.channels import ChannelHole, channel_holes
from advanced_mm.calibration.windows.coverage import Stretches, covered_stretches
from advanced_mm.calibration.windows.estimate import Sides
from advanced_mm.calibration.windows.mid_path import MidPath
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Float1D, Int1D, Quotes, Recording, Trades
from advanced_mm.marketdata.silence import FEWEST_GAPS, PROBABILITY

__all__ = ["MarketOrders", "Window", "WindowOptions", "effective_number"]

_MOST_TICKS = 2.0**53  # a price of more ticks is invalid: a float cannot count them exactly


@dataclass(frozen=True)
class WindowOptions:
    """Rules that separate quiet markets from holes, and the length of the time blocks for errors.

    A gap between messages is a hole if it exceeds ``max_gap_ms``, or ``max_gap_without_book_ms`` if
    the recording has quotes but no L2 snapshots (sent every 0.5 s). Snapshots separate a quiet
    market from a hole, but not from lost quotes: a trade always changes the touch, so if no quote
    follows a trade within ``max_gap_ms``, the time between the quotes around it is a hole too. So
    is a longer silence of one channel whose probability is at most ``silence_probability``
    (`channels`); 0 keeps only the silences logged by the recorder. At the end of a window, where
    the recorder may not have written all channels yet, the silence must be ``late_ms`` longer.
    Bursts of orders are much shorter than ``block_ms``, so blocks of that length are nearly
    independent.
    """

    max_gap_ms: int = 3000
    max_gap_without_book_ms: int = 5000
    block_ms: int = 30_000
    silence_probability: float = PROBABILITY
    late_ms: int = 10_000


@dataclass(frozen=True)
class MarketOrders:
    """Aggressive orders inside the covered time, sorted by exchange time. Shapes (n,).

    ``side`` is +1 (buy) or -1 (sell); ``extreme`` the worst price paid; ``size`` the total size of
    the order's prints, base currency; ``stretch`` the index of its covered stretch; ``mid`` and
    ``half_spread`` those of the last quote strictly before the order, NaN if there is no valid
    quote in the same stretch; ``walk = side * (extreme - mid)`` the depth it reached, quote
    currency; ``reach`` the whole ticks walked beyond the touch, 0 if unknown.

    Around a fair price (`Window.around`), ``mid`` is the fair price and ``walk`` the distance from
    it. ``ahead`` is then how far it lay on the order's side of the mid, quote currency, and
    ``weight`` how many orders like this one a quote at a given distance from the fair price meets,
    for each that one at the same distance from the mid meets. Around the mid both are None.
    """

    time_ms: Int1D
    side: Int1D
    extreme: Float1D
    size: Float1D
    stretch: Int1D
    mid: Float1D
    half_spread: Float1D
    walk: Float1D
    reach: Int1D
    ahead: Float1D | None = None
    weight: Float1D | None = None

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def quoted(self) -> NDArray[np.bool_]:
        """Whether the pre-trade quote, and so the reach, is known."""
        return np.isfinite(self.mid)

    def of_side(self, side: int) -> "MarketOrders":
        """Return the orders of one side, +1 or -1."""
        return self._chosen(self.side == side)

    def with_quote(self) -> "MarketOrders":
        """Return the orders whose pre-trade quote is known."""
        quoted = self.quoted
        return self if quoted.all() else self._chosen(quoted)

    def _chosen(self, rows: NDArray[np.bool_]) -> "MarketOrders":
        places = np.flatnonzero(rows)  # several times faster than the mask for nine columns
        columns = {name: one for name, one in vars(self).items() if one is not None}
        return MarketOrders(**{name: one.take(places) for name, one in columns.items()})


def effective_number(weight: Float1D) -> float:
    """Return how many equally weighted orders say as much; 0 where the weights are out of range."""
    most = float(weight.max(initial=0.0))
    if not 0 < most < np.inf:
        return 0.0
    share = weight / most
    return float(share.sum() ** 2 / (share @ share))


@dataclass(frozen=True)
class Window:
    """One coin between two exchange times: covered stretches, the mid's path and market orders.

    ``tick`` is the price step in quote currency. ``has_transactions`` is true if prints carry
    transaction codes, which separate orders within a block. ``block_ms`` is the length of the time
    blocks used for standard errors. ``holes`` are the silences of single channels, which are cut
    out of ``stretches``; ``heard`` are the stretches before that, the time in which any channel was
    active.
    """

    coin: str
    tick: float
    stretches: Stretches
    path: MidPath
    orders: MarketOrders
    has_transactions: bool
    heard: Stretches
    holes: tuple[ChannelHole, ...] = ()
    block_ms: int = WindowOptions.block_ms

    @classmethod
    def of(
        cls,
        recording: Recording,
        start_ms: int | None = None,
        end_ms: int | None = None,
        options: WindowOptions | None = None,
    ) -> "Window":
        """Prepare the rows of ``recording`` with exchange times in ``[start_ms, end_ms]``.

        Raises
        ------
        InputError
            If the recording's tick is not a positive number.
        """
        options = options or WindowOptions()
        if not (np.isfinite(recording.tick) and recording.tick > 0):
            raise InputError(
                f"{recording.coin}: tick is {recording.tick!r}, must be a positive price step; "
                "check the recording's metadata"
            )
        quotes, books = recording.quotes, np.sort(recording.book_time_ms, kind="stable")
        quotes = _in_order(quotes)
        quotes = quotes.rows(_between(quotes.time_ms, start_ms, end_ms))
        books = books[_between(books, start_ms, end_ms)]
        gap = options.max_gap_ms if len(books) else options.max_gap_without_book_ms
        beats = np.sort(np.concatenate((quotes.time_ms, books)), kind="stable")
        printed = np.sort(_sound(recording.trades, _MOST_TICKS * recording.tick).time_ms)
        printed = printed[_between(printed, start_ms, end_ms)]
        heard = _while_trades_go_on(covered_stretches(beats, gap), printed, gap + options.late_ms)
        holes = channel_holes(
            {"bbo": quotes.time_ms, "trades": printed, "l2Book": books},
            heard,
            [one for one in recording.silences if end_ms is None or one.start_ms <= end_ms],
            least_ms=gap,
            late_ms=options.late_ms,
            probability=options.silence_probability,
        )
        if len(books) and len(quotes):
            holes += _lost_quotes(quotes.time_ms, printed, heard, gap)
        stretches = heard
        if holes:
            ends = np.array([(hole.start_ms, hole.end_ms) for hole in holes], dtype=np.int64)
            stretches = heard.without(ends[:, 0], ends[:, 1])
            quotes = quotes.rows(np.flatnonzero(stretches.index(quotes.time_ms) >= 0))
        path = MidPath.of(quotes, stretches, _MOST_TICKS * recording.tick)
        return cls(
            coin=recording.coin,
            tick=recording.tick,
            stretches=stretches,
            path=path,
            orders=_market_orders(recording.trades, path, recording.tick),
            has_transactions=bool(np.any(recording.trades.transaction != 0)),
            heard=heard,
            holes=tuple(holes),
            block_ms=options.block_ms,
        )

    def around(self, beta: float, kappa: Sides[float]) -> "Window":
        """Return the window with the fair price, mid + ``beta`` * imbalance, in the mid's place.

        An order finds the fair price that the last quote strictly before it shows, as a quote that
        rests there was placed. If the fair price lies ``ahead`` of the mid on the order's side, the
        orders that come as far as a quote around it are exp(-kappa * ahead) times as many as come
        as far as one around the mid: the order's weight.

        Parameters
        ----------
        beta
            Quote currency per unit of imbalance.
        kappa
            Decay of the reach of buy (+) and sell (-) orders, from a fit around the mid.
        """
        orders = self.orders
        ahead = orders.side * beta * self.path.imbalance_before(orders.time_ms)
        decay = np.where(orders.side > 0, kappa.plus, kappa.minus)
        moved = replace(
            orders,
            mid=orders.mid + orders.side * ahead,
            walk=orders.walk - ahead,
            ahead=ahead,
            weight=np.exp(-decay * ahead),
        )
        return replace(self, path=self.path.around(beta), orders=moved)

    @property
    def observed_seconds(self) -> float:
        """Covered time T, seconds."""
        return self.stretches.observed_seconds

    @cached_property
    def blocks(self) -> TimeBlocks:
        """Time blocks used for standard errors."""
        return TimeBlocks.of(self.stretches, self.block_ms)

    @cached_property
    def sides(self) -> Sides[MarketOrders]:
        """Buy (+) and sell (-) market orders."""
        return Sides(self.orders.of_side(1), self.orders.of_side(-1))


def _while_trades_go_on(heard: Stretches, trades: Int1D, late_ms: int) -> Stretches:
    """Return the stretches, the last as long as the trades that go on without quotes and books.

    Then the others are silent. A few trades may be those that are sent again after a reconnection,
    and where they go on no longer than ``late_ms``, the rest may not have been written yet.
    """
    if len(heard) and len(trades) >= FEWEST_GAPS:
        last = int(heard.end_ms[-1])
        if trades[-1] > last + late_ms and trades[-FEWEST_GAPS] > last:
            return Stretches(heard.start_ms, np.append(heard.end_ms[:-1], trades[-1]))
    return heard


def _lost_quotes(
    quotes: Int1D, trades: Int1D, heard: Stretches, max_wait_ms: int
) -> list[ChannelHole]:
    """Return the gaps in which a trade was not followed in time by the quote it must change."""
    # Only trades before the first or after the last quote, or in a long gap, can have waited so.
    apart = np.flatnonzero(np.diff(quotes) > max_wait_ms)
    suspect = (trades <= quotes[0]) | (trades > quotes[-1])
    if len(apart):
        suspect |= Stretches(quotes[apart], quotes[apart + 1]).index(trades) >= 0
    trades = trades[suspect]
    stretch = heard.index(trades)
    inside = stretch >= 0
    trades = trades[inside]
    following = np.searchsorted(quotes, trades)  # a quote in the same millisecond follows it
    far = np.iinfo(np.int64).max
    seen = np.minimum(np.append(quotes, far)[following], heard.end_ms[stretch[inside]])
    lost = np.unique(following[seen - trades > max_wait_ms])
    edges = np.concatenate(([heard.start_ms[0] - 1], quotes, [heard.end_ms[-1] + 1]))
    return [
        ChannelHole("bbo", int(edges[k]), int(edges[k + 1]), open=k == len(quotes))
        for k in lost.tolist()
    ]


def _in_order(quotes: Quotes) -> Quotes:
    """Return quotes sorted by exchange time, those in the same millisecond by arrival.

    Quotes equal in both keep their order.
    """
    time_ms, local_s = quotes.time_ms, quotes.local_s
    step_ms = time_ms[1:] - time_ms[:-1]
    if (step_ms > 0).all() or (
        (step_ms > 0) | (step_ms == 0) & (local_s[1:] >= local_s[:-1])
    ).all():
        return quotes  # the usual case
    order = np.argsort(time_ms, kind="stable")
    same = np.flatnonzero(np.diff(time_ms[order]) == 0)
    if len(same):
        places = np.union1d(same, same + 1)
        tied = order[places]
        order[places] = tied[np.lexsort((local_s[tied], time_ms[tied]))]
    return quotes.rows(order)


def _between(ordered_ms: Int1D, start_ms: int | None, end_ms: int | None) -> slice:
    """Return the slice of sorted times within the bounds (ends included)."""
    low = 0 if start_ms is None else int(np.searchsorted(ordered_ms, start_ms, side="left"))
    high = None if end_ms is None else int(np.searchsorted(ordered_ms, end_ms, side="right"))
    return slice(low, high)


def _market_orders(trades: Trades, path: MidPath, tick: float) -> MarketOrders:
    """Group prints into orders, keep the covered ones and attach the quote before each."""
    time_ms, side, extreme, size = _grouped(trades, _MOST_TICKS * tick)
    stretch = path.stretches.index(time_ms)
    covered = stretch >= 0
    time_ms, side, extreme = time_ms[covered], side[covered], extreme[covered]
    mid, half_spread = path.before(time_ms)
    walk = side * (extreme - mid)
    ticks = np.nan_to_num(np.round((walk - half_spread) / tick))
    reach = np.maximum(ticks, 0).astype(np.int64)
    return MarketOrders(
        time_ms=time_ms,
        side=side,
        extreme=extreme,
        size=size[covered],
        stretch=stretch[covered],
        mid=mid,
        half_spread=half_spread,
        walk=walk,
        reach=reach,
    )


def _grouped(trades: Trades, highest: float) -> tuple[Int1D, Int1D, Float1D, Float1D]:
    """Return time, side, extreme price and size of each (exchange ms, side, transaction).

    The prints of an order are nearly always consecutive, so runs are reduced first and only those,
    a few per second, are sorted: each pass over all prints takes longer than a fit.
    """
    trades = _sound(trades, highest)
    if not len(trades):
        return trades.time_ms, trades.side, trades.price, trades.size
    first = _firsts(trades.time_ms, trades.side, trades.transaction)
    worst: Float1D = np.maximum.reduceat(trades.side * trades.price, first)
    size: Float1D = np.add.reduceat(trades.size, first)
    time_ms, side = trades.time_ms[first], trades.side[first]
    transaction = trades.transaction[first]
    order = _together(2 * time_ms + (side > 0), transaction)
    if order is not None:
        time_ms, side, transaction = time_ms[order], side[order], transaction[order]
        first = _firsts(time_ms, side, transaction)
        time_ms, side = time_ms[first], side[first]
        worst = np.maximum.reduceat(worst[order], first)
        size = np.add.reduceat(size[order], first)
    return time_ms, side, side * worst, size


def _sound(trades: Trades, highest: float) -> Trades:
    """Return the prints with a valid side and size and a price below ``highest``."""
    price, size, side = trades.price, trades.size, np.abs(trades.side)
    if not len(trades) or (  # the usual case in a few passes; NaN fails every comparison
        (price.min() > 0 and price.max() < highest and size.min() > 0 and size.max() < np.inf)
        and side.min() == side.max() == 1
    ):
        return trades
    sound = (price > 0) & (price < highest) & (size > 0) & (size < np.inf) & (side == 1)
    return Trades(*(column[sound] for column in vars(trades).values()))


def _firsts(*columns: Int1D) -> Int1D:
    """Return the rows at which any column changes, including the first row."""
    changed = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        changed |= column[1:] != column[:-1]
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def _together(moment: Int1D, transaction: Int1D) -> Int1D | None:
    """Return an order by moment (time and side) in which runs of one transaction are adjacent.

    None if the runs are already in such an order. Only moments with three or more runs are sorted
    by transaction, since only there can an order's runs be apart after sorting by moment.
    """
    if (moment[1:] > moment[:-1]).all():
        return None
    order = moment.argsort(kind="stable")
    first = _firsts(moment[order])
    count = np.diff(first, append=len(order))
    rows = np.flatnonzero(np.repeat(count >= 3, count))
    tied = order[rows]
    order[rows] = tied[np.lexsort((transaction[tied], moment[tied]))]
    return order
