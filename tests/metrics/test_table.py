"""The table of metrics: Prometheus' conventions, and files that are written from it."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml

from advanced_mm.metrics.alerts import ALERTS
from advanced_mm.metrics.table import BY_NAME, METRICS, PREFIX

ROOT = Path(__file__).parents[2]
OURS = re.compile(rf"{PREFIX}\w+")
UNITS = {
    "seconds": ("_seconds", "_seconds_total"),
    "seconds since 1970": ("_timestamp_seconds",),
    "bytes": ("_bytes_total",),
    "share": ("_ratio",),
    "share of the price": ("_ratio",),
    "quote currency": ("_quote", "_quote_total"),
    "base currency": ("_base",),
}


def test_names_follow_the_conventions():
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.endswith(UNITS.get(metric.unit, "")), metric
        assert metric.means
        assert metric.of


def test_what_is_written_from_the_table_is_what_would_be_written_today():
    written = runpy.run_path(str(ROOT / "docs" / "tools" / "monitoring.py"))["written"]()
    assert len(written) == 3
    for name, text in written.items():
        assert (ROOT / name).read_text() == text, f"{name}: run python docs/tools/monitoring.py"


def test_rules_and_dashboard_name_metrics_that_there_are_and_the_dashboard_all_that_matter():
    rules = yaml.safe_load((ROOT / "docker/monitoring/rules.yml").read_text())
    board = json.loads((ROOT / "docker/monitoring/dashboards/advanced_mm.json").read_text())
    known = {metric.full_name: metric for metric in METRICS}
    ruled = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    shown = [target["expr"] for target in targets]
    assert set(OURS.findall(" ".join(ruled + shown))) <= set(known)
    assert {one.metric for one in ALERTS} <= set(BY_NAME)
    assert len(ruled) == len(ALERTS) + 1
    for target in targets:
        labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - {"job"}
        of = [known[name] for name in OURS.findall(target["expr"])]
        assert all(labels <= set(metric.labels) for metric in of), target
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def services():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_monitoring_is_asked_for_listens_on_the_loopback_and_has_no_password(name):
    service = services()[name]
    text = json.dumps(service)
    assert service["profiles"] == ["monitoring"]
    assert "ports" not in service
    assert "PASSWORD" not in text
    address = {"prometheus": "--web.listen-address=127.0.0.1:9090", "grafana": "127.0.0.1"}[name]
    assert address in text
    for source in (volume.split(":")[0] for volume in service["volumes"]):
        assert not source.startswith("./") or (ROOT / source).is_dir()


def test_what_prometheus_and_grafana_read_is_where_it_is_mounted():
    def outside(name, path):
        """The file of the repository that a container sees at a path."""
        mounts = [volume.split(":")[:2] for volume in services()[name]["volumes"]]
        (source,) = [
            f"{source}{path.removeprefix(inside)}"
            for source, inside in mounts
            if path == inside or path.startswith(f"{inside}/")
        ]
        return ROOT / source

    (config,) = [
        one.partition("=")[2] for one in services()["prometheus"]["command"] if "config.file" in one
    ]
    rules = yaml.safe_load(outside("prometheus", config).read_text())["rule_files"]
    assert [outside("prometheus", config).with_name(rule).is_file() for rule in rules] == [True]
    settings = services()["grafana"]["environment"]
    assert outside("grafana", settings["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    folder = outside("grafana", "/etc/grafana/provisioning")  # where Grafana looks
    (provider,) = yaml.safe_load((folder / "dashboards/dashboards.yml").read_text())["providers"]
    assert list(outside("grafana", provider["options"]["path"]).glob("*.json"))
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    board = json.loads(next(outside("grafana", provider["options"]["path"]).iterdir()).read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    listens = services()["prometheus"]["command"]
    assert f"--web.listen-address={source['url'].removeprefix('http://')}" in listens


def test_nobody_can_log_in_to_grafana():
    settings = services()["grafana"]["environment"]
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert settings["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"


def test_prometheus_asks_the_ports_that_the_profile_gives():
    config = yaml.safe_load((ROOT / "docker/monitoring/prometheus.yml").read_text())
    asked = {
        job["job_name"]: job["static_configs"][0]["targets"][0].rpartition(":")[2]
        for job in config["scrape_configs"]
    }
    given = (ROOT / "docker/monitoring/monitoring.env").read_text()
    assert f"MM_COLLECTOR_OPTIONS=--metrics-port {asked['collector']}\n" in given
    assert f"MM_RUNNER_OPTIONS=--metrics-port {asked['runner']}\n" in given
    assert "MM_BOT_ENV=docker/monitoring/bot.env\n" in given
    bot = (ROOT / "docker/monitoring/bot.env").read_text()
    assert bot == f"FREQTRADE__MARKET_MAKING__METRICS_PORT={asked['bot']}\n"
