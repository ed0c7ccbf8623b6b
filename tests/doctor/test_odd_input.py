"""Input of the oddest kinds is a line of the doctor's with a remedy, never an error."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from advanced_mm.doctor.disk import Growth, growth_of_days
from advanced_mm.doctor.env_files import examine_env_files
from advanced_mm.doctor.makers import examine_makers
from advanced_mm.doctor.patient import free_bytes
from advanced_mm.doctor.ports import Listener, examine_ports, listeners_of_machine
from advanced_mm.doctor.records import examine_database, examine_journal
from tests.doctor.conftest import ROOT

EXAMPLE = ROOT / "user_data" / "makers" / "eth_cartea_jaimungal.yaml"
DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "text",
    [
        "- 1\n",
        "name: 2026-13-45\n",
        "name: !!bool maybe\n",
        "name: !!timestamp soon\n",
        f"name: {DIGITS}\n",
        "name: &a [*a]\n",
        f"name: {'[' * 2000}{']' * 2000}\n",
    ],
    ids=["a list", "no date", "no yes", "no time", "too long a number", "in itself", "too deep"],
)
def test_a_makers_file(tmp_path, text):
    path = tmp_path / "maker.yaml"
    path.write_text(text)
    (line,), makers = examine_makers([path], [], {})
    assert (line.level, makers) == ("fault", [])
    assert str(path) in line.text
    assert DIGITS not in line.text


def test_files_that_lead_in_a_circle_or_are_folders(tmp_path):
    circle, folder = tmp_path / "circle.yaml", tmp_path / "folder.yaml"
    circle.symlink_to(circle.name)
    folder.mkdir()
    lines, _ = examine_makers([circle], [circle, folder], {})
    assert [line.level for line in lines] == ["fault", "warning"]
    lines, variables = examine_env_files([circle, folder], [circle])
    assert ([line.level for line in lines], variables) == (["fault", "fault"], {})


@pytest.mark.parametrize("host", ["a..b", "\0", "ünï.."])
def test_a_host_of_no_name(host):
    listener = Listener("the REST API", "api_server.listen_port", host, 8080, frozenset())
    (line,) = examine_ports([listener])
    assert line.level == "fault"
    assert "nobody can listen" in line.text


def test_ports_of_thousands_of_digits():
    told = {"MM_DASHBOARD_PORT": DIGITS, "MM_COLLECTOR_OPTIONS": f"--metrics-port {DIGITS}"}
    lines = list(examine_ports(listeners_of_machine(told)))
    assert [line.level for line in lines] == ["fault", "fault"]
    assert all("is no port" in line.text for line in lines)


@pytest.mark.parametrize("url", [f"sqlite:///{'a' * 300}", "postgresql://me:hidden@host:port/db"])
def test_addresses_of_databases(url):
    (line,) = examine_database(SimpleNamespace(config={"db_url": url}, live=False))
    assert line.level == "fault"
    assert "hidden" not in f"{line.text} {line.remedy}"


def test_folders_that_nobody_may_look_into(tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    folder = tmp_path / "journal"
    for name in ("exists", "stat", "glob", "rglob"):
        monkeypatch.setattr(Path, name, forbidden)
    (line,) = examine_journal(folder, "the bot", 0.0)
    assert (line.level, line.remedy) == ("fault", "fix its permissions")
    assert growth_of_days([folder]) == Growth(0, None)
    assert free_bytes(folder) > 0
    examine_makers([EXAMPLE], [], {})
