"""What the calibration scripts share: where to read, where to write and what configures both."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import ParameterFiles, Settings, load_settings

__all__ = [
    "DEFAULT_CONFIG",
    "add_folder_options",
    "add_source_options",
    "configured_coin",
    "first_coin",
    "output_files",
]

DEFAULT_DATA_DIR = Path("scripts/HL_data")
DEFAULT_OUTPUT_DIR = Path("user_data")
DEFAULT_CONFIG = DEFAULT_OUTPUT_DIR / "config.json"


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


def configured_coin(config: Sequence[Path]) -> str:
    """Return the coin of the first configured pair.

    Raises
    ------
    InputError
        If no pair is configured.
    """
    return first_coin(load_settings(config)[1], config)


def first_coin(coins: Sequence[str], config: Sequence[Path]) -> str:
    """Return the first of the coins that ``config`` names.

    Raises
    ------
    InputError
        If there is none.
    """
    if not coins:
        raise InputError(
            f"{config[-1]}: exchange.pair_whitelist is empty; name a pair there or use --crypto"
        )
    return coins[0]
