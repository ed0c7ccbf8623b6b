"""Write events without keeping the trader waiting."""

import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from advanced_mm.day_files import DayFiles
from advanced_mm.errors import InputError
from advanced_mm.journal.events import ClockJumped, Event
from advanced_mm.journal.folders import event_folder
from advanced_mm.journal.rows import ROWS, RUN_SHIFT, line_of

__all__ = ["JournalWriter"]

logger = logging.getLogger(__name__)

_FLUSH_SECONDS: Final = 0.5
"""A killed process loses what it recorded in this time."""
_MERGE_EVERY: Final = 3600
"""Events of a coin between merges, at least."""
_MERGE_SHARE: Final = 0.25
_MERGE_AT_MOST: Final = 12_000
"""A merge writes the whole day again: the more it has, the more is added first, up to this."""
_MOST_WAITING: Final = 200_000
"""Events kept in memory while the disk refuses writes; further ones push out the oldest."""
_JUMP_MS: Final = 1000
"""If it differs by more from a clock that only increases, the clock was set."""
_END_SECONDS: Final = 10.0

Waiting = tuple[Event, int, int]
"""An event, its row number and when it was recorded."""


class JournalWriter:
    """Appends events to a journal from a thread of its own; any number of writers may share it.

    Errors on the way to the disk never reach the trader: they are logged once, and the write is
    retried.

    Parameters
    ----------
    folder : Path
        The journal's folder; it need not exist.
    bot : str
        Name of the writer, for its own events.
    keep_days : int, optional
        Day files more than this many days before today are deleted; None keeps all.
    clock_ms, monotonic_ms
        Epoch milliseconds, and milliseconds that only increase.
    """

    def __init__(
        self,
        folder: Path,
        bot: str,
        keep_days: int | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self.folder = folder
        self.listener: Callable[[Event], None] | None = None
        """Told of each event that is recorded, at once, by the thread that records it."""
        self._bot = bot
        self._keep_days = keep_days
        self._clock_ms, self._monotonic_ms = clock_ms, monotonic_ms
        self._offset_ms = clock_ms() - monotonic_ms()
        self._next_row = secrets.randbits(62 - RUN_SHIFT) << RUN_SHIFT
        self._waiting: deque[Waiting] = deque(maxlen=_MOST_WAITING)
        self._lock = threading.Lock()  # of what is waiting
        self._flushing = threading.Lock()
        self._until_merge: dict[Path, int] = {}
        self._today: dict[Path, date] = {}
        self._clock_is_sure = True
        self._told: set[str] = set()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def now_ms(self) -> int:
        """The bot's clock, epoch milliseconds."""
        return self._clock_ms()

    def record(self, event: Event) -> None:
        """Accept an event; it is written within about half a second."""
        now = self._clock_ms()
        with self._lock:
            jump = now - self._monotonic_ms() - self._offset_ms
            if abs(jump) > _JUMP_MS:
                self._offset_ms += jump
                self._clock_is_sure = False
                jumped = ClockJumped(time_ms=now, coin="", bot=self._bot, seconds=jump / 1000)
                self._waiting.append((jumped, self._next_row, now))
                self._next_row += 1
            self._waiting.append((event, self._next_row, now))
            self._next_row += 1
        self._wake.set()
        if self.listener is not None:
            self.listener(event)

    def flush(self) -> None:
        """Write all events recorded so far."""
        with self._flushing:
            with self._lock:
                taken, self._waiting = self._waiting, deque(maxlen=_MOST_WAITING)
            days: dict[tuple[Path, date], list[Waiting]] = {}
            for one in taken:
                day = datetime.fromtimestamp(one[2] / 1000, UTC).date()
                days.setdefault((event_folder(self.folder, one[0].coin), day), []).append(one)
            for (folder, day), some in days.items():
                self._write(folder, day, some)

    def close(self) -> None:
        """Write what is left, merge the lines into the days' files, and end the thread."""
        self._ended.set()
        self._wake.set()
        self._thread.join(_END_SECONDS)
        self.flush()
        with self._flushing:
            for folder in self._today:
                with self._told_once("merged"), DayFiles(folder, ROWS).locked():
                    DayFiles(folder, ROWS).merge()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait()
            self._wake.clear()
            self._ended.wait(_FLUSH_SECONDS)
            try:
                self.flush()
            except Exception:
                logger.exception("journal: events are lost")

    def _write(self, folder: Path, day: date, some: list[Waiting]) -> None:
        files = DayFiles(folder, ROWS)
        lines = [line_of(*one) for one in some]
        try:
            with files.locked():
                files.append(day, lines)
        except OSError as error:
            with self._lock:
                self._waiting.extendleft(reversed(some))
            self._tell(f"journal {str(folder)!r} cannot be written: {error}")
            self._wake.set()
            return
        self._told.clear()
        with self._told_once("tidied"):
            self._tidy(files, day, len(some))

    def _tidy(self, files: DayFiles, day: date, added: int) -> None:
        """Merge when it is time, and on a new day delete what is too old."""
        left = self._until_merge.get(files.folder, 0) - added
        new_day = self._today.get(files.folder) != day
        self._today[files.folder] = day
        self._until_merge[files.folder] = left
        if left > 0 and not new_day:
            return
        self._until_merge[files.folder] = _MERGE_EVERY
        with files.locked():
            try:
                files.merge()
                share = int(_MERGE_SHARE * files.merged_rows(day))
                self._until_merge[files.folder] = min(max(_MERGE_EVERY, share), _MERGE_AT_MOST)
            finally:
                # A clock that was set may be wrong now, and what looks old may not be.
                if new_day and self._keep_days is not None and self._clock_is_sure:
                    for old in files.delete_before(day - timedelta(days=self._keep_days)):
                        logger.info("%s: deleted the journal of %s", files.folder.name, old)

    @contextlib.contextmanager
    def _told_once(self, what: str) -> Iterator[None]:
        try:
            yield
        except (InputError, OSError) as error:
            self._tell(f"journal not {what}: {error}")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            logger.warning("%s", text)
