"""Shards of a remote folder into a local one: only those whose times are asked for."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from advanced_mm.errors import InputError
from advanced_mm.instruments import coin_of_folder, folder_of, resolve_coins
from advanced_mm.marketdata.journal import ShardJournal
from advanced_mm.marketdata.listing import shard_time_ms
from advanced_mm.marketdata.schemas import KINDS
from advanced_mm.marketdata.sharing.ledger import SharedLedger, SharedShard, merged_away
from advanced_mm.marketdata.sharing.locations import Location

__all__ = ["Fetched", "fetch"]

_EARLIER_MS: Final = 120_000
_LATER_MS: Final = 3_600_000
"""How far rows may be from the time in their file's name, as readers of recordings assume."""

_Steps = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True)
class Fetched:
    """One coin's shards: fetched, bytes of these, there before, and deleted as merged."""

    coin: str
    files: int = 0
    size: int = 0
    known: int = 0
    replaced: int = 0


def fetch(
    root: Location,
    data_dir: Path,
    ledger: SharedLedger,
    coins: Sequence[str] = (),
    since_ms: int | None = None,
    until_ms: int | None = None,
    steps: _Steps = lambda names: names,
) -> list[Fetched]:
    """Mirror a time range of a recording. Running it again fetches only what is new.

    Parameters
    ----------
    root : Location
        The remote root.
    data_dir : Path
        Gets the same folders and files; each appears whole.
    ledger : SharedLedger
        What was fetched from this root before.
    coins : sequence of str
        In any spelling; all by default.
    since_ms, until_ms : int or None
        Exchange time (ms); None leaves that end open.
    steps : callable
        Wraps the names of a coin's files while they are fetched, to show progress.

    Raises
    ------
    InputError
        The root has no recordings or not this coin, or the local folder cannot be written.
    LocationError
        The root cannot be reached.
    """
    there = [coin for coin in map(coin_of_folder, root.names()) if coin is not None]
    if not there:
        raise InputError(f"{root.url} has no recordings; publish some first, or check the address.")
    wanted = resolve_coins(coins, there, root.url) if coins else tuple(sorted(there))
    return [_fetch_coin(root, data_dir, ledger, coin, since_ms, until_ms, steps) for coin in wanted]


def _fetch_coin(
    root: Location,
    data_dir: Path,
    ledger: SharedLedger,
    coin: str,
    since_ms: int | None,
    until_ms: int | None,
    steps: _Steps,
) -> Fetched:
    folder = folder_of(coin)
    there = {kind: root.names(f"{folder}/{kind}") for kind in KINDS}
    chosen = [
        f"{kind}/{name}"
        for kind in KINDS
        for name in _in_range(there[kind], kind, since_ms, until_ms)
    ]
    files = size = known = replaced = 0
    for path in steps(chosen):
        kind, _, name = path.partition("/")
        shards = ledger.shards(folder, kind)
        local = data_dir / folder / kind / name
        if local.exists() and local.stat().st_size == there[kind][name]:
            known += 1
            continue
        try:
            content = root.read(f"{folder}/{path}")
        except FileNotFoundError:
            continue  # merged since it was listed: the next run fetches what holds its rows
        rows = _write(local, content)
        ledger.add(folder, kind, name, SharedShard(len(content), rows))
        for old in merged_away(shards, set(), name, kind, rows):
            (local.parent / old).unlink(missing_ok=True)
            ledger.drop(folder, kind, old)
            replaced += 1
        files, size = files + 1, size + len(content)
    if files:
        ShardJournal(data_dir / folder).ask_to_list()
    return Fetched(coin, files, size, known, replaced)


def _in_range(
    names: Iterable[str], kind: str, since_ms: int | None, until_ms: int | None
) -> list[str]:
    """Return the shards that may have rows of the range, in order."""
    timed = sorted(
        (time_ms, name) for name in names if (time_ms := shard_time_ms(name, kind)) is not None
    )
    low = 0 if since_ms is None else since_ms - _EARLIER_MS
    high = sys.maxsize if until_ms is None else until_ms + _LATER_MS
    later = [name for time_ms, name in timed if time_ms > high]
    return [name for time_ms, name in timed if low <= time_ms <= high] + later[:1]


def _write(path: Path, content: bytes) -> int:
    """Write a file whole and return its rows."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        rows = int(pq.read_metadata(temporary).num_rows)
        temporary.replace(path)
    except pa.ArrowException as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path.name} came damaged ({error}); run this again.") from error
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"{str(path)!r} cannot be written ({error.strerror}): free disk space or fix the "
            "permissions."
        ) from error
    return rows
