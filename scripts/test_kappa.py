"""Fit lambda, lambda0 and kappa from recorded shards and show them."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.entries import kappa_entry, lambda_entry
from advanced_mm.calibration.fit_command import FittedWindow, FitView, fit_and_show
from advanced_mm.calibration.tables import kappa_table
from advanced_mm.calibration.windows.estimate import Status
from advanced_mm.cli import run


def main(argv: list[str] | None = None) -> int:
    """Fit the requested window and show it; write files only if requested."""
    return fit_and_show(argv, FitView(__doc__, fields, table, draw))


def fields(calibration: CoinCalibration, now: datetime) -> dict[str, Any]:
    """Return the keys of kappa.json and lambda.json, with the worse of the two statuses."""
    kappa, lambda_ = kappa_entry(calibration, now), lambda_entry(calibration, now)
    worse = max(kappa, lambda_, key=lambda entry: list(Status).index(Status(entry.status)))
    return {**lambda_.to_json(), **kappa.to_json(), "status": worse.status}


def table(fitted: FittedWindow, details: bool) -> Any:
    """Return the table of arrivals and fill curve."""
    return kappa_table(fitted.calibration, details=details)


def draw(path: Path, fitted: FittedWindow) -> None:
    """Plot the reach of market orders with its fit."""
    from advanced_mm.calibration.pictures import kappa_picture  # matplotlib is slow to import

    kappa_picture(path, fitted.window, fitted.calibration)


if __name__ == "__main__":
    sys.exit(run(main))
