"""Check for fresh published parameters: exit code 0 if so, 1 with the reason if not.

With --bot, check instead that the bot's loop goes on, by what it writes to its journal each minute.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from advanced_mm.cli import run
from advanced_mm.journal import JOURNAL_FOLDER, last_loop_ms
from advanced_mm.parameter_files import (
    ParameterFileError,
    ParameterFiles,
    Settings,
    load_config,
)
from advanced_mm.parameter_files.freshness import why_not_fresh

LOOP_MAX_AGE_SECONDS = 120.0  # a mark each minute, and up to half a minute where the exchange fails


def main(argv: list[str] | None = None) -> int:
    """Check the age of every coin's newest refit, or that of the bot's newest sign of life."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bot", action="store_true", help="check the bot, not the parameters")
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
        "--max-age",
        type=float,
        metavar="SECONDS",
        help="maximum age of published_at (default: the bot's); with --bot of what its loop wrote "
        f"(default: {LOOP_MAX_AGE_SECONDS:.0f})",
    )
    options = parser.parse_args(argv)
    config = load_config(options.config)
    settings = Settings.from_config(config)
    folder = options.output_dir or settings.parameter_folder(Path("user_data"))
    if options.bot:
        name = str(config.get("bot_name") or "freqtrade")  # as Freqtrade's
        max_age = LOOP_MAX_AGE_SECONDS if options.max_age is None else options.max_age
        fault = _why_not_looping(folder / JOURNAL_FOLDER, name, max_age)
        print(f"{name}: {fault or 'its loop goes on'}")
        return 0 if fault is None else 1
    files = ParameterFiles(folder)
    max_age = settings.max_published_age_seconds if options.max_age is None else options.max_age
    healthy = True
    for name in options.crypto.split(","):
        fault = _fault(files, name.strip(), max_age, settings.data_age_limit_seconds)
        print(f"{name.strip()}: {fault or 'fresh'}")
        healthy = healthy and fault is None
    return 0 if healthy else 1


def _why_not_looping(journal: Path, name: str, max_age: float) -> str | None:
    """Return why the bot's loop seems to stand still; None if it goes on."""
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    try:
        newest_ms = last_loop_ms(journal, name, now_ms)
    except OSError as error:
        return f"{error.filename or journal} cannot be read ({error.strerror})"
    if newest_ms is None:
        return f"its loop has written nothing to {journal} yet"
    age = (now_ms - newest_ms) / 1000
    if age > max_age:
        return (
            f"its loop last wrote to {journal} {age:.0f} s ago: it stands still, or the bot was "
            "told to stop; see its log"
        )
    return None


def _fault(files: ParameterFiles, name: str, max_age: float, max_data_age: float) -> str | None:
    """Return why the coin's parameters cannot be quoted from; None if they can."""
    try:
        entries = files.read(files.resolve(name)).entries
    except ParameterFileError as error:
        return str(error)
    return why_not_fresh(entries, datetime.now(UTC), max_age, max_data_age)


if __name__ == "__main__":
    sys.exit(run(main))
