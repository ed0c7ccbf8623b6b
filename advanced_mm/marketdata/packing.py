"""Compact records: a column is stored as runs of equal values if that takes less memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from advanced_mm.marketdata.records import Quotes, Trades

__all__ = ["Packed"]

Records = TypeVar("Records", Quotes, Trades)


@dataclass(frozen=True)
class _Runs:
    """Values and the length of each run. Shapes (runs,)."""

    values: NDArray[Any]
    count: NDArray[np.uint32]

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes + self.count.nbytes)


@dataclass(frozen=True)
class Packed(Generic[Records]):
    """Quotes or trades, packed column by column.

    The prints of one market order share their times, side and transaction, and many share a price;
    a quote often changes on one side only. Packing therefore takes about half the memory.
    """

    kind: type[Records]
    columns: Mapping[str, "_Runs | NDArray[Any]"]

    @classmethod
    def of(cls, records: Records) -> "Packed[Records]":
        """Pack records; `unpacked` restores them bit for bit."""
        return cls(type(records), {name: _packed(array) for name, array in vars(records).items()})

    def unpacked(self) -> Records:
        """Return the records; columns stored without runs are not copied."""
        return self.kind(
            **{
                name: np.repeat(held.values, held.count) if isinstance(held, _Runs) else held
                for name, held in self.columns.items()
            }
        )

    @property
    def nbytes(self) -> int:
        """Size in memory, bytes."""
        return sum(int(held.nbytes) for held in self.columns.values())


def _packed(array: NDArray[Any]) -> "_Runs | NDArray[Any]":
    changed = np.flatnonzero(array[1:] != array[:-1])
    row_bytes = array.itemsize
    if (len(changed) + 1) * (row_bytes + 4) >= len(array) * row_bytes:
        return array.copy() if array.base is not None else array
    first = np.concatenate(([0], changed + 1))
    return _Runs(array[first], np.diff(first, append=len(array)).astype(np.uint32))
