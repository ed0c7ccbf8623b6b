"""What single channels lack, read from the connection log as intervals of exchange time.

Silences are in the logs of all recorders, gaps with times in those since schema version 2.
"""

import logging
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Final

import pyarrow as pa

from advanced_mm.errors import InputError
from advanced_mm.file_versions import NewerVersionError
from advanced_mm.marketdata.connection_log import FILLED, GAP, ConnectionEvent, gaps_of, read_events
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.records import Silence

__all__ = ["SILENT", "SPEAKS", "SilenceLog", "silence_detail"]

logger = logging.getLogger(__name__)

SILENT: Final = "silent"
SPEAKS: Final = "speaks"
"""Events of the connection log; their detail starts with the channel's name."""


def silence_detail(channel: str, seconds: float) -> str:
    """Return the detail text of a connection log row about a silent channel."""
    return f"{channel}: no message for {seconds:.1f} s"


class SilenceLog:
    """One coin's silences and gaps, read from the connection log as it grows.

    Each file is read only once.

    Parameters
    ----------
    coin_folder : Path
        The coin's folder; without a connection log there are no silences.
    """

    def __init__(self, coin_folder: Path) -> None:
        self._folder = coin_folder
        self._known: set[str] = set()
        self._events: set[tuple[float, str, str, int]] = set()
        self._gaps: set[tuple[int, int, ConnectionEvent]] = set()

    def between(
        self, start_ms: int | None, end_ms: int | None, known_by_s: float | None = None
    ) -> tuple[Silence, ...]:
        """Return the silences and gaps that overlap an interval of exchange time, in order.

        None leaves that end open. ``known_by_s`` ignores what was logged after that local time, in
        seconds. A log file that cannot be read is skipped with a warning.

        Raises
        ------
        InputError
            If a log file was written by a later version of this program.
        """
        for file in shard_files(self._folder, "connections"):
            if file.path not in self._known:
                self._known.add(file.path)
                self._read(file.path)
        found = {
            silence
            for silence in self._silences(known_by_s)
            if (end_ms is None or silence.start_ms <= end_ms)
            and (start_ms is None or silence.end_ms is None or silence.end_ms >= start_ms)
        }
        # Every refit asks for its window: the gaps of months before must not be sorted out for it.
        told = [
            event
            for from_ms, to_ms, event in self._gaps
            if (end_ms is None or from_ms <= end_ms)
            and (start_ms is None or to_ms >= start_ms)
            and (known_by_s is None or event.local_s <= known_by_s)
        ]
        found |= {
            Silence(gap.channel, gap.start_ms, gap.end_ms)
            for gap in gaps_of(told, start_ms, end_ms)
        }
        return tuple(sorted(found, key=lambda silence: (silence.start_ms, silence.channel)))

    def _read(self, path: str) -> None:
        try:
            rows = read_events(path)
        except FileNotFoundError:  # merged into a later file, which is read or known already
            return
        except NewerVersionError as error:
            raise InputError(f"{path}: {error}") from error
        except (pa.ArrowException, OSError, ValueError, InputError) as error:
            logger.warning("connection log %s cannot be read: %s", path, error)
            return
        for row in rows:
            if row.event not in (SILENT, SPEAKS, GAP, FILLED) or row.exchange_ms is None:
                continue
            if row.local_s is None or not isfinite(row.local_s):
                logger.warning(
                    "%s: dropped a bad connections row: %s %s", path, row.event, row.detail
                )
            elif row.event in (GAP, FILLED):
                if row.from_ms is not None and row.to_ms is not None:
                    self._gaps.add((row.from_ms, row.to_ms, row))
            else:
                channel = str(row.detail).partition(":")[0]
                event = (float(row.local_s), row.event, channel, int(row.exchange_ms))
                self._events.add(event)

    def _silences(self, known_by_s: float | None) -> Iterable[Silence]:
        found: list[Silence] = []
        begun: dict[str, int] = {}
        for local_s, event, channel, exchange_ms in sorted(self._events):
            if known_by_s is not None and local_s > known_by_s:
                break
            if channel in begun:  # also if a recorder was stopped before the silence ended
                found.append(Silence(channel, begun.pop(channel), exchange_ms))
            if event == SILENT:
                begun[channel] = exchange_ms
        found += [Silence(channel, start_ms, None) for channel, start_ms in begun.items()]
        return sorted(found, key=lambda silence: silence.start_ms)
