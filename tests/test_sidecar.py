"""The sidecar's container command, run bare: supervisord over the collector and the runner."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.fixture
def venue(tmp_path):
    """A loopback venue with half an hour of past in ``data``; yields its websocket address."""
    process = subprocess.Popen(
        [
            sys.executable,
            "scripts/paper_exchange.py",
            "--port",
            "0",
            "--history-dir",
            tmp_path / "data",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())["ws"]
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def programs(supervisor: psutil.Process) -> dict[str, psutil.Process]:
    """The supervisor's running children by script."""
    found = {}
    for child in supervisor.children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            found |= {Path(word).stem: child for word in child.cmdline() if word.endswith(".py")}
    return found


def wait_until(condition, seconds: float = 150):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.2)
    return found


def healthy(folder: Path) -> bool:
    command = [sys.executable, "scripts/health_check.py", "--output-dir", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def test_collector_and_runner_are_kept_alive_and_end_together(tmp_path, venue):
    folder = tmp_path / "parameters"
    assert not healthy(folder)
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MM_COINS": "ETH",
        "MM_VENUE_URL": venue,
        "MM_DATA_DIR": str(tmp_path / "data"),
        "MM_OVERLAY": "config.json",
        "MM_COLLECTOR_OPTIONS": "--keep-days 90",
        "MM_RUNNER_OPTIONS": "",
        "FREQTRADE__MARKET_MAKING__PARAMETER_DIR": str(folder),
    }
    log = tmp_path / "supervisord.log"
    command = [BIN / "supervisord", "--nodaemon", "--configuration", "docker/supervisord.conf"]
    pid_file = ["--pidfile", tmp_path / "supervisord.pid"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command + pid_file, cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    supervisor = psutil.Process(process.pid)
    try:
        wait_until(lambda: healthy(folder))
        first = programs(supervisor)
        assert set(first) == {"hyperliquid_data_collector", "periodic_test_runner"}
        first["periodic_test_runner"].kill()
        second = wait_until(
            lambda: (
                (p := programs(supervisor).get("periodic_test_runner"))
                and p.pid != first["periodic_test_runner"].pid
                and p
            )
        )
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert not second.is_running()
        assert not first["hyperliquid_data_collector"].is_running()
    finally:
        for child in supervisor.children(recursive=True) if supervisor.is_running() else []:
            child.kill()
        process.kill()
        process.wait()
    assert list(tmp_path.rglob("*.tmp")) == []
    assert sorted((tmp_path / "data" / "ETH" / "trades").iterdir())
