"""Compilation of the numerical kernels with numba, keeping their types."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function to machine code, cached on disk for later processes.

    If no cache directory is writable (a read-only container without ``NUMBA_CACHE_DIR``), the
    function is compiled in each process.
    """
    try:
        return cast(Callable[P, R], numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:
        return cast(Callable[P, R], numba.njit(error_model="numpy")(function))
