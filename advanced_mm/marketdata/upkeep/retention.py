"""Deletion of old shards by age and by size, oldest first. The newest hour always stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.marketdata.compaction import HOUR_MS, compaction_lock
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import KINDS

__all__ = ["Deletion", "Retention", "delete_old"]

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Retention:
    """How much of a recording is kept.

    Attributes
    ----------
    days : float or None
        Older shards are deleted; at least an hour. None keeps any age.
    gigabytes : float or None
        Size of all shards together, 10^9 bytes; beyond it the oldest of any coin go first. None
        keeps any size.

    Raises
    ------
    InputError
        If a value is not positive, or ``days`` is less than an hour.
    """

    days: float | None = None
    gigabytes: float | None = None

    def __post_init__(self) -> None:
        if self.days is not None and not self.days >= 1 / 24:
            raise InputError(f"keep_days is {self.days!r}, must be at least an hour (0.042)")
        if self.gigabytes is not None and not self.gigabytes > 0:
            raise InputError(f"keep_gigabytes is {self.gigabytes!r}, must be positive")


@dataclass(frozen=True)
class Deletion:
    """Shards of one coin that were deleted: number, bytes, and the newest time (ms) in a name."""

    coin_folder: Path
    files: int
    bytes: int
    newest_ms: int


def delete_old(coin_folders: Sequence[Path], retention: Retention, now_ms: int) -> list[Deletion]:
    """Delete the shards that the retention does not allow; return what was deleted by coin.

    Parameters
    ----------
    coin_folders : sequence of Path
        Folders of the coins that share the limit in gigabytes.
    retention : Retention
        What is kept. Shards of a coin's newest hour are kept in any case.
    now_ms : int
        Time from which the age is counted, ms since the epoch.

    Raises
    ------
    InputError
        If a folder's shards are being merged or cannot be deleted.
    """
    shards = sorted(_Sized(file, size, coin) for coin in coin_folders for file, size in _all(coin))
    newest = {shard.coin_folder: shard.file.name_ms for shard in shards}  # the last one stays
    total = sum(shard.bytes for shard in shards)
    oldest_ms = None if retention.days is None else now_ms - retention.days * _DAY_MS
    most = None if retention.gigabytes is None else retention.gigabytes * 1e9
    chosen: dict[Path, list[_Sized]] = {}
    for shard in shards:
        if shard.file.name_ms > newest[shard.coin_folder] - HOUR_MS:
            continue
        too_old = oldest_ms is not None and shard.file.name_ms < oldest_ms
        if too_old or (most is not None and total > most):
            chosen.setdefault(shard.coin_folder, []).append(shard)
            total -= shard.bytes
    return [_delete(coin_folder, old) for coin_folder, old in chosen.items()]


@dataclass(frozen=True, order=True)
class _Sized:
    file: ShardFile
    bytes: int
    coin_folder: Path


def _all(coin_folder: Path) -> Iterable[tuple[ShardFile, int]]:
    for kind in KINDS:
        for file in shard_files(coin_folder, kind):
            yield file, Path(file.path).stat().st_size


def _delete(coin_folder: Path, shards: Sequence[_Sized]) -> Deletion:
    try:
        with compaction_lock(coin_folder):
            for shard in shards:
                Path(shard.file.path).unlink(missing_ok=True)
            ShardJournal(coin_folder).ask_to_list()
    except OSError as error:
        raise InputError(
            f"old shards in {str(coin_folder)!r} cannot be deleted ({error.strerror or error}): "
            "fix the permissions"
        ) from error
    return Deletion(
        coin_folder, len(shards), sum(s.bytes for s in shards), max(s.file.name_ms for s in shards)
    )
