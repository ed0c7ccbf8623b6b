"""The script from a sweep file to a verdict, on a recording."""

import json
import runpy
from pathlib import Path

import pytest

from advanced_mm.errors import InputError

ROOT = Path(__file__).parents[3]
SWEEP = """
settings:
  risk_aversion: {low: 0.001, high: 1, log: true}
  requote_ticks: {low: 1, high: 20}
objectives: [net_per_hour, max_drawdown]
folds: {tests: 1}
trials: 6
batch: 3
"""


@pytest.fixture
def script(recorded, tmp_path):
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    block = {"window_minutes": 10, "max_window_minutes": 10, "fee_rate": -0.0003}
    (tmp_path / "config.json").write_text(json.dumps({"market_making": block}))
    main = runpy.run_path(str(ROOT / "scripts" / "replay_sweep.py"))["main"]

    def run(*more):
        return main([
            str(tmp_path / "sweep.yaml"), "--crypto", "ETH", "--data-dir", str(recorded / "data"),
            "--history", str(recorded / "history"), "--config", str(tmp_path / "config.json"),
            "--workers", "1", *more,
        ])  # fmt: skip

    return run


def test_it_prints_all_of_it_as_json_and_writes_the_page(script, tmp_path, capsys):
    page = tmp_path / "sweep.html"
    assert script("--json", "--html", str(page)) == 0
    told = json.loads(capsys.readouterr().out)
    (fold,) = told["folds"]
    assert len(fold["trials"]) == 6
    assert any(trial["fills"] > 10 for trial in fold["trials"])
    assert len({trial["net_per_hour"] for trial in fold["trials"]}) > 1
    assert told["too_short"]
    assert told["verdict"].startswith("Too short: the tests cover 2")
    assert told["winner"] is None
    assert told["verdict"] in page.read_text()


def test_it_goes_on_from_the_trials_it_has_kept(script, tmp_path, capsys):
    kept = ["--json", "--storage", str(tmp_path / "trials.log")]
    assert script(*kept, "--trials", "3") == 0
    first = json.loads(capsys.readouterr().out)["folds"][0]["trials"]
    assert script(*kept) == 0
    more = json.loads(capsys.readouterr().out)["folds"][0]["trials"]
    assert more[:3] == first
    assert len(more) == 6
    with pytest.raises(InputError, match="begun with another plan"):
        script(*kept, "--latency-ms", "200")


def test_it_prints_the_verdict_below_the_folds(script, capsys):
    assert script("--trials", "2") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Walk-forward folds" in printed
    assert "Too short: the tests cover" in printed
    assert "Luck: a bootstrap reality check" in printed


def test_without_refits_it_names_the_command_that_makes_them(script, tmp_path):
    with pytest.raises(InputError, match=r"scripts/recalibrate_recording\.py --crypto ETH"):
        script("--history", str(tmp_path / "nothing"))


@pytest.mark.parametrize("words", [["--trials", "1"], ["--workers", "0"], ["--workers", "x"]])
def test_numbers_that_make_no_sense_are_refused(script, words, capsys):
    with pytest.raises(SystemExit):
        script(*words)
    assert "is not a whole number from" in capsys.readouterr().err
