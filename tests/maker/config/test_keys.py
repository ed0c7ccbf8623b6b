"""Keys of exchanges: from the environment, or from files that it names."""

import pytest

from advanced_mm.errors import InputError
from advanced_mm.maker.config.keys import keys_of

API_KEY, SECRET = "BINANCE_API_KEY", "BINANCE_API_SECRET"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("of a file\n")
    path.chmod(0o600)
    return path


def refused(environment):
    with pytest.raises(InputError) as error:
        keys_of("binance_spot", environment)
    return str(error.value)


def test_a_key_may_be_in_a_file_that_the_environment_names(file):
    found = keys_of("binance_spot", {API_KEY: "plain", f"{SECRET}_FILE": str(file)})
    assert found == {"apiKey": "plain", "secret": "of a file"}


def test_a_file_that_everybody_can_read_is_refused_with_what_to_do(file):
    file.chmod(0o644)
    said = refused({API_KEY: "plain", f"{SECRET}_FILE": str(file)})
    assert f"chmod 600 {file}" in said
    assert "of a file" not in said


def test_a_file_that_is_missing_empty_or_named_beside_the_key_is_refused(file, tmp_path):
    gone = tmp_path / "gone"
    assert f"{gone} cannot be read" in refused({API_KEY: "plain", f"{SECRET}_FILE": str(gone)})
    file.write_text(" \n")
    assert f"{file} is empty" in refused({API_KEY: "plain", f"{SECRET}_FILE": str(file)})
    both = {API_KEY: "plain", SECRET: "plain", f"{SECRET}_FILE": str(file)}
    assert "both set" in refused(both)


def test_a_file_of_bytes_is_refused(file):
    file.write_bytes(b"\xff\xfe")
    assert "no text" in refused({API_KEY: "plain", f"{SECRET}_FILE": str(file)})
