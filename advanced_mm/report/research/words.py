"""Sentences and short numbers."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["Insight", "hours_text", "number", "seconds_text", "share"]


@dataclass(frozen=True)
class Insight:
    """A topic and a sentence; ``amount`` above 0 speaks for quoting, below 0 against it."""

    topic: str
    sentence: str
    amount: float = 0.0


def number(value: float) -> str:
    """Return a number in few digits, large ones in thousands or millions, a dash if unknown."""
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1e6:
        size, word = (1e9, "bn") if abs(value) >= 1e9 else (1e6, "M")
        return f"{value / size:.4g} {word}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(value: float, *, signed: bool = False) -> str:
    """Return a share in percent, a dash if unknown."""
    if not np.isfinite(value):
        return "–"
    return f"{100 * value:+.1f}%" if signed else f"{100 * value:.1f}%"


def seconds_text(seconds: float) -> str:
    """Return a length of time in its natural unit."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"


def hours_text(hours: Iterable[int]) -> str:
    """Name hours of the day, neighbours as one span: "13:00–15:59, 20:00–20:59"."""
    spans: list[list[int]] = []
    for hour in hours:
        if spans and hour == spans[-1][1] + 1:
            spans[-1][1] = int(hour)
        else:
            spans.append([int(hour), int(hour)])
    return ", ".join(f"{first:02d}:00–{last:02d}:59" for first, last in spans)
