"""Ranges are read, refused with field and value, and covered evenly."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.replay.sweeps.space import NOT_SWEPT, Space


def space(**block):
    return Space.of(block, Settings())


def test_the_kind_of_range_follows_from_the_setting():
    ranges = space(
        risk_aversion={"low": 0.001, "high": 1, "log": True},
        min_edge_bp={"low": -2, "high": 2, "step": 0.5},
        q_max={"low": 1, "high": 3},
        epsilon_source={"choices": ["fill", "pareto"]},
    ).ranges
    assert ranges == {
        "risk_aversion": FloatDistribution(0.001, 1.0, log=True),
        "min_edge_bp": FloatDistribution(-2.0, 2.0, step=0.5),
        "q_max": IntDistribution(1, 3),
        "epsilon_source": CategoricalDistribution(("fill", "pareto")),
    }


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"risk": {"low": 1, "high": 2}}, "settings.risk is not a setting"),
        ({"risk_aversion": 1}, "settings.risk_aversion = 1 must be a range"),
        ({"risk_aversion": {"low": 1}}, "settings.risk_aversion.high is missing"),
        ({"risk_aversion": {"low": "1", "high": 2}}, "settings.risk_aversion.low = '1' must be a"),
        ({"risk_aversion": {"low": 2, "high": 1}}, "low = 2 must be below high = 1"),
        ({"risk_aversion": {"low": 0, "high": 1, "log": True}}, "low = 0 must be positive"),
        ({"risk_aversion": {"low": 1, "high": 200}}, "settings.risk_aversion.high = 200: "),
        ({"risk_aversion": {"low": 1, "high": 2, "max": 3}}, "risk_aversion.max is not known"),
        ({"min_edge_bp": {"low": 0, "high": 1, "step": 2}}, "min_edge_bp.step = 2 must be"),
        ({"min_edge_bp": {"low": 0, "high": 1, "log": 1}}, "min_edge_bp.log = 1 must be true or"),
        ({"requote_ticks": {"low": 1, "high": 2, "log": True, "step": 1}}, "both log and step"),
        ({"q_max": {"low": 1, "high": 4, "step": 1.5}}, "step = 1.5 must be a whole number"),
        ({"q_max": {"low": 1.5, "high": 4}}, "settings.q_max.low = 1.5: "),
        ({"epsilon_source": {"low": 0, "high": 1}}, "list its values as"),
        ({"epsilon_source": {"choices": ["fill", "nothing"]}}, "choices = 'nothing': "),
        ({"epsilon_source": {"choices": ["fill"]}}, "must list at least two"),
        ({"epsilon_source": {"choices": ["fill", "pareto"], "low": 1}}, "beside other keys"),
        ({}, "must name at least one setting"),
        (["risk_aversion"], "must name at least one setting"),
    ],
)
def test_a_range_that_cannot_be_used_is_named_with_its_value(block, told):
    with pytest.raises(InputError) as caught:
        Space.of(block, Settings())
    assert told in str(caught.value)


@pytest.mark.parametrize("name", NOT_SWEPT)
def test_what_changes_nothing_in_a_replay_is_refused(name):
    assert name in Settings.model_fields
    with pytest.raises(InputError, match=f"settings.{name} cannot be swept: it "):
        space(**{name: {"low": 1, "high": 2}})


def test_both_ends_of_two_ranges_that_do_not_fit_together_are_allowed():
    assert set(space(q_min={"low": -3, "high": 0}, q_max={"low": 0, "high": 3}).ranges) == {
        "q_min",
        "q_max",
    }


def test_points_cover_each_range_evenly():
    one = space(
        risk_aversion={"low": 0.01, "high": 100, "log": True},
        min_edge_bp={"low": -1, "high": 1, "step": 1},
        q_max={"low": 1, "high": 4},
        compensate_drift={"choices": [True, False]},
    )
    points = one.spread(64, seed=3)
    decades = np.floor(np.log10([point["risk_aversion"] for point in points]))
    assert np.bincount((decades + 2).astype(int)).tolist() == [16] * 4
    assert {point["min_edge_bp"] for point in points} == {-1.0, 0.0, 1.0}
    assert np.bincount([point["q_max"] for point in points])[1:].tolist() == [16] * 4
    assert sum(point["compensate_drift"] for point in points) == 32
    assert points[:10] == one.spread(10, seed=3) != one.spread(10, seed=4)


def test_a_value_next_to_an_end_of_its_range_is_noticed():
    one = space(
        risk_aversion={"low": 0.01, "high": 100, "log": True},
        min_edge_bp={"low": -1, "high": 1},
        q_max={"low": 1, "high": 4},
        compensate_drift={"choices": [True, False]},
    )
    inside = {"risk_aversion": 0.02, "min_edge_bp": 0.9, "q_max": 2, "compensate_drift": True}
    assert one.at_an_end(inside) == []
    outside = {"risk_aversion": 99.0, "min_edge_bp": -1.0, "q_max": 4, "compensate_drift": True}
    assert one.at_an_end(outside) == ["risk_aversion", "min_edge_bp", "q_max"]
