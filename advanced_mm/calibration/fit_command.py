"""A fit asked for by hand: what the fitting scripts do around their own table and picture."""

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
    """A fit together with the window it was made on and the settings it was made with."""

    window: Window
    calibration: CoinCalibration
    settings: Settings


@dataclass(frozen=True)
class FitView:
    """What a fitting script shows of a fit.

    ``fields`` returns the keys ``--json`` prints, ``table`` what a person sees (its last argument
    asks for details) and ``draw`` writes the picture of ``--plot``.
    """

    description: str | None
    fields: Callable[[CoinCalibration, datetime], dict[str, Any]]
    table: Callable[[FittedWindow, bool], RenderableType]
    draw: Callable[[Path, FittedWindow], None]


def fit_and_show(argv: list[str] | None, view: FitView) -> int:
    """Fit the asked window, show it, and draw and publish where asked for: a script's main().

    Standard output holds nothing but the JSON where that is asked for.

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
        done.write(f"drawn into {args.plot}\n")
    if args.write:
        done.write(_published(fitted, output_files(args, fitted.settings), now) + "\n")
    return 0


def _published(fitted: FittedWindow, files: ParameterFiles, now: datetime) -> str:
    """Publish a fit and say where it went and what became of it."""
    entries = publish(fitted.calibration, fitted.settings, files, now)
    names = ("kappa", "epsilon", "lambda", "value_function")
    statuses = (
        *(e.status for e in (entries.kappa, entries.epsilon, entries.lambda_)),
        *(e.status for e in entries.value_functions),
    )
    told = ", ".join(f"{name}.json {how}" for name, how in zip(names, statuses, strict=True))
    folder = files.directory
    return f"published {entries.coin} in {folder}: {told}; a row in {folder / HISTORY_FOLDER}"


def fit_as_asked(args: argparse.Namespace) -> FittedWindow:
    """Fit the last ``--time-range`` minutes of a coin in ``--data-dir``.

    ``--crypto`` names the coin, else it is that of the first configured pair; all other settings
    come from the configuration in both cases.

    Raises
    ------
    InputError
        If the configuration, the data dir, the coin or its rows are missing, or the range is not
        positive.
    """
    settings, configured = _settings_as_asked(args)
    recording = ShardStore(args.data_dir).read(asked_coin(args, configured))
    calibration = calibrate(
        recording,
        window_minutes=args.time_range,
        options=CalibrationOptions.bootstrapped().unmerged(settings.block_seconds),
    )
    start_ms = calibration.end_ms - round(calibration.window_seconds * 1000)
    window = Window.of(recording, start_ms, calibration.end_ms)
    return FittedWindow(window, calibration, settings)


def _settings_as_asked(args: argparse.Namespace) -> tuple[Settings, list[str]]:
    """Return the settings and the names of the configured pairs.

    A coin can be looked at without any configuration, with the defaults and the environment's
    overrides; a fit that is published needs the very settings the bot reads.
    """
    usual = args.config == [DEFAULT_CONFIG]
    if args.crypto and not args.write and usual and not DEFAULT_CONFIG.exists():
        return load_settings([])
    return load_settings(args.config)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--crypto", help="coin to fit, such as ETH, kPEPE or a pair; default: the configured pair"
    )
    parser.add_argument(
        "--time-range",
        type=float,
        default=60.0,
        metavar="MINUTES",
        help="minutes before the newest row of the recording (default: 60)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the keys of the parameter files, nothing else"
    )
    parser.add_argument("--verbose", action="store_true", help="goodness of fit and debug logging")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the fit")
    parser.add_argument("--write", action="store_true", help="publish this fit as the runner would")
    add_folder_options(parser)
