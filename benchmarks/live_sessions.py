"""What benchmarks that run live sessions share."""

import argparse
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from advanced_mm.cli import configure_logging
from advanced_mm.errors import InputError

__all__ = ["ROOT", "minutes_of", "project_with"]

ROOT = Path(__file__).resolve().parents[1]


def minutes_of(doc: str | None, argv: list[str] | None, default: float) -> float:
    """Read the command line of a benchmark, set up logging, and return the length of a session."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument(
        "--minutes",
        type=float,
        default=default,
        help="length of each session (default: %(default)g)",
    )
    minutes = float(parser.parse_args(argv).minutes)
    configure_logging()
    logging.getLogger("ft_rest_client").setLevel(logging.ERROR)  # silent while the bot starts
    if not minutes >= 2:
        raise InputError(
            f"--minutes is {minutes:g}, must be at least 2: the first minute is not counted."
        )
    return minutes


def project_with(folder: Path, change: Callable[[str], str]) -> Path:
    """Copy the files of a session to a folder, with a changed text of the strategy."""
    for name in ("scripts", "user_data"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("HL_data", "paper", "*.sqlite*", "logs", "data", "plot"),
        )
    strategy = folder / "user_data" / "strategies" / "Market_Making.py"
    strategy.write_text(change(strategy.read_text(encoding="utf-8")), encoding="utf-8")
    return folder
