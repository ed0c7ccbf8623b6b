"""Rank the recorded coins by what quoting them is expected to earn, after fee and toxicity."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.progress import track

from advanced_mm.calibration import CalibrationOptions
from advanced_mm.calibration.command import add_source_options
from advanced_mm.cli import configure_logging, run
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files import load_settings
from advanced_mm.report.screener import screen_coins, screen_table


def main(argv: list[str] | None = None) -> int:
    """Fit every coin of the data folder and print the ranking."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_source_options(parser)
    parser.add_argument(
        "--time-range",
        type=float,
        default=30.0,
        metavar="MINUTES",
        help="minutes before each coin's newest row (default: %(default)g)",
    )
    parser.add_argument(
        "--stake", type=float, default=1000.0, help="USDC in one unit (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, nothing else")
    options = parser.parse_args(argv)
    configure_logging()
    if not options.stake > 0:
        raise InputError(f"--stake {options.stake:g} must be above 0.")
    settings, _ = load_settings(options.config)
    rows = screen_coins(
        ShardStore(options.data_dir),
        window_minutes=options.time_range,
        fee_rate=settings.fee_rate,
        stake=options.stake,
        track=_progress,
        options=CalibrationOptions().unmerged(settings.block_seconds),
    )
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=1, allow_nan=False))
        return 0
    console = Console()
    console.width = max(console.width, 130)
    console.print(screen_table(rows, options.stake))
    return 0


def _progress(coins: Sequence[str]) -> Iterable[str]:
    return track(coins, "coins", console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    sys.exit(run(main))
