"""A session as a real Prometheus sees it, by our configuration, rules and dashboard."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from advanced_mm.session.real_prometheus import RealPrometheus

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"
NOT_ALWAYS = ("guard_active", "refused", 'job="maker"', "market_profit_quote")
"""What has no data while nothing is wrong, and where no maker runs."""


@contextlib.contextmanager
def scraped(session, folder):
    """Prometheus over a session; None where it is not installed."""
    if shutil.which("prometheus") is None:
        yield None
        return
    config, rules = (
        yaml.safe_load((MONITORING / name).read_text()) for name in ("prometheus.yml", "rules.yml")
    )
    with RealPrometheus(folder, config, rules, session.metrics_targets()) as prometheus:
        yield prometheus


def answers_all(prometheus, session, seconds=120):
    """Each process is up; each query of the dashboard and each rule is evaluated, and has data."""
    if prometheus is None:
        pytest.skip("Prometheus is not installed (Debian's prometheus)")
    addresses = {one for targets in session.metrics_targets().values() for one in targets}
    panels = json.loads((MONITORING / "dashboards" / "advanced_mm.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    needed = {one for one in asked if not any(name in one for name in NOT_ALWAYS)}
    deadline = time.monotonic() + seconds
    while True:
        session.look()  # the audit must see every refit, and each is there for a few seconds
        up = {one for one, health in prometheus.health().items() if health == "up"}
        empty = {one for one in asked if not prometheus.ask(one)} & needed  # an error is raised
        if up == addresses and not empty:
            break
        assert time.monotonic() < deadline, f"not up: {addresses - up}, without data: {empty}"
        time.sleep(1)
    assert prometheus.faults() == []
    jobs = {labels["job"] for labels, _ in prometheus.ask("advanced_mm_metrics_errors_total")}
    assert jobs == set(session.metrics_targets())
    for rule in yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"][0]["rules"]:
        measured = rule["expr"].rpartition(" ")[0].rpartition(" ")[0]  # less sign and limit
        assert prometheus.ask(measured), rule["alert"]
