"""Shards of a folder, listed by file name alone."""

import os
import sys
from bisect import bisect_left, bisect_right
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ShardFile", "shard_files", "shard_time_ms"]

_SUFFIX: Final = ".parquet"


class ShardFile(NamedTuple):
    """One shard: the time in its name (ms) and its path. Sorts by arrival."""

    name_ms: int
    path: str


def shard_time_ms(name: str, kind: str) -> int | None:
    """Return the time (ms) in the file name of a shard of ``kind``, None for any other file."""
    digits = name[len(kind) + 1 : -len(_SUFFIX)]
    if name != f"{kind}_{digits}{_SUFFIX}" or not digits.isdecimal():
        return None
    return int(digits)


def shard_files(
    coin_folder: Path, kind: str, low_ms: int = 0, high_ms: int = sys.maxsize
) -> list[ShardFile]:
    """List the shards of a kind named from ``low_ms`` to just beyond ``high_ms``.

    The first shard after ``high_ms`` is included: if shards were merged into it, it holds their
    rows. A missing folder has no shards.
    """
    folder = coin_folder / kind
    try:
        names = os.listdir(folder)  # noqa: PTH208 (names are all we need of 17 000 files a day)
    except FileNotFoundError:
        return []
    timed = [(shard_time_ms(name, kind), name) for name in names]
    found = sorted((time_ms, name) for time_ms, name in timed if time_ms is not None)
    first = bisect_left(found, low_ms, key=itemgetter(0))
    last = bisect_right(found, high_ms, key=itemgetter(0))
    return [ShardFile(time_ms, f"{folder}/{name}") for time_ms, name in found[first : last + 1]]
