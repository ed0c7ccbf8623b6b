"""Rows that the compiled maker reads and writes.

Times are ns, prices are in units of the recording's smallest price step ("steps"), sizes are whole
hundred-millionths of the base currency in the maker, and in the base currency in results. ``side``
is 0 for a bid, 1 for an ask.
"""

from enum import IntEnum
from typing import Final

import numpy as np

__all__ = [
    "FILL",
    "LOOK",
    "QUOTE",
    "REFUSAL",
    "RULES",
    "SLOT",
    "STATE",
    "TOUCH",
    "WANTED",
    "Ended",
    "Refused",
]


class Refused(IntEnum):
    """Reasons of the maker itself not to quote; those of the decision table are positive."""

    OLD_BOOK = -1
    NO_BOOK = -2
    NOT_QUOTED = -3
    TOO_DEEP = -4
    NO_DATA = -5
    NO_PARAMETERS = -6
    INVENTORY = -7
    SIZES_AGAINST = -8


class Ended(IntEnum):
    """Why an order ended."""

    RESTING = 0
    FILLED = 1
    DRIFTED = 2
    EXPIRED = 3
    REFUSED = 4
    REPLACED_BY_EXIT = 5
    REPLAY_ENDED = 6
    VENUE_REFUSED = 7


TOUCH: Final = np.dtype(
    [
        ("local_ns", "i8"),
        ("exchange_ns", "i8"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("imbalance", "f8"),
    ],
    align=True,
)
"""Best bid and offer (quote currency, NaN for an empty side), the imbalance of their sizes (0 for
an empty side) and when they were seen."""

QUOTE: Final = np.dtype(
    [
        ("sent_ns", "i8"),
        ("ended_ns", "i8"),
        ("price", "i8"),
        ("step", "i8"),
        ("bid", "i8"),
        ("ask", "i8"),
        ("size", "f8"),
        ("filled", "f8"),
        ("depth", "f8"),
        ("fair", "f8"),
        ("position", "f8"),
        ("row", "i8"),
        ("units", "i4"),
        ("refusal", "i4"),
        ("side", "i1"),
        ("at_touch", "i1"),
        ("ended", "i1"),
    ],
    align=True,
)
"""An order; ``row`` is the decision table's, ``step`` the venue's price step at the mid, ``fair``
the price around which it was quoted (``depth`` is its distance from that), quote currency."""

FILL: Final = np.dtype(
    [
        ("exchange_ns", "i8"),
        ("seen_ns", "i8"),
        ("quote", "i8"),
        ("price", "i8"),
        ("size", "f8"),
        ("side", "i1"),
    ],
    align=True,
)
LOOK: Final = np.dtype(
    [("time_ns", "i8"), ("bid", "i8"), ("ask", "i8"), ("position", "f8")], align=True
)
REFUSAL: Final = np.dtype([("time_ns", "i8"), ("code", "i4")], align=True)

SLOT: Final = np.dtype(
    [
        ("number", "i8"),
        ("quote", "i8"),
        ("price", "i8"),
        ("sent", "i8"),
        ("left", "f8"),
        ("why", "i4"),
        ("refusal", "i4"),
    ],
    align=True,
)
"""The order of one side that rests or is on its way; ``number`` 0 if there is none."""

WANTED: Final = np.dtype(
    [
        ("price", "i8"),
        ("step", "i8"),
        ("depth", "f8"),
        ("fair", "f8"),
        ("kappa", "f8"),
        ("from_best", "f8"),
        ("refusal", "i4"),
        ("at_touch", "b1"),
        ("stays", "b1"),
    ],
    align=True,
)
"""What one side should quote; ``depth`` and ``fair`` in steps, ``kappa`` per step, 0 if unknown;
``stays``: what rests may rest on although nothing can be quoted.
"""

STATE: Final = np.dtype(
    [
        ("position", "f8"),
        ("row", "i8"),
        ("seen", "i8"),
        ("stretch", "i8"),
        ("next_minute", "i8"),
        ("ended", "i8"),
        ("refusal", "i4"),
        ("closed", "b1"),
    ],
    align=True,
)
"""Where the maker stands, see `maker`."""

RULES: Final = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("look", "i8"),
        ("min_age", "i8"),
        ("max_age", "i8"),
        ("max_book_age", "i8"),
        ("requote_loss", "f8"),
        ("requote_ticks", "f8"),
        ("size", "f8"),
        ("step", "f8"),
        ("q_min", "i8"),
        ("one_at_a_time", "b1"),
        ("in_bp", "b1"),
    ],
    align=True,
)
"""The maker's options; ``step`` is the recording's price step in the quote currency."""
