"""Import other people's recordings as shards: Hyperliquid's public archive, or CSV files."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from advanced_mm.bad_rows import BadRows
from advanced_mm.calibration.windows.window import WindowOptions
from advanced_mm.cli import configure_logging, moment, names_in, progress, run
from advanced_mm.errors import InputError
from advanced_mm.instruments import folder_of, nearest
from advanced_mm.marketdata.importing.archive import (
    BOOKS,
    FILLS,
    book_file,
    fill_files,
    hours_between,
)
from advanced_mm.marketdata.importing.csv_files import csv_name
from advanced_mm.marketdata.importing.importer import Importer, Result
from advanced_mm.marketdata.importing.ledger import Ledger
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.sharing.locations import Location


def main(argv: list[str] | None = None) -> int:
    """Import what is asked for and print what it brought."""
    options = parse(argv)
    configure_logging(options.verbose)
    bad_rows = BadRows()
    with Ledger(options.data_dir) as ledger:
        importer = Importer(options.data_dir, ledger, bad_rows)
        options.source(importer, options)
    show(importer.results, bad_rows)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data-dir",
        type=Path,
        default=Path("scripts/HL_data"),
        metavar="DIR",
        help="gets the shards (default: %(default)s)",
    )
    common.add_argument("--verbose", action="store_true")
    parser = argparse.ArgumentParser(description=__doc__)
    sources = parser.add_subparsers(required=True, metavar="archive|csv")
    archive = sources.add_parser(
        "archive",
        parents=[common],
        help="Hyperliquid's public archive on S3, whose readers pay for the transfer",
    )
    archive.set_defaults(source=import_archive)
    archive.add_argument("--crypto", required=True, metavar="ETH,WLFI", help="coins to import")
    archive.add_argument(
        "--since", type=moment, required=True, metavar="TIME", help="from this UTC hour on"
    )
    archive.add_argument(
        "--until", type=moment, required=True, metavar="TIME", help="up to this time"
    )
    archive.add_argument(
        "--books", default=BOOKS, metavar="URL", help="folder of the days (default: %(default)s)"
    )
    archive.add_argument(
        "--fills",
        default=FILLS,
        metavar="URL",
        help="folder of node_fills_by_block (default: %(default)s)",
    )
    archive.add_argument(
        "--only", choices=("books", "fills"), help="import only these (default: both)"
    )
    files = sources.add_parser(
        "csv", parents=[common], help="CSV files of the earlier public collectors"
    )
    files.set_defaults(source=import_csv)
    files.add_argument("location", metavar="URL", help="a file or a folder, anywhere")
    files.add_argument(
        "--crypto",
        default="",
        metavar="ETH",
        help="coin of files whose names and rows do not say it; of a folder, only this coin",
    )
    return parser.parse_args(argv)


def import_archive(importer: Importer, options: argparse.Namespace) -> None:
    """Import each hour's snapshots and trades."""
    coins = names_in(options.crypto)
    for coin in coins:
        folder_of(coin)  # raises the error
    if not coins:
        raise InputError("--crypto names no coin; write for example --crypto ETH.")
    hours = hours_between(options.since, options.until)
    if not hours:
        raise InputError("--until is not after --since; swap them.")
    books = Location(options.books, requester_pays=True)
    fills = Location(options.fills, requester_pays=True)
    for hour_ms in progress(hours, "hours"):
        if options.only != "fills":
            for coin in coins:
                importer.books(books, book_file(coin, hour_ms).name, coin)
        if options.only != "books":
            for file in fill_files(hour_ms):
                importer.trades(fills, file.name, coins)
    if options.only != "fills":
        for coin in coins:
            require_books(importer.result(coin, "orderbooks"), books, coin, hours)
    if options.only == "fills":
        require_fills([importer.result(coin, "trades") for coin in coins], fills)


