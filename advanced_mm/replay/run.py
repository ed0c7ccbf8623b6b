"""Replay decisions on recorded ticks, for one assumption about the queue or for all."""

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
from advanced_mm.marketdata.records import Int1D
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay.binding import END_OF_DATA
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS, Converted
from advanced_mm.replay.decisions import DecisionTable
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.layout import FILL, LOOK, QUOTE, REFUSAL, RULES
from advanced_mm.replay.maker import run_maker
from advanced_mm.replay.options import QUEUES, Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult

__all__ = ["replay", "replay_range"]

_DRAW_EVERY_NS: Final = 250 * NS_PER_MS
_LATENCY: Final = np.dtype([(name, "i8") for name in ("req_ts", "exch_ts", "resp_ts", "_padding")])
_LONGEST_ANSWER_NS: Final = 120_000 * NS_PER_MS
_KINDS: Final = 0xFF


def replay_range(
    data: ReplayData, decisions: DecisionTable, options: ReplayOptions
) -> dict[Queue, ReplayResult]:
    """Replay at the front of the queue, by a probability model, and at the back."""
    return {queue: replay(data, decisions, options, queue) for queue in QUEUES}


def replay(
    data: ReplayData, decisions: DecisionTable, options: ReplayOptions, queue: Queue = "model"
) -> ReplayResult:
    """Replay one coin's recording with the decisions of a bot.

    Orders, queues, latencies and partial fills are hftbacktest's. An order fills when a trade goes
    through its price, when trades at its price have used up what is ahead of it, or, without a
    trade, when the opposite best price reaches it (``ReplayResult.by_book`` tells which).

    Parameters
    ----------
    data
        The recording, see `load_recording`.
    decisions
        What to quote when.
    options
        Rhythm, latencies, size, limits, fee.
    queue
        ``front``: nothing is ahead of our orders. ``back``: everything that rested at the price
        when the order arrived is ahead until it was traded, or the level is smaller than that
        (hftbacktest's ``RiskAdverseQueueModel``). ``model``: cancels take place ahead and behind by
        a probability (``PowerProbQueueModel``).

    Raises
    ------
    InputError
        The queue is unknown, or there are no data in the time asked for.
    """
    if queue not in QUEUES:
        raise InputError(f"queue = {queue!r} must be one of {', '.join(QUEUES)}.")
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
    options = replace(
        options,
        start_ms=start,
        end_ms=end,
        grid=grid,
        one_at_a_time=(
            decisions.q_max - decisions.q_min == 1
            if options.one_at_a_time is None
            else options.one_at_a_time
        ),
    )
    touch = np.concatenate([part.touch for part in data.parts])
    if options.feed_latency_ms is not None:
        touch["local_ns"] = touch["exchange_ns"] + round(options.feed_latency_ms * NS_PER_MS)
    events = [*(_events(part, queue) for part in data.parts), _end(data, options)]
    latencies = _drawn_latencies(options)  # kept until the end: hftbacktest has its address only
    told = _room(data, options)
    backtest = build_hashmap_backtest([_asset(data, events, latencies, options, queue)])
    try:
        ended = run_maker(
            backtest,
            _book(data, touch, options),
            _table(decisions),
            _rules(data, decisions, options)[0],
            told,
        )
    finally:
        hashmapbt_close(backtest)
    quotes, fills, looks, refusals = (
        rows[:count].copy() for rows, count in zip(told, told[-1].tolist(), strict=False)
    )
    if ended not in (0, END_OF_DATA):
        raise RuntimeError(f"{data.coin}: hftbacktest ended the replay with error {ended}")
    return ReplayResult(
        data=data,
        decisions=decisions,
        options=options,
        queue=queue,
        touch=touch,
        quotes=_in_base(quotes, "size", "filled", "position"),
        fills=_in_base(fills, "size")[np.argsort(fills["exchange_ns"], kind="stable")],
        looks=_in_base(looks, "position"),
        refusals=refusals,
    )


