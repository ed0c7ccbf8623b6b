"""Ask recordings a question in SQL: views trades, prices, orderbooks, contexts and connections."""

import argparse
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from advanced_mm.cli import configure_logging, moment, names_in, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.sharing.queries import query

ROWS_SHOWN = 100
LONG_ROWS_SHOWN = 10


def main(argv: list[str] | None = None) -> int:
    """Print the answer, or write it to files."""
    options = parse(argv)
    configure_logging(options.verbose)
    coins = names_in(options.crypto)
    answer = query(options.data_dir, options.sql, coins, options.since, options.until)
    written = [
        write(answer, form, path)
        for form in ("csv", "json", "parquet")
        if (path := getattr(options, form)) is not None
    ]
    for path in written:
        print(f"{answer.num_rows} rows written to {path}")
    if not written:
        show(answer)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sql", metavar="SELECT …", help="one statement in DuckDB's dialect")
    parser.add_argument(
        "--data-dir", type=Path, default=Path("scripts/HL_data"), metavar="DIR",
        help="the recordings (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--crypto", metavar="ETH,WLFI", help="default: every recorded coin")
    parser.add_argument("--since", type=moment, metavar="TIME", help="UTC, as 2026-11-28T13:00")
    parser.add_argument("--until", type=moment, metavar="TIME")
    for form in ("csv", "json", "parquet"):
        parser.add_argument(
            f"--{form}", type=Path, metavar="FILE", help=f"write the answer as {form}"
        )
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(argv)


def write(answer: pa.Table, form: str, path: Path) -> Path:
    """Write the answer to a file."""
    try:
        if form == "csv":
            pa.csv.write_csv(answer, path)
        elif form == "parquet":
            pa.parquet.write_table(answer, path, compression="zstd")
        else:
            path.write_text(json.dumps(answer.to_pylist(), default=str, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"--{form} {path} cannot be written: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise InputError(f"--{form} cannot hold this answer: {error}; use --parquet") from None
    return path


def show(answer: pa.Table) -> None:
    """Print the answer's first rows: as a table if it fits the terminal, else row by row."""
    table, console = Table(), Console()
    for field in answer.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(field.name, justify="right" if number else "left")
    rows = answer.slice(0, ROWS_SHOWN).to_pylist()
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row.values()))
    unlimited = console.options.update(max_width=sys.maxsize)
    if not rows or console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
    else:
        del rows[LONG_ROWS_SHOWN:]
        widest = max(map(len, answer.column_names))
        for number, row in enumerate(rows, 1):
            print(f"row {number}")
            for name, value in row.items():
                print(f"  {name:<{widest}}  {_text(value)}".rstrip())
    if answer.num_rows > len(rows):
        print(f"and {answer.num_rows - len(rows)} more rows: --csv, --json and --parquet have all")


def _text(value: object) -> str:
    return "" if value is None else str(value)


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
