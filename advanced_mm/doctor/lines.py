"""What a check says: a line that is ok, a warning or a fault, or was not checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Level", "Line", "exit_code", "fault", "ok", "unchecked", "warning"]

Level = Literal["ok", "warning", "fault", "unchecked"]

_CODES: Final[dict[Level, int]] = {"ok": 0, "unchecked": 0, "warning": 1, "fault": 2}


@dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    Attributes
    ----------
    check : str
        What was looked at, in a word or two.
    level : Level
        ``unchecked`` is what could not be looked at; it does not count for the exit code.
    text : str
        What was found.
    remedy : str
        What to do; empty if there is nothing to do.
    """

    check: str
    level: Level
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Line:
    """All is well."""
    return Line(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Line:
    """The bot runs, but worse than it could, or not for long."""
    return Line(check, "warning", text, remedy)


def fault(check: str, text: str, remedy: str) -> Line:
    """The bot does not start, does not quote, or loses money."""
    return Line(check, "fault", text, remedy)


def unchecked(check: str, text: str) -> Line:
    """It could not be looked at; ``text`` says why."""
    return Line(check, "unchecked", text)


def exit_code(lines: Iterable[Line]) -> int:
    """Return 0 if nothing was found, 1 if the worst is a warning, 2 if there is a fault."""
    return max((_CODES[line.level] for line in lines), default=0)
