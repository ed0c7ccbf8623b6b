"""Fit lambda, lambda0 and kappa from recorded shards and show them."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.command import add_fit_options, fit_as_asked, output_files
from advanced_mm.calibration.entries import kappa_entry, lambda_entry
from advanced_mm.calibration.estimate import Status
from advanced_mm.calibration.publish import publish
from advanced_mm.calibration.tables import WIDTH, kappa_table
from advanced_mm.cli import configure_logging, run
from advanced_mm.parameter_files import load_settings


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
        print(json.dumps({calibration.coin: fill_curve_fields(calibration, now)}, indent=1))
    else:
        console = Console()
        console.width = max(console.width, WIDTH)
        console.print(kappa_table(calibration, details=args.verbose))
    if args.plot is not None:
        from advanced_mm.calibration.pictures import kappa_picture  # matplotlib is slow to import

        kappa_picture(args.plot, fitted.window, calibration)
    if args.write:
        settings, _ = load_settings(args.config)
        publish(calibration, settings, output_files(args, settings), now)
    return 0


def fill_curve_fields(calibration: CoinCalibration, now: datetime) -> dict[str, Any]:
    """Return the keys of kappa.json and lambda.json together, with the worse status of the two."""
    kappa, lambda_ = kappa_entry(calibration, now), lambda_entry(calibration, now)
    worse = max(kappa, lambda_, key=lambda entry: list(Status).index(Status(entry.status)))
    return {**lambda_.to_json(), **kappa.to_json(), "status": worse.status}


if __name__ == "__main__":
    sys.exit(run(main))
