"""Fits on request: the part the fitting scripts share besides their own table and plot."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.command import (
    DEFAULT_CONFIG,
    add_folder_options,
    asked_coin,
    output_files,
)
from advanced_mm.calibration.publish import publish
from advanced_mm.calibration.tables import WIDTH
from advanced_mm.calibration.windows.window import Window
from advanced_mm.cli import configure_logging
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings, load_settings
from advanced_mm.parameter_files.history import HISTORY_FOLDER

__all__ = ["FitView", "FittedWindow", "fit_and_show", "fit_as_asked"]


@dataclass(frozen=True)
class FittedWindow:
    """A fit with its window and settings."""

    window: Window
    calibration: CoinCalibration
    settings: Settings


@dataclass(frozen=True)
class FitView:
    """Output of a fitting script.

    ``fields`` returns the keys printed by ``--json``, ``table`` returns the table shown otherwise
    (its last argument asks for details) and ``draw`` writes the picture of ``--plot``.
    """

    description: str | None
    fields: Callable[[CoinCalibration, datetime], dict[str, Any]]
    table: Callable[[FittedWindow, bool], RenderableType]
    draw: Callable[[Path, FittedWindow], None]


def fit_and_show(argv: list[str] | None, view: FitView) -> int:
    """Fit the requested window, show it, and plot and publish it on request: a script's main().

    With ``--json``, standard output holds nothing but the JSON.

    Raises
    ------
    InputError
        As in ``fit_as_asked``, or a file cannot be written.
    """
    parser = argparse.ArgumentParser(description=view.description)
    _add_options(parser)
    args = parser.parse_args(argv)
    configure_logging(args.verbose)
    now = datetime.now(UTC)
    fitted = fit_as_asked(args)
    calibration = fitted.calibration
    if args.json:
        shown = json.dumps({calibration.coin: view.fields(calibration, now)}, indent=1)
        sys.stdout.write(shown + "\n")
    else:
        console = Console()
        console.width = max(console.width, WIDTH)
        console.print(view.table(fitted, args.verbose))
    done = sys.stderr if args.json else sys.stdout
    if args.plot is not None:
        view.draw(args.plot, fitted)
        done.write(f"plot written to {args.plot}\n")
    if args.write:
        done.write(_published(fitted, output_files(args, fitted.settings), now) + "\n")
    return 0


def _published(fitted: FittedWindow, files: ParameterFiles, now: datetime) -> str:
    """Publish a fit and return a line with the folder and the status of each file."""
    entries = publish(fitted.calibration, fitted.settings, files, now)
    names = ("kappa", "epsilon", "lambda", "value_function")
    statuses = (
        *(e.status for e in (entries.kappa, entries.epsilon, entries.lambda_)),
        *(e.status for e in entries.value_functions),
    )
    listed = ", ".join(f"{name}.json {how}" for name, how in zip(names, statuses, strict=True))
    folder = files.directory
    return (
        f"published {entries.coin} in {folder}: {listed}; added a row to {folder / HISTORY_FOLDER}"
    )


def fit_as_asked(args: argparse.Namespace) -> FittedWindow:
    """Fit the last ``--time-range`` minutes of a coin in ``--data-dir``.

    The coin is that of ``--crypto``, by default that of the first configured pair; all other
    settings come from the configuration in both cases.

    Raises
    ------
    InputError
        If the configuration, the data folder, the coin or its rows are missing, or the range is
        not positive.
    """
    settings, configured = _settings_as_asked(args)
    recording = ShardStore(args.data_dir).read(asked_coin(args, configured))
    calibration = calibrate(
        recording,
        window_minutes=args.time_range,
        options=CalibrationOptions.bootstrapped().configured(settings),
    )
    start_ms = calibration.end_ms - round(calibration.window_seconds * 1000)
    window = Window.of(recording, start_ms, calibration.end_ms)
    return FittedWindow(window, calibration, settings)


def _settings_as_asked(args: argparse.Namespace) -> tuple[Settings, list[str]]:
    """Return the settings and the names of the configured pairs.

    Showing a coin works without a configuration, with the defaults and the overrides from the
    environment; publishing a fit requires the settings that the bot reads.
    """
    usual = args.config == [DEFAULT_CONFIG]
    if args.crypto and not args.write and usual and not DEFAULT_CONFIG.exists():
        return load_settings([])
    return load_settings(args.config)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crypto",
        help="coin to fit, such as ETH, kPEPE or a pair (default: the first configured pair)",
    )
    parser.add_argument(
        "--time-range",
        type=float,
        default=60.0,
        metavar="MINUTES",
        help="length of the window, which ends at the newest recorded row (default: 60)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print only the keys of the parameter files, as JSON"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show goodness of fit and debug messages"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="plot the fit to this file")
    parser.add_argument("--write", action="store_true", help="publish this fit as the runner would")
    add_folder_options(parser)
