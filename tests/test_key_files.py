"""Secrets in files that variables name: taken over, refused with what to do, and never shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from advanced_mm.errors import InputError
from advanced_mm.key_files import KeyFileError, value_of, with_values_of_files
from advanced_mm.maker.config.keys import keys_of

ROOT = Path(__file__).parents[1]
API_KEY, SECRET = "BINANCE_API_KEY", "BINANCE_API_SECRET"
TOKEN = "FREQTRADE__TELEGRAM__TOKEN"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("hidden value\n")
    path.chmod(0o600)
    return path


def refused(file):
    environment = {SECRET: "", f"{SECRET}_FILE": str(file)}
    with pytest.raises(KeyFileError) as error:
        value_of(SECRET, environment)
    with pytest.raises(InputError):
        keys_of("binance_spot", {API_KEY: "plain", **environment})
    assert error.value.variable == SECRET
    said = str(error.value)
    assert said == f"{error.value.fault}; {error.value.remedy}."
    assert "hidden value" not in said
    return said


def test_a_key_may_be_in_a_file_that_the_environment_names(file):
    found = keys_of("binance_spot", {API_KEY: "plain", f"{SECRET}_FILE": str(file)})
    assert found == {"apiKey": "plain", "secret": "hidden value"}


def test_a_file_that_everybody_can_read_is_refused_with_what_to_do(file):
    file.chmod(0o640)
    assert value_of(SECRET, {f"{SECRET}_FILE": str(file)}) == "hidden value"
    file.chmod(0o604)
    assert f"chmod 600 {file}" in refused(file)


def test_a_file_that_is_missing_empty_of_bytes_or_named_beside_the_key_is_refused(file, tmp_path):
    gone = tmp_path / "gone"
    assert f"{gone} cannot be read (No such file" in refused(gone)
    file.write_text(" \n")
    assert f"{file} is empty" in refused(file)
    file.write_bytes(b"\xff\xfe")
    assert "no text" in refused(file)
    with pytest.raises(KeyFileError, match="both set; unset one"):
        value_of(SECRET, {SECRET: "plain", f"{SECRET}_FILE": str(file)})


@pytest.mark.parametrize("key", ["0x" + "ab" * 32, "ab" * 32, "aB3" * 21 + "Z"])
def test_a_key_set_where_its_files_name_should_be_is_not_shown(key):
    said = refused(key)
    assert "seems to be the key itself" in said
    assert key not in said


def test_of_an_environment_the_values_of_files_are_set_and_their_names_are_not(file, tmp_path):
    environment = {
        f"{TOKEN}_FILE": str(file),
        "FREQTRADE__EXCHANGE__KEY_FILE": str(tmp_path / "gone"),
        "FREQTRADE__EMPTY_FILE": "",
        "OTHER_FILE": "stays",
    }
    found, failed = with_values_of_files(environment, "FREQTRADE__")
    assert found == {TOKEN: "hidden value", "OTHER_FILE": "stays"}
    assert [error.variable for error in failed] == ["FREQTRADE__EXCHANGE__KEY"]


def with_keys(*command, **environment):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "with_keys.py", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_command_gets_the_values_of_files_or_is_not_run(file):
    shows = [sys.executable, "-c", f"import os, sys; print(os.environ.get('{TOKEN}')); sys.exit(7)"]
    run = with_keys(*shows, **{f"{TOKEN}_FILE": str(file)})
    assert (run.stdout, run.returncode) == ("hidden value\n", 7)
    file.chmod(0o644)
    run = with_keys(*shows, **{f"{TOKEN}_FILE": str(file)})
    assert (run.stdout, run.returncode) == ("", 2)
    assert run.stderr.startswith(f"error: {TOKEN}_FILE: everybody can read")
    run = with_keys("no-such-program")
    assert run.stderr == "error: no-such-program cannot be run: No such file or directory.\n"


def test_the_command_takes_its_place_so_that_signals_reach_it():
    """Docker sends SIGTERM to what it started, and waits for the exit code of that."""
    tells = [sys.executable, "-c", "import os; print(os.getpid())"]
    command = [sys.executable, ROOT / "scripts" / "with_keys.py", *tells]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.communicate()[0]) == process.pid
