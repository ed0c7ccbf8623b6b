"""A recording, converted for replay: day by day, and kept beside it.

``<data_dir>/<COIN>/replay/<YYYY-MM-DD>/`` holds one UTC day: hftbacktest's events, the touch as the
maker sees it, the stretches with data, and ``meta.json``, which names the shards the day was made
from. A day is converted again if its shards have changed (the recording has grown), if a file is
damaged, or if the format has changed.
"""

import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from advanced_mm.calibration.windows import Stretches, Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.listing import ShardFile, shard_files
from advanced_mm.marketdata.schemas import DATA_KINDS
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay.conversion import Converted, convert

__all__ = ["CACHE_VERSION", "REPLAY_FOLDER", "ReplayData", "load_recording", "replay_data"]

logger = logging.getLogger(__name__)

REPLAY_FOLDER: Final = "replay"
"""Name of the folder beside a coin's shards; the store reads only the folders of its kinds."""

CACHE_VERSION: Final = 4
"""Part of the key of each day that is kept: one of another version is converted again."""
_DAY_MS: Final = 86_400_000
_LATE_MS: Final = 3_600_000
_ARRAYS: Final = ("events", "touch", "stretches")
_JOINED_MS: Final = 3000

Track = Callable[[Sequence[int], str], Iterable[int]]


@dataclass(frozen=True)
class ReplayData:
    """A coin's recording, ready to be replayed.

    Attributes
    ----------
    coin
        The venue's name.
    parts
        Consecutive days.
    covered
        The stretches with data (exchange ms). Outside them nothing is quoted.
    tick
        Smallest price step of all parts, quote currency.
    lot
        Smallest step of the traded sizes, base currency.
    """

    coin: str
    parts: tuple[Converted, ...]
    covered: Stretches
    tick: float
    lot: float

    @property
    def grid(self) -> PriceGrid:
        """The price grid that the recording shows: its tick, and five significant figures."""
        decimals = round(-np.log10(self.lot))
        return PriceGrid(min(max(decimals, 0), 6), self.tick)

    @property
    def hours(self) -> float:
        """Hours with data."""
        return self.covered.observed_seconds / 3600

    @property
    def start_ms(self) -> int:
        """Exchange time (ms) at which the data begin."""
        return int(self.covered.start_ms[0])

    @property
    def end_ms(self) -> int:
        """Exchange time (ms) at which the data end."""
        return int(self.covered.end_ms[-1])

    @property
    def rows(self) -> int:
        """Number of records converted."""
        return sum(part.rows for part in self.parts)


