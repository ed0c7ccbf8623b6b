"""Fetch a time range of published recordings into a folder here, for every other script."""

import argparse
import sys
from pathlib import Path

from advanced_mm.cli import configure_logging, moment, names_in, progress, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.sharing.fetching import fetch
from advanced_mm.marketdata.sharing.ledger import SharedLedger
from advanced_mm.marketdata.sharing.locations import Location


def main(argv: list[str] | None = None) -> int:
    """Fetch what is new and print a line for each coin."""
    options = parse(argv)
    configure_logging(options.verbose)
    if None not in (options.since, options.until) and options.since > options.until:
        raise InputError("--since lies after --until: no time is left between them")
    root = Location(options.from_)
    with SharedLedger(options.data_dir, root.url) as ledger:
        done = fetch(
            root,
            options.data_dir,
            ledger,
            names_in(options.crypto),
            options.since,
            options.until,
            lambda names: progress(names, "files"),
        )
    for coin in done:
        text = f"{coin.coin}: fetched {coin.files} files, {coin.size / 1e6:.1f} MB"
        text += f"; {coin.known} were here" if coin.known else ""
        print(text + (f"; {coin.replaced} are merged in them" if coin.replaced else ""))
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="from_", required=True, metavar="URL", help="what --to of a publisher says"
    )
    parser.add_argument(
        "--data-dir", type=Path, default=Path("scripts/HL_data"), metavar="DIR",
        help="gets the shards (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--crypto", metavar="ETH,WLFI", help="default: every published coin")
    parser.add_argument("--since", type=moment, metavar="TIME", help="UTC, as 2026-11-28T13:00")
    parser.add_argument("--until", type=moment, metavar="TIME")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
