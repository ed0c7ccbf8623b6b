"""Upkeep of a running recording, in a process of its own: hourly files, then retention.

The collector starts this module with ``python -m`` now and then, so that neither its event loop nor
its memory pays for it. It can be killed at any time: see `compaction`.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from advanced_mm.cli import configure_logging, run
from advanced_mm.coin_folders import coin_folder
from advanced_mm.errors import InputError
from advanced_mm.marketdata.compaction import DAY_MS, HOUR_MS, compact_coin
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.marketdata.upkeep.retention import Retention, delete_old

__all__ = ["main", "upkeep", "upkeep_command"]

logger = logging.getLogger(__spec__.name)  # not __main__

_LATE_MS: Final = 300_000
"""An hour is merged this long after its end, so that late shards are part of it."""
_NICENESS: Final = 10


def upkeep(store: ShardStore, coins: Sequence[str], retention: Retention, now_ms: int) -> None:
    """Merge the shards of past hours and delete old ones; log what was done.

    The hours are those of the coin's own newest shard, since a replayed market has another time. A
    coin whose shards cannot be merged or deleted does not keep those of the others from it.

    Raises
    ------
    InputError
        If a coin is not recorded, or the shards of one could not be merged or deleted.
    """
    faults: list[str] = []
    for coin in coins:
        try:
            _merge(store, coin)
        except (InputError, OSError) as error:
            faults.append(f"{coin}: {error}")
    if retention.days is not None or retention.gigabytes is not None:
        folders = [coin_folder(store.data_dir, coin) for coin in coins]
        try:
            delete_old(folders, retention, now_ms)
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("; ".join(faults))


def _merge(store: ShardStore, coin: str) -> None:
    newest_ms = store.newest_name_ms(coin)
    if newest_ms is None:
        return
    before_ms = (newest_ms - _LATE_MS) // HOUR_MS * HOUR_MS
    folder = store.folder(coin)
    done = compact_coin(folder, before_ms, HOUR_MS)
    # Readers need the whole connection log, however long ago a silence began, so its files are few.
    done += compact_coin(folder, before_ms // DAY_MS * DAY_MS, DAY_MS, ["connections"])
    if done.rows:
        logger.info(
            "%s: merged %d shards into %d, %.1f MB into %.1f MB",
            coin,
            done.merged,
            done.merged + done.files_after - done.files_before,
            done.bytes_before / 1e6,
            done.bytes_after / 1e6,
        )
    for path in done.unreadable:
        logger.debug("%s: cannot be read, left as it is", path)


def upkeep_command(data_dir: Path, coins: Sequence[str], retention: Retention) -> list[str]:
    """Return the command line of this module for a recording."""
    command = [sys.executable, "-m", __spec__.name, str(data_dir), *coins]
    if retention.days is not None:
        command.append(f"--keep-days={retention.days!r}")
    if retention.gigabytes is not None:
        command.append(f"--keep-gigabytes={retention.gigabytes!r}")
    return command


def main(argv: list[str] | None = None) -> int:
    """Tidy up the recording of some coins once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("coins", nargs="+")
    parser.add_argument("--keep-days", type=float)
    parser.add_argument("--keep-gigabytes", type=float)
    options = parser.parse_args(argv)
    configure_logging()
    os.nice(_NICENESS)
    retention = Retention(options.keep_days, options.keep_gigabytes)
    upkeep(ShardStore(options.data_dir), options.coins, retention, round(time.time() * 1000))
    return 0


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
