"""All columns of the report, with their explanations."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from advanced_mm.research import flow, making, microstructure, volatility
from advanced_mm.research.candles import Candles
from advanced_mm.research.column import Column, Market

__all__ = ["COLUMNS", "FLOAT32_ROWS", "STRATEGY_METRICS", "columns"]

COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {**volatility.TABLE, **flow.TABLE, **microstructure.TABLE, **making.TABLE}
)
"""Name to column. Each uses only columns above it."""

STRATEGY_METRICS: Final = (
    "close",
    "volume",
    "volatility_300s",
    "vwap_300s",
    "order_flow_imbalance",
    "mm_opportunity_score",
    "optimal_spread_300s",
    "inventory_risk_300s",
    "hl_spread_bps",
    "volume_ratio_300s",
    "reversal_rate_300s",
)
"""Columns of ``pmm_strategy_metrics.csv``; the first two are the candles' own."""

FLOAT32_ROWS: Final = 1_000_000
"""Number of candles above which the columns are kept as float32: a month of seconds in 2 GB."""


def columns(candles: Candles, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Compute columns of the report.

    No row depends on a later one. What is unknown is NaN: windows that are not full yet, figures of
    the trades of a candle that has none, and whatever the source does not say.

    Parameters
    ----------
    candles
        The market. Windows are in seconds; one that is not a whole number of candles is NaN.
    names
        Which of `COLUMNS`, in the order wanted; all by default.

    Returns
    -------
    DataFrame
        One row a candle, with the candles' index; float64, or float32 above `FLOAT32_ROWS`
        candles (computed as float64).

    Raises
    ------
    KeyError
        If a name is not in `COLUMNS`.
    """
    wanted = list(COLUMNS if names is None else names)
    place = {name: row for row, name in enumerate(wanted)}
    unknown = place.keys() - COLUMNS.keys()
    if unknown:
        raise KeyError(f"not columns of the report: {sorted(unknown)}")
    market = Market(candles, COLUMNS)
    kind = np.float32 if market.rows > FLOAT32_ROWS else np.float64
    values = np.empty((len(wanted), market.rows), kind)
    with np.errstate(invalid="ignore", divide="ignore"):
        for name in reversed(
            tuple(COLUMNS)
        ):  # what uses a column is below it: none is needed after it
            if name in place:
                values[place[name]] = market.take(name)
            else:
                market.drop(name)
    return pd.DataFrame(values.T, index=candles.frame.index, columns=wanted, copy=False)
