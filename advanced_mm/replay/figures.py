"""What a replay earned per hour and per fill, how sure that is, and what it does not know."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from advanced_mm.calibration.windows import Stretches
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.performance.intervals import Figure, TimeDraws
from advanced_mm.replay.events import ReplayData
from advanced_mm.replay.result import ReplayResult

__all__ = [
    "TOO_SHORT_HOURS",
    "covered_between",
    "covered_part",
    "equity_at",
    "profit_by_piece",
    "replay_figures",
    "replay_notes",
]

TOO_SHORT_HOURS: Final = 1.0
_BIN_MS: Final = 10_000
_HORIZON_S: Final = 60.0
"""A position is held for about this long, so that blocks are three times as long at least."""
_NONE_SEEN: Final = 3.69
"""Upper bound (95%, two-sided) of a Poisson mean of which nothing was seen."""
_MS_PER_HOUR: Final = 3_600_000


def replay_figures(result: ReplayResult) -> dict[str, Figure]:
    """Return what a replay earned, with 95% intervals from blocks of time.

    All figures are of the time with data: money and fills in it, divided by its hours. Without a
    fill there is nothing to draw: the fills' interval is then Poisson's, and the money has none.

    ``net_per_hour``
        Change of cash and of the position's value at the mid, after fees and funding, in the quote
        currency per hour; without what the inventory held at the start gained by itself.
    ``fills_per_hour``
        Fills per hour; a part of an order that was filled counts as a fill.
    ``net_bp_per_fill``
        The same change per turnover, bp: what a fill earns on average.
    ``by_book``
        Share of the turnover that the opposite best price filled, without a trade there.
    """
    covered = covered_part(result)
    start, end = _bins(covered, _BIN_MS)
    earned = _earned(result, start, end)
    hours = (end - start) / _MS_PER_HOUR
    value = result.price * result.size
    draws = TimeDraws(start, _HORIZON_S)

    def per_bin(weights: Float1D) -> Float1D:
        total = np.concatenate([[0.0], np.cumsum(weights)])
        until = np.searchsorted(result.time_ms, end, side="right")
        since = np.searchsorted(result.time_ms, start, side="right")
        return np.asarray(total[until] - total[since])

    turnover = per_bin(value)
    net = draws.ratio(earned, hours, "USDC per hour")
    fills = draws.ratio(per_bin(np.ones(len(value))), hours, "fills per hour")
    if not len(value):
        net = replace(net, low=np.nan, high=np.nan)
        fills = replace(fills, low=0.0, high=_NONE_SEEN / float(hours.sum()))
    return {
        "net_per_hour": net,
        "fills_per_hour": fills,
        "net_bp_per_fill": draws.ratio(earned, turnover, "bp").times(1e4, "bp"),
        "by_book": draws.ratio(per_bin(value * result.by_book), turnover, "share"),
    }


def replay_notes(result: ReplayResult) -> list[str]:
    """Return what a reader of the figures must know, a sentence each."""
    covered = covered_part(result)
    hours = covered.observed_seconds / 3600
    whole = (result.end_ms - result.start_ms) / _MS_PER_HOUR
    notes = [
        f"{hours:.2f} hours with data were replayed; {1 - hours / whole:.1%} of the time between "
        "start and end has no data: nothing was quoted in it, and it does not count.",
        "No market impact: the recorded market does not react to our orders, and our fills take "
        "nothing away from others.",
        "The book is known at each snapshot and at each change of the best prices only: the place "
        "in the queue is an assumption.",
    ]
    assumed, recorded = result.options.feed_latency_ms, _recorded_latency_ms(result)
    notes.append(
        "The maker saw the book "
        + (
            f"{recorded:.0f} ms after the venue published it (median), as the recorder did."
            if assumed is None
            else f"{assumed:.0f} ms after the venue published it, as assumed; the recorder saw it "
            f"{recorded:.0f} ms after (median)."
        )
    )
    if hours < TOO_SHORT_HOURS:
        notes.insert(0, "Too short: less than an hour of data says little about what is earned.")
    notes += _account_notes(result)
    if result.options.funding is None:
        notes.append("Funding is not included: --funding-rate takes one rate for all hours.")
    over_gaps = round(_over_gaps(result, covered), 4)
    if len(covered) > 1 and over_gaps:
        notes.append(
            f"The position changed its value by {over_gaps:.4f} USDC over times without data; that "
            "is not part of the figures per hour and per fill."
        )
    return notes


def _account_notes(result: ReplayResult) -> Iterator[str]:
    """Say what holds for ladders: their account, and that fills do not share a trade's size."""
    if result.account is None:
        return
    held = result.opening.inventory
    if held:
        (first, last), _ = result.mids.at(np.array([result.start_ms, result.end_ms]))
        yield (
            f"The {held:g} {result.data.coin} held at the start changed their value by "
            f"{held * (last - first):.2f} USDC by themselves. That is within the part inventory, "
            "and left out of the figures per hour and per fill."
        )
    yield (
        "A trade that goes through several orders of the ladder fills each of them: its size is "
        "not shared out among them."
    )


