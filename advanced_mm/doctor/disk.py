"""Free space, and how long it lasts at the rate at which the recordings grow."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advanced_mm.doctor.lines import Line, fault, ok, warning
from advanced_mm.doctor.patient import Machine, Patient
from advanced_mm.journal import JOURNAL_FOLDER
from advanced_mm.marketdata.listing import shard_files
from advanced_mm.marketdata.schemas import KINDS
from advanced_mm.parameter_files.history import HISTORY_FOLDER

__all__ = ["Growth", "examine_disk", "examine_room", "growth_of", "growth_of_days"]

_DAY_MS: Final = 86_400_000
_FULL_BYTES: Final = 500e6
_MONTH_DAYS: Final = 30.0
_UNMERGED_MS: Final = 2 * 3_600_000
"""Newer files may not be merged yet, which makes them several times smaller."""
_MINUTE_MS: Final = 60_000
_LEAST_MS: Final = 3_600_000 - 2 * _MINUTE_MS
_SHARE_KEPT: Final = 0.8
"""Of the free space and the recordings together, to be kept by them; the rest is for the others."""


@dataclass(frozen=True)
class Growth:
    """Size, bytes, and growth in bytes a day; None if what there is is too short to tell."""

    size: int
    a_day: float | None


def growth_of(data_dir: Path) -> Growth:
    """Return how large the recordings are and how fast they grew over their newest merged day.

    It takes three hours of recording to tell.
    """
    shards: list[tuple[int, int]] = []
    try:
        folders = [path for path in data_dir.iterdir() if path.is_dir()]
    except OSError:  # named by the check of recordings
        return Growth(0, None)
    for folder in folders:
        for kind in KINDS:
            for file in shard_files(folder, kind):
                try:
                    shards.append((file.name_ms, Path(file.path).stat().st_size))
                except FileNotFoundError:  # merged meanwhile
                    continue
    size = sum(bytes_ for _, bytes_ in shards)
    end = max((time_ms for time_ms, _ in shards), default=0) - _UNMERGED_MS
    recent = [shard for shard in shards if end - _DAY_MS <= shard[0] <= end]
    times = [time_ms for time_ms, _ in recent] or [0]
    oldest, newest = min(times) + _MINUTE_MS, max(times)
    if newest - oldest < _LEAST_MS:
        return Growth(size, None)
    # A file is named after its end, so what the first ones hold came before.
    grown = sum(bytes_ for time_ms, bytes_ in recent if time_ms > oldest)
    return Growth(size, grown / (newest - oldest) * _DAY_MS)


def growth_of_days(folders: Iterable[Path]) -> Growth:
    """Return the size of all day files below some folders, and the mean size of a day."""
    sizes: dict[str, int] = {}
    for path in (path for folder in folders for path in folder.rglob("????-??-??.*")):
        with contextlib.suppress(OSError):  # compacted meanwhile
            sizes[path.stem] = sizes.get(path.stem, 0) + path.stat().st_size
    size = sum(sizes.values())
    return Growth(size, size / len(sizes) if sizes else None)


def examine_room(folder: Path, writer: str, machine: Machine) -> Line:
    """Check that the disk is not full where somebody writes what does not grow fast."""
    free = machine.free_bytes(folder)
    if free >= _FULL_BYTES:
        return ok("disk", f"{free / 1e9:.1f} GB free for {folder}")
    text = f"{free / 1e9:.2f} GB free for {folder}: {writer} cannot write its journal soon"
    return fault("disk", text, "delete what is not needed there")


def examine_disk(patient: Patient) -> Iterator[Line]:
    """Check that the disk is not full, and that a month of recording fits by the retention."""
    free = patient.machine.free_bytes(patient.data_dir)
    if free < _FULL_BYTES:
        yield fault(
            "disk",
            f"{free / 1e9:.2f} GB free for {patient.data_dir}: nothing can be written soon",
            "delete what is not needed, or record with --keep-gigabytes",
        )
        return
    other = patient.machine.free_bytes(patient.user_data)
    if other < _FULL_BYTES:
        yield fault(
            "disk",
            f"{other / 1e9:.2f} GB free for {patient.user_data}: database, journal and parameters "
            "cannot be written soon",
            "delete what is not needed there",
        )
    folders = (patient.parameter_folder / name for name in (JOURNAL_FOLDER, HISTORY_FOLDER))
    written = growth_of_days(folders)
    yield _filling(patient, free, growth_of(patient.data_dir), written.a_day or 0.0)


def _filling(patient: Patient, free: int, growth: Growth, written_a_day: float) -> Line:
    """Tell how long the disk lasts; ``written_a_day`` is what journal and history take, bytes."""
    month = _MONTH_DAYS * written_a_day
    room = free + growth.size - month - _FULL_BYTES
    text = f"{free / 1e9:.1f} GB free, recordings {growth.size / 1e9:.2f} GB"
    kept = patient.retention
    most = max((free + growth.size - month) * _SHARE_KEPT / 1e9, 0.1)
    least = f"record with --keep-gigabytes {most:.1f} or less"
    if kept.gigabytes is not None and kept.gigabytes * 1e9 > room:
        return warning(
            "disk", f"{text}; --keep-gigabytes {kept.gigabytes:g} is more than fits", least
        )
    if growth.a_day is None:
        return ok("disk", f"{text}; too little recorded to tell how fast it fills")
    a_day = growth.a_day + written_a_day
    text += f", {a_day / 1e9:.2f} GB more a day"
    if kept.gigabytes is not None:
        return ok("disk", f"{text}; --keep-gigabytes {kept.gigabytes:g} keeps it from filling")
    if kept.days is not None:
        needed = kept.days * growth.a_day
        if needed <= room:
            return ok("disk", f"{text}; --keep-days {kept.days:g} needs {needed / 1e9:.1f} GB")
        return warning(
            "disk", f"{text}; --keep-days {kept.days:g} would need {needed / 1e9:.1f} GB", least
        )
    days = free / a_day if a_day > 0 else float("inf")
    if days < _MONTH_DAYS:
        return warning("disk", f"{text}: full in {days:.1f} days", least)
    return ok("disk", f"{text}: full in more than {min(days, 3650):.0f} days")
