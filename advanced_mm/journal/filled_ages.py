"""How old the quotes were that were filled, as bots wrote it down."""

from collections import deque
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.compute as pc

from advanced_mm.journal.events import Fill
from advanced_mm.journal.follower import JournalFollower

__all__ = ["FilledAge", "FilledAges"]

_NEWEST: Final = 200
"""Fills that the mean is taken over: it follows a change of settings within these."""


class FilledAge(NamedTuple):
    """Mean age of filled quotes (``Fill.age_seconds``) and the number of fills it rests on."""

    seconds: float
    fills: int


class FilledAges:
    """The mean age of each coin's newest fills, from a journal that may still be written.

    Fills of all bots count, back to the day before this was made. A journal that does not exist yet
    has none.
    """

    def __init__(self, journal: Path) -> None:
        self._follower = JournalFollower(journal)
        self._ages: dict[str, deque[float]] = {}

    def of(self, coin: str) -> FilledAge | None:
        """Return the coin's mean age by now; None if none of its fills tells one."""
        for row in self._fills():
            if row["coin"] is not None and row["age_seconds"] is not None:
                ages = self._ages.setdefault(row["coin"], deque(maxlen=_NEWEST))
                ages.append(max(0.0, row["age_seconds"]))
        ages = self._ages.get(coin, deque())
        return FilledAge(sum(ages) / len(ages), len(ages)) if ages else None

    def _fills(self) -> list[dict[str, Any]]:
        rows = self._follower.new_rows()
        fills = rows.filter(pc.equal(rows["event"], Fill.event)).select(["coin", "age_seconds"])
        found: list[dict[str, Any]] = fills.to_pylist()
        return found
