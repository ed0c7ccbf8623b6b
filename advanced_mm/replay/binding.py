"""hftbacktest's functions, declared so that numba can cache what calls them.

Its own Python classes are numba ``jitclass``es, and what uses one is compiled anew in every
process, which takes longer than most replays. These are the C functions of the same library;
signatures as in ``hftbacktest/binding.py`` of the version in requirements.txt. All take the address
of a backtest first. numba's cache does not notice changes of this file: whoever changes it must
touch `maker` too.
"""

import ctypes
from typing import Any, Final

from hftbacktest import _hftbacktest
from numba import types
from numba.core.typing.templates import Signature

__all__ = [
    "ENDED",
    "END_OF_DATA",
    "EXPIRED",
    "FEED",
    "FILLED",
    "LIMIT",
    "POST_ONLY",
    "RESPONSE",
    "buy",
    "cancel",
    "close",
    "forget_ended",
    "now",
    "order",
    "orders",
    "sell",
    "wait",
]

ctypes.CDLL(_hftbacktest.__file__, mode=ctypes.RTLD_GLOBAL)  # where numba looks for names

_POINTER, _I64, _U64 = types.uintp, types.int64, types.uint64
_F64, _U8, _BOOL = types.float64, types.uint8, types.boolean


def _function(name: str, returns: Any, *arguments: Any) -> Any:
    signature = Signature(returns, arguments, None)  # type: ignore[no-untyped-call]
    return types.ExternalFunction(name, signature)


_ORDER: Final = (_I64, _POINTER, _U64, _U64, _F64, _F64, _U8, _U8, _BOOL)

now = _function("hashmapbt_current_timestamp", _I64, _POINTER)
"""Time, ns."""
wait = _function("hashmapbt_wait_next_feed", _I64, _POINTER, _BOOL, _I64)
"""(also for responses, at most ns): let time pass until the maker hears something."""
buy = _function("hashmapbt_submit_buy_order", *_ORDER)
"""(asset, number, price, size, time in force, kind, wait): send an order; 0 if it was sent."""
sell = _function("hashmapbt_submit_sell_order", *_ORDER)
cancel = _function("hashmapbt_cancel", _I64, _POINTER, _U64, _U64, _BOOL)
"""(asset, number, wait): send a cancel; 0 if it was sent."""
orders = _function("hashmapbt_orders", _POINTER, _POINTER, _U64)
"""(asset): the orders as the maker knows them."""
order = _function("orders_get", _POINTER, _POINTER, _U64)
"""Of ``orders``, (number): the address of one ``order_dtype``."""
forget_ended = _function("hashmapbt_clear_inactive_orders", types.void, _POINTER, _U64)
"""(asset): remove what has ended from ``orders``."""
close = _function("hashmapbt_close", _I64, _POINTER)
"""Free a backtest."""

END_OF_DATA: Final = 1
FEED: Final = 2
RESPONSE: Final = 3

EXPIRED: Final = 2
FILLED: Final = 3
ENDED: Final = (EXPIRED, FILLED, 4, 6)
"""Status of an order that no longer rests; 4 is cancelled, 6 rejected."""

POST_ONLY: Final = 1
LIMIT: Final = 0
