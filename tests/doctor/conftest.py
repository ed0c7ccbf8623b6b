"""A set-up in which nothing is wrong, and a doctor to examine what a test has made of it."""

import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from freqtrade.config_schema import CONF_SCHEMA

from advanced_mm.doctor import Asked, Line, Machine, examine
from advanced_mm.doctor.patient import installed_version
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.parameter_files import ParameterFiles
from tests.conftest import parameter_set
from tests.marketdata.conftest import bbo, book, trades

ROOT = Path(__file__).parents[2]
NOW_S = 1_795_000_000
STRATEGY = """
class Market_Making(IStrategy):
    timeframe = "1m"
    order_types = {
        "entry": "limit", "exit": "limit", "stoploss": "market", "emergency_exit": "market",
        "force_exit": "market", "stoploss_on_exchange": False,
    }
    minimal_roi = {"0": 100}
    stoploss = -0.05
"""
installed = cache(installed_version)


@dataclass
class Setup:
    """A project's folder, the configuration files given, and the machine."""

    folder: Path
    configs: list[str] = field(default_factory=lambda: ["config.json"])
    machine: Machine = field(
        default_factory=lambda: Machine(
            now=lambda: NOW_S,
            free_bytes=lambda _: 100_000_000_000,
            environment={},
            installed=installed,
        )
    )

    @property
    def user_data(self) -> Path:
        return self.folder / "user_data"

    @property
    def data_dir(self) -> Path:
        return self.folder / "HL_data"

    def overlay(self, **values) -> None:
        """Give one more configuration file."""
        name = f"config.overlay{len(self.configs)}.json"
        (self.user_data / name).write_text(json.dumps(values))
        self.configs.append(name)

    def on(self, **values) -> None:
        """Change the machine."""
        self.machine = replace(self.machine, **values)

    def asked(self, *, offline=True, **values) -> Asked:
        return Asked(
            config_files=tuple(self.user_data / name for name in self.configs),
            schema=CONF_SCHEMA,
            project=ROOT,
            user_data=self.user_data,
            data_dir=self.data_dir,
            offline=offline,
            **values,
        )

    def lines(self, **values) -> list[Line]:
        return list(examine(self.asked(**values), self.machine))

    def found(self, **values) -> list[Line]:
        """What the doctor would have changed."""
        return [line for line in self.lines(**values) if line.level in ("warning", "fault")]

    def one(self, **values) -> Line:
        """The only thing it would have changed."""
        (line,) = self.found(**values)
        assert line.remedy
        return line


@pytest.fixture(scope="session")
def sound_setup(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    strategies = folder / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "Market_Making.py").write_text(STRATEGY)
    for path in (ROOT / "user_data").glob("config*.json"):
        shutil.copy(path, folder / "user_data")
    base = folder / "user_data" / "config.json"
    own = f"sqlite:///{folder.resolve()}/user_data/"
    base.write_text(base.read_text().replace("sqlite:///user_data/", own))
    record(folder / "HL_data", NOW_S - 60)
    published = datetime.fromtimestamp(NOW_S - 10, UTC)
    ParameterFiles(folder / "user_data").publish(
        {"ETH": parameter_set(published_at=published, fitted_at=published)}
    )
    return folder


def record(data_dir: Path, start_s: int, seconds: int = 60) -> None:
    """Record ETH, a row of each kind a second."""
    recorder = Recorder(ShardStore(data_dir), ["ETH"], {"ETH": 0.1})
    recorder.connected(start_s)
    for second in range(seconds):
        local_s = start_s + second
        ms = 1000 * local_s
        recorder.handle(bbo(ms), local_s)
        recorder.handle(book(ms), local_s)
        recorder.handle(trades((ms, second)), local_s)
    recorder.flush()


@pytest.fixture
def setup(sound_setup, tmp_path) -> Setup:
    shutil.copytree(sound_setup, tmp_path / "project")
    base = tmp_path / "project" / "user_data" / "config.json"
    base.write_text(base.read_text().replace(str(sound_setup.resolve()), str(base.parents[1])))
    return Setup(tmp_path / "project")
