"""The functions of hftbacktest that the maker calls, in a form that numba can cache.

hftbacktest's own Python classes are numba ``jitclass``es, and what uses one is compiled anew in
every process (several seconds). These are the same C functions of its library, declared by name;
signatures as in ``hftbacktest/binding.py`` of the version that requirements.txt pins.
"""

from typing import Any, Final

import llvmlite.binding
import numpy as np
from hftbacktest import _hftbacktest
from hftbacktest.intrinsic import address_as_void_pointer
from hftbacktest.types import order_dtype
from numba import carray, njit, types
from numba.core.typing import signature

__all__ = [
    "END_OF_DATA",
    "GONE",
    "RESPONSE",
    "cancel",
    "close",
    "forget_ended",
    "now_ns",
    "order",
    "submit",
    "wait",
]

llvmlite.binding.load_library_permanently(_hftbacktest.__file__)

_POINTER, _I64, _U64 = types.uintp, types.int64, types.uint64
_F64, _U8, _BOOL = types.float64, types.uint8, types.boolean


def _function(name: str, returns: types.Type, *arguments: types.Type) -> Any:
    return types.ExternalFunction(name, signature(returns, *arguments))


_now = _function("hashmapbt_current_timestamp", _I64, _POINTER)
_wait = _function("hashmapbt_wait_next_feed", _I64, _POINTER, _BOOL, _I64)
_submission = (_I64, _POINTER, _U64, _U64, _F64, _F64, _U8, _U8, _BOOL)
_buy = _function("hashmapbt_submit_buy_order", *_submission)
_sell = _function("hashmapbt_submit_sell_order", *_submission)
_cancel = _function("hashmapbt_cancel", _I64, _POINTER, _U64, _U64, _BOOL)
_orders = _function("hashmapbt_orders", _POINTER, _POINTER, _U64)
_order = _function("orders_get", _POINTER, _POINTER, _U64)
_forget = _function("hashmapbt_clear_inactive_orders", types.void, _POINTER, _U64)
_close = _function("hashmapbt_close", _I64, _POINTER)

END_OF_DATA: Final = 1
RESPONSE: Final = 3
GONE: Final = (2, 3, 4, 6)
"""States of an order that no longer rests: expired, filled, cancelled, rejected."""

_POST_ONLY: Final = 1
_LIMIT: Final = 0


@njit(cache=True)
def now_ns(backtest: int) -> int:
    """Return the backtest's time, ns."""
    return int(_now(backtest))


@njit(cache=True)
def wait(backtest: int, longest_ns: int) -> int:
    """Let time pass until a venue's response arrives, at most ``longest_ns``.

    Returns ``RESPONSE``, ``END_OF_DATA`` or 0 if the time has passed.
    """
    return int(_wait(backtest, True, longest_ns))


@njit(cache=True)
def submit(backtest: int, buy: bool, number: int, price: float, size: float) -> int:
    """Send a post-only limit order; return 0 if it was sent."""
    if buy:
        return int(_buy(backtest, 0, number, price, size, _POST_ONLY, _LIMIT, False))
    return int(_sell(backtest, 0, number, price, size, _POST_ONLY, _LIMIT, False))


@njit(cache=True)
def cancel(backtest: int, number: int) -> int:
    """Send a cancel; return 0 if it was sent."""
    return int(_cancel(backtest, 0, number, False))


@njit(cache=True)
def order(backtest: int, number: int) -> np.ndarray:
    """Return an order as we know it, an array of one ``order_dtype``."""
    found = _order(_orders(backtest, 0), number)
    return carray(address_as_void_pointer(found), 1, order_dtype)


@njit(cache=True)
def forget_ended(backtest: int) -> None:
    """Remove orders that no longer rest from our memory of them."""
    _forget(backtest, 0)


@njit(cache=True)
def close(backtest: int) -> int:
    """End a backtest and free its memory."""
    return int(_close(backtest))
