"""The file of a sweep: defaults, the purge, and faults named with file, field and value."""

from pathlib import Path

import pytest

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import Settings
from advanced_mm.replay.sweeps import load_plan

EXAMPLE = Path(__file__).parents[3] / "examples" / "sweep.yaml"
RANGE = "settings: {risk_aversion: {low: 0.1, high: 1}}\n"


@pytest.fixture
def read(tmp_path):
    def read(text, **settings):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return load_plan(path, Settings(**settings))

    return read


def test_the_example_is_valid():
    plan = load_plan(EXAMPLE, Settings(), trials=7)
    assert plan.trials == 7
    assert plan.objectives[0] == "net_per_hour"
    assert len(plan.space.ranges) == 5


def test_defaults(read):
    plan = read(RANGE)
    assert (plan.trials, plan.queue, plan.sampler, plan.folds.tests) == (100, "model", "tpe", 3)
    assert plan.objectives == ("net_per_hour",)


def test_nothing_a_test_rests_on_reaches_into_its_training(read):
    assert read(RANGE).purge_s == 1800
    assert read(RANGE, window_minutes=60).purge_s == 3600
    longer = "settings: {max_quote_age_seconds: {low: 10, high: 4000}}\n"
    assert read(longer).purge_s == 4000
    assert read(RANGE + "folds: {purge_minutes: 45}").purge_s == 2700


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be a mapping"),
        ("settings: [", "is not valid YAML"),
        ("trials: 5", "settings is missing"),
        (RANGE + "trials: 1", "trials = 1: "),
        (RANGE + "trials: many", "trials = 'many': "),
        (RANGE + "seeds: 1", "seeds is not a known field; the fields are settings, objectives"),
        (RANGE + "folds: {test: 1}", "folds.test is not a known field; the fields are tests"),
        (RANGE + "folds: {purge_minutes: 1}", "folds.purge_minutes = 1 must be at least 30"),
        (RANGE + "objectives: [profit]", "objectives.0 = 'profit': "),
        (RANGE + "objectives: [max_drawdown]", "objectives must have net_per_hour"),
        (RANGE + "objectives: [net_per_hour, net_per_hour]", "objectives names one twice"),
        (RANGE + "queue: middle", "queue = 'middle': "),
        ("settings: {risk_aversion: {low: 1, high: 0}}", "low = 1 must be below high = 0"),
    ],
)
def test_a_fault_is_named_with_file_field_and_value(read, text, told):
    with pytest.raises(InputError) as caught:
        read(text)
    assert "sweep.yaml" in str(caught.value)
    assert told in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"nothing\.yaml cannot be read: No such file"):
        load_plan(Path("nothing.yaml"), Settings())
