"""A recording compared with what was published: briefly, with faults and a killed collector."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import recording_truth
from benchmarks.recording_truth import Plan, judge, truth


async def test_what_was_recorded_is_what_was_published(tmp_path, monkeypatch):
    monkeypatch.setattr(
        recording_truth, "drawn", lambda *_: ["cut", "killed", "messages late", "silent"]
    )
    plan = Plan(minutes=5, speed=20, faults=4, seed=5)
    await recording_truth.record(plan, tmp_path / "recording", lambda _: None)
    truth(plan, tmp_path / "truth")
    verdict = judge(plan, tmp_path / "recording", tmp_path / "truth")
    assert verdict.sound, (verdict.unexplained, verdict.invented, verdict.other_fills)
    assert verdict.missing["prices"] > 0
    assert verdict.fills > 20
    assert {gap.reason for gap in verdict.gaps} >= {"the collector was not running"}


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Two folders with the same market."""
    folder = tmp_path_factory.mktemp("copies")
    plan = Plan(minutes=1, speed=20, faults=0, seed=5)
    for name in ("recording", "truth"):
        truth(plan, folder / name)
    return plan, folder


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("trades", lambda rows: rows.drop(rows.index[len(rows) // 4])),
        ("prices", lambda rows: rows.drop(rows.index[len(rows) // 4])),
        ("orderbooks", lambda rows: rows.drop(rows.index[len(rows) // 4])),
        ("trades", lambda rows: rows.assign(price=rows["price"] + 0.1)),
    ],
)
def test_a_row_that_is_missing_or_another_is_found(copies, kind, changed, monkeypatch):
    plan, folder = copies
    monkeypatch.setattr(recording_truth, "compared_fills", lambda *_: (0, 0))
    rows_of = recording_truth.rows_of
    assert judge(plan, folder / "recording", folder / "truth").sound

    def rows(where: Path, of: str) -> pd.DataFrame:
        found = rows_of(where, of)
        return changed(found) if where.name == "recording" and of == kind else found

    monkeypatch.setattr(recording_truth, "rows_of", rows)
    assert not judge(plan, folder / "recording", folder / "truth").sound