def _room(data: ReplayData, options: ReplayOptions) -> tuple[NDArray[Any], ...]:
    """Return empty rows for all that can happen, and their counts; untouched rows cost nothing."""
    start, end = options.start_ms or 0, options.end_ms or 0
    looks = (end - start) // options.look_ms + 2 * len(data.covered) + 2
    trades = sum(part.rows for part in data.parts)
    return (
        np.zeros(2 * looks, QUOTE),
        np.zeros(2 * looks + trades, FILL),
        np.zeros(looks, LOOK),
        np.zeros(looks, REFUSAL),
        np.zeros(4, np.int64),
    )


def _in_base(rows: NDArray[Any], *names: str) -> NDArray[Any]:
    for name in names:
        rows[name] /= SIZE_UNITS
    return rows


def _steps(price: NDArray[np.float64], tick: float) -> Int1D:
    return np.nan_to_num(np.rint(price / tick)).astype(np.int64)


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


def _rules(data: ReplayData, decisions: DecisionTable, options: ReplayOptions) -> NDArray[Any]:
    rules = np.zeros(1, RULES)
    rules["start"] = (options.start_ms or 0) * NS_PER_MS
    rules["end"] = (options.end_ms or 0) * NS_PER_MS
    rules["look"] = options.look_ms * NS_PER_MS
    rules["min_age"] = round(options.min_quote_age_seconds * 1e9)
    longest = options.max_quote_age_seconds
    rules["max_age"] = np.iinfo(np.int64).max if longest is None else round(longest * 1e9)
    rules["max_book_age"] = round(options.max_book_age_seconds * 1e9)
    rules["requote_loss"] = options.requote_loss_percent / 100
    rules["requote_ticks"] = options.requote_ticks
    rules["size"] = np.rint(options.size * SIZE_UNITS)
    rules["step"], rules["in_bp"] = data.tick, decisions.depths_in_bp
    rules["q_min"], rules["one_at_a_time"] = decisions.q_min, options.one_at_a_time
    return rules


def _book(data: ReplayData, touch: NDArray[Any], options: ReplayOptions) -> tuple[Any, ...]:
    return (
        np.ascontiguousarray(touch["local_ns"]),
        np.ascontiguousarray(touch["exchange_ns"]),
        _steps(touch["bid"], data.tick),
        _steps(touch["ask"], data.tick),
        data.covered.start_ms * NS_PER_MS,
        data.covered.end_ms * NS_PER_MS,
        *price_bands(options.grid or data.grid, data.tick),
        np.ascontiguousarray(touch["imbalance"]),
    )


def price_bands(grid: PriceGrid, tick: float) -> tuple[NDArray[np.float64], Int1D]:
    """Return the prices (steps of ``tick``) from which on each price step holds, and the steps."""
    powers = np.array([float(f"1e{exponent}") for exponent in range(-6, 8)])
    found = [max(1, round(grid.tick(power) / tick)) for power in powers]
    return np.asarray(powers / tick), np.array(found, dtype=np.int64)


def _table(decisions: DecisionTable) -> tuple[Int1D, Any, Any, Any, Any, Any, Any, Any]:
    unknown = np.zeros((2, *decisions.bid_depth.shape))
    beta = np.zeros(len(decisions.time_ms)) if decisions.beta is None else decisions.beta
    limit = decisions.adverse_limit
    if limit is None:
        limit = np.ones((2, len(decisions.time_ms)))
    return (
        decisions.time_ms * NS_PER_MS,
        np.stack([decisions.bid_depth, decisions.ask_depth]),
        np.stack([decisions.bid_refusal, decisions.ask_refusal]).astype(np.int64),
        np.stack([decisions.bid_at_touch, decisions.ask_at_touch]).astype(np.bool_),
        np.asarray(beta, dtype=np.float64),
        np.ascontiguousarray(limit, dtype=np.float64),
        unknown if decisions.kappa is None else np.ascontiguousarray(decisions.kappa),
        unknown if decisions.from_best is None else np.ascontiguousarray(decisions.from_best),
    )
