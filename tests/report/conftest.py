"""Recordings to report on, the report of one of them, and a real browser to open pages in."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration import CalibrationOptions, Window, calibrate
from advanced_mm.marketdata import Recording, ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.records import Quotes, Trades
from advanced_mm.markets.recorded_books import RecordedBooks, read_books
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime, Regimes
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.report.calibration_report import ReportInput, report_sections
from advanced_mm.venue.conditions.history import lay_history

ROOT = Path(__file__).parents[2]
START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
WINDOW_MINUTES = 12.0
HOLE_MS = (15 * MINUTE_MS, 15 * MINUTE_MS + 40_000)  # after the recording's first quote
FEE_RATE = 0.00015
PARAMETERS = ("lambda", "lambda0", "kappa", "epsilon", "epsilon_fill")


@dataclass(frozen=True)
class OpenedPage:
    """The page after its scripts ran, and their console output."""

    dom: str
    console: list[str]

    @property
    def drawn_charts(self) -> int:
        """Number of Plotly charts that were really drawn."""
        return len(re.findall(r'class="[^"]*js-plotly-plot[^"]*"', self.dom))


@pytest.fixture(scope="session")
def open_page(tmp_path_factory) -> Callable[..., OpenedPage]:
    """Open a file in headless Chromium, with more of its flags if need be."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    profile = tmp_path_factory.mktemp("chromium")

    def opened(path: Path, *flags: str) -> OpenedPage:
        result = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--virtual-time-budget=10000", *flags, "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=250, check=True,
        )  # fmt: skip
        console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        return OpenedPage(result.stdout, console)

    return opened


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """Twenty minutes of three synthetic coins, and two minutes of a fourth.

    What rests at GOOD's levels grows from 5 to 8 after ten minutes; at RARE come so few orders that
    five minutes hold too little to fit.
    """
    folder = tmp_path_factory.mktemp("data")
    good, rare = SyntheticParameters(coin="GOOD"), {"lambda_plus": 0.08, "lambda_minus": 0.08}
    _record(folder, Regimes(good, (Regime(10 * MINUTE_MS, replace(good, level_size=8.0)),)), 20)
    _record(folder, SyntheticParameters(coin="DEEP", kappa_plus=8.0, kappa_minus=8.0), 20)
    _record(folder, SyntheticParameters(coin="RARE", **rare), 20)
    _record(folder, SyntheticParameters(coin="THIN"), 2)
    return folder


def _record(folder: Path, parameters: SyntheticParameters | Regimes, minutes: int) -> None:
    market = SyntheticMarket(parameters, START_MS, seed=4)
    recorder = Recorder(
        ShardStore(folder), [market.spec.coin], {market.spec.coin: market.spec.tick}
    )
    lay_history(market, recorder, START_MS + minutes * MINUTE_MS)


@pytest.fixture(scope="session")
def run_script() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of the scripts to its end."""

    def run(script: str, *options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *map(str, options)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )

    return run


def _without(recording: Recording, start_ms: int, end_ms: int) -> Recording:
    """Leave a hole in a recording."""

    def kept(time_ms):
        return np.flatnonzero((time_ms <= start_ms) | (time_ms >= end_ms))

    quotes, trades, books = recording.quotes, recording.trades, recording.book_time_ms
    return replace(
        recording,
        quotes=Quotes(*(column[kept(quotes.time_ms)] for column in vars(quotes).values())),
        trades=Trades(*(column[kept(trades.time_ms)] for column in vars(trades).values())),
        book_time_ms=books[kept(books)],
    )


@pytest.fixture(scope="session")
def report_of() -> Callable[..., dict]:
    """Make the report: its sections by key."""

    def report(recording: Recording, books: RecordedBooks, minutes: float, history) -> dict:
        options = CalibrationOptions()
        data = ReportInput(recording, books, minutes, FEE_RATE, options, history)
        return {one.key: one for one in report_sections(data, lambda steps, _title: steps)}

    return report


@pytest.fixture(scope="session")
def recording(data_dir) -> Recording:
    """GOOD with a hole of forty seconds."""
    whole = ShardStore(data_dir).read("GOOD")
    first = int(whole.quotes.time_ms[0])
    return _without(whole, first + HOLE_MS[0], first + HOLE_MS[1])


@pytest.fixture(scope="session")
def history(tmp_path_factory, make_set):
    """Five refits a quarter of an hour apart, the third with other verdicts, the last two stale."""
    store = CalibrationHistory(tmp_path_factory.mktemp("history"))
    newest = make_set().kappa.published_at
    for number in range(5):
        changes = {
            f"{name}_{side}": 0.3 + number for name in PARAMETERS for side in ("plus", "minus")
        }
        changes |= {f"{name}_low": 0.9 * value for name, value in changes.items()} | {
            f"{name}_high": 1.2 * value for name, value in changes.items()
        }
        changes |= {
            f"{name}_{side}_status": "ok" for name in PARAMETERS for side in ("plus", "minus")
        }
        if number == 2:
            changes |= {"epsilon_plus_status": "pooled", "epsilon_minus_status": "bound"}
            changes["epsilon_minus_low"] = None  # not above zero: left out of the file
        if number >= 3:
            changes["status"] = "stale"  # each side keeps the verdict of the fit that stays
        changes["published_at"] = newest - timedelta(minutes=15 * (4 - number))
        store.append({"ETH": make_set(f"r{number}", **changes)})
    return store.read("ETH")


@pytest.fixture(scope="session")
def sections(report_of, recording, data_dir, history) -> dict:
    """The report on twelve of GOOD's minutes, by key."""
    return report_of(recording, read_books(data_dir, "GOOD"), WINDOW_MINUTES, history)


@pytest.fixture(scope="session")
def fitted(recording):
    return calibrate(recording, window_minutes=WINDOW_MINUTES)


@pytest.fixture(scope="session")
def window(recording, fitted):
    return Window.of(recording, fitted.end_ms - round(WINDOW_MINUTES * 60_000), fitted.end_ms)


@pytest.fixture(scope="session")
def series_of() -> Callable:
    """Find the one series of a name in a section."""

    def series(section, name):
        (found,) = [one for chart in section.charts for one in chart.series if one.name == name]
        return found

    return series


@pytest.fixture(scope="session")
def table_of() -> Callable[..., dict[str, list[str]]]:
    """The rows of a section's table by their first cell."""

    def table(section, number=0):
        return {row[0]: list(row[1:]) for row in section.tables[number].rows}

    return table
