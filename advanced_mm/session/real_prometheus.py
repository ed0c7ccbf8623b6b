"""A real Prometheus over processes of this machine, with our rules."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import requests
import yaml

from advanced_mm.errors import InputError
from advanced_mm.session.bots import free_port

__all__ = ["RealPrometheus"]

_PATIENCE_SECONDS: Final = 60.0


class RealPrometheus:
    """Started and ended with a block; `prometheus`, as Debian has it, must be on the path.

    Parameters
    ----------
    folder
        Receives its configuration, data and log.
    config
        As in prometheus.yml, whose times are kept.
    rules
        As in a file of rules, in place of those that the configuration names.
    targets
        Addresses (host:port) by the name of the job, in place of the configuration's.

    Raises
    ------
    InputError
        If it ends before it answers, with its last words.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        rules: Mapping[str, Any],
        targets: Mapping[str, list[str]],
    ) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(yaml.safe_dump(dict(rules)), encoding="utf-8")
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in targets.items()
        ]
        changed = {**config, "rule_files": ["rules.yml"], "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(changed), encoding="utf-8")

    def __enter__(self) -> Self:
        log = self._folder / "prometheus.log"
        words = [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self.address.removeprefix('http://')}",
        ]
        with log.open("wb") as said:
            self._process = subprocess.Popen(words, stdout=said, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                last = log.read_text(encoding="utf-8", errors="replace")[-500:]
                raise InputError(f"Prometheus does not answer; {log} ends with: {last}")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.address}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def _get(self, path: str, **query: str) -> Any:
        answer = requests.get(f"{self.address}/api/v1/{path}", params=query, timeout=10).json()
        if answer["status"] != "success":
            raise InputError(f"Prometheus answers {query or path} with {answer['error']}.")
        return answer["data"]

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate an expression now: labels and value of each series.

        Raises
        ------
        InputError
            If Prometheus cannot evaluate it, with what it says.
        """
        found = self._get("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def health(self) -> dict[str, str]:
        """Return by address whether each target is ``up``, ``down`` or ``unknown``, not scraped."""
        found = self._get("targets", state="active")["activeTargets"]
        return {one["labels"]["instance"]: one["health"] for one in found}

    def faults(self) -> list[str]:
        """Return what Prometheus found wrong when it evaluated the rules."""
        groups = self._get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{one['name']}: {one['lastError']}" for one in rules if one.get("lastError")]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        found = self._get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}
