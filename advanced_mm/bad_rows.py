"""Counters of invalid rows that are skipped in lists, with the last reason.

Incoming lists are validated row by row, so that a bad row costs only itself. Each reader of lists
keeps a `BadRows`, adds the rows it skips, and shows it in its log or status.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["BadRow", "BadRows"]

_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class BadRow:
    """Rows skipped in one list: kind of list, reason for the last one, and count."""

    kind: str
    reason: str
    count: int = 1


class BadRows:
    """Counts skipped rows by kind of list (``"trades"``, ``"fills"``, ...); thread-safe."""

    def __init__(self, rows: Iterable[BadRow] = ()) -> None:
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._reported = 0
        self._lock = threading.Lock()
        for row in rows:
            self.add(row.kind, row.reason, row.count)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: hyperopt hands the strategy to processes of its own."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def add(self, kind: str, reason: str, count: int = 1) -> None:
        """Count rows of a kind; ``reason`` states what is wrong with the last one."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + count
            self._last[kind] = reason[:_LONGEST_REASON]

    def take(self, others: "BadRows") -> None:
        """Add the counts of another counter."""
        for kind, count in others._counts.items():
            self.add(kind, others._last[kind], count)

    @property
    def total(self) -> int:
        """Number of rows of all kinds."""
        return sum(self._counts.values())

    def count(self, kind: str) -> int:
        """Return the number of rows of a kind."""
        return self._counts.get(kind, 0)

    def news(self) -> str | None:
        """Return the summary if rows were added since the last call, otherwise None."""
        with self._lock:
            reported, self._reported = self._reported, self.total
        return str(self) if self._reported != reported else None

    def __str__(self) -> str:
        """``3 bad trades rows (last: size 'NaN' ...)``, one part per kind; or ``no bad rows``."""
        parts = [
            f"{count} bad {kind} row{'' if count == 1 else 's'} (last: {self._last[kind]})"
            for kind, count in sorted(self._counts.items())
        ]
        return "; ".join(parts) or "no bad rows"
