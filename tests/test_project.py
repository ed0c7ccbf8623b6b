"""What the project's own files promise: README, everyday commands, containers, no secrets."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from advanced_mm.parameter_files import Settings

ROOT = Path(__file__).parents[1]
COMMANDS = [
    line for line in (ROOT / "commands.txt").read_text().splitlines() if line and line[0] != "#"
]


def test_the_readme_lists_every_setting_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.M)
    documented = {name: (default, meaning) for name, default, meaning in rows}
    for name, field in Settings.model_fields.items():
        default = "null" if field.default is None else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        assert documented.pop(name) == (default, field.description), name
    assert not documented


def test_the_base_configuration_is_a_dry_run_with_valid_settings(monkeypatch):
    from advanced_mm.parameter_files import load_config, load_settings

    base = ROOT / "user_data" / "config.json"
    config = load_config([base], {})
    assert config["dry_run"] is True
    assert config["exchange"]["ccxt_config"]["options"]["builderFee"] is False
    assert "key" not in config["exchange"]
    for overlay in sorted((ROOT / "user_data").glob("config*.json")):
        load_settings([base, overlay])


@cache
def help_of(*command: str) -> str:
    return subprocess.run(
        [*command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith(("python", "freqtrade"))])
def test_each_everyday_command_knows_its_options(line):
    words = shlex.split(line)
    if words[0] == "python":
        assert (ROOT / words[1]).is_file()
        shown = help_of(sys.executable, words[1])
    else:
        shown = help_of(sys.executable, "-m", "freqtrade", words[1])
    for word in words:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            assert re.search(rf"(^|[\s,]){re.escape(word)}\b", shown, re.M), word


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("make")])
def test_each_make_target_exists(line):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert shlex.split(line)[1] in targets


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
    assert set(services) == {"freqtrade", "sidecar", "venue"}
    assert services["freqtrade"]["container_name"] == "MM_ADV"
    for service in services.values():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:")
        assert service["user"] != "0:0"
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
