"""The hours of the day: when a market is wide, lively and one-sided."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.marketdata.records import Float1D
from advanced_mm.report.page import Table
from advanced_mm.report.research.study import Study, mids, spreads_bp, volatility_bp
from advanced_mm.report.research.words import number, share

__all__ = ["HOUR_COLUMNS", "by_hour", "heat_map"]

HOUR_COLUMNS: Final = {
    "spread_bp": "spread, bp",
    "volatility_bp": "σ, bp/√s",
    "volume": "volume an hour",
    "trades": "trades a minute",
    "imbalance": "order flow",
    "reversals": "reversals",
    "score": "score",
}
"""Names of `by_hour`'s columns as a reader sees them."""
_LEAST_SPAN: Final = 0.1
"""Share of the largest value: hours that differ by less than that are not coloured as far apart."""
_DIVERGING: Final = ("imbalance",)
_SHARES: Final = ("imbalance", "reversals")


def by_hour(study: Study) -> pd.DataFrame:
    """Return the market by hour of the day, UTC; hours without data are left out.

    Columns: ``spread_bp`` and ``volatility_bp`` as in ``Figures``, ``volume`` in an hour (quote
    currency), ``trades`` in a minute, ``imbalance`` taker buys less sells by the volume,
    ``reversals`` the share of candles that turn the last one's move, ``score`` the mean
    opportunity score; and ``observed``, the number of known candles.
    """
    frame, columns = study.candles.frame, study.columns
    step = study.candles.step_seconds
    hours = frame.index.hour.to_numpy()
    price, spread = mids(study.candles), spreads_bp(study).values
    volume = frame["quote_volume"].fillna(frame["volume"] * frame["close"]).to_numpy()
    rows = {}
    for hour in np.unique(hours):
        inside = hours == hour
        observed = int(frame["close"].notna().to_numpy()[inside].sum())
        if not observed:
            continue
        traded = frame["volume"].to_numpy()[inside]
        bought = frame["taker_buy_volume"].to_numpy()[inside]
        buying = np.nansum(bought) / np.nansum(traded) if np.nansum(traded) > 0 else np.nan
        apart = np.where(inside, price, np.nan)  # a day's last second is no neighbour of the next's
        rows[int(hour)] = {
            "spread_bp": _mean(spread[inside]),
            "volatility_bp": volatility_bp(apart, step),
            "volume": float(np.nansum(volume[inside]) / observed / step * 3600),
            "trades": _mean(frame["trades"].to_numpy()[inside]) / step * 60,
            "imbalance": 2 * buying - 1 if np.isfinite(bought).any() else np.nan,
            "reversals": _mean(np.abs(columns["price_reversal"].to_numpy(np.float64)[inside])),
            "score": _mean(columns["mm_opportunity_score"].to_numpy(np.float64)[inside]),
            "observed": observed,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("hour")


def heat_map(study: Study) -> Table:
    """Return the hours as a table, each column coloured from its least to its largest value."""
    hours = by_hour(study)
    shown = [name for name in HOUR_COLUMNS if hours[name].notna().any()]
    heats = np.column_stack([np.full(len(hours), np.nan), *(_heat(hours[n], n) for n in shown)])
    return Table(
        f"{study.name}: the hours of the day, UTC",
        ["hour", *(HOUR_COLUMNS[name] for name in shown)],
        [_row(int(hour), row, shown) for hour, row in hours.iterrows()],
        heat=heats.tolist(),
    )


def _row(hour: int, row: pd.Series, shown: Sequence[str]) -> list[str]:
    cells = (
        share(float(row[name]), signed=name in _DIVERGING)
        if name in _SHARES
        else number(float(row[name]))
        for name in shown
    )
    return [f"{hour:02d}:00", *cells]


def _heat(values: pd.Series, name: str) -> Float1D:
    known = np.asarray(values, dtype=np.float64)
    if name in _DIVERGING:
        known = np.abs(known)
    if not np.isfinite(known).any():
        return known
    least, largest = np.nanmin(known), np.nanmax(known)
    span = max(largest - least, _LEAST_SPAN * abs(largest))
    return np.asarray((known - least) / span) if span > 0 else np.zeros(len(known))


def _mean(values: Float1D) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
