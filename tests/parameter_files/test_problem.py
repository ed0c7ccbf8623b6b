"""The control problem from parameters and settings: how the age of quotes enters it."""

import numpy as np
import pytest

from advanced_mm.model import QuoteAge, SideProblem, mean_age, solve
from advanced_mm.parameter_files import (
    Settings,
    model_problem,
    quote_age,
    with_measured_age,
    with_value_function,
)
from advanced_mm.parameter_files.problem import published_solution
from advanced_mm.quoting import expected_edge

AT_ONCE = Settings(quote_age_seconds=0)


@pytest.fixture
def lively(make_set):
    return make_set(sigma=0.4)


def test_without_an_age_the_problem_is_the_instant_makers(make_set, lively):
    """Also without a fitted volatility: no move is known then."""
    for parameters, settings in ((lively, AT_ONCE), (make_set(), Settings())):
        problem = model_problem(parameters, settings)
        assert problem.lambda_plus == parameters.lambda_.lambda0_plus
        assert problem.kappa_minus == parameters.kappa.kappa_minus
        assert problem.epsilon_plus == parameters.epsilon.epsilon_fill_plus
        assert problem.impact_slope_minus == 0
        edge = expected_edge(parameters, "ask", 1.6, 0.4, quote_age(parameters, settings))
        assert edge == pytest.approx(1.6 - parameters.epsilon.epsilon_fill_plus - 0.4, abs=1e-12)


def test_the_older_quotes_become_the_deeper_they_are_and_the_less_they_earn(lively):
    solved = [
        solve(model_problem(lively, Settings(quote_age_seconds=age)))
        for age in (0.0, 0.1, 0.5, 1.0, 3.0, 10.0)
    ]
    assert np.all(np.diff([s.value_rate for s in solved]) < 0)
    assert np.all(np.diff([s.bid_depth[0] for s in solved]) > 0)


def test_the_expected_edge_is_that_of_the_problem_the_depths_solve(lively):
    """At the depth that is best without inventory both give the same."""
    settings = Settings(quote_age_seconds=1.5)
    problem = model_problem(lively, settings)
    fee, kappa = problem.fee, problem.kappa_plus
    depth = 1 / kappa + (problem.epsilon_plus + fee) / (1 - problem.impact_slope_plus)
    promised = depth * (1 - problem.impact_slope_plus) - problem.epsilon_plus - fee
    found = expected_edge(lively, "ask", depth, fee, quote_age(lively, settings))
    assert found == pytest.approx(promised, rel=1e-3)
    assert found < expected_edge(lively, "ask", depth, fee, QuoteAge())


def test_the_age_and_its_cost_are_published_beside_the_depths(lively):
    settings = Settings(quote_age_seconds=1.0)
    (entry,) = with_value_function(lively, settings).value_functions
    assert entry.quote_age_seconds == 1.0
    side = SideProblem(
        lively.lambda_.lambda0_plus, lively.kappa.kappa_plus, lively.epsilon.epsilon_fill_plus
    )
    assert entry.age_cost_plus == QuoteAge(1.0, 0.4).cost(side, 0.00015 * lively.kappa.mid)
    assert 0 < entry.age_cost_plus < 0.5


def test_the_published_depths_are_used_while_the_mid_moves(lively):
    """The age is counted at the refit's mid, so that only the fee follows the mid."""
    served = with_value_function(lively, Settings())
    problem = model_problem(served, Settings(), lively.kappa.mid * 1.005)
    assert published_solution(served, problem, 0.01 * problem.fee) is not None
    other = model_problem(served, Settings(quote_age_seconds=9.0), lively.kappa.mid)
    assert published_solution(served, other, 0.01 * problem.fee) is None


@pytest.mark.parametrize(
    ("given", "look", "way", "age"),
    [
        ({}, 1.0, 0.2, 1.2),
        ({"min_quote_age_seconds": 1}, 1.0, 0.2, 2.2),
        ({"min_quote_age_seconds": 0.9}, 1.0, 0.2, 1.2),
        ({"min_quote_age_seconds": 0}, 0.5, 0.0, 0.5),
        ({"min_quote_age_seconds": 3}, 0.5, 0.1, 3.6),
        ({"quote_age_seconds": 7.5}, 1.0, 0.2, 7.5),
        ({"min_quote_age_seconds": 0.4}, None, 0.2, 0.6),  # the market wakes the bot
        ({"min_quote_age_seconds": 0.4, "own_stream": False}, None, 0.2, 1.2),
        ({"quote_age_seconds": 7.5}, None, 0.2, 7.5),
    ],
)
def test_the_age_follows_from_the_looks_unless_it_is_set(given, look, way, age):
    assert Settings(**given).oldest_quote_seconds(look, way) == pytest.approx(age)


def test_a_bot_that_is_woken_by_the_market_replaces_quotes_at_their_least_age():
    assert Settings(min_quote_age_seconds=0.5).oldest_quote_seconds() == pytest.approx(0.7)
    by_the_clock = Settings(own_stream=False, min_quote_age_seconds=1)
    assert by_the_clock.oldest_quote_seconds() == pytest.approx(2.2)


def test_the_measured_age_is_published_and_used_unless_one_is_set(lively):
    """Few fills change it little, many decide it; depths and edge then follow what is published."""
    kappa = (lively.kappa.kappa_plus + lively.kappa.kappa_minus) / 2
    expected = mean_age(kappa, 0.4, Settings().oldest_quote_seconds())
    ages = []
    for fills in (0, 5, 20, 100_000):
        measured = with_measured_age(lively, Settings(), 3.0, fills)
        published = with_value_function(lively, measured)
        age = quote_age(published, Settings())
        assert age.seconds == published.value_functions[0].quote_age_seconds
        assert mean_age(kappa, 0.4, age.seconds) == pytest.approx(
            (10 * expected + 3 * fills) / (10 + fills)
        )
        problem = model_problem(published, Settings(), lively.kappa.mid)
        assert published_solution(published, problem) is not None
        ages.append(age.seconds)
    assert ages == sorted(ages)
    set_one = Settings(quote_age_seconds=1.0)
    assert with_measured_age(lively, set_one, 3.0, 100) == set_one
    assert quote_age(published, set_one).seconds == 1.0


def test_without_a_volatility_no_age_is_measured(make_set):
    assert with_measured_age(make_set(), Settings(), 3.0, 100) == Settings()
