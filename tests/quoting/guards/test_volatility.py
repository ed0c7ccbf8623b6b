"""Volatility guard: realised over usual, against the formula on the whole path."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from advanced_mm.quoting.guards.verdict import stepped
from advanced_mm.quoting.guards.volatility import VolatilityGuard

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=float(seconds))


def test_the_ratio_is_that_of_the_last_seconds_path():
    rng = np.random.default_rng(5)
    guard, mids = VolatilityGuard(2.0, 10.0), 3000 + np.cumsum(rng.normal(0, 1.5, 60))
    for second, mid in enumerate(mids):
        guard.saw(mid, at(second))
        if second >= 10:
            moves = np.diff(mids[second - 10 : second + 1])
            assert guard.ratio(0.5) == pytest.approx(np.sqrt(np.mean(moves**2)) / 0.5)


def test_looks_more_often_than_a_second_do_not_count_the_bounce():
    """The mid bounces by a tick forty times a second and goes nowhere."""
    guard = VolatilityGuard(2.0, 10.0)
    for number in range(800):
        guard.saw(3000 + 0.1 * (number % 2), at(number / 40))
    assert guard.ratio(0.1) < 1.1


def test_a_jump_counts_at_the_look_that_sees_it_and_is_forgotten_after_the_window():
    guard = VolatilityGuard(2.0, 10.0)
    for second in range(20):
        guard.saw(3000, at(second))
    assert guard.verdict(1.0) is None
    guard.saw(2910, at(19.05))
    verdict = guard.verdict(1.0)
    assert verdict.severity == "pause"
    assert verdict.reason.startswith("volatility: the mid moves 28.")
    for second in range(20, 31):
        guard.saw(2910, at(second))
        over = guard.verdict(1.0) is None
        assert over is (second >= 30)


def test_what_was_not_seen_counts_as_usual_and_a_gap_s_move_by_its_share():
    guard = VolatilityGuard(2.0, 10.0)
    guard.saw(3000, at(0))
    assert guard.ratio(1.0) == 1.0
    guard.saw(3008, at(64))  # as much as usual in 64 s
    assert guard.ratio(1.0) == pytest.approx(1.0)
    guard.saw(3008, at(63))  # no news
    assert guard.ratio(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("move", "severity", "widen"),
    [(1.45, None, None), (1.6, "widen", 1.5), (1.9, "widen", 2.0), (2.01, "pause", 1.0)],
)
def test_it_widens_before_it_pauses(move, severity, widen):
    guard = VolatilityGuard(2.0, 10.0)
    for second in range(11):
        guard.saw(3000 + move * (second % 2), at(second))
    verdict = guard.verdict(1.0)
    assert (verdict and (verdict.severity, verdict.widen)) == (severity and (severity, widen))


def test_a_pause_ends_below_the_ratio_that_began_it():
    guard = VolatilityGuard(2.0, 10.0)
    for move, severity in ((2.1, "pause"), (1.8, "pause"), (1.7, "widen"), (1.8, "widen")):
        for second in range(11):
            guard.saw(3000 + move * (second % 2), at(second))
        assert guard.verdict(1.0).severity == severity
        fresh = VolatilityGuard(2.0, 10.0)
        fresh._paused, guard = guard._paused, fresh


def test_without_a_limit_or_a_usual_volatility_it_says_nothing():
    for guard, usual in ((VolatilityGuard(None, 10.0), 1.0), (VolatilityGuard(2.0, 10.0), None)):
        guard.saw(3000, at(0))
        guard.saw(2000, at(1))
        assert guard.verdict(usual) is None


def test_factors_come_in_quarters_and_never_narrow():
    assert [stepped(x) for x in (0.4, 1.0, 1.12, 1.13, 1.9)] == [1.0, 1.0, 1.0, 1.25, 2.0]


def test_a_factor_stays_while_the_ratio_is_near_it_and_widening_ends_below_its_beginning():
    guard, told = VolatilityGuard(2.0, 10.0), []
    for move in (1.55, 1.7, 1.75, 1.6, 1.35, 1.25, 1.4):
        for second in range(11):
            guard.saw(3000 + move * (second % 2), at(second))
        verdict = guard.verdict(1.0)
        told.append(verdict and verdict.widen)
        fresh = VolatilityGuard(2.0, 10.0)
        fresh._wide, guard = guard._wide, fresh
    assert told == [1.5, 1.5, 1.75, 1.75, 1.25, None, None]
