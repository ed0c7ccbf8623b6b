"""The time between a row's publication and its receipt."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["lags_ms", "sent_live"]


def sent_live(table: pa.Table) -> NDArray[np.bool_]:
    """Mark the rows that were sent as they happened.

    Not so trades that the venue told again on subscribing, or that were asked for after a gap.
    """
    live = np.ones(table.num_rows, dtype=np.bool_)
    for name in ("snapshot", "backfilled"):
        if name in table.column_names:
            live &= ~np.asarray(table[name].fill_null(False).to_numpy(), dtype=np.bool_)
    return live


def lags_ms(table: pa.Table) -> NDArray[np.float64]:
    """Return local minus exchange time (ms) of the rows that were sent as they happened.

    Rows without a time are left out.
    """
    lags = table["timestamp"].to_numpy() * 1000.0 - table["exchange_timestamp"].to_numpy()
    return np.asarray(lags[np.isfinite(lags) & sent_live(table)], dtype=np.float64)
