"""Keep pandas out of processes that only read and write shards."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa

__all__ = ["keep_pandas_out"]


class _NoPandas:
    """Import finder that reports pandas as not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ImportError("pandas is disabled in this process")
        return None


def keep_pandas_out() -> None:
    """Make pyarrow treat pandas as not installed for the life of this process.

    pyarrow imports pandas at its first conversion only to recognise pandas types; that costs 40 MB
    and 0.3 s in each of the long-lived processes, none of which uses pandas. Call this first in a
    script; do not call it in a process that uses ``to_pandas``.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])  # pyarrow looks for pandas once and remembers the answer
    finally:
        sys.meta_path.remove(finder)