def load_recording(
    data_dir: Path,
    coin: str,
    since_ms: int | None = None,
    until_ms: int | None = None,
    cache: Path | None = None,
    track: Track = lambda steps, _: steps,
) -> ReplayData:
    """Return a coin's recording in the form in which it is replayed.

    Parameters
    ----------
    data_dir : Path
        Folder of the recordings.
    coin : str
        Any spelling of the coin's name.
    since_ms, until_ms : int or None
        Exchange time (ms); whole days around them are converted, the replay keeps to them.
    cache : Path or None
        Folder of the converted days, by default beside the shards. If it cannot be written, the
        days are converted each time.
    track
        Shows progress over the days.

    Raises
    ------
    InputError
        There is no such recording, or no data in that time.
    """
    store = ShardStore(data_dir)
    coin = store.resolve(coin)
    folder = store.folder(coin)
    first, last = _first_ms(folder), store.newest_ms(coin)
    if first is None or last is None:
        raise InputError(f"{coin}: the recording in {str(data_dir)!r} has no rows to replay.")
    since = max(first, since_ms if since_ms is not None else first)
    until = min(last, until_ms if until_ms is not None else last)
    if since > until:
        raise InputError(
            f"{coin}: the recording in {str(data_dir)!r} has data from {_time(first)} to "
            f"{_time(last)} only: choose --since and --until within it."
        )
    kept = folder / REPLAY_FOLDER if cache is None else cache
    days = range(since // _DAY_MS, until // _DAY_MS + 1)
    found = [_day(store, coin, folder, kept, day) for day in track(days, "converting")]
    parts = [(part, stretches) for part, stretches in found if part.rows and len(stretches)]
    if not parts:
        raise InputError(f"{coin}: no market data between {_time(since)} and {_time(until)}.")
    return replay_data(coin, *zip(*parts, strict=True))


def replay_data(
    coin: str, parts: Sequence[Converted], stretches: Sequence[Stretches]
) -> ReplayData:
    """Join consecutive parts; their stretches are joined where no data are missing between."""
    start = np.concatenate([one.start_ms for one in stretches])
    end = np.concatenate([one.end_ms for one in stretches])
    apart = start[1:] - end[:-1] > _JOINED_MS
    inside = np.zeros(len(start), dtype=np.int64)  # the part that each stretch belongs to
    inside[np.cumsum([len(one) for one in stretches])[:-1]] = 1
    apart |= inside[1:] == 0
    covered = Stretches(start[np.append(True, apart)], end[np.append(apart, True)])
    return ReplayData(
        coin,
        tuple(parts),
        covered,
        tick=min(part.tick for part in parts),
        lot=min(part.lot for part in parts),
    )


def _day(
    store: ShardStore, coin: str, folder: Path, cache: Path, day: int
) -> tuple[Converted, Stretches]:
    low, high = day * _DAY_MS, (day + 1) * _DAY_MS - 1
    kinds = (*DATA_KINDS, "connections")  # what the log calls a gap is no time with data
    files = [file for kind in kinds for file in shard_files(folder, kind, low, high + _LATE_MS)]
    target = cache / datetime.fromtimestamp(low / 1000, UTC).strftime("%Y-%m-%d")
    key = _key(files)
    found = _cached(target, key)
    if found is not None:
        return found
    recording = store.read(coin, low, high)
    books = read_books(store.data_dir, coin, low, high)
    converted = convert(recording, books)
    stretches = Window.of(recording).stretches if converted.rows else Stretches(*_NOTHING)
    _keep(target, key, converted, stretches)
    return converted, stretches


_NOTHING: Final = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def _key(files: Iterable[ShardFile]) -> str:
    """Name the content of a day: its shards with their sizes and times, and our format."""
    named = []
    for file in files:
        status = Path(file.path).stat()
        named.append((Path(file.path).name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps([CACHE_VERSION, named]).encode()).hexdigest()


def _cached(folder: Path, key: str) -> tuple[Converted, Stretches] | None:
    """Return a day that was kept, None if it is of another content or damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta["key"] != key:
            return None
        arrays = {}
        for name in _ARRAYS:
            array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if _checksum(array) != meta["checksums"][name]:
                raise ValueError(f"{name}.npy has been changed")
            arrays[name] = array
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: damaged (%s), converting the day again", folder, error)
        return None
    events, touch, stretches = (arrays[name] for name in _ARRAYS)
    converted = Converted(events, touch, meta["tick"], meta["lot"], meta["rows"])
    return converted, Stretches(np.array(stretches[0]), np.array(stretches[1]))


def _keep(folder: Path, key: str, converted: Converted, stretches: Stretches) -> None:
    arrays = dict(
        zip(
            _ARRAYS,
            (
                converted.events,
                converted.touch,
                np.stack([stretches.start_ms, stretches.end_ms]),
            ),
            strict=True,
        )
    )
    meta = {
        "key": key,
        "tick": converted.tick,
        "lot": converted.lot,
        "rows": converted.rows,
        "checksums": {name: _checksum(array) for name, array in arrays.items()},
    }
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        if folder.exists():  # readers that have it open keep it
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        logger.warning("%s: the converted day cannot be kept: %s", folder, error)
        shutil.rmtree(temporary, ignore_errors=True)


def _checksum(array: np.ndarray[Any, Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


def _first_ms(folder: Path) -> int | None:
    """Return the exchange time (ms) of the oldest row, judged by the first readable shards."""
    first = []
    for kind in DATA_KINDS:
        for file in shard_files(folder, kind):
            try:
                column = pq.read_table(file.path, columns=["exchange_timestamp"])[0]
            except (pa.ArrowException, OSError):
                continue
            oldest = pc.min(column).as_py()
            if oldest is not None:
                first.append(oldest)
                break
    return min(first, default=None)


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"
