"""Send a recording's shards to S3, another folder or ClickHouse; once, or as they appear."""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from advanced_mm.cli import configure_logging, names_in, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.sharing.background import place_of
from advanced_mm.marketdata.sharing.ledger import SharedLedger
from advanced_mm.marketdata.sharing.publisher import HOURLY_SECONDS, Publisher
from advanced_mm.marketdata.store import ShardStore


def main(argv: list[str] | None = None) -> int:
    """Publish what is due; with --follow, until SIGINT or SIGTERM."""
    options = parse(argv)
    configure_logging(options.verbose)
    if not options.every > 0:
        raise InputError(f"--every is {options.every:g}, must be positive; write for example 5.")
    store = ShardStore(options.data_dir)
    if not options.follow and not store.coins():
        raise InputError(f"'{options.data_dir}' has no recording to publish: pass --data-dir")
    named = names_in(options.crypto)
    place = place_of(options.to)
    with SharedLedger(options.data_dir, place.url) as ledger:
        publisher = Publisher(
            options.data_dir,
            place,
            ledger,
            list(dict.fromkeys(map(store.resolve, named))),
            HOURLY_SECONDS if options.hourly else 0.0,
            take_over=options.take_over,
        )
        if options.follow:
            publisher.run(stop_at_signals(), options.every)
            return 0
        done = publisher.step(time.time())
    print(f"{place.url}: sent {done.files} files, {done.size / 1e6:.1f} MB")
    if done.unreadable:
        print(f"{done.unreadable} files could not be read")
    return 0


def stop_at_signals() -> threading.Event:
    """Return an event that SIGINT or SIGTERM sets."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("scripts/HL_data"), metavar="DIR")
    parser.add_argument("--crypto", metavar="ETH,WLFI", help="default: every recorded coin")
    parser.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help="s3://bucket/folder, another folder, or clickhouse://user@host:8123/database",
    )
    parser.add_argument(
        "--hourly",
        action="store_true",
        help="send shards after 90 minutes, when those of an hour have been merged into one",
    )
    parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="SECONDS", help="pause of --follow (default: 5)"
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="publish a coin that another data directory has published",
    )
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
