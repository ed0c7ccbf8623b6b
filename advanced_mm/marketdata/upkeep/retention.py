"""Deletion of old shards by age and by size, oldest first. The newest hour always stays."""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.marketdata.compaction import HOUR_MS, compaction_lock
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import DATA_KINDS, KINDS

__all__ = ["Deletion", "Retention", "delete_old"]

logger = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Retention:
    """How much of a recording is kept.

    Attributes
    ----------
    days : float or None
        Shards that are older than the newest by more than this are deleted; at least an hour. None
        keeps any age.
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
    """Delete the shards that the retention does not allow, and log it; return what was deleted.

    The age of a shard is counted from the newest market data of any of the coins: a machine whose
    clock was put forward must not delete what it has.

    Parameters
    ----------
    coin_folders : sequence of Path
        Folders of the coins that share the limit in gigabytes.
    retention : Retention
        What is kept. Shards of a coin's newest hour are kept in any case.
    now_ms : int
        Local time, ms since the epoch. Ages are counted from it if market data are newer.

    Raises
    ------
    InputError
        If a folder's shards cannot be read or deleted, or are being merged. Those of the others
        have been deleted then.
    """
    faults: list[str] = []
    shards: list[_Sized] = []
    for coin in coin_folders:
        try:
            shards += _all(coin)
        except OSError as error:
            faults.append(_unusable(coin, error))
    newest: dict[Path, int] = {}
    for shard in shards:
        newest[shard.coin_folder] = max(shard.file.name_ms, newest.get(shard.coin_folder, 0))
    total = sum(shard.bytes for shard in shards)
    market_ms = max((shard.file.name_ms for shard in shards if shard.is_data), default=now_ms)
    since_ms = min(now_ms, market_ms)
    oldest_ms = None if retention.days is None else since_ms - retention.days * _DAY_MS
    most = None if retention.gigabytes is None else retention.gigabytes * 1e9
    chosen: dict[Path, list[_Sized]] = {}
    for shard in sorted(shards):
        if shard.file.name_ms > newest[shard.coin_folder] - HOUR_MS:
            continue
        too_old = oldest_ms is not None and shard.needed_ms < oldest_ms
        if too_old or (most is not None and total > most):
            chosen.setdefault(shard.coin_folder, []).append(shard)
            total -= shard.bytes
    gone = []
    for coin_folder, old in chosen.items():
        try:
            gone.append(_delete(coin_folder, old))
        except (InputError, OSError) as error:
            faults.append(_unusable(coin_folder, error))
    if faults:
        raise InputError("; ".join(faults))
    return gone


@dataclass(frozen=True, order=True)
class _Sized:
    """A shard that is needed as long as rows of a time (ms) are kept; sorts by that.

    A data file named after an event may hold rows from before it, of an hour or a day. So that
    these keep their gaps, the connection log is kept for a day longer.
    """

    needed_ms: int
    file: ShardFile
    bytes: int
    coin_folder: Path
    is_data: bool


def _all(coin_folder: Path) -> list[_Sized]:
    found = []
    for kind in KINDS:
        for file in shard_files(coin_folder, kind):
            with contextlib.suppress(FileNotFoundError):  # merged or deleted meanwhile
                size = Path(file.path).stat().st_size
                needed_ms = file.name_ms + (_DAY_MS if kind == "connections" else 0)
                found.append(_Sized(needed_ms, file, size, coin_folder, kind in DATA_KINDS))
    return found


def _delete(coin_folder: Path, shards: Sequence[_Sized]) -> Deletion:
    with compaction_lock(coin_folder):
        for shard in shards:
            Path(shard.file.path).unlink(missing_ok=True)
        ShardJournal(coin_folder).ask_to_list()
    done = Deletion(
        coin_folder, len(shards), sum(s.bytes for s in shards), max(s.file.name_ms for s in shards)
    )
    logger.warning(
        "%s: deleted %d shards up to %s, %.1f MB, as --keep-days and --keep-gigabytes ask",
        coin_folder.name,
        done.files,
        datetime.fromtimestamp(done.newest_ms / 1000, UTC).isoformat(timespec="seconds"),
        done.bytes / 1e6,
    )
    return done


def _unusable(coin_folder: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return (
            f"old shards in {str(coin_folder)!r} cannot be deleted ({error.strerror or error}): "
            "fix the permissions"
        )
    return str(error)
