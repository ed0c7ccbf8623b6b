"""Check for fresh published parameters: exit code 0 if so, 1 with the reason if not."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.cli import run
from advanced_mm.parameter_files import ParameterFileError, ParameterFiles, load_settings
from advanced_mm.parameter_files.freshness import why_not_fresh


def main(argv: list[str] | None = None) -> int:
    """Check the age of every coin's newest refit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--crypto", default="ETH", help="coins, separated by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="folder of the parameter files; default: as configured, otherwise user_data",
    )
    parser.add_argument("--config", type=Path, nargs="+", default=[Path("user_data/config.json")])
    parser.add_argument(
        "--max-age", type=float, help="maximum age of published_at, seconds (default: the bot's)"
    )
    options = parser.parse_args(argv)
    settings, _ = load_settings(options.config)
    files = ParameterFiles(options.output_dir or settings.parameter_folder(Path("user_data")))
    max_age = settings.max_published_age_seconds if options.max_age is None else options.max_age
    healthy = True
    for name in options.crypto.split(","):
        fault = _fault(files, name.strip(), max_age, settings.data_age_limit_seconds)
        print(f"{name.strip()}: {fault or 'fresh'}")
        healthy = healthy and fault is None
    return 0 if healthy else 1


def _fault(files: ParameterFiles, name: str, max_age: float, max_data_age: float) -> str | None:
    """Return why the coin's parameters cannot be quoted from; None if they can."""
    try:
        entries = files.read(files.resolve(name)).entries
    except ParameterFileError as error:
        return str(error)
    return why_not_fresh(entries, datetime.now(UTC), max_age, max_data_age)


if __name__ == "__main__":
    sys.exit(run(main))
