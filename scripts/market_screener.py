"""Rank the recorded coins by expected income from quoting, after fee and toxicity."""

import argparse
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from advanced_mm.calibration import CalibrationOptions
from advanced_mm.calibration.command import add_source_options
from advanced_mm.cli import configure_logging, progress, run
from advanced_mm.marketdata import ShardStore
from advanced_mm.parameter_files import ParameterFiles, counted_age, load_settings
from advanced_mm.report.screener import ScreenOptions, age_warnings, screen_coins, screen_table

logger = logging.getLogger("market_screener")

TABLE_WIDTH = 160  # characters


def main(argv: list[str] | None = None) -> int:
    """Fit every coin of the data folder and print the ranking."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_source_options(parser)
    parser.add_argument(
        "--time-range",
        type=float,
        metavar="MINUTES",
        help="window up to each coin's newest row, minutes (default: setting window_minutes)",
    )
    parser.add_argument(
        "--max-time-range",
        type=float,
        metavar="MINUTES",
        help="extend the window of a coin with few trades up to this, as the runner does; not "
        "extended if below --time-range (default: setting max_window_minutes)",
    )
    parser.add_argument(
        "--stake", type=float, default=1000.0, help="size of one unit, USDC (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print only the rows, as JSON")
    options = parser.parse_args(argv)
    configure_logging()
    settings, _ = load_settings(options.config)
    files = ParameterFiles(settings.parameter_folder(Path("user_data")))
    minutes, longest = options.time_range, options.max_time_range
    screen = ScreenOptions(
        window_minutes=settings.window_minutes if minutes is None else minutes,
        max_window_minutes=settings.max_window_minutes if longest is None else longest,
        fee_rate=settings.fee_rate,
        stake=options.stake,
        quote_age_seconds=lambda coin: counted_age(files, coin, settings),
        fair_price=settings.fair_price,
    )
    rows = screen_coins(
        ShardStore(options.data_dir),
        screen,
        track=lambda steps: progress(steps, "coins"),
        options=CalibrationOptions().configured(settings),
    )
    warnings = list(age_warnings(rows, datetime.now(UTC), settings.data_age_limit_seconds))
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=1, allow_nan=False))
        for warning in warnings:
            logger.warning("%s", warning)
        return 0
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    console.print(screen_table(rows, screen))
    research = f"python scripts/market_research.py --recording {options.data_dir}"
    console.print(Text(f"when each of them is wide and lively: {research}"))
    for warning in warnings:
        console.print(Text(warning, style="yellow"))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
