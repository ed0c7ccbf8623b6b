"""Write what Prometheus and Grafana are given, and the tables of docs/metrics.md, from the code.

python docs/tools/monitoring.py
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from advanced_mm.cli import run
from advanced_mm.metrics.alerts import ALERTS
from advanced_mm.metrics.table import METRICS, PREFIX

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- {}: written by docs/tools/monitoring.py -->", "<!-- end of {} -->"
HEAD = "# Written by docs/tools/monitoring.py from advanced_mm/metrics/alerts.py.\n"

PANELS = (
    ("Parameters' age", "s", (
        ("{{job}} {{coin}}", "time() - @parameters_published_timestamp_seconds"),
    )),
    ("Recording's age", "s", (("{{coin}}", "time() - @recording_newest_timestamp_seconds"),)),
    ("Lag of messages", "s", (("{{percentile}}%", "@lag_seconds"),)),
    ("Messages per second", "short", (("messages", "rate(@messages_total[1m])"),)),
    ("Gaps in an hour", "short", (("gaps", "increase(@gaps_total[1h])"),)),
    ("Time of a refit", "s", (("{{coin}}", "@refit_duration_seconds"),)),
    ("Status of the fits", "short", (("{{coin}} {{estimate}} {{status}}", "@refit_status"),)),
    ("Market orders per second", "short", (("{{coin}} {{side}}", "@lambda_per_second"),)),
    ("Decay of fills, kappa", "short", (("{{coin}} {{side}}", "@kappa_per_quote"),)),
    ("Move with a fill, epsilon", "short", (("{{coin}} {{side}}", "@epsilon_quote"),)),
    ("Profit and its parts", "short", (
        ("{{coin}} all", "@profit_quote"), ("{{coin}} {{part}}", "@profit_part_quote"),
    )),
    ("Maker's profit and its parts", "short", (
        ("{{bot}} {{coin}} all, without funding", "@market_profit_quote"),
        ("{{bot}} {{coin}} spread captured", '@spread_captured_quote{job="maker"}'),
        ("{{bot}} {{coin}} fees", '-@fees_quote{job="maker"}'),
        ("{{bot}} {{coin}} funding", '@funding_quote{job="maker"}'),
        (
            "{{bot}} {{coin}} moves of the price",
            "@market_profit_quote - @spread_captured_quote + @fees_quote",
        ),
    )),
    ("Edge of fills", "percentunit", (("{{coin}} {{kind}}", "@edge_ratio"),)),
    ("Quotes per minute", "short", (
        ("{{bot}} {{coin}} {{side}}", "60 * rate(@quotes_sent_total[5m])"),
    )),
    ("Ends of quotes per minute", "short", (
        ("{{bot}} {{coin}} {{outcome}}", "60 * rate(@quotes_ended_total[5m])"),
    )),
    ("Fills in an hour", "short", (("{{bot}} {{coin}} {{side}}", "increase(@fills_total[1h])"),)),
    ("Inventory", "short", (("{{bot}} {{coin}}", "@inventory_base"),)),
    ("Inventory, share of its limit", "percentunit", (
        ("{{bot}} {{coin}}", "@inventory_limit_ratio"),
    )),
    ("Account's profit", "short", (("{{bot}}", "@account_profit_quote"),)),
    ("Drawdown, share of its limit", "percentunit", (
        ("{{bot}} {{coin}}", "@drawdown_limit_ratio"),
    )),
    ("Guards", "short", (("{{bot}} {{coin}} {{guard}} {{does}}", "@guard_active"),)),
    ("Why nothing is quoted", "short", (("{{bot}} {{coin}} {{kind}}", "@refused"),)),
    ("Requests left", "short", (("{{bot}}", "@requests_left"),)),
    ("Time of a loop", "s", (
        ("{{bot}}", "rate(@loop_seconds_total[1m]) / rate(@loops_total[1m])"),
    )),
    ("Clock ahead of the venue's", "s", (("{{job}} {{coin}}", "@clock_offset_seconds"),)),
    ("Memory", "bytes", (("{{job}}", "process_resident_memory_bytes"),)),
    ("Processor", "percentunit", (("{{job}}", "rate(process_cpu_seconds_total[1m])"),)),
)  # fmt: skip
"""Title, Grafana's unit, and the lines, each a legend and an expression (@: our prefix)."""


def main(argv: list[str] | None = None) -> int:
    """Write all files."""
    for name, text in written().items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return 0


def written() -> dict[str, str]:
    """Return the files, by their path from the root."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    page = _between(page, "metrics", metrics_table())
    page = _between(page, "alerts", alerts_table())
    return {
        "docs/metrics.md": page,
        "docker/monitoring/rules.yml": HEAD + yaml.safe_dump(rules(), sort_keys=False, width=100),
        "docker/monitoring/dashboards/advanced_mm.json": json.dumps(dashboard(), indent=1) + "\n",
    }


def _between(page: str, name: str, text: str) -> str:
    before, mark, rest = page.partition(BEGIN.format(name))
    _, end, after = rest.partition(END.format(name))
    return f"{before}{mark}\n{text}\n{end}{after}"


def metrics_table() -> str:
    """One row a metric."""
    rows = [
        "| metric | type | unit | labels | of | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in METRICS:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        rows.append(
            f"| `{one.full_name}` | {one.kind} | {one.unit} | {labels} | {', '.join(one.of)} "
            f"| {one.means} |"
        )
    return "\n".join(rows)


def alerts_table() -> str:
    """One row an alert."""
    rows = ["| alert | when | for | what to do |", "| --- | --- | --- | --- |"]
    for one in ALERTS:
        rows.append(
            f"| {one.name} | {one.what}: `{one.expression}` | {one.for_seconds:g} s "
            f"| {one.remedy} |"
        )
    return "\n".join(rows)


def rules() -> dict[str, Any]:
    """Return Prometheus' rules: the alerts, and one for a process that does not answer."""
    found: list[dict[str, Any]] = [
        {
            "alert": one.name,
            "expr": one.expression,
            "for": f"{one.for_seconds:.0f}s",
            "labels": {"severity": one.severity},
            "annotations": {"summary": one.what, "remedy": one.remedy},
        }
        for one in ALERTS
    ]
    found.append(
        {
            "alert": "ProcessDown",
            "expr": 'up{job=~"collector|runner|bot|maker"} == 0',
            "for": "60s",
            "labels": {"severity": "critical"},
            "annotations": {
                "summary": "a process does not answer for its metrics",
                "remedy": "does it run, and with its port? take it out of prometheus.yml if not",
            },
        }
    )
    return {"groups": [{"name": "advanced_mm", "rules": found}]}


def dashboard() -> dict[str, Any]:
    """Return Grafana's dashboard, three panels a row."""
    return {
        "uid": "advanced-mm",
        "title": "Advanced Market Making",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _panel(
    number: int, title: str, unit: str, lines: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "gridPos": {"h": 8, "w": 8, "x": 8 * (number % 3), "y": 8 * (number // 3)},
        "targets": [
            {
                "refId": chr(ord("A") + line),
                "expr": expression.replace("@", PREFIX),
                "legendFormat": legend,
            }
            for line, (legend, expression) in enumerate(lines)
        ],
    }


if __name__ == "__main__":
    sys.exit(run(main))