def require_books(result: Result, books: Location, coin: str, hours: Sequence[int]) -> None:
    """Raise ``InputError`` if the archive has no snapshot of a coin at any of the hours."""
    if result.read or result.known:
        return
    for hour_ms in hours:
        folder = book_file(coin, hour_ms).name.rpartition("/")[0]
        there = [name.removesuffix(".lz4") for name in books.names(folder)]
        if there:
            meant = nearest(coin, there)
            hint = f"did you mean {' or '.join(meant)}" if meant else f"it has {len(there)} others"
            raise InputError(f"{books.url} has no coin {coin!r} at {hour(hour_ms)}; {hint}.")
    raise InputError(
        f"{books.url} has no snapshots of {coin} from {hour(hours[0])} to {hour(hours[-1])}: the "
        "archive begins in April 2023, is filled about once a month, and lacks some hours."
    )


def require_fills(results: Sequence[Result], fills: Location) -> None:
    """Raise ``InputError`` if there is no file of fills at all."""
    if not any(result.read or result.known for result in results):
        raise InputError(
            f"{fills.url} has no fills of that time; they begin on 2025-03-22 at 10:00 UTC."
        )


def import_csv(importer: Importer, options: argparse.Namespace) -> None:
    """Import one file, or all of a folder."""
    location = Location(options.location)
    if csv_name(location.url.rpartition("/")[2]) is not None:
        names, base = [location.url.rpartition("/")[2]], Location(location.url.rpartition("/")[0])
    else:
        names, base = sorted(n for n in location.names() if csv_name(n) is not None), location
    wanted = options.crypto.strip()
    coins = {name: csv_name(name) or wanted for name in names}
    if wanted and len(names) > 1:
        coins = {name: coin for name, coin in coins.items() if coin == wanted}
    if not coins:
        raise InputError(
            f"{location.url} has no CSV file{f' of {wanted}' if wanted else ''}; name a file, or a "
            "folder with files such as trades_ETH.csv."
        )
    quoted = {coin for name, coin in coins.items() if name.startswith("prices_")}
    for name, coin in progress(list(coins.items()), "files"):
        try:
            importer.csv(base, name, coin, derive_quotes=coin not in quoted)
        except FileNotFoundError:
            raise InputError(f"there is no file {base.below(name)!r}; check the name.") from None


def show(results: dict[tuple[str, str], Result], bad_rows: BadRows) -> None:
    """Print one table of what the import brought."""
    table = Table(title="imported")
    for column in ("coin", "kind"):
        table.add_column(column, no_wrap=True)
    for column in ("read", "known", "missing", "new rows"):
        table.add_column(column, justify="right")
    table.add_column("of (UTC)")
    for (coin, kind), result in results.items():
        derived = kind == "prices" and not result.read and not result.known
        table.add_row(
            coin,
            f"{kind} (derived)" if derived else kind,
            *("" if derived else str(n) for n in (result.read, result.known, len(result.missing))),
            str(result.rows),
            span(result.first_ms, result.last_ms),
        )
    Console().print(table)
    if bad_rows.total:
        print(f"left out: {bad_rows}")
    for (coin, kind), result in results.items():
        if kind == "orderbooks" and result.widest_s * 1000 > WindowOptions().max_gap_ms:
            print(
                f"{coin}: snapshots are {result.widest_s:.1f} s apart; calibration takes gaps of "
                f"more than {WindowOptions().max_gap_ms / 1000:g} s for holes and will have "
                "nothing to fit"
            )
        for name in result.missing[:3]:
            print(f"missing: {name}")
        if len(result.missing) > 3:
            print(f"missing: and {len(result.missing) - 3} more")


def hour(time_ms: int) -> str:
    """Return an hour in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:00")


def span(first_ms: int | None, last_ms: int | None) -> str:
    """Return the times of the first and last row to the minute, empty without rows."""
    if first_ms is None or last_ms is None:
        return ""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (first_ms, last_ms))
    end = "%H:%M" if first.date() == last.date() else "%Y-%m-%d %H:%M"
    return f"{first:%Y-%m-%d %H:%M} to {last.strftime(end)}"


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
