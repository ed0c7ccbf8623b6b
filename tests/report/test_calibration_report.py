"""The calibration report and the screener: every panel drawn, every number that of the fits."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration import calibrate
from advanced_mm.calibration.toxicity import economics
from advanced_mm.marketdata import Recorder, ShardStore
from advanced_mm.paper.history import lay_history
from advanced_mm.paper.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.report.calibration_panels import survival_of

ROOT = Path(__file__).parents[2]
START_MS = 1_790_000_000_000
PARAMETERS = ["kappa", "lambda", "epsilon_fill"]
DRAWN = {
    "toxicity": [
        "toxicity, 95% interval",
        "toxic from 2",
        "unprofitable from 1.5",
        "competitive from 1",
    ],
    "reach": ["observed +", "fit +", "observed −", "fit −"],
    "fill_impact": ["mean move +", "a + bδ +", "mean move −", "a + bδ −", "move = depth"],
    "residuals": ["residuals", "normal, same variance"],
    "jumps": ["jumps +", "Pareto +", "jumps −", "Pareto −"],
    "sizes": ["orders +", "orders −"],
    "book": ["bids", "asks"],
    "lengths": [f"{name}{side}" for name in PARAMETERS for side in "+−"],
    "over_time": [f"{name}{side}" for name in PARAMETERS for side in "+−"],
    "published": [f"{name}{side}" for name in PARAMETERS for side in "+-"],
    "coverage": [],
}
"""Panels with a chart, and the names in their legends (one trace alone has no legend)."""
BANDS = {"reach": 2, "lengths": 6, "over_time": 6, "published": 6}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Twenty minutes of two synthetic coins, and two minutes of a third."""
    folder = tmp_path_factory.mktemp("data")
    for coin, minutes, sell_kappa in (("GOOD", 20, 2.0), ("DEEP", 20, 8.0), ("THIN", 2, 2.0)):
        parameters = SyntheticParameters(coin=coin, kappa_plus=sell_kappa, kappa_minus=sell_kappa)
        market = SyntheticMarket(parameters, START_MS, seed=4)
        recorder = Recorder(ShardStore(folder), [coin], {coin: market.spec.tick})
        lay_history(market, recorder, START_MS + minutes * 60_000)
    return folder


def run(script: str, *options: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *map(str, options)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_the_page_opens_and_every_panel_has_its_traces(tmp_path, data_dir, open_page, monkeypatch):
    output = tmp_path / "report.html"
    parameters = tmp_path / "parameters"
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__PARAMETER_DIR", str(parameters))
    refit = run(
        "periodic_test_runner.py",
        "--once",
        "--crypto",
        "GOOD",
        "--data-dir",
        data_dir,
        "--market-clock",
    )
    assert refit.returncode == 0, refit.stderr
    result = run(
        "calibration_report.py", "--crypto", "GOOD", "--data-dir", data_dir, "--output", output
    )
    assert result.returncode == 0, result.stderr
    page = open_page(output)
    assert page.console == []
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page.dom, re.DOTALL))
    assert list(sections) == ["estimates", *sorted(DRAWN, key=list(sections).index)]
    assert sections["estimates"].count("<tr>") == 11
    for key, names in DRAWN.items():
        section = sections[key]
        assert re.findall(r'class="legendtext"[^>]*>([^<]*)<', section) == names, key
        traces = [
            trace
            for chart in section.split('class="infolayer"')
            for trace in re.split(r'<g class="trace (?:scatter|bars)', chart)[1:]
        ]
        assert len(traces) == (len(names) or 1) + BANDS.get(key, 0), key
        assert all(' d="M' in trace for trace in traces), key  # each has drawn something
    assert sections["toxicity"].count('class="yerror"') == 4  # the intervals of four bars


def test_a_coin_without_data_is_one_sentence(tmp_path, data_dir):
    result = run("calibration_report.py", "--crypto", "NONE", "--data-dir", data_dir)
    assert result.returncode == 2
    assert "'NONE'" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_screener_ranks_by_income_and_says_what_it_does_not_know(data_dir):
    result = run("market_screener.py", "--data-dir", data_dir, "--json", "--stake", 2000)
    assert result.returncode == 0, result.stderr
    rows = {row["coin"]: row for row in json.loads(result.stdout)}
    assert list(rows) == ["GOOD", "DEEP", "THIN"]
    assert rows["GOOD"]["income_per_hour"] > rows["DEEP"]["income_per_hour"]
    assert rows["GOOD"]["verdict"] == "pays"
    assert rows["THIN"]["income_per_hour"] is None
    assert rows["THIN"]["status"] == "insufficient"

    fitted = calibrate(ShardStore(data_dir).read("GOOD"), window_minutes=30)
    income = economics(fitted, fee_rate=0.00015).income_per_hour
    assert rows["GOOD"]["income_per_hour"] == pytest.approx(income.value * 2000 / fitted.mid)
    assert rows["GOOD"]["spread_bp"] == pytest.approx(0.1 / 3000 * 1e4, rel=0.02)
    assert rows["GOOD"]["volatility_bp"] == pytest.approx(3.33, rel=0.15)


def test_the_screener_prints_a_table(data_dir):
    result = run("market_screener.py", "--data-dir", data_dir)
    assert result.returncode == 0
    assert "GOOD" in result.stdout
    assert run("market_screener.py", "--data-dir", data_dir, "--stake", 0).returncode == 2


def test_survival_counts_ties_once():
    values, share = survival_of(np.array([2.0, 1.0, 1.0, 4.0]))
    assert values.tolist() == [1.0, 2.0, 4.0]
    assert share.tolist() == [1.0, 0.5, 0.25]
