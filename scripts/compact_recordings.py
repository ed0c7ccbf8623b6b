"""Merge the small shards of past days into one file per day and kind, without loss of data."""

import argparse
import sys
import time
from pathlib import Path

from advanced_mm.cli import configure_logging, names_in, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.compaction import Compaction, compact_coin
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.store import ShardStore


def main(argv: list[str] | None = None) -> int:
    """Compact every coin of the data folder, or those given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("scripts/HL_data"))
    parser.add_argument("--crypto", metavar="ETH,WLFI", help="default: every recorded coin")
    parser.add_argument(
        "--older-than-hours",
        type=float,
        default=24.0,
        metavar="HOURS",
        help="keep shards younger than this as they are, at least 1 (default: 24)",
    )
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(argv)
    configure_logging(options.verbose)
    if not options.older_than_hours >= 1:
        raise InputError(
            f"--older-than-hours is {options.older_than_hours:g}, must be at least 1: "
            "the newest shards are still in use"
        )
    store = ShardStore(options.data_dir)
    named = names_in(options.crypto)
    coins = list(dict.fromkeys(map(store.resolve, named))) if named else store.coins()
    if not coins:
        raise InputError(f"'{options.data_dir}' has no recording to compact: pass --data-dir")
    before_ms = round((time.time() - options.older_than_hours * 3600) * 1000)
    for coin in coins:
        print(_summary(coin, compact_coin(store.folder(coin), before_ms)))
    return 0


def _summary(coin: str, done: Compaction) -> str:
    text = f"{coin}: merged {done.files_before} files into {done.files_after}"
    if done.rows:
        megabytes = done.bytes_before / 1e6, done.bytes_after / 1e6
        text += f", {done.rows} rows, {megabytes[0]:.1f} MB to {megabytes[1]:.1f} MB"
    if done.unreadable:
        text += f"; skipped unreadable files: {', '.join(done.unreadable)}"
    return text


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
