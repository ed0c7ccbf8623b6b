"""The container check: what it takes from the compose file, and how it starts what it finds."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from advanced_mm.parameter_files.config import load_config

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docker" / "check_image.py"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_image", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def services(check):
    found = check.services_of(
        ROOT / "docker-compose.yml", ROOT / "docker" / "paper.env", {"MM_UID": "7", "MM_GID": "8"}
    )
    return {service.name: service for service in found}


def test_the_paper_profile_shares_the_network_of_a_venue_that_is_up_first(services):
    order = list(services)
    assert all(
        order.index("venue") < order.index(name) for name in ("freqtrade", "sidecar", "maker")
    )
    assert services["venue"].network == "bridge"
    assert services["venue"].health
    assert {services[name].network for name in ("freqtrade", "sidecar", "maker")} == {
        "service:venue"
    }
    assert services["freqtrade"].waits_for == services["maker"].waits_for == ("venue",)


def test_without_the_paper_profile_bot_and_sidecar_need_no_venue(check, tmp_path):
    nothing = tmp_path / "empty.env"
    nothing.touch()
    services = check.services_of(ROOT / "docker-compose.yml", nothing, {})
    assert {service.network for service in services} == {"bridge"}
    assert {service.user for service in services} == {"1000:1000"}
    waits = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["freqtrade"]
    assert waits["depends_on"]["venue"]["required"] is False


def test_variables_of_the_compose_file_are_filled_in(services):
    bot, sidecar = services["freqtrade"], services["sidecar"]
    assert bot.user == "7:8"
    assert bot.command[-2:] == ["--config", "user_data/config.paper.json"]
    assert ("./user_data", "/app/user_data") in bot.volumes
    assert sidecar.environment["MM_VENUE_URL"] == "ws://127.0.0.1:8792/ws"
    assert sidecar.environment["MM_COINS"] == "ETH"
    assert "--crypto $MM_COINS " in sidecar.health  # for the shell of the container
    assert not any("${" in word for service in services.values() for word in service.command)


def test_docker_starts_a_service_as_the_compose_file_would(check, services, tmp_path):
    command = check.Docker("an-image").command(services["sidecar"], tmp_path)
    assert command[:2] == ["docker", "run"]
    assert command[command.index("an-image") + 1 :] == services["sidecar"].command
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["sidecar"]
    assert f"--restart={compose['restart']}" in command
    assert [f"--cap-drop={name}" for name in compose["cap_drop"]] == ["--cap-drop=ALL"]
    assert "--cap-drop=ALL" in command
    assert all(f"--security-opt={option}" in command for option in compose["security_opt"])
    assert ("--init" in command) is compose["init"]
    assert "--user=7:8" in command
    assert f"--memory={compose['mem_limit']}" in command
    assert f"--volume={tmp_path}/user_data:/app/user_data" in command
    network = next(word for word in command if word.startswith("--network="))
    assert network == f"--network=container:mm-check-{os.getpid()}-venue"
    assert not any(word.startswith(("-p", "--publish")) for word in command)


def test_the_check_runs_every_service_of_the_image(check, services):
    blocks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(services) == {name for name, block in blocks.items() if "build" in block}
    assert services["maker"].command[-1] == f"user_data/makers/{check.MAKER}.yaml"
    assert "user_data/journal/${MM_MAKER}_dry" in services["maker"].health
    assert all(service.health for service in services.values())


def test_each_service_restarts_keeps_little_of_its_log_and_is_bounded_in_memory():
    blocks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, block in blocks.items():
        assert block["restart"] == "unless-stopped", name
        options = block["logging"]["options"]
        assert block["logging"]["driver"] == "json-file", name
        assert options == {"max-size": "10m", "max-file": "3"}, name
        assert re.fullmatch(r"[1-9]\d*m", block["mem_limit"]), name
        assert block["healthcheck"]["test"], name


def test_only_who_trades_sees_the_keys_and_nobody_can_change_them():
    blocks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    seen = {
        name: volume
        for name, block in blocks.items()
        for volume in block.get("volumes", [])
        if volume.startswith("./docker/secrets")
    }
    assert set(seen) == {"freqtrade", "maker"}
    assert set(seen.values()) == {"./docker/secrets:/app/docker/secrets:ro"}
    assert (ROOT / "docker" / "secrets").is_dir()  # otherwise Docker makes it, owned by root
    assert blocks["freqtrade"]["command"].startswith("python scripts/with_keys.py freqtrade trade")


def test_no_port_is_open_beyond_this_machine_and_no_secret_is_written_down():
    blocks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, block in blocks.items():
        assert all(port.startswith("127.0.0.1:") for port in block.get("ports", [])), name
        secret = re.compile("key|secret|password|token", re.IGNORECASE)
        assert not [one for one in block.get("environment", {}) if secret.search(one)], name
        for file in block.get("env_file", []):
            assert file["required"] is False, name


def test_without_docker_and_buildah_the_check_says_what_it_needs(tmp_path):
    run = subprocess.run(
        [sys.executable, SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("error: no container engine")
    assert "docker info" in run.stderr
    assert "buildah" in run.stderr


def test_what_is_not_installed_is_not_copied_into_the_image():
    """The last stage copies the environment and what /app needs, nothing from the installation."""
    _, _, final = (ROOT / "docker" / "Dockerfile").read_text().partition("\n\n\n")
    copied = [line.split()[1] for line in final.splitlines() if line.startswith("COPY")]
    assert copied == ["--from=build", "scripts", "docker/supervisord.conf"]
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed[1] == "*"
    assert {"scripts/HL_data", "**/__pycache__"} <= set(allowed)
    assert not [line for line in allowed if line.startswith("!user_data")]


def test_the_check_looks_for_quotes_where_the_bot_of_the_paper_profile_writes_them(check):
    config = load_config([ROOT / "user_data" / "config.paper.json"], {})
    assert Path(config["market_making"]["parameter_dir"]) == check.PARAMETERS
