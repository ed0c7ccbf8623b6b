"""Fit epsilon and epsilon_fill from recorded shards; show them and what a fill is worth."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from advanced_mm.calibration.command import (
    DEFAULT_CONFIG,
    add_fit_options,
    fit_as_asked,
    output_files,
)
from advanced_mm.calibration.entries import epsilon_entry
from advanced_mm.calibration.publish import publish
from advanced_mm.calibration.tables import WIDTH, epsilon_table
from advanced_mm.cli import configure_logging, run
from advanced_mm.parameter_files import Settings, load_settings


def main(argv: list[str] | None = None) -> int:
    """Fit the asked window, show it, and write only what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_fit_options(parser)
    args = parser.parse_args(argv)
    configure_logging(args.verbose)
    now = datetime.now(UTC)
    fitted = fit_as_asked(args)
    calibration = fitted.calibration
    if args.json:
        print(json.dumps({calibration.coin: epsilon_entry(calibration, now).to_json()}, indent=1))
    else:
        console = Console()
        console.width = max(console.width, WIDTH)
        fee_rate = configured_settings(args.config).fee_rate
        console.print(epsilon_table(calibration, fee_rate=fee_rate, details=args.verbose))
    if args.plot is not None:
        from advanced_mm.calibration.pictures import epsilon_picture  # matplotlib is slow to import

        epsilon_picture(args.plot, fitted.window, calibration)
    if args.write:
        settings, _ = load_settings(args.config)
        publish(calibration, settings, output_files(args, settings), now)
    return 0


def configured_settings(config: list[Path]) -> Settings:
    """Return the settings, the defaults where there is no configuration in the usual place."""
    if config == [DEFAULT_CONFIG] and not DEFAULT_CONFIG.exists():
        return Settings()
    return load_settings(config)[0]


if __name__ == "__main__":
    sys.exit(run(main))
