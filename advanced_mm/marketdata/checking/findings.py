"""What a check found, by coin and kind. Faults are told from facts that need no action."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from advanced_mm.marketdata.records import Float1D, Int1D

__all__ = ["CoinFindings", "Hole", "KindFindings"]

_LOWEST_MS: Final = -60_000
_HIGHEST_MS: Final = 600_000


class _Lags:
    """Lags counted by the millisecond, from a minute before publication to ten minutes after."""

    def __init__(self) -> None:
        self._counts = np.zeros(_HIGHEST_MS - _LOWEST_MS + 1, dtype=np.int64)

    def add(self, lags_ms: Float1D) -> None:
        """Count lags; those beyond the ends count as the ends."""
        whole = np.rint(np.clip(lags_ms, _LOWEST_MS, _HIGHEST_MS)).astype(np.int64)
        low = int(whole.min(initial=0))
        counts = np.bincount(whole - low)
        self._counts[low - _LOWEST_MS : low - _LOWEST_MS + len(counts)] += counts

    def percentile(self, percent: float) -> int | None:
        """Return a percentile in ms, None without lags."""
        total = int(self._counts.sum())
        if not total:
            return None
        reached = np.searchsorted(np.cumsum(self._counts), percent / 100 * total, side="left")
        return int(reached) + _LOWEST_MS


@dataclass(frozen=True)
class Hole:
    """A period in which rows of some channels are missing.

    Attributes
    ----------
    start_ms, end_ms : int
        Exchange times of the rows before and after it, or as logged.
    channel : str
        Channel of the venue, ``all`` if no row of any kind was recorded.
    reason : str
        What the connection log says, or that it says nothing.
    logged : bool
        Whether the connection log accounts for it.
    """

    start_ms: int
    end_ms: int
    channel: str
    reason: str
    logged: bool

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ms - self.start_ms) / 1000


@dataclass
class KindFindings:
    """Findings on one kind of rows.

    Attributes
    ----------
    files, bytes, rows : int
        What could be read, and the size of all files.
    first_ms, last_ms : int or None
        Oldest and newest exchange time.
    coverage : float or None
        Share of the coin's recorded time in which this kind was observed.
    versions : Counter
        Number of files by schema version; 0 where the file names none.
    unreadable : dict
        Files that cannot be used, with the reason.
    misnamed : list of str
        Files with rows much newer than their name, which readers by time do not find.
    bad_rows : int
        Rows without a valid time, price, size, side or id.
    duplicates : int
        Rows equal to another one, without being marked as told again by the venue.
    conflicts : int
        Trades with the id of another, but another time, price, size or side.
    told_again : int
        Trades that the venue repeated; readers drop them, so they are no fault.
    crossed : int
        Books or quotes whose bid is not below the ask.
    out_of_order : int
        Rows whose exchange time is before that of the row before.
    clock_back : int
        Rows received before the row before them in the same file.
    """

    kind: str
    files: int = 0
    bytes: int = 0
    rows: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    coverage: float | None = None
    versions: Counter[int] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    misnamed: list[str] = field(default_factory=list)
    bad_rows: int = 0
    duplicates: int = 0
    conflicts: int = 0
    told_again: int = 0
    crossed: int = 0
    out_of_order: int = 0
    clock_back: int = 0
    lags: _Lags = field(default_factory=_Lags, repr=False)
    stretches: list[tuple[Int1D, Int1D]] = field(default_factory=list, repr=False)

    @property
    def lag_p50_ms(self) -> int | None:
        """Median of local minus exchange time, ms."""
        return self.lags.percentile(50)

    @property
    def lag_p99_ms(self) -> int | None:
        """99th percentile of local minus exchange time, ms."""
        return self.lags.percentile(99)

    def faults(self) -> dict[str, int]:
        """Return the faults by name, without those that were not found."""
        counts = {
            "unreadable files": len(self.unreadable),
            "misnamed files": len(self.misnamed),
            "bad rows": self.bad_rows,
            "duplicates": self.duplicates,
            "conflicting trade ids": self.conflicts,
            "crossed": self.crossed,
            "out of order": self.out_of_order,
            "clock steps back": self.clock_back,
        }
        return {name: count for name, count in counts.items() if count}

    def as_json(self) -> dict[str, Any]:
        """Return the findings as plain values."""
        values = {
            name: value for name, value in vars(self).items() if name not in ("lags", "stretches")
        }
        return {
            **values,
            "versions": {str(version): count for version, count in sorted(self.versions.items())},
            "lag_p50_ms": self.lag_p50_ms,
            "lag_p99_ms": self.lag_p99_ms,
            "faults": self.faults(),
        }


@dataclass
class CoinFindings:
    """Findings on one coin: its kinds, the holes in its recording and its connection log.

    ``events`` counts the connection log's rows by event; ``logged`` says whether there is one.
    """

    coin: str
    kinds: dict[str, KindFindings] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    @property
    def logged(self) -> bool:
        """Whether the recording has a connection log."""
        return bool(self.events)

    @property
    def unexplained(self) -> list[Hole]:
        """Holes that a connection log should account for but does not."""
        return [hole for hole in self.holes if self.logged and not hole.logged]

    def faults(self) -> list[str]:
        """Return the faults in words, empty if the recording is sound."""
        found = [
            f"{kind}: {count} {name}"
            for kind, findings in self.kinds.items()
            for name, count in findings.faults().items()
        ]
        if self.unexplained:
            found.append(f"{len(self.unexplained)} holes that the connection log does not name")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the findings as plain values."""
        return {
            "coin": self.coin,
            "kinds": {kind: findings.as_json() for kind, findings in self.kinds.items()},
            "gaps": [{**asdict(hole), "seconds": hole.seconds} for hole in self.holes],
            "events": dict(self.events),
            "faults": self.faults(),
        }
