"""Each alert fires under its fault and clears after it, as Prometheus' rule and as a message."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from advanced_mm.metrics.alerts import ALERTS, AlertBook
from advanced_mm.metrics.table import BY_NAME, Sample

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docker" / "monitoring" / "rules.yml"
STEP = 10
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's prometheus)"
)


@dataclass
class Fault:
    """A series of one value in ten seconds, and when the alert must be silent and when it fires."""

    labels: dict[str, str]
    values: list[float]
    silent: tuple[int, ...]
    firing: tuple[int, ...]


def age(until_silent, back):
    """Times that are reported as they come, stand still from one second on, and come again."""
    return [float(min(t, until_silent) if t < back else t) for t in range(0, back + 60, STEP)]


COIN, BOT = {"coin": "ETH"}, {"bot": "b"}
BOTH = {**BOT, **COIN}
FAULTS = {
    "ParametersStale": Fault(COIN, age(60, 300), (60, 180, 300), (190, 290)),
    "DataStale": Fault(COIN, age(60, 300), (60, 180, 300), (190, 290)),
    "RecordingSilent": Fault(COIN, age(60, 300), (60, 120, 300), (130, 290)),
    "InventoryAtLimit": Fault(
        BOTH, [0.5] * 6 + [1.0] * 190 + [0.9] * 6, (50, 60, 1850, 1960), (1870, 1950)
    ),
    "Drawdown": Fault(BOTH, [0.49] * 6 + [0.5] * 6 + [0.4] * 6, (50, 120), (60, 110)),
    "BudgetLow": Fault(BOT, [1000.0] * 6 + [999.0] * 6 + [1500.0] * 6, (50, 120), (60, 110)),
    "LoopLate": Fault(BOT, age(60, 300), (60, 90, 300), (100, 290)),
    "ClockOff": Fault(COIN, [0.3] * 6 + [-5.1] * 12 + [4.9] * 6, (50, 60, 110, 180), (120, 170)),
}


def test_each_alert_has_its_fault():
    assert set(FAULTS) == {alert.name for alert in ALERTS}


@needs_promtool
def test_prometheus_finds_no_fault_in_rules_and_configuration():
    for what, file in (("rules", RULES), ("config", RULES.with_name("prometheus.yml"))):
        done = subprocess.run(["promtool", "check", what, file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def series(name, fault):
    metric = BY_NAME[next(alert.metric for alert in ALERTS if alert.name == name)]
    assert set(fault.labels) == set(metric.labels)
    labels = ",".join(f'{key}="{value}"' for key, value in fault.labels.items())
    values = " ".join(f"{value:g}" for value in fault.values)
    return {"series": f"{metric.full_name}{{{labels}}}", "values": values}


def expectation(rules, name, at, labels, firing):
    rule = rules[name]
    fires = {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": rule["annotations"]}
    return {"eval_time": f"{at}s", "alertname": name, "exp_alerts": [fires] if firing else []}


@needs_promtool
def test_each_rule_fires_under_its_fault_and_clears(tmp_path):
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    rules = {rule["alert"]: rule for rule in group["rules"]}
    tests = []
    for name, fault in FAULTS.items():
        moments = [(at, False) for at in fault.silent] + [(at, True) for at in fault.firing]
        expected = [expectation(rules, name, at, fault.labels, on) for at, on in moments]
        tests.append({"input_series": [series(name, fault)], "alert_rule_test": expected})
    down = {"job": "runner", "instance": "127.0.0.1:9102"}
    expected = [
        expectation(rules, "ProcessDown", at, down, on)
        for at, on in ((50, False), (110, False), (120, True), (170, True), (180, False))
    ]
    up = 'up{job="runner",instance="127.0.0.1:9102"}'
    values = "1x5 " + " ".join(["0"] * 12) + " 1x5"
    tests.append({"input_series": [{"series": up, "values": values}], "alert_rule_test": expected})
    for one in tests:
        one["interval"] = f"{STEP}s"
    file = tmp_path / "tests.yml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}s", "tests": tests}
        )
    )
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FAULTS)
def test_each_message_is_sent_when_its_rule_would_fire_and_when_it_would_clear(name):
    fault = FAULTS[name]
    alert = next(alert for alert in ALERTS if alert.name == name)
    labels = tuple(fault.labels[label] for label in BY_NAME[alert.metric].labels)
    book, firing, on = AlertBook(), {}, False
    for number, value in enumerate(fault.values):
        for message in book.look([Sample(alert.metric, value, labels)], number * STEP):
            assert name in message
            on = not message.startswith("Over")
        firing[number * STEP] = on
    assert not any(firing[at] for at in fault.silent)
    assert all(firing[at] for at in fault.firing)
