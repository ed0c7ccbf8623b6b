"""What the calibration scripts share: their options, and a window fitted as they ask."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.window import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings, load_settings

__all__ = [
    "FittedWindow",
    "add_fit_options",
    "add_folder_options",
    "add_source_options",
    "configured_coin",
    "fit_as_asked",
    "output_files",
]

DEFAULT_DATA_DIR = Path("scripts/HL_data")
DEFAULT_OUTPUT_DIR = Path("user_data")
DEFAULT_CONFIG = DEFAULT_OUTPUT_DIR / "config.json"


@dataclass(frozen=True)
class FittedWindow:
    """A fit together with the window it was made on."""

    window: Window
    calibration: CoinCalibration


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add where to read and what configures the reader."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        help=f"folder of the recorded shards (default: {DEFAULT_DATA_DIR})",
    )
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        default=[DEFAULT_CONFIG],
        metavar="FILE",
        help=f"Freqtrade configuration, later files win (default: {DEFAULT_CONFIG})",
    )


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add where to read, where to write and what configures both."""
    add_source_options(parser)
    parser.add_argument(
        "--output-dir",
        type=Path,
        help="folder of the parameter files (default: the setting parameter_dir, "
        f"else {DEFAULT_OUTPUT_DIR})",
    )


def output_files(args: argparse.Namespace, settings: Settings) -> ParameterFiles:
    """Return the parameter files that ``--output-dir`` or else the settings name."""
    return ParameterFiles(args.output_dir or settings.parameter_folder(DEFAULT_OUTPUT_DIR))


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that the fitting scripts share."""
    parser.add_argument("--crypto", help="coin to fit, such as ETH; default: the configured pair")
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


def configured_coin(config: Sequence[Path]) -> str:
    """Return the coin of the first configured pair.

    Raises
    ------
    InputError
        If no pair is configured.
    """
    _, coins = load_settings(config)
    if not coins:
        raise InputError(
            f"{config[-1]}: exchange.pair_whitelist is empty; name a pair there or use --crypto"
        )
    return coins[0]


def fit_as_asked(args: argparse.Namespace) -> FittedWindow:
    """Fit the last ``--time-range`` minutes of ``--crypto`` in ``--data-dir``.

    Raises
    ------
    InputError
        If the data dir, the coin or its rows are missing, or the range is not positive.
    """
    coin = args.crypto or configured_coin(args.config)
    recording = ShardStore(args.data_dir).read(coin)
    calibration = calibrate(
        recording, window_minutes=args.time_range, options=CalibrationOptions.bootstrapped()
    )
    start_ms = calibration.end_ms - round(calibration.window_seconds * 1000)
    return FittedWindow(Window.of(recording, start_ms, calibration.end_ms), calibration)
