"""The report as plain values, under documented and stable keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from advanced_mm.performance.assess import Account, Performance, account_change
from advanced_mm.performance.attribution import Parts, total_of
from advanced_mm.performance.break_even import BreakEven
from advanced_mm.performance.intervals import Figure, Line
from advanced_mm.performance.splits import Group
from advanced_mm.performance.truth import ModelTruth

__all__ = ["break_even_json", "parts_json", "performance_json", "report_json"]

Json = dict[str, Any]


def report_json(several: Sequence[Performance], *, horizon_s: float) -> Json:
    """Return all coins and their total; unknown values are null."""
    account: Account | None = account_change(several)
    return {
        "horizon_seconds": horizon_s,
        "coins": {one.record.coin: performance_json(one) for one in several},
        "total": parts_json(total_of(one.parts for one in several)),
        "account": None if account is None else asdict(account),
    }


def parts_json(parts: Parts) -> Json:
    """Return the change of equity, its five parts, and what they rest on."""
    return {
        "equity_change": parts.equity_change,
        **parts.parts,
        "fills": parts.fills,
        "turnover": parts.turnover,
        "fills_with_mid": parts.with_mid,
        "fills_with_markout": parts.with_markout,
    }


def performance_json(one: Performance) -> Json:
    """Return one coin's parts, figures, markouts, comparisons and groups."""
    record = one.record
    found: Json = _known(
        {
            **parts_json(one.parts),
            "source": record.source,
            "start": _time(record.start_ms),
            "end": _time(record.end_ms),
            "bots": [bot.name for bot in record.bots],
            "mid_sources": one.mid_sources(),
            "markout_sources": one.markout_sources(),
            "position_unexplained": sum(bot.missed for bot in record.bots),
            "figures": {name: figure.to_json() for name, figure in one.figures.items()},
            "quoting": {**asdict(one.resting)},
            "markouts": [
                {
                    "horizon_seconds": row.horizon_s,
                    "move": row.move.to_json(),
                    "edge": row.edge.to_json(),
                    "share": row.share,
                }
                for row in one.markouts
            ],
            "model": _truth(one.truth),
            "hours": [
                {
                    "start": _time(hour.start_ms),
                    "equity_change": hour.equity_change,
                    **hour.parts,
                    "fills": hour.fills,
                }
                for hour in one.hours
            ],
            "splits": {
                way: [_group(group) for group in groups] for way, groups in one.splits.items()
            },
            "notes": one.notes,
        }
    )
    return found


def break_even_json(found: BreakEven) -> Json:
    """Return the costs of one side and the least spread that pays."""
    told: Json = _known(
        {
            "costs": [asdict(cost) for cost in found.costs],
            "least_spread_bp": found.least_spread_bp,
            "captured_spread_bp": found.captured_bp,
            "monthly_turnover": found.monthly_turnover,
            "pays": found.pays,
        }
    )
    return told


def _truth(truth: ModelTruth) -> Json:
    return {
        "expected_edge": truth.expected.to_json(),
        "realised_edge": truth.realised.to_json(),
        "regressions": [
            {"horizon_seconds": horizon, **_line(line)} for horizon, line in truth.lines.items()
        ],
        "deciles": [
            {"expected_bp": row.expected, "realised": row.realised.to_json()}
            for row in truth.deciles
        ],
        "depths": [
            {
                "depth_bp": row.depth_bp,
                "seconds": row.seconds,
                "observed": row.observed.to_json(),
                "expected": row.expected,
            }
            for row in truth.depths
        ],
        "ages": [
            {"age_seconds": row.age_s, "lost": row.lost.to_json(), "expected_bp": row.expected}
            for row in truth.ages
        ],
        "volatility": truth.volatility,
    }


def _line(line: Line) -> Json:
    return {"slope": line.slope.to_json(), "intercept": line.intercept.to_json()}


def _group(group: Group) -> Json:
    edge: Figure = group.edge
    return {**asdict(group), "edge": edge.to_json()}


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _known(value: Any) -> Any:
    """Replace numbers that are not finite by null, and numpy's by Python's."""
    if isinstance(value, Mapping):
        return {key: _known(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_known(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
