"""One program at a time does the same work."""

import importlib
from pathlib import Path

import pytest

from advanced_mm.errors import InputError
from advanced_mm.file_lock import only_holder

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "user_data" / "makers" / "sol_simple.yaml"


def lock(path):
    return only_holder(path, "it is being done", "stop that one", "use a local disk")


def test_a_lock_is_held_by_one_and_free_again_afterwards(tmp_path):
    path = tmp_path / "it.lock"
    with lock(path):
        with (
            pytest.raises(InputError, match=r"being done by process \d+: stop that one"),
            lock(path),
        ):
            pass
        assert path.read_text().strip().isdecimal()
    with lock(path):
        pass


def test_a_second_maker_with_the_same_file_does_not_start(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    main = importlib.import_module("market_maker").main
    file = tmp_path / "two.yaml"
    journal = tmp_path / "journal"
    file.write_text(f"{EXAMPLE.read_text()}\njournal: {journal}\n")
    dry = tmp_path / "journal_dry"
    dry.mkdir()
    with lock(dry / "sol_simple.lock"), pytest.raises(InputError, match="sol_simple is already"):
        main(["--config", str(file)])
