"""The benchmark of the rules: each has a fault, and what is timed is what Prometheus says."""

import contextlib
import runpy
from pathlib import Path

import pytest
import yaml

from advanced_mm.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(ROOT / "benchmarks" / "alert_rules.py"))


@pytest.fixture(scope="module")
def rules():
    return yaml.safe_load((ROOT / "docker" / "monitoring" / "rules.yml").read_text())


class OneRule:
    """A Prometheus with one rule, which fires while the fault lasts, if it works."""

    def __init__(self, works=True):
        self.prometheus, self.works, self.wrong, self.struck = self, works, False, 0

    def firing(self):
        return {"LoopLate"} if self.wrong and self.works else set()

    def health(self):
        return {"a": "up"}

    @contextlib.contextmanager
    def fault(self):
        self.struck += 1
        self.wrong = True
        yield
        self.wrong = False


def outcome(benchmark, rig, monkeypatch, patience):
    bench = benchmark["Bench"](rig, {"LoopLate": 0.0}, benchmark["Console"](quiet=True))
    monkeypatch.setitem(bench.outcomes.__globals__, "BESIDE_SECONDS", patience)
    trial = benchmark["Trial"]("a fault", ("LoopLate",), lambda rig: rig.fault())
    (found,) = bench.outcomes(trial)
    return found


def test_each_rule_has_a_fault(benchmark, rules):
    trials = list(benchmark["TRIALS"])
    for trial in benchmark["TRIALS"]:
        trials += trial.inside
    tried = [name for trial in trials for name in trial.rules]
    assert sorted(tried) == sorted(rule["alert"] for rule in benchmark["rules_in"](rules))


def test_a_fault_is_timed_from_its_beginning_and_from_its_end(benchmark, monkeypatch):
    rig = OneRule()
    found = outcome(benchmark, rig, monkeypatch, 30.0)
    assert rig.struck == 1
    assert 0 <= found.fired["LoopLate"] < 30
    assert 0 <= found.cleared["LoopLate"] < 30


def test_a_rule_that_does_not_fire_is_told(benchmark, monkeypatch):
    found = outcome(benchmark, OneRule(works=False), monkeypatch, 0.0)
    assert found.fired == {"LoopLate": None}


def test_only_the_waits_are_scaled(benchmark, rules):
    changed = benchmark["scaled"](rules, 0.1)
    waits = {rule["alert"]: rule.pop("for") for rule in benchmark["rules_in"](changed)}
    assert waits["InventoryAtLimit"] == "180000ms" and waits["LoopLate"] == "0ms"
    for old, new in zip(benchmark["rules_in"](rules), benchmark["rules_in"](changed), strict=True):
        assert {**new, "for": old["for"]} == old


@pytest.mark.parametrize("factor", ["0", "1.5"])
def test_a_factor_that_is_none_is_refused(benchmark, factor):
    with pytest.raises(InputError, match="--wait"):
        benchmark["main"](["--wait", factor])
