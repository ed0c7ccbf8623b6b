"""The figures of a session, each with its unit, averages with a 95% interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from advanced_mm.marketdata.records import Float1D
from advanced_mm.performance.attribution import FillParts, Parts
from advanced_mm.performance.intervals import Figure, TimeDraws
from advanced_mm.performance.mids import MINUTE_MS, Marks
from advanced_mm.performance.paths import (
    EquityPath,
    held_seconds,
    position_after,
    round_trips,
)
from advanced_mm.performance.presence import Presence
from advanced_mm.performance.records import Record

__all__ = ["Markout", "markouts", "session_figures"]

MINUTES_A_YEAR: Final = 525_600
BASIS_POINT: Final = 1e-4
_AT_LIMIT: Final = 0.99
_LEAST_MINUTES: Final = 30
"""Fewer minutes say nothing about a year."""


@dataclass(frozen=True)
class Markout:
    """What fills were worth some seconds later, bp of the price, negative against us.

    ``move`` is the move of the mid from just before the fill, signed so that a move against the
    fill is negative; ``edge`` spread plus move plus fees. ``share`` of the fills has a markout.
    """

    horizon_s: float
    move: Figure
    edge: Figure
    share: float


def markouts(record: Record, marks: Marks) -> list[Markout]:
    """Average the moves after the fills, weighted by value, at each horizon."""
    fills = record.fills
    value = fills.price * fills.size
    found = []
    for horizon, after in marks.after.items():
        draws = TimeDraws(fills.time_ms, horizon)
        known = np.isfinite(after) & np.isfinite(marks.mid)
        move = np.where(known, fills.signed_size * (after - marks.mid), np.nan)
        edge = np.where(known, fills.signed_size * (after - fills.price) - fills.fee, np.nan)
        weight = np.where(known, value, 0.0)
        found.append(
            Markout(
                horizon,
                draws.ratio(np.nan_to_num(move), weight, "bp").times(1e4, "bp"),
                draws.ratio(np.nan_to_num(edge), weight, "bp").times(1e4, "bp"),
                float(known.mean()) if len(known) else np.nan,
            )
        )
    return found


def session_figures(
    record: Record,
    marks: Marks,
    parts: Parts,
    by_fill: FillParts,
    path: EquityPath,
    resting: Presence,
) -> dict[str, Figure]:
    """Return the figures by their name; one the record does not determine is NaN."""
    return {
        **_profit(record, marks, parts, by_fill),
        **_quoting(record, marks, resting),
        **_trips(record),
        **_inventory(record),
        **_risk(record, parts, path),
    }


def _profit(record: Record, marks: Marks, parts: Parts, by_fill: FillParts) -> Mapping[str, Figure]:
    fills = record.fills
    draws = TimeDraws(fills.time_ms, marks.horizon_s)
    value = fills.price * fills.size
    hours = max((record.end_ms - record.start_ms) / 3_600_000, 1e-9)
    net, gross = parts.equity_change, parts.equity_change - parts.fees
    with_mid = by_fill.known_mid * value
    with_both = by_fill.known_markout * value
    edge = by_fill.spread + by_fill.adverse + by_fill.fees
    return {
        "gross_profit": Figure(gross, "USDC"),
        "net_profit": Figure(net, "USDC"),
        "net_per_hour": Figure(net / hours, "USDC per hour"),
        "net_per_turnover": Figure(
            net / parts.turnover / BASIS_POINT if parts.turnover else np.nan, "bp"
        ),
        "spread_per_fill": draws.ratio(by_fill.spread, with_mid, "").times(1e4, "bp"),
        "adverse_per_fill": draws.ratio(by_fill.adverse, with_both, "").times(1e4, "bp"),
        "fee_per_fill": draws.ratio(by_fill.fees, value, "").times(1e4, "bp"),
        "edge_per_fill": draws.ratio(edge * by_fill.known_markout, with_both, "").times(1e4, "bp"),
    }


def _quoting(record: Record, marks: Marks, resting: Presence) -> Mapping[str, Figure]:
    fills, quotes = record.fills, record.quotes
    rested = ~quotes.refused
    sent = np.count_nonzero(rested)
    draws = TimeDraws(quotes.time_ms[rested]) if sent else None
    one = np.ones(sent)
    filled = (quotes.filled[rested] > 0).astype(np.float64)
    rate = draws.ratio(filled, one, "share") if draws else Figure(np.nan, "share")
    by_size = (
        draws.ratio(quotes.filled[rested], quotes.size[rested], "share")
        if draws
        else Figure(np.nan, "share")
    )
    depth = record.of_fills(quotes.depth)
    captured = fills.sign * (marks.mid - fills.price)
    known = np.isfinite(depth) & np.isfinite(captured)
    by_fill = TimeDraws(fills.time_ms)
    size = np.where(known, fills.size, 0.0)
    efficiency = by_fill.ratio(
        np.where(known, captured, 0.0) * size, np.where(known, depth, 0.0) * size, "share"
    )
    requests = np.nan if record.requests is None else float(record.requests)
    return {
        "quotes_sent": Figure(float(sent), "quotes"),
        "quotes_refused": Figure(float(len(quotes) - sent), "quotes"),
        "fill_rate": rate,
        "fill_rate_by_size": by_size,
        "spread_efficiency": efficiency,
        "quote_uptime": Figure(resting.any_quote, "share"),
        "requests_per_fill": Figure(_divided(requests, len(fills)), "requests"),
        "order_age_at_fill": by_fill.mean(fills.rested_s, "s"),
        "maker_share": by_fill.mean(fills.maker, "share"),
    }


def _trips(record: Record) -> Mapping[str, Figure]:
    trips = round_trips(record.fills, sum(bot.opening for bot in record.bots))
    draws = TimeDraws(trips.start_ms)
    won = trips.profit > 0
    return {
        "round_trips": Figure(float(len(trips)), "trips"),
        "win_rate": draws.mean(won.astype(np.float64), "share"),
        "average_win": draws.mean(np.where(won, trips.profit, np.nan), "USDC"),
        "average_loss": draws.mean(np.where(won, np.nan, trips.profit), "USDC"),
        "holding_time": draws.mean(trips.seconds, "s"),
    }


def _inventory(record: Record) -> Mapping[str, Figure]:
    opening = sum(bot.opening for bot in record.bots)
    position = np.concatenate([[opening], position_after(record.fills, opening)])
    held = held_seconds(record.fills.time_ms, record.start_ms, record.end_ms)
    total = max(float(held.sum()), 1e-9)
    largest = float(np.abs(position).max())
    open_s = float(held[position != 0].sum())
    stays = np.count_nonzero((position != 0) & np.concatenate([[True], position[:-1] == 0]))
    at_limit = (np.abs(position) >= _AT_LIMIT * largest) & (largest > 0)
    return {
        "max_inventory": Figure(largest, record.coin),
        "time_at_max_inventory": Figure(float(held[at_limit].sum()) / total, "share"),
        "time_flat": Figure(1 - open_s / total, "share"),
        "inventory_duration": Figure(_divided(open_s, float(stays)), "s"),
    }


def _risk(record: Record, parts: Parts, path: EquityPath) -> Mapping[str, Figure]:
    minute = path.minute_profit
    deepest, longest = path.drawdown()
    multiple = _divided(parts.turnover, record.capital)
    return {
        "turnover": Figure(parts.turnover, "USDC"),
        "turnover_of_capital": Figure(multiple, "times"),
        "profit_per_minute": _minute_draws(minute).mean(minute, "USDC"),
        "sharpe": _annual(minute, minute),
        "sortino": _annual(minute, np.minimum(minute, 0.0)),
        "max_drawdown": Figure(deepest, "USDC"),
        "longest_drawdown": Figure(longest, "s"),
    }


def _minute_draws(minute: Float1D) -> TimeDraws:
    """Blocks of five minutes or more."""
    return TimeDraws(MINUTE_MS * np.arange(len(minute), dtype=np.int64), 100.0)


def _annual(minute: Float1D, risk: Float1D) -> Figure:
    """Mean by root mean square of ``risk`` about its own mean (Sharpe) or about zero (Sortino)."""
    draws = _minute_draws(minute)
    one = np.ones(len(minute))
    total, drawn = draws.sums(one, minute, risk * risk)
    about_zero = risk is not minute

    def ratio(sums: Float1D) -> Float1D:
        n, mean, square = sums.T
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = square / n - (0.0 if about_zero else (mean / n) ** 2)
            spread = np.sqrt(np.where(variance > 0, variance, np.nan))
            return np.asarray(mean / n / spread * np.sqrt(MINUTES_A_YEAR))

    if len(minute) < _LEAST_MINUTES:
        return Figure(np.nan, "per year, of minutes")
    value = float(ratio(total[None, :])[0])
    return Figure(value, "per year, of minutes", *draws.interval(value, ratio(drawn)), len(minute))


def _divided(above: float, below: float) -> float:
    return above / below if below else np.nan
