"""The doctor as it is called: options as Freqtrade's, a table or JSON, and an exit code."""

import json
import runpy
import shlex
import subprocess

import pytest

from advanced_mm.doctor import Line, exit_code
from tests.doctor.conftest import ROOT

URLS = {"api": {"public": "http://127.0.0.1:1", "private": "http://127.0.0.1:1"}}


@pytest.fixture
def doctor(setup, monkeypatch):
    """The script in the set-up's folder, where data and parameters are old by the real clock."""
    monkeypatch.chdir(setup.folder)
    return runpy.run_path(str(ROOT / "scripts" / "doctor.py"))["main"]


def test_it_prints_what_is_wrong_and_what_to_do(setup, doctor, capsys):
    overlay = setup.user_data / "config.eth_dry.json"
    overlay.write_text(json.dumps({"exchange": {"ccxt_config": {"urls": URLS}}}))
    data = ["--data-dir", "HL_data"]
    words = ["--config", "user_data/config.json", str(overlay)]
    assert doctor([*words, *data]) == 2
    shown = capsys.readouterr().out
    assert "http://127.0.0.1:1/info" in shown
    assert "→ check the network" in shown
    assert "is the collector running?" in shown
    assert "2 faults, 1 warning, 3 not checked" in shown
    words = ["--config", "user_data/config.json", "--config", str(overlay)]
    assert doctor([*words, *data]) == 2
    assert "http://127.0.0.1:1/info" in capsys.readouterr().out


def test_json_has_the_lines_and_the_exit_code(doctor, capsys):
    assert doctor(["--offline", "--json", "--data-dir", "HL_data"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    faults = [line for line in told["lines"] if line["level"] == "fault"]
    assert [line["check"] for line in faults] == ["recordings", "parameters"]
    assert set(faults[0]) == {"check", "level", "text", "remedy"}


def test_it_takes_the_variables_of_a_container_from_its_file(setup, doctor, capsys):
    file = setup.folder / "secrets.env"
    file.write_text("FREQTRADE__EXCHANGE__PRIVATE_KEY_FILE=nowhere\n")
    options = ["--offline", "--json", "--data-dir", "HL_data", "--env-file", str(file)]
    assert doctor(options) == 2
    lines = json.loads(capsys.readouterr().out)["lines"]
    texts = {line["check"]: line["text"] for line in lines}
    assert texts["environment"] == f"{file} sets FREQTRADE__EXCHANGE__PRIVATE_KEY_FILE"
    (told,) = [line for line in lines if line["check"] == "keys" and line["level"] == "fault"]
    assert "nowhere cannot be read" in told["text"]


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        (["ok", "unchecked"], 0),
        (["ok", "warning", "unchecked"], 1),
        (["fault", "warning"], 2),
        ([], 0),
    ],
)
def test_the_worst_line_gives_the_exit_code(levels, code):
    assert exit_code(Line("it", level, "is so") for level in levels) == code


def test_make_hands_its_variables_to_the_doctor():
    make = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "doctor", "CONFIG=a.json b.json", "DATA=HL"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    (line,) = [one for one in make.stdout.splitlines() if "doctor.py" in one]
    parse = runpy.run_path(str(ROOT / "scripts" / "doctor.py"))["parse"]
    asked = parse(shlex.split(line)[2:])
    assert [str(path) for path in asked.config] == ["a.json", "b.json"]
    assert str(asked.data_dir) == "HL"
