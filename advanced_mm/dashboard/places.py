"""Where the journals lie that a page shows, with the parameters and the recording of each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advanced_mm.journal import JOURNAL_FOLDER, last_written_s
from advanced_mm.parameter_files import ParameterFiles

__all__ = ["Place", "Places"]

_PATTERNS: Final = (
    JOURNAL_FOLDER,
    f"{JOURNAL_FOLDER}/*",  # those of makers
    f"*/{JOURNAL_FOLDER}",
    f"paper/*/{JOURNAL_FOLDER}",
)
_QUIET_S: Final = 3600.0


@dataclass(frozen=True)
class Place:
    """A journal and what lies with it.

    ``name`` is short and unique on a page; ``parameters`` and ``data_dir`` are folders that need
    not exist.
    """

    name: str
    journal: Path
    parameters: Path
    data_dir: Path


class Places:
    """The journals that were named, or those below a folder that are being written.

    Parameters
    ----------
    journals : sequence of Path
        Shown whether they exist yet or not; empty: those found below ``user_data``, written within
        the last hour.
    user_data : Path
        Freqtrade's folder.
    data_dir : Path
        The recording for journals that have none beside them (as a paper session's has).
    clock_s
        Seconds since the epoch.
    """

    def __init__(
        self,
        journals: Sequence[Path],
        user_data: Path,
        data_dir: Path,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._journals, self._user_data, self._data_dir = journals, user_data, data_dir
        self._clock_s = clock_s

    def find(self) -> list[Place]:
        """Return them, in the order given, or sorted by name."""
        if self._journals:
            return [self._place(journal) for journal in self._journals]
        found = {path for pattern in _PATTERNS for path in self._user_data.glob(pattern)}
        return [self._place(path) for path in sorted(found) if self._is_written(path)]

    def _is_written(self, journal: Path) -> bool:
        try:
            written = last_written_s(journal)
        except OSError:  # a day's lines were merged into its file meanwhile
            return True
        return written is not None and self._clock_s() - written < _QUIET_S

    def _place(self, journal: Path) -> Place:
        beside = journal.parent / "HL_data"
        above = (journal.parent, journal.parent.parent)
        fitted = (one for one in above if (one / ParameterFiles.names[0]).exists())
        below = journal.is_relative_to(self._user_data)
        return Place(
            name=str(journal.relative_to(self._user_data) if below else journal),
            journal=journal,
            parameters=next(fitted, journal.parent),
            data_dir=beside if beside.is_dir() else self._data_dir,
        )
