"""Funding, open interest, oracle and mark price over time: rows of kind ``contexts`` as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.marketdata.records import Float1D, Int1D
from advanced_mm.marketdata.schemas import SCHEMAS, check_version

__all__ = ["CONTEXT_COLUMNS", "Contexts", "read_contexts"]

CONTEXT_COLUMNS: Final = tuple(
    name for name in SCHEMAS["contexts"].names if name not in ("timestamp", "exchange_timestamp")
)


@dataclass(frozen=True)
class Contexts:
    """A coin's figures over time, in the order in which they came.

    All arrays have shape (n,). ``time_ms`` is the exchange time of the coin's newest row when the
    figures came, which carry none themselves; ``local_s`` is the local receive time. Figures that
    were not asked for are None; those that the venue left out are NaN. ``funding`` is the hour's
    rate, positive where longs pay; prices are in the quote currency, ``open_interest`` and
    ``day_volume_base`` in the base currency.
    """

    time_ms: Int1D
    local_s: Float1D
    mark_price: Float1D | None = None
    mid_price: Float1D | None = None
    oracle_price: Float1D | None = None
    funding: Float1D | None = None
    premium: Float1D | None = None
    open_interest: Float1D | None = None
    impact_bid: Float1D | None = None
    impact_ask: Float1D | None = None
    previous_day_price: Float1D | None = None
    day_volume_quote: Float1D | None = None
    day_volume_base: Float1D | None = None

    def __len__(self) -> int:
        return len(self.time_ms)


def read_contexts(
    paths: Sequence[str], columns: Sequence[str], start_ms: int | None, end_ms: int | None
) -> tuple[Contexts, list[str]]:
    """Read the contexts of some files between two exchange times, both included.

    Returns
    -------
    Contexts, list of str
        The contexts, and for each file that could not be used a sentence.

    Raises
    ------
    InputError
        If a file was written by a later version of this program.
    """
    schema = pa.schema(
        [SCHEMAS["contexts"].field(name) for name in ("timestamp", "exchange_timestamp", *columns)]
    )
    tables, faults = [schema.empty_table()], []
    for path in paths:
        try:
            data = pa.BufferReader(Path(path).read_bytes())
            table = pq.read_table(data, columns=schema.names).select(schema.names)
            check_version(table.schema)
            tables.append(table)
        except NewerVersionError as error:
            raise InputError(f"{path}: {error}") from error
        except (pa.ArrowException, OSError, KeyError, InputError) as error:
            faults.append(f"{path}: {str(error).splitlines()[0]}")
    table = pa.concat_tables([table.cast(schema) for table in tables])
    local_s: Float1D = table["timestamp"].to_numpy()
    exchange = table["exchange_timestamp"].cast(pa.float64()).to_numpy()  # nulls become NaN
    time_ms = np.where(np.isnan(exchange), 1000.0 * local_s, exchange).astype(np.int64)
    chosen = np.ones(len(time_ms), dtype=np.bool_)
    if start_ms is not None:
        chosen &= time_ms >= start_ms
    if end_ms is not None:
        chosen &= time_ms <= end_ms
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(local_s[rows], kind="stable")]
    figures = {name: table[name].to_numpy()[rows] for name in columns}
    return Contexts(time_ms[rows], local_s[rows], **figures), faults
