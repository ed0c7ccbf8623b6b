"""The theoretical P&L beside what the calibrated model expects of the same time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from advanced_mm.report.page import Table
from advanced_mm.report.research.study import Study, mids
from advanced_mm.report.research.words import Insight, number, seconds_text

__all__ = ["Theoretical", "expected_insights", "expected_json", "expected_table", "theoretical"]


@dataclass(frozen=True)
class Theoretical:
    """The theoretical P&L over some time, which nobody could have earned.

    ``depth_bp`` is half the mean range of the trades' candles, ``per_hour`` the sum on a stake
    (quote currency), which would be filled by each of ``fills_per_hour`` trades.
    """

    seconds: float
    depth_bp: float
    fills_per_hour: float
    per_hour: float


def theoretical(study: Study) -> Theoretical | None:
    """Return the theoretical P&L of the model's window, or of all candles without a model.

    None if the source does not count trades, or none of the window's candles is known.
    """
    frame = study.candles.frame
    index = study.columns["theoretical_pnl"].to_numpy(np.float64)
    inside = np.isfinite(index)
    row = study.screened
    if row is not None and row.fitted_at is not None:
        end = pd.Timestamp(row.fitted_at)
        start = end - pd.Timedelta(minutes=row.window_minutes)
        inside &= np.asarray((frame.index >= start) & (frame.index < end))
    seconds = float(inside.sum()) * study.candles.step_seconds
    if not seconds:
        return None
    price = float(np.nanmean(mids(study.candles)[inside]))
    trades, total = float(frame["trades"].to_numpy(np.float64)[inside].sum()), index[inside].sum()
    return Theoretical(
        seconds,
        float(total / trades / price * 1e4) if trades else float("nan"),
        trades / seconds * 3600,
        float(total / seconds * 3600 * study.stake / price),
    )


def expected_insights(study: Study) -> Iterator[Insight]:
    """Say what the model expects, and that the theoretical P&L is something else."""
    row = study.screened
    if row is None:
        return
    income = row.income_per_hour
    if not np.isfinite(income.value):
        yield Insight("our model", f"It cannot say: {row.verdict}.")
        return
    both = next((one for one in row.expected if one.quotes == "both in turn"), None)
    where = ""
    if both is not None:
        ask, bid = both.depths_bp
        where = f", quoting {number(ask)} bp above and {number(bid)} bp below the mid"
    yield Insight(
        "our model",
        f"Calibrated on the newest {row.window_minutes:g} min of trades, it expects "
        f"{income.value:.3g} USDC an hour on a stake of {study.stake:g} USDC "
        f"({income.low:.3g} to {income.high:.3g}), after fees and adverse moves{where}: "
        f"{row.verdict}.",
        float(np.sign(income.low) if income.low > 0 or income.high < 0 else 0),
    )
    found = theoretical(study)
    if found is not None:
        yield Insight(
            "our model",
            f"The theoretical P&L of the same time is {number(found.per_hour)} USDC an hour on "
            "that stake: an index of activity that nobody could have earned.",
        )


def expected_table(study: Study) -> Table | None:
    """Return both as a table; None if neither is known."""
    found, row = theoretical(study), study.screened
    rows = []
    if found is not None:
        rows.append(
            [
                "theoretical P&L (no income)",
                number(found.depth_bp),
                number(found.depth_bp),
                number(found.fills_per_hour),
                number(found.per_hour),
            ]
        )
    for one in () if row is None else row.expected:
        low, high = one.per_hour.low, one.per_hour.high
        rows.append(
            [
                f"expected, {one.quotes}",
                " / ".join(map(number, one.depths_bp)),
                number(one.edge_bp),
                number(one.fills_per_hour),
                f"{number(one.per_hour.value)} ({number(low)} to {number(high)})",
            ]
        )
    if not rows:
        return None
    when = "" if found is None else f", {seconds_text(found.seconds)} of candles"
    header = [
        "", "depth, bp", "edge of a fill, bp", "fills an hour",
        f"an hour on {study.stake:g}",
    ]  # fmt: skip
    return Table(f"{study.name}{when}", header, rows)


def expected_json(study: Study) -> dict[str, Any]:
    """Return both as plain values; unknown ones are null."""
    found, row = theoretical(study), study.screened
    return {
        "stake": study.stake,
        "theoretical": None if found is None else {k: _plain(v) for k, v in vars(found).items()},
        "model": [
            {
                "quotes": one.quotes,
                "depths_bp": list(one.depths_bp),
                "edge_bp": _plain(one.edge_bp),
                "fills_per_hour": _plain(one.fills_per_hour),
                "per_hour": _plain(one.per_hour.value),
                "per_hour_low": _plain(one.per_hour.low),
                "per_hour_high": _plain(one.per_hour.high),
            }
            for one in (() if row is None else row.expected)
        ],
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
