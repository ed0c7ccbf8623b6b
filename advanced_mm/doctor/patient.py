"""What is examined, and the machine it runs on: everything that a check needs from outside."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from advanced_mm.errors import InputError
from advanced_mm.instruments import code_of_pair
from advanced_mm.marketdata.upkeep.retention import Retention
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.quoting.settings_check.freqtrade_settings import Mode

__all__ = ["Machine", "Patient", "free_bytes", "installed_version"]


def free_bytes(path: Path) -> int:
    """Return the bytes free at a path, or at the nearest folder above it that exists."""
    place = path.absolute()
    while not os.path.exists(place):  # noqa: PTH110 - nor one that may not be looked at
        place = place.parent
    return shutil.disk_usage(place).free


def installed_version(package: str) -> str | None:
    """Return the installed version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Machine:
    """The machine: its clock (s since the epoch), disk, environment, Python and packages."""

    now: Callable[[], float] = time.time
    free_bytes: Callable[[Path], int] = free_bytes
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    python: tuple[int, int, int] = sys.version_info[:3]
    installed: Callable[[str], str | None] = installed_version


@dataclass(frozen=True)
class Patient:
    """A set-up whose configuration could be read.

    Attributes
    ----------
    config_files
        As Freqtrade is given them.
    config, settings
        The configuration merged from files, environment and strategy, and our own block of it.
    user_data, data_dir
        Freqtrade's folder, and that of the recordings.
    retention
        How much of the recordings the collector keeps.
    machine
        The machine it runs on.
    not_traded
        ccxt's codes of coins that the venue has not, as far as it was asked.
    """

    config_files: tuple[Path, ...]
    config: Mapping[str, Any]
    settings: Settings
    user_data: Path
    data_dir: Path
    retention: Retention
    machine: Machine
    not_traded: frozenset[str] = frozenset()

    @property
    def mode(self) -> Mode:
        """Whether orders are real."""
        return "dry_run" if self.config.get("dry_run", True) else "live"

    @property
    def live(self) -> bool:
        """Whether orders are real."""
        return self.mode == "live"

    @property
    def exchange(self) -> Mapping[str, Any]:
        """The block ``exchange``."""
        block = self.config.get("exchange")
        return block if isinstance(block, Mapping) else {}

    @property
    def codes(self) -> list[str]:
        """ccxt's code of each pair in the whitelist that may be one of this venue's."""
        found = []
        for pair in self.exchange.get("pair_whitelist", []):
            try:
                code = code_of_pair(pair)
            except InputError:  # named by the check of coins
                continue
            if code not in self.not_traded:
                found.append(code)
        return found

    @property
    def parameter_folder(self) -> Path:
        """Folder of the parameter files and the journal."""
        return self.settings.parameter_folder(self.user_data)

    @property
    def parameters(self) -> ParameterFiles:
        """The published parameters."""
        return ParameterFiles(self.parameter_folder)