def _recorded_latency_ms(result: ReplayResult) -> float:
    parts = [part.touch for part in result.data.parts]
    late = np.concatenate([touch["local_ns"] - touch["exchange_ns"] for touch in parts])
    return float(np.median(late)) / 1e6


def _earned(result: ReplayResult, start_ms: Int1D, end_ms: Int1D) -> Float1D:
    """Return the changes of equity beyond those of the inventory that was held at the start."""
    earned = equity_at(result, end_ms) - equity_at(result, start_ms)
    if result.opening.inventory:
        earned -= result.opening.inventory * (
            result.mids.at(end_ms)[0] - result.mids.at(start_ms)[0]
        )
    return np.asarray(earned)


def profit_by_piece(result: ReplayResult, piece_ms: int = 60_000) -> tuple[Int1D, Float1D, Float1D]:
    """Return starts (exchange ms), lengths (hours) and changes of equity of pieces of time.

    Each stretch with data is cut into pieces of ``piece_ms``, the last one maybe shorter.
    """
    start, end = _bins(covered_part(result), piece_ms)
    earned = _earned(result, start, end)
    return start, (end - start) / _MS_PER_HOUR, earned


def covered_part(result: ReplayResult) -> Stretches:
    """Return the stretches with data within the replay."""
    return covered_between(result.data, result.start_ms, result.end_ms)


def covered_between(data: ReplayData, start_ms: int, end_ms: int) -> Stretches:
    """Return the stretches with data between two times, exchange ms."""
    start = np.clip(data.covered.start_ms, start_ms, end_ms)
    end = np.clip(data.covered.end_ms, start_ms, end_ms)
    return Stretches(start[start < end], end[start < end])


def equity_at(result: ReplayResult, time_ms: Int1D) -> Float1D:
    """Return cash plus the position's value at the mid at each time."""
    done = np.searchsorted(result.time_ms, time_ms, side="right")
    cash = np.concatenate([[result.opening.cash], result.cash_after()])[done]
    position = np.concatenate([[result.opening.inventory], result.position_after])[done]
    mid, _ = result.mids.at(time_ms)
    paid_ms, amount, _ = result.funding_paid
    paid = np.concatenate([[0.0], np.cumsum(amount)])
    received = paid[np.searchsorted(paid_ms, time_ms, side="right")]
    return np.asarray(cash + np.where(position == 0, 0.0, position * mid) + received)


def _bins(covered: Stretches, width_ms: int) -> tuple[Int1D, Int1D]:
    """Cut the stretches into bins; the last of each may be shorter."""
    edges = [
        np.append(np.arange(low, high, width_ms, dtype=np.int64), high)
        for low, high in zip(covered.start_ms.tolist(), covered.end_ms.tolist(), strict=True)
    ]
    none = np.empty(0, dtype=np.int64)
    start = np.concatenate([none, *(edge[:-1] for edge in edges)])
    return start, np.concatenate([none, *(edge[1:] for edge in edges)])


def _over_gaps(result: ReplayResult, covered: Stretches) -> float:
    return float(_earned(result, covered.end_ms[:-1], covered.start_ms[1:]).sum())
