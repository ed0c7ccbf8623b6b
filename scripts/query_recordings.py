"""Ask recordings a question in SQL: views trades, prices, orderbooks, contexts and connections."""

import argparse
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from advanced_mm.cli import configure_logging, moment, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata.lean_arrow import keep_pandas_out
from advanced_mm.marketdata.sharing.queries import query

ROWS_SHOWN = 100


def main(argv: list[str] | None = None) -> int:
    """Print the answer, or write it to files."""
    options = parse(argv)
    configure_logging(options.verbose)
    coins = [name.strip() for name in (options.crypto or "").split(",") if name.strip()]
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
    """Print the answer's first rows as a table."""
    table = Table()
    for field in answer.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(field.name, justify="right" if number else "left")
    for row in answer.slice(0, ROWS_SHOWN).to_pylist():
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)
    if answer.num_rows > ROWS_SHOWN:
        print(f"and {answer.num_rows - ROWS_SHOWN} more rows: --csv, --json and --parquet have all")


if __name__ == "__main__":
    keep_pandas_out()
    sys.exit(run(main))
