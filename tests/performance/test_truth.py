"""Markouts and the model's expectations on a market whose truth is known."""

import numpy as np
import pytest

from advanced_mm.performance import SeenMids, assess
from advanced_mm.performance.figures import markouts
from advanced_mm.performance.mids import find_marks
from advanced_mm.performance.truth import Published, model_truth


@pytest.fixture(scope="module")
def hundred_runs():
    """The 10 s markout and the slope of a hundred seeded runs, and what the fills truly moved."""
    from tests.performance.conftest import KnownMarket

    market, runs = KnownMarket(), []
    for seed in range(100):
        record = market.record(seed)
        marks = find_marks(record, [SeenMids(record.seen)])
        (move,) = [m.move for m in markouts(record, marks) if m.horizon_s == 10.0]
        nothing = np.full(len(record.quotes), np.nan)
        line = model_truth(record, marks, Published(nothing, nothing)).line
        value = record.fills.price * record.fills.size
        epsilon = market.depth - record.quotes.edge
        true_move = -1e4 * float(epsilon @ record.fills.size) / float(value.sum())
        runs.append((move, true_move, line))
    return runs


def test_the_markout_s_interval_holds_the_true_move(hundred_runs):
    held = sum(move.low <= true <= move.high for move, true, _ in hundred_runs)
    assert 90 <= held <= 99
    error = np.mean([move.value - true for move, true, _ in hundred_runs])
    spread = np.std([move.value - true for move, true, _ in hundred_runs]) / 10
    assert abs(error) < 3 * spread


def test_expected_against_realised_has_slope_one(hundred_runs):
    held = sum(line.slope.low <= 1 <= line.slope.high for *_, line in hundred_runs)
    assert 90 <= held <= 99
    held = sum(line.intercept.low <= 0 <= line.intercept.high for *_, line in hundred_runs)
    assert held >= 90


def test_a_model_that_promises_twice_as_much_is_found_out(known_market):
    market = known_market(sigma=0.05)
    record = market.record(1)
    record.quotes.edge[:] *= 2
    found = assess(record, [SeenMids(record.seen)]).truth
    assert found.line.slope.high < 1
    assert found.line.slope.value == pytest.approx(0.5, abs=0.15)
    assert found.realised.value == pytest.approx(found.expected.value / 2, rel=0.2)
