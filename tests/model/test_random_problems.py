"""500 random problems over the whole range the solver is meant for, against stored truth.

``benchmarks/model_truth.py`` made the fixture: ball arithmetic and collocation in 256 bits where
there is no floor, a second method elsewhere. Depths are compared in units of 1/κ; those of a second
method relative to what exceeds 1/κ.
"""

import importlib
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from advanced_mm.model import ModelParameters, ValueFunction, solve
from advanced_mm.model.scaled import scale
from advanced_mm.model.stiff import solve_stiff

ROOT = Path(__file__).parents[2]
ARBITRARY_PRECISION = ("ball arithmetic", "collocation")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.model_truth")


@pytest.fixture
def truths(benchmarks: ModuleType) -> Sequence[Any]:
    return stored(benchmarks)


@cache
def stored(benchmarks: ModuleType) -> Sequence[Any]:
    return benchmarks.load_truths()


@cache
def solutions(benchmarks: ModuleType) -> Sequence[ValueFunction]:
    return [solve(truth.parameters) for truth in stored(benchmarks)]


def scaled_depths(solution: ValueFunction) -> np.ndarray:
    p = solution.parameters
    return np.stack([p.kappa_plus * solution.ask_depth, p.kappa_minus * solution.bid_depth])


def worst_error(solution: ValueFunction, truth: Any) -> float:
    found = scaled_depths(solution)
    quoted = np.isfinite(found)
    error = np.abs(found[quoted] - truth.depths[quoted])
    if truth.method not in ARBITRARY_PRECISION:
        error /= 1 + truth.depths[quoted]
    return float(error.max(initial=0.0))


def test_no_problem_overflows_or_is_not_a_number(benchmarks: ModuleType) -> None:
    for solution in solutions(benchmarks):
        assert np.isfinite(solution.h).all()
        assert np.isfinite(solution.value_rate)
        assert np.isfinite(solution.inventory_drift).all()
        assert np.isclose(solution.stationary_distribution.sum(), 1.0)
        assert not np.isnan(scaled_depths(solution)).any()
        assert (scaled_depths(solution) > -math.inf).all()


def test_depths_agree_with_arbitrary_precision(
    benchmarks: ModuleType, truths: Sequence[Any]
) -> None:
    errors = [
        worst_error(solution, truth)
        for solution, truth in zip(solutions(benchmarks), truths, strict=True)
        if truth.method in ARBITRARY_PRECISION
    ]
    assert len(errors) > 250
    assert np.mean(np.array(errors) < 1e-10) >= 0.98
    assert max(errors) < 1e-9


def test_depths_agree_with_a_second_method_elsewhere(
    benchmarks: ModuleType, truths: Sequence[Any]
) -> None:
    errors = [
        worst_error(solution, truth)
        for solution, truth in zip(solutions(benchmarks), truths, strict=True)
        if truth.method not in ARBITRARY_PRECISION
    ]
    assert len(errors) > 150
    assert max(errors) < 1e-8


def test_sides_are_quoted_where_they_pay(benchmarks: ModuleType, truths: Sequence[Any]) -> None:
    """Without a withdrawn side exactly those quotes are absent that the bounds exclude or that
    are the worse of two."""
    for solution, truth in zip(solutions(benchmarks), truths, strict=True):
        p = solution.parameters
        found, possible = np.isfinite(scaled_depths(solution)), np.isfinite(truth.depths)
        assert not (found & ~possible).any()
        if p.sides == "one":
            assert not (found[0] & found[1]).any()
            assert not found[0, truth.better < 0].any()
            assert not found[1, truth.better > 0].any()
        elif p.horizon_seconds is not None or possible.any(axis=1).all():
            np.testing.assert_array_equal(found, possible)


def test_the_range_is_covered(truths: Sequence[Any]) -> None:
    problems = [truth.parameters for truth in truths]
    assert len(problems) == 500
    assert min(p.kappa_plus for p in problems) < 0.02
    assert max(p.kappa_plus for p in problems) > 5e4
    assert max(p.q_max for p in problems) == 100
    assert sum(p.kappa_plus != p.kappa_minus for p in problems) > 200
    assert sum(p.horizon_seconds is None for p in problems) > 100
    assert sum(p.sides == "one" for p in problems) > 50
    assert sum(p.min_depth > -math.inf for p in problems) > 150
    assert sum(p.impact_slope_plus > 0 for p in problems) > 20
    assert sum(p.fee != 0 for p in problems) > 200


@pytest.mark.parametrize("number", [0, 1, 11, 14, 34, 40])
def test_stored_truth_is_found_again(
    benchmarks: ModuleType, truths: Sequence[Any], number: int
) -> None:
    """The fixture is what the generator makes of its problem today."""
    truth = truths[number]
    problem = importlib.import_module("benchmarks.model_problems").random_problem(number)
    again = benchmarks.find_truth(problem)
    assert problem == truth.parameters
    assert again.method == truth.method
    np.testing.assert_allclose(again.depths, truth.depths, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("number", [0, 11, 14, 27, 89])
def test_collocation_agrees_with_ball_arithmetic(benchmarks: ModuleType, number: int) -> None:
    """Two ways to truth, on linear problems where both apply."""
    problem = importlib.import_module("benchmarks.model_problems").random_problem(number)
    pairs = zip(benchmarks.ball_gaps(problem), benchmarks.collocation_gaps(problem), strict=True)
    assert max(abs(float(ball - other)) for ball, other in pairs) < 1e-16


@pytest.mark.parametrize("bound", [80, 100])
def test_lopsided_flow_on_many_inventories(bound: int) -> None:
    """A thousand buys for a sell: entries of exp(AT) span more powers of ten than a double."""
    parameters = ModelParameters(
        lambda_plus=20.0,
        lambda_minus=0.02,
        kappa_plus=3.0,
        kappa_minus=3.0,
        phi=1e-5,
        q_min=-bound,
        q_max=bound,
        horizon_seconds=3600,
        min_depth=-math.inf,
    )
    stiff = solve_stiff(scale(parameters))
    solution = solve(parameters)
    gaps = np.diff(solution.h) * -3.0
    np.testing.assert_allclose(gaps, stiff.gaps[1:-1], rtol=1e-10, atol=1e-10)
