"""Fit epsilon and epsilon_fill from recorded shards; show them and the value of a fill."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from advanced_mm.calibration.calibrate import CoinCalibration
from advanced_mm.calibration.entries import epsilon_entry
from advanced_mm.calibration.fit_command import FittedWindow, FitView, fit_and_show
from advanced_mm.calibration.tables import epsilon_table
from advanced_mm.cli import run
from advanced_mm.parameter_files import ParameterFiles, counted_age


def main(argv: list[str] | None = None) -> int:
    """Fit the requested window and show it; write files only if requested."""
    return fit_and_show(argv, FitView(__doc__, fields, table, draw))


def fields(calibration: CoinCalibration, now: datetime) -> dict[str, Any]:
    """Return the keys of epsilon.json."""
    return epsilon_entry(calibration, now).to_json()


def table(fitted: FittedWindow, details: bool) -> Any:
    """Return the table of moves, and of the value of a fill at the configured fee."""
    settings = fitted.settings
    return epsilon_table(
        fitted.calibration,
        fee_rate=settings.fee_rate,
        quote_age_seconds=counted_age(
            ParameterFiles(settings.parameter_folder(Path("user_data"))),
            fitted.calibration.coin,
            settings,
        ),
        details=details,
    )


def draw(path: Path, fitted: FittedWindow) -> None:
    """Plot the move after a fill against its depth."""
    from advanced_mm.calibration.pictures import epsilon_picture  # matplotlib is slow to import

    epsilon_picture(path, fitted.window, fitted.calibration)


if __name__ == "__main__":
    sys.exit(run(main))
