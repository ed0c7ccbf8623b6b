"""Replay decisions on recorded ticks, for one assumption about the queue or for all."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Int1D
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay.binding import END_OF_DATA
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS
from advanced_mm.replay.decisions import DecisionTable
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.hft_venue import in_base, prepared, seen_touches, venue
from advanced_mm.replay.layout import FILL, LOOK, QUOTE, REFUSAL, RULES
from advanced_mm.replay.maker import run_maker
from advanced_mm.replay.options import QUEUES, Queue, ReplayOptions
from advanced_mm.replay.result import ReplayResult

__all__ = ["replay", "replay_range"]


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
    data, options = prepared(data, options)
    options = replace(
        options,
        one_at_a_time=(
            decisions.q_max - decisions.q_min == 1
            if options.one_at_a_time is None
            else options.one_at_a_time
        ),
    )
    touch = seen_touches(data, options)
    told = _room(data, options)
    with venue(data, options, queue) as backtest:
        ended = run_maker(
            backtest,
            _book(data, touch, options),
            _table(decisions),
            _rules(data, decisions, options)[0],
            told,
        )
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
        quotes=in_base(quotes, "size", "filled", "position"),
        fills=in_base(fills, "size")[np.argsort(fills["exchange_ns"], kind="stable")],
        looks=in_base(looks, "position"),
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


def _steps(price: NDArray[np.float64], tick: float) -> Int1D:
    return np.nan_to_num(np.rint(price / tick)).astype(np.int64)


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
