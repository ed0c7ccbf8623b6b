"""What the project's own files promise: configuration, containers, requirements, no secrets.

Documentation and commands: ``test_documentation.py`` and ``test_documented_commands.py``.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import advanced_mm

ROOT = Path(__file__).parents[1]


def test_the_base_configuration_is_a_dry_run_with_valid_settings(monkeypatch):
    from advanced_mm.parameter_files import load_config, load_settings

    base = ROOT / "user_data" / "config.json"
    config = load_config([base], {})
    assert config["dry_run"] is True
    assert config["exchange"]["ccxt_config"]["options"]["builderFee"] is False
    assert "key" not in config["exchange"]
    for overlay in sorted((ROOT / "user_data").glob("config*.json")):
        load_settings([base, overlay])


def test_the_compose_file_follows_the_specification():
    subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            "--builtin-schema",
            "vendor.compose-spec",
            ROOT / "docker-compose.yml",
        ],
        check=True,
    )


def test_containers_open_no_port_and_run_without_root():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    monitoring = {name for name, one in services.items() if one.get("profiles") == ["monitoring"]}
    assert monitoring == {"prometheus", "grafana"}  # their images have users of their own
    assert set(services) - monitoring == {"freqtrade", "sidecar", "venue", "dashboard", "maker"}
    assert services["freqtrade"]["container_name"] == "MM_ADV"
    for service in services.values():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:")
        assert service.get("user") != "0:0"
    assert re.search(r"^USER (?!root)", (ROOT / "docker" / "Dockerfile").read_text(), re.M)
    assert re.search(r"^FROM \S+:\d+\.\d+\.\d+", (ROOT / "docker" / "Dockerfile").read_text(), re.M)


def test_no_address_or_key_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".json", ".env", ".yml", ".txt", ".conf"}:
            assert not re.search(r"0x[0-9a-fA-F]{40,}", path.read_text()), name


def test_the_version_is_the_same_wherever_it_stands():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = project.get("version") or advanced_mm.__version__
    changes = re.findall(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert changes[0] == version
    tags = re.findall(r"image: advanced-mm:(\S+)", (ROOT / "docker-compose.yml").read_text())
    assert [tag for tag in tags if tag[0].isdigit() and tag != version] == []


def test_the_licence_is_the_one_that_the_package_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith(f"{project['license']} License\n")
    assert project["authors"][0]["name"] in licence


def test_a_commit_is_checked_by_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M).group(1)
    linted = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == linted
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert not any(hook["pass_filenames"] for hook in hooks)
