"""The introduction: its page opens, its charts are drawn, its numbers are the model's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from advanced_mm.report.introduction import model_chapters
from advanced_mm.report.introduction_costs import cost_chapters, mistakes

ROOT = Path(__file__).parents[2]
SCRIPT = [sys.executable, str(ROOT / "scripts" / "market_making_introduction.py")]


@pytest.fixture(scope="module")
def numbers():
    chapters = [*model_chapters(), *cost_chapters(paths=4000, seed=5)]
    return {chapter.section.key: chapter.numbers for chapter in chapters}


def test_the_page_opens_and_every_picture_is_drawn(tmp_path, open_page):
    subprocess.run([*SCRIPT, "--output-dir", str(tmp_path), "--paths", "500"], check=True)
    page = open_page(tmp_path / "index.html")
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert page.console == []
    assert page.drawn_charts == len(pictures) == 8
    for path in tmp_path.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert "https://" not in (tmp_path / "index.html").read_text()[:2000]


def test_the_numbers_are_printed_as_json_and_nothing_is_written(tmp_path):
    result = subprocess.run(
        [*SCRIPT, "--json", "--paths", "200", "--output-dir", str(tmp_path / "none")],
        check=True,
        capture_output=True,
        text=True,
    )
    printed = json.loads(result.stdout)
    assert set(printed) >= {"one_quote", "depths", "drift", "mistakes", "pnl"}
    assert not (tmp_path / "none").exists()


def test_depths_and_income_of_the_example_are_case_a_of_the_design(numbers):
    assert numbers["depths"]["value_rate"] == pytest.approx(0.00677681487541, abs=1e-13)
    assert numbers["one_quote"]["best_depth_with_epsilon"] == pytest.approx(0.015)


def test_the_inventory_reverts_to_the_levels_of_the_books_figure(numbers):
    """Figure 10.9: 5 for phi = 5e-4, between 2 and 3 for 1e-3, between 1 and 2 for 2e-3."""
    levels = numbers["drift"]["level_of_zero_drift"]
    assert levels["0.0005"] == pytest.approx(5, abs=0.01)
    assert levels["0.001"] == pytest.approx(2.5, abs=0.01)
    assert 1 < levels["0.002"] < 2


def test_every_mistake_loses_and_the_published_one_as_much_as_published(numbers):
    """The stationary loss of phantom fills at phi = 0 lies between 5.7% and 7.6% (model.md)."""
    cases = numbers["mistakes"]["cases"]
    assert all(0.04 < case["lost"] < 0.5 for case in cases)
    assert {case["mistake"] for case in cases} == {
        "phantom fill",
        "bounds −3 … 3",
        "bounds −1 … 1",
        "fee ignored",
        "fee added twice",
        "averaged κ",
    }
    assert mistakes().numbers == numbers["mistakes"]


def test_one_order_loses_what_theory_says(numbers):
    """29% at one unit, 46-50% at 3 to 10, for phi -> 0."""
    lost = numbers["one_sided"]["lost"]
    assert lost[0] == pytest.approx(0.29, abs=0.005)
    assert all(0.455 < loss < 0.505 for loss in lost[2:])


def test_simulated_objectives_are_the_solved_values(numbers):
    for row in numbers["pnl"].values():
        assert abs(row["objective"] - row["h"]) < 4 * row["standard_error"]


def test_risk_aversion_shrinks_the_position(numbers):
    spreads = [row["inventory_sd"] for row in numbers["risk_aversion"].values()]
    assert spreads == sorted(spreads, reverse=True)
    assert numbers["risk_aversion"]["0.01"]["phi"] == pytest.approx(1e-4)


def test_the_browser_would_tell_of_an_error(tmp_path, open_page):
    """The check above can fail: a page whose script throws is noticed."""
    path = tmp_path / "broken.html"
    path.write_text("<script>nothing.here()</script>")
    assert open_page(path).console != []
