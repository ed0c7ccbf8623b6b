"""What a guard says: nothing, wider quotes, or no entries."""

import math
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BOTH_SIDES", "Ruling", "Severity", "Side", "Verdict", "stepped"]

Side = Literal["bid", "ask"]
Severity = Literal["widen", "pause"]

BOTH_SIDES: Final[frozenset[Side]] = frozenset({"bid", "ask"})

_STEP: Final = 0.25


@dataclass(frozen=True)
class Verdict:
    """One guard's objection to entries. Orders that reduce a position are never touched.

    Attributes
    ----------
    guard
        Its name.
    reason
        In words, beginning with the kind of refusal: ``kind: details``.
    severity
        ``pause``: no entries; ``widen``: entries at ``widen`` times the model's depth.
    sides
        Sides on which a position must not be opened.
    """

    guard: str
    reason: str
    severity: Severity = "pause"
    widen: float = 1.0
    sides: frozenset[Side] = BOTH_SIDES


@dataclass(frozen=True)
class Ruling:
    """What all guards together say about an entry on one side.

    ``refusal`` is the first reason against it, None if it is allowed at ``widen`` times the depth.
    """

    refusal: str | None = None
    widen: float = 1.0


def stepped(factor: float) -> float:
    """Return a factor rounded to quarters: a smooth one would replace the quote at each look."""
    return max(1.0, math.floor(factor / _STEP + 0.5) * _STEP)
