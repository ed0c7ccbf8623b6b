"""Keep pandas out of processes that only read and write shards."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa

__all__ = ["keep_pandas_out"]


class _NoPandas:
    """An import finder to whom pandas is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ImportError("pandas is kept out of this process")
        return None


def keep_pandas_out() -> None:
    """Let pyarrow believe, for the life of this process, that pandas is not installed.

    pyarrow imports pandas at its first conversion, merely to recognise pandas' types; that costs
    40 MB and 0.3 s in each of the long-lived processes, none of which uses pandas. Call it first
    thing in a script; a process that calls ``to_pandas`` must not.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])  # pyarrow looks for pandas once and remembers the answer
    finally:
        sys.meta_path.remove(finder)
