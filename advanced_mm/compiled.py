"""Compilation of the numerical kernels with numba, keeping their types."""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function to machine code, cached on disk for later processes.

    numba itself recompiles only if the function's own file changes, though constants, row layouts
    and functions of other modules are compiled in. Here a change of any module of the package
    (folder) makes the cached code stale. If no cache directory is writable (a read-only container
    without ``NUMBA_CACHE_DIR``), the function is compiled in each process.
    """
    try:
        dispatcher: Any = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        return cast(Callable[P, R], numba.njit(error_model="numpy")(function))
    index = dispatcher._cache._cache_file
    index._source_stamp = (index._source_stamp, _digest(Path(inspect.getfile(function)).parent))
    return cast(Callable[P, R], dispatcher)


@cache
def _digest(folder: Path) -> str:
    """Return a hash of a package's modules."""
    content = hashlib.blake2b(digest_size=16)
    for module in sorted(folder.glob("*.py")):
        content.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    return content.hexdigest()
