"""The P&L and the latest fills on the live screen."""

import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console

from advanced_mm.performance import EarnedSoFar, LatestFill, Parts
from advanced_mm.report.earnings_panel import (
    earnings_line,
    earnings_panel,
    shown_parts,
    sparkline,
)

START_MS = 1_764_000_000_000  # 16:00 UTC


def parts_of(**changes) -> Parts:
    """What twenty fills earned."""
    values = {
        "equity_change": -18.25, "spread_captured": 48.43, "adverse_selection": -43.31,
        "inventory": 2.26, "fees": -25.63, "funding": 0.0, "turnover": 170_000.0, "fills": 20,
        "with_mid": 20, "with_markout": 19,
    }  # fmt: skip
    return Parts(**values | changes)


def earned_of(**changes) -> EarnedSoFar:
    """Five fills, the newest without a markout."""
    latest = [
        LatestFill(START_MS + 1000 * n, n % 2 == 0, 2959.7, 3.2049, 1.69, -4.71)
        for n in reversed(range(5))
    ]
    latest[0] = dataclasses.replace(latest[0], markout_bp=np.nan)
    values = {
        "parts": parts_of(), "time_ms": START_MS + 5000 * np.arange(60),
        "equity": -np.linspace(0, 18.25, 60), "expected_bp": 1.71, "realised_bp": -1.56,
        "judged": 19, "latest": latest,
    }  # fmt: skip
    return EarnedSoFar(**values | changes)


def rendered(earned, width=76):
    console = Console(file=io.StringIO(), width=width)
    console.print(earnings_panel(earned, width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [76, 116])
def test_parts_fills_path_and_edges_are_shown(width):
    text = rendered(earned_of(), width)
    lines = text.splitlines()
    assert len(lines) == 8
    assert max(map(len, lines)) <= width
    assert re.search(r"spread captured +\+48\.43", text)
    assert re.search(r"adverse selection +−43\.31", text)
    assert re.search(r"fees +−25\.63", text)
    assert re.search(r"equity change +−18\.25", text)
    assert re.search(r"16:00:04 +buy +2959\.7 +3\.205 +1\.69( bp)? +–", text)
    assert re.search(r"16:00:03 +sell +2959\.7 +3\.205 +1\.69( bp)? +−4\.71", text)
    assert "█" in text
    assert "low −18.25, high 0.00" in text
    assert "edge a fill: expected 1.71 bp, realised −1.56 bp over 19 fills" in text
    assert "funding" not in text


@pytest.mark.parametrize("price", [0.004123, 98765.0])
@pytest.mark.parametrize("size", [1_234_567.0, 0.00012])
def test_large_and_small_figures_are_not_cut(price, size):
    latest = [LatestFill(START_MS, True, price, size, 1.69, -104.71)] * 5
    many = parts_of(spread_captured=1048.43, equity_change=981.75, funding=-0.5)
    text = rendered(earned_of(parts=many, latest=latest))
    assert "…" not in text
    assert "+1,048.43" in text
    assert "−104.71" in text
    assert max(map(len, text.splitlines())) <= 76


def test_without_fills_no_edge_is_shown():
    nothing = {name: 0.0 for name in parts_of().parts} | {"equity_change": 0.0, "turnover": 0.0}
    counts = dict.fromkeys(("fills", "with_mid", "with_markout"), 0)
    earned = earned_of(
        parts=parts_of(**nothing, **counts), latest=[], judged=0, equity=np.zeros(60),
        expected_bp=np.nan, realised_bp=np.nan,
    )  # fmt: skip
    text = rendered(earned)
    assert "no fills yet" in text
    assert " bp" not in text
    assert "nan" not in text + earnings_line(earned)


def test_before_the_first_markout_adverse_selection_is_not_known():
    parts = parts_of(
        equity_change=1.7, spread_captured=2.0, adverse_selection=0.0, inventory=-0.2, fees=-0.1,
        fills=1, with_mid=1, with_markout=0,
    )  # fmt: skip
    assert shown_parts(parts) == {
        "spread captured": "+2.0000", "adverse selection": "–", "inventory": "−0.2000",
        "fees": "−0.1000", "equity change": "+1.7000",
    }  # fmt: skip


def test_what_is_shown_adds_up_to_the_last_digit():
    """The parts of a real session need not, each rounded alone: 0.004 + 0.004 is 0.01."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        values = rng.normal(0, 10.0 ** rng.uniform(-4, 4), 5).tolist()
        names = list(parts_of().parts)
        parts = parts_of(**dict(zip(names, values, strict=True)), equity_change=sum(values))
        shown = {
            k: float(v.replace("−", "-").replace(",", "")) for k, v in shown_parts(parts).items()
        }
        total = shown.pop("equity change")
        assert sum(shown.values()) == pytest.approx(total, abs=1e-6)
        digits = 4 if max(map(abs, [*values, sum(values)])) < 10 else 2
        for name, value in zip(names, values, strict=True):
            slack = 3 if name == "inventory" else 0.51
            assert abs(shown[name.replace("_", " ")] - value) < slack * 10**-digits


def test_the_line_says_the_same():
    assert earnings_line(earned_of(parts=parts_of(funding=1.25, equity_change=-17.0))) == (
        "P&L −17.00 USDC (spread captured +48.43, adverse selection −43.31, inventory +2.26, "
        "fees −25.63, funding +1.25), "
        "edge a fill: expected 1.71 bp, realised −1.56 bp over 19 fills"
    )
    assert earnings_line(None) == "P&L –"


def test_a_sparkline_follows_time_not_places():
    """Four looks in the first second, one at the end: the line is flat for long, then high."""
    times = START_MS + np.array([0, 300, 600, 900, 10_000])
    assert sparkline(times, np.array([3.0, 1.0, 2.0, 0.0, 4.0]), 11) == "▆▁▁▁▁▁▁▁▁▁█"
    assert sparkline(times, np.zeros(5), 4) == "▁▁▁▁"
    assert sparkline(times[:1], np.zeros(1), 4) == "▁▁▁▁"
