"""Rows that are left out of a list because they cannot be right: how many, and the last of them.

Whatever arrives in a list is judged row by row, so that a bad row costs no more than itself. Who
reads lists keeps a `BadRows`, adds to it what it leaves out, and shows it where it tells how it is.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["BadRow", "BadRows"]

_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class BadRow:
    """Some rows left out of one list: which list, why the last of them, and how many."""

    kind: str
    reason: str
    count: int = 1


class BadRows:
    """Counts by kind of list (``"trades"``, ``"fills"``, ...); may be shared between threads."""

    def __init__(self, rows: Iterable[BadRow] = ()) -> None:
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._told = 0
        self._lock = threading.Lock()
        for row in rows:
            self.add(row.kind, row.reason, row.count)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: hyperopt hands the strategy to processes of its own."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def add(self, kind: str, reason: str, count: int = 1) -> None:
        """Count rows of a kind; ``reason`` says of the last what is wrong with it."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + count
            self._last[kind] = reason[:_LONGEST_REASON]

    def take(self, others: "BadRows") -> None:
        """Count what another one has counted, too."""
        for kind, count in others._counts.items():
            self.add(kind, others._last[kind], count)

    @property
    def total(self) -> int:
        """How many rows of any kind."""
        return sum(self._counts.values())

    def count(self, kind: str) -> int:
        """How many rows of a kind."""
        return self._counts.get(kind, 0)

    def news(self) -> str | None:
        """The text where rows were added since the last call, None where not."""
        with self._lock:
            told, self._told = self._told, self.total
        return str(self) if self._told != told else None

    def __str__(self) -> str:
        """``3 bad trades rows (last: size 'NaN' ...)``, one part a kind; ``no bad rows``."""
        parts = [
            f"{count} bad {kind} row{'' if count == 1 else 's'} (last: {self._last[kind]})"
            for kind, count in sorted(self._counts.items())
        ]
        return "; ".join(parts) or "no bad rows"
