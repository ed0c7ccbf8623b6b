"""The calibration report's script: the page opens, and the browser draws what the sections hold.

What they hold is checked in ``test_report_sections.py``.
"""

import re

import numpy as np
import pytest

from advanced_mm.calibration import CalibrationOptions
from advanced_mm.marketdata import ShardStore
from advanced_mm.markets.recorded_books import read_books
from advanced_mm.parameter_files.history import HISTORY_FOLDER, CalibrationHistory
from advanced_mm.report.calibration_panels import survival_of
from advanced_mm.report.calibration_report import ReportInput, report_sections


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    folder = tmp_path / "parameters"
    monkeypatch.setenv("FREQTRADE__MARKET_MAKING__PARAMETER_DIR", str(folder))
    return folder


def test_the_page_opens_and_every_series_is_drawn(
    tmp_path, data_dir, run_script, open_page, parameters
):
    output = tmp_path / "report.html"
    of_coin = ("--crypto", "GOOD", "--data-dir", data_dir)
    refit = run_script("periodic_test_runner.py", "--once", "--market-clock", *of_coin)
    assert refit.returncode == 0, refit.stderr
    result = run_script("calibration_report.py", *of_coin, "--output", output)
    assert result.returncode == 0, result.stderr
    page = open_page(output)
    assert page.console == []
    described = report_sections(
        ReportInput(
            recording=ShardStore(data_dir).read("GOOD"),
            books=read_books(data_dir, "GOOD"),
            window_minutes=30.0,
            fee_rate=0.00015,
            options=CalibrationOptions(),
            history=CalibrationHistory(parameters / HISTORY_FOLDER).read("GOOD"),
        ),
        lambda steps, _title: steps,
    )
    shown = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page.dom, re.DOTALL))
    assert list(shown) == [section.key for section in described]
    assert page.drawn_charts == sum(len(section.charts) for section in described) == 23
    for section in described:
        html = shown[section.key]
        charts = html.split('class="infolayer"')
        assert html.count("<tr>") == sum(len(table.rows) + 1 for table in section.tables)
        for chart, drawn in zip(section.charts, charts, strict=False):
            traces = re.split(r'<g class="trace (?:scatter|bars)', drawn)[1:]
            bands = sum(len(one.low) > 0 and one.kind != "bars" for one in chart.series)
            assert len(traces) == len(chart.series) + bands > 0, chart.title
            assert all(' d="M' in trace for trace in traces), chart.title  # each drew something
        names = [one.name for chart in section.charts for one in chart.series]
        if len(names) > 1:  # one series alone has no legend
            assert re.findall(r'class="legendtext"[^>]*>([^<]*)<', html) == names, section.key
    assert shown["toxicity"].count('class="yerror"') == 4  # the intervals of four bars


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--crypto", "NONE"), "'NONE'"),
        (("--crypto", "GOOD", "--time-range", "nan"), "nan minutes"),
        (("--crypto", "GOOD", "--time-range", "inf"), "inf minutes"),
        (("--crypto", "GOOD", "--time-range", "0"), "0 minutes"),
    ],
)
def test_what_cannot_be_reported_on_is_one_sentence(data_dir, run_script, options, told):
    result = run_script("calibration_report.py", "--data-dir", data_dir, *options)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_survival_counts_ties_once():
    values, share = survival_of(np.array([2.0, 1.0, 1.0, 4.0]))
    assert values.tolist() == [1.0, 2.0, 4.0]
    assert share.tolist() == [1.0, 0.5, 0.25]
