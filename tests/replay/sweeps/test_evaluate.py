"""A trial is the replay it says, and what it loads is loaded once."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.replay import ReplayOptions, replay
from advanced_mm.replay.as_of import decision_table
from advanced_mm.replay.figures import replay_figures
from advanced_mm.replay.sweeps import Conditions, Job, Source, Span, backtest_of, evaluate
from tests.replay.recordings import SETTINGS, START_MS

MINUTE = 60_000
SPAN = Span(START_MS + 15 * MINUTE, START_MS + 40 * MINUTE)
EAGER = SETTINGS.model_copy(
    update={"min_edge_bp": None, "toxicity_limit": 1e9, "q_min": -1, "quote_age_seconds": 0.0}
)


@pytest.fixture(scope="module")
def source(recorded):
    return Source(recorded / "data", "ETH", recorded / "history")


def job(source, settings=EAGER, **changes):
    return replace(Job(source, Conditions(stake=200.0), settings, SPAN, "model"), **changes)


@pytest.fixture(scope="module")
def result(source):
    """The same replay, made by hand."""
    backtest = backtest_of(source)
    table = decision_table(backtest.refits, EAGER, backtest.mids, SPAN.start_ms, SPAN.end_ms)
    options = ReplayOptions.of_settings(
        EAGER, size=backtest.order_size(200.0), start_ms=SPAN.start_ms, end_ms=SPAN.end_ms
    )
    return replay(backtest.data, table, options)


def test_a_trial_is_the_replay_of_its_stretch(source, result):
    outcome = evaluate(job(source))
    assert len(result.fills) > 30
    assert outcome.fills == len(result.fills)
    assert outcome.hours == pytest.approx(25 / 60, rel=0.01)
    figures = replay_figures(result)
    assert outcome.figures["net_per_hour"] == pytest.approx(figures["net_per_hour"].value)
    filled = set(result.fills["quote"].tolist())
    assert outcome.figures["fill_rate"] == pytest.approx(len(filled) / len(result.quotes))


def test_time_at_a_limit_and_inventory_risk_are_those_of_the_positions(source, result):
    """Counted here every tenth of a second."""
    outcome = evaluate(job(source))
    moments = np.arange(SPAN.start_ms, SPAN.end_ms, 100)
    position = np.concatenate([[0.0], result.position_after])
    now = position[np.searchsorted(result.time_ms, moments, "right")]
    full = np.abs(now) > 0.5 * result.options.size  # a part of a unit may be open
    assert outcome.figures["time_at_limits"] == pytest.approx(full.mean(), abs=0.01)
    assert 0.05 < full.mean() < 0.95
    starts = np.arange(SPAN.start_ms, SPAN.end_ms, MINUTE)
    sigma = np.std(np.diff(result.mids.at(starts)[0]))
    risk = sigma * np.sqrt(np.sum(now**2) / 600)
    assert outcome.inventory_risk == pytest.approx(risk, rel=0.02)


def test_the_drawdown_is_the_largest_fall_of_the_equity(source):
    outcome = evaluate(job(source))
    equity = np.concatenate([[0.0], np.cumsum(outcome.net)])
    falls = [high - low for i, high in enumerate(equity) for low in equity[i:]]
    assert outcome.drawdown == pytest.approx(max(falls))


def test_flat_is_no_limit_where_only_one_unit_is_bought(source):
    """A bot of inventories 0 and 1 is at a limit while it holds one."""
    settings = EAGER.model_copy(update={"q_min": 0})
    outcome = evaluate(job(source, settings))
    assert 0.05 < outcome.figures["time_at_limits"] < 0.95


def test_what_only_the_maker_reads_shares_the_decisions(source, monkeypatch):
    module = sys.modules[evaluate.__module__]
    made = []
    original = module.decision_table
    monkeypatch.setattr(module, "decision_table", lambda *a: made.append(1) or original(*a))
    module._table.cache_clear()
    first = evaluate(job(source))
    patient = EAGER.model_copy(update={"requote_ticks": 30.0, "min_quote_age_seconds": 20.0})
    other = evaluate(job(source, patient))
    assert len(made) == 1
    assert other.quotes < first.quotes
    evaluate(job(source, EAGER.model_copy(update={"risk_aversion": 0.5})))
    evaluate(job(source, EAGER.model_copy(update={"fee_rate": 0.0})))
    assert len(made) == 3


def test_a_recording_is_loaded_again_when_its_refits_have_changed(source, recorded, tmp_path):
    def key():
        return Source(recorded / "data", "ETH", tmp_path).key

    before = key()
    assert before == key() != source.key
    rows = CalibrationHistory(recorded / "history").directory / "ETH"
    (tmp_path / "ETH").mkdir()
    for path in rows.iterdir():
        (tmp_path / "ETH" / path.name).write_bytes(path.read_bytes())
    assert key() != before


def test_what_a_replay_leaves_beside_a_recording_is_not_part_of_it(source, recorded):
    assert (recorded / "data" / "ETH" / "replay").is_dir() or backtest_of(source)
    assert Source(source.data_dir, "ETH", source.history).key == source.key
