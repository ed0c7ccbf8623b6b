"""Say whether fresh parameters are published: exit code 0 if so, 1 with the reason if not."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.cli import run
from advanced_mm.parameter_files import ParameterFileError, ParameterFiles, load_settings


def main(argv: list[str] | None = None) -> int:
    """Check the age of every coin's newest refit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crypto", default="ETH", help="coins, separated by commas (default ETH)")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="default: as configured, else user_data"
    )
    parser.add_argument("--config", type=Path, nargs="+", default=[Path("user_data/config.json")])
    parser.add_argument("--max-age", type=float, default=120.0, help="seconds since published_at")
    options = parser.parse_args(argv)
    settings, _ = load_settings(options.config)
    files = ParameterFiles(options.output_dir or settings.parameter_folder(Path("user_data")))
    healthy = True
    for coin in options.crypto.split(","):
        try:
            entry = files.read(coin).kappa
        except ParameterFileError as error:
            print(f"{coin}: {error}")
            healthy = False
            continue
        age = (datetime.now(UTC) - entry.published_at).total_seconds()
        print(f"{coin}: {entry.status}, published {age:.0f} s ago")
        healthy = healthy and age <= options.max_age
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(run(main))
