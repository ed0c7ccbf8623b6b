"""A real Prometheus with our rules: it reads a bot's port, an alert fires, and it clears."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from advanced_mm.journal import RequestsUsed
from advanced_mm.metrics.server import MetricsServer
from advanced_mm.metrics.trading import TradingMetrics

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian's prometheus)"
)


@pytest.fixture
def bot():
    metrics = TradingMetrics("b")
    with MetricsServer(0, metrics.samples) as server:
        yield metrics, server.port


@pytest.fixture
def ask(bot, tmp_path):
    """Prometheus over the bot's port; yields a function that queries it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    config["rule_files"] = [str(ROOT / "docker" / "monitoring" / "rules.yml")]
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "bot")
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{bot[1]}"]
    config["scrape_configs"] = [job | {"scrape_timeout": "200ms"}]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    words = ["prometheus", f"--config.file={file}", f"--web.listen-address={address}"]
    words.append(f"--storage.tsdb.path={tmp_path / 'data'}")
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def query(text):
        try:
            url = f"http://{address}/api/v1/query?{urlencode({'query': text})}"
            with urlopen(url, timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:  # it is starting
            return None
        return {one["metric"].get("alertname", "value"): one["value"][1] for one in found}

    yield query
    process.terminate()
    process.wait(20)


def wait_for(condition, seconds=80):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.1)


def test_an_alert_fires_under_its_fault_and_clears_after_it(bot, ask):
    metrics, _ = bot
    firing = 'ALERTS{alertstate="firing"}'

    def used(used):
        metrics.recorded(RequestsUsed(time_ms=1, coin="", bot="b", used=used, allowed=10_000))

    used(100)
    wait_for(lambda: ask("advanced_mm_requests_left") == {"value": "9900"})
    assert ask(firing) == {}
    used(9500)
    wait_for(lambda: ask(firing) == {"BudgetLow": "1"})
    used(1000)
    wait_for(lambda: ask(firing) == {})
