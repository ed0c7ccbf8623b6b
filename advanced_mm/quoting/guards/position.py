"""No more position than its limit."""

import math
from typing import Final

from advanced_mm.quoting.guards.verdict import Verdict

__all__ = ["POSITION", "position_verdict", "room"]

POSITION: Final = "position"


def room(held: float, limit: float | None) -> float:
    """Return how much more of a position its limit allows; all values in quote currency."""
    return math.inf if limit is None else max(0.0, limit - abs(held))


def position_verdict(held: float, limit: float | None) -> Verdict | None:
    """Return a verdict if the value of a position has reached its limit, quote currency."""
    if room(held, limit) > 0:
        return None
    return Verdict(POSITION, f"position limit: {abs(held):.2f} held, at most {limit:g} allowed")
