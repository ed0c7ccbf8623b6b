"""hftbacktest's venue for a recording: its events, the queue's model, latencies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    build_hashmap_backtest,
)
from hftbacktest.binding import hashmapbt_close
from hftbacktest.types import event_dtype
from numpy.typing import NDArray

from advanced_mm.errors import InputError
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS, Converted
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.options import QUEUES, Queue, ReplayOptions

__all__ = ["in_base", "prepared", "seen_touches", "venue"]

_DRAW_EVERY_NS: Final = 250 * NS_PER_MS
_LATENCY: Final = np.dtype([(name, "i8") for name in ("req_ts", "exch_ts", "resp_ts", "_padding")])
_LONGEST_ANSWER_NS: Final = 120_000 * NS_PER_MS
_KINDS: Final = 0xFF


def prepared(data: ReplayData, options: ReplayOptions) -> tuple[ReplayData, ReplayOptions]:
    """Return the data with a tick as fine as the grid, the options with times and grid set.

    Raises
    ------
    InputError
        There are no data in the time asked for.
    """
    start = max(data.start_ms, options.start_ms or 0)
    end = min(data.end_ms, options.end_ms or data.end_ms)
    if start >= end:
        raise InputError(f"{data.coin}: there are no data in the time to be replayed.")
    grid = options.grid or data.grid
    first = data.parts[0].touch[0]
    finest = grid.tick(
        0.5 * float(first["bid"])
    )  # of all that may be quoted, well below the market
    data = replace(data, tick=min(data.tick, finest))
    return data, replace(options, start_ms=start, end_ms=end, grid=grid)


def seen_touches(data: ReplayData, options: ReplayOptions) -> NDArray[Any]:
    """Return rows of `layout.TOUCH`: the best prices, as late as the maker sees them."""
    touch = np.concatenate([part.touch for part in data.parts])
    if options.feed_latency_ms is not None:
        touch["local_ns"] = touch["exchange_ns"] + round(options.feed_latency_ms * NS_PER_MS)
    return touch


@contextmanager
def venue(data: ReplayData, options: ReplayOptions, queue: Queue) -> Iterator[int]:
    """Give the address of a backtest of `prepared` data, which ends with the context.

    Raises
    ------
    InputError
        The queue is unknown.
    """
    if queue not in QUEUES:
        raise InputError(f"queue = {queue!r} must be one of {', '.join(QUEUES)}.")
    events = [*(_events(part, queue) for part in data.parts), _end(data, options)]
    latencies = _drawn_latencies(options)  # kept until the end: hftbacktest has its address only
    backtest = build_hashmap_backtest([_asset(data, events, latencies, options, queue)])
    try:
        yield backtest
    finally:
        hashmapbt_close(backtest)


def in_base(rows: NDArray[Any], *names: str) -> NDArray[Any]:
    """Convert columns of sizes in hundred-millionths into the base currency, in place."""
    for name in names:
        rows[name] /= SIZE_UNITS
    return rows


def _events(part: Converted, queue: Queue) -> NDArray[Any]:
    """Return a part's events; for the front of the queue with next to nothing at each level.

    hftbacktest has no queue model of an order that is always first. It takes what is ahead from
    the level's size, so that levels of one hundred-millionth come to the same; trades are larger by
    as much, so that what they fill is unchanged.
    """
    if queue != "front":
        return part.events
    events = np.array(part.events)
    kind = events["ev"] & _KINDS
    events["qty"] = np.where(
        (kind == DEPTH_EVENT) & (events["qty"] > 0),
        1.0,
        np.where(kind == TRADE_EVENT, events["qty"] + 1.0, events["qty"]),
    )
    return events


def _end(data: ReplayData, options: ReplayOptions) -> NDArray[Any]:
    """Return an event that changes nothing: hftbacktest ends with the last one, come what may."""
    event = np.zeros(1, event_dtype)
    event["ev"] = EXCH_EVENT | LOCAL_EVENT | DEPTH_EVENT | BUY_EVENT
    event["exch_ts"] = event["local_ts"] = max(
        (options.end_ms or 0) * NS_PER_MS + _LONGEST_ANSWER_NS, data.parts[-1].events["exch_ts"][-1]
    )
    event["px"] = data.tick
    return event


def _asset(
    data: ReplayData,
    events: list[NDArray[Any]],
    latencies: NDArray[Any] | None,
    options: ReplayOptions,
    queue: Queue,
) -> BacktestAsset:
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .tick_size(data.tick)
        .lot_size(1.0)
        .trading_value_fee_model(0.0, 0.0)  # fees are ours, see `ReplayResult`
    )
    asset = (
        asset.partial_fill_exchange() if options.partial_fills else asset.no_partial_fill_exchange()
    )
    if latencies is None:
        there = round(options.latency_ms * NS_PER_MS)
        back = there if options.response_ms is None else round(options.response_ms * NS_PER_MS)
        asset = asset.constant_order_latency(there, back)
    else:
        asset = asset.intp_order_latency(latencies)
    if queue == "model":
        return asset.power_prob_queue_model(options.queue_power)
    return asset.risk_adverse_queue_model()


def _drawn_latencies(options: ReplayOptions) -> NDArray[Any] | None:
    """Return latencies for hftbacktest, which interpolates: each drawn one holds for a while.

    None if the latency is constant.
    """
    if options.latencies_ms is None:
        return None
    start, end = (options.start_ms or 0) * NS_PER_MS, (options.end_ms or 0) * NS_PER_MS
    times = np.arange(start - _DRAW_EVERY_NS, end + 2 * _DRAW_EVERY_NS, _DRAW_EVERY_NS)
    random = np.random.default_rng(options.seed)
    drawn = random.choice(np.rint(options.latencies_ms * NS_PER_MS), (2, len(times)))
    there, back = drawn.astype(np.int64)
    rows = np.zeros(2 * len(times), _LATENCY)
    for offset, until in ((0, 0), (1, _DRAW_EVERY_NS - 1)):
        rows["req_ts"][offset::2] = times + until
        rows["exch_ts"][offset::2] = times + until + there
        rows["resp_ts"][offset::2] = times + until + there + back
    return rows
