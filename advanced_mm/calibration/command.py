"""Options shared by the calibration scripts: data folder, output folder and configuration."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from advanced_mm.cli import moment
from advanced_mm.errors import InputError
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import RECALIBRATED_FOLDER

__all__ = [
    "DEFAULT_CONFIG",
    "add_folder_options",
    "add_history_options",
    "add_source_options",
    "asked_coin",
    "output_files",
    "recalibrated_history",
]

DEFAULT_DATA_DIR = Path("scripts/HL_data")
DEFAULT_OUTPUT_DIR = Path("user_data")
DEFAULT_CONFIG = DEFAULT_OUTPUT_DIR / "config.json"


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-dir`` and ``--config``."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        help=f"folder with the recorded shards (default: {DEFAULT_DATA_DIR})",
    )
    parser.add_argument(
        "--config",
        type=Path,
        nargs="+",
        default=[DEFAULT_CONFIG],
        metavar="FILE",
        help=f"Freqtrade configuration; later files take precedence (default: {DEFAULT_CONFIG})",
    )


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-dir``, ``--config`` and ``--output-dir``."""
    add_source_options(parser)
    parser.add_argument(
        "--output-dir",
        type=Path,
        help="folder for the parameter files (default: the setting parameter_dir, "
        f"else {DEFAULT_OUTPUT_DIR})",
    )


def add_history_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a recording, a stretch of it, and its history of parameters."""
    parser.add_argument(
        "--crypto", metavar="ETH", help="coin, in any spelling (default: the first configured pair)"
    )
    add_source_options(parser)
    parser.add_argument(
        "--history",
        type=Path,
        metavar="DIR",
        help="folder of the parameters' history, made by scripts/recalibrate_recording.py or by "
        f"the runner (default: {RECALIBRATED_FOLDER} beside the parameter files)",
    )
    parser.add_argument("--since", type=moment, metavar="TIME", help="ISO 8601, UTC by default")
    parser.add_argument("--until", type=moment, metavar="TIME", help="ISO 8601, UTC by default")


def output_files(args: argparse.Namespace, settings: Settings) -> ParameterFiles:
    """Return the parameter files in ``--output-dir``, by default in the folder of the settings."""
    return ParameterFiles(args.output_dir or settings.parameter_folder(DEFAULT_OUTPUT_DIR))


def recalibrated_history(args: argparse.Namespace, settings: Settings) -> Path:
    """Return ``--history``, by default the folder beside the parameter files of the settings."""
    folder: Path | None = args.history
    return folder or settings.parameter_folder(DEFAULT_OUTPUT_DIR) / RECALIBRATED_FOLDER


def asked_coin(args: argparse.Namespace, configured: Sequence[str]) -> str:
    """Return the recorded coin named by ``--crypto``, by default that of the first configured pair.

    Parameters
    ----------
    args
        Parsed options, with ``crypto``, ``data_dir`` and ``config``.
    configured
        Names in the configuration, as returned by `load_settings`.

    Raises
    ------
    InputError
        If no name is given, or no recorded coin matches it.
    """
    name = args.crypto or next(iter(configured), None)
    if name is None:
        raise InputError(
            f"{args.config[-1]}: exchange.pair_whitelist is empty; name a pair there or use "
            "--crypto"
        )
    return ShardStore(args.data_dir).resolve(name)
