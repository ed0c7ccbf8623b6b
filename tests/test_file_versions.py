"""Files of earlier and of later versions, every kind of them.

``earlier_versions`` has what past versions of the code wrote; all of it is still understood. A file
of a later version is refused with the remedy, wherever something would be priced or summed from it.
"""

import importlib
import json
import re
import shutil
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from advanced_mm.calibration import recalibrate as recalibration
from advanced_mm.file_versions import NewerVersionError, check_version
from advanced_mm.hedging import restore_state, save_state
from advanced_mm.journal import (
    EVENTS,
    ClockJumped,
    Fill,
    JournalFollower,
    JournalWriter,
    Look,
    read_journal,
)
from advanced_mm.maker.config import read_config
from advanced_mm.marketdata.importing.ledger import Ledger
from advanced_mm.marketdata.sharing.ledger import SharedLedger, SharedShard
from advanced_mm.marketdata.store import ShardStore
from advanced_mm.markets.candle_notes import CandleNotes
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.files import UnusableParametersError
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import parameter_set_of
from advanced_mm.quoting.journaling.last_mark import last_mark
from advanced_mm.quoting.legs import Held, Legs
from advanced_mm.venue.conditions.saved_state import restore
from tests.test_documentation import DOCS, table_after

ROOT = Path(__file__).parents[1]
EARLIER = Path(__file__).parent / "earlier_versions"
DAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def earlier(tmp_path):
    """A copy of a folder or file of an earlier version."""

    def copied(name):
        source, target = EARLIER / name, tmp_path / Path(name).name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        return target

    return copied


def edited(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---- the list


def test_the_page_lists_every_version_in_the_code():
    rows = table_after(DOCS / "file_versions.md", "versions:")
    listed = {row[2].strip("`"): row[1] for row in rows}
    found = {}
    for path in sorted((ROOT / "advanced_mm").rglob("*.py")):
        if names := re.findall(r"^(\w+_VERSION)\b.* = ", path.read_text(), re.MULTILINE):
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(dotted)
            found |= {f"{dotted}.{name}": str(getattr(module, name)) for name in names}
    assert listed == found


@pytest.mark.parametrize(("found", "version"), [(None, 1), (1, 1), (3, 3)])
def test_a_version_up_to_the_known_one_is_good(found, version):
    assert check_version(found, 3, "file") == version


@pytest.mark.parametrize("found", [0, -1, "2", 1.5, True])
def test_what_is_no_version_is_said(found):
    with pytest.raises(ValueError, match=r"^file: version = .* must be a whole number"):
        check_version(found, 3, "file")


# ---- parameter files and refits


@pytest.mark.parametrize("folder", ["first_files", "before_versions"])
def test_parameters_of_earlier_versions_are_read(folder):
    found = ParameterFiles(EARLIER / folder / "user_data").read("SIM")
    assert {one.status for one in found.entries} == {"ok"}
    assert found.anchor == "mid"
    assert (found.fair_price is None) == (folder == "first_files")
    assert len(found.value_functions) == 1


NAMES = ["kappa.json", "epsilon.json", "lambda.json", "fair_price.json"]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_a_later_version_are_not_used(earlier, name):
    folder = earlier("before_versions/user_data")
    entry = json.loads((folder / name).read_text())["SIM"]
    edited(folder / name, SIM={"version": 2, "renamed": entry["status"]})
    with pytest.raises(
        UnusableParametersError,
        match=rf"{name}: SIM: the entry is of version 2, and this program reads up to 1: update",
    ):
        ParameterFiles(folder).read("SIM")


def test_a_solution_of_a_later_version_is_left_out_and_solved_again(earlier):
    folder = earlier("before_versions/user_data")
    (solved,) = json.loads((folder / "value_function.json").read_text())["SIM"]
    edited(folder / "value_function.json", SIM=[solved | {"version": 2}])
    files = ParameterFiles(folder)
    assert files.read("SIM").value_functions == ()
    assert "of version 2" in str(files.bad_rows)


def test_what_is_published_names_its_version(earlier):
    folder = earlier("before_versions/user_data")
    files = ParameterFiles(folder)
    files.publish({"SIM": files.read("SIM")})
    for name in NAMES:
        assert json.loads((folder / name).read_text())["SIM"]["version"] == 1, name


@pytest.mark.parametrize(("folder", "refits"), [("first_files", 1), ("before_versions", 2)])
def test_refits_of_earlier_versions_are_read_and_go_on(earlier, folder, refits):
    user_data = earlier(f"{folder}/user_data")
    history = CalibrationHistory(user_data / "calibration_history")
    rows = history.read("SIM").to_pylist()
    assert len(rows) == refits
    known = ParameterFiles(user_data).read("SIM")
    again = parameter_set_of("SIM", rows[-1])
    assert (again.kappa, again.epsilon, again.lambda_) == (
        known.kappa,
        known.epsilon,
        known.lambda_,
    )
    history.append({"SIM": known})
    history.merge()
    assert set(history.read("SIM")["version"].to_pylist()) == {None, 1}


def test_refits_of_a_later_version_are_neither_read_nor_merged(earlier):
    history = CalibrationHistory(earlier("before_versions/user_data/calibration_history"))
    (lines,) = (history.directory / "SIM").glob("*.jsonl")
    line = json.loads(lines.read_text())
    lines.write_text(json.dumps(line | {"version": 2, "kappa_status": ["of another type"]}) + "\n")
    for look in (lambda: history.read("SIM"), history.merge):
        with pytest.raises(NewerVersionError, match=r"jsonl' is of version 2.* update the program"):
            look()
    assert lines.exists()


def test_refits_from_a_recording_go_on_and_those_of_a_later_version_do_not(earlier):
    note = earlier("before_versions/recalibrated_history") / "SIM" / "made_from.json"
    store = ShardStore(earlier("before_versions/recording"))
    edited(note, data_dir=str(store.data_dir.resolve()))
    plan = recalibration.RecalibrationPlan(
        since_ms=1_760_000_025_000, until_ms=1_760_000_025_000, step_seconds=15
    )
    history = CalibrationHistory(note.parents[1])
    recalibration.recalibrate(store, "SIM", Settings(), history, plan)
    edited(note, version=2)
    with pytest.raises(NewerVersionError, match=r"made_from.json' is of version 2"):
        recalibration.recalibrate(store, "SIM", Settings(), history, plan)


def test_refits_of_an_earlier_way_of_making_them_are_not_joined(earlier, monkeypatch):
    monkeypatch.setattr(recalibration, "ORIGIN_VERSION", 2)
    note = earlier("before_versions/recalibrated_history")
    store = ShardStore(earlier("before_versions/recording"))
    with pytest.raises(ValueError, match=r"earlier version of this program: delete this folder"):
        recalibration.recalibrate(
            store, "SIM", Settings(), CalibrationHistory(note), recalibration.RecalibrationPlan()
        )


# ---- the journal


@pytest.mark.parametrize("folder", ["first_journal", "before_versions"])
def test_the_journal_of_earlier_versions_is_read_and_goes_on(earlier, folder):
    journal = earlier(f"{folder}/journal")
    found = read_journal(journal)
    assert found.notes.sentences() == []
    counts = {kind.event: found.table(kind).num_rows for kind in EVENTS}
    assert counts[Fill.event] == counts[Look.event] == 2
    clock = [int(NOON.timestamp() * 1000) + 60_000]
    writer = JournalWriter(journal, "mm", None, lambda: clock[0], lambda: clock[0])
    (event,) = found.events(Fill)[:1]
    writer.record(event)
    writer.close()  # merges the lines of before
    assert not list(journal.rglob("*.jsonl"))
    again = read_journal(journal)
    assert again.notes.sentences() == []
    assert again.table(Fill).num_rows == 3
    assert again.table(Look).num_rows == 2


def later_journal(journal):
    """Let the newest line be of a later version, with a column of another type."""
    (lines,) = journal.rglob("*.jsonl")
    line = json.loads(lines.read_text().splitlines()[-1])
    with lines.open("a") as file:
        file.write(json.dumps(line | {"version": 2, "time_ms": "noon"}) + "\n")
    return lines


def test_a_journal_of_a_later_version_is_neither_summed_nor_merged(earlier, caplog):
    journal = earlier("before_versions/journal")
    follower = JournalFollower(journal)
    assert len(follower.news()) > 10
    lines = later_journal(journal)
    with pytest.raises(NewerVersionError, match=r"jsonl' is of version 2.* update the program"):
        read_journal(journal)
    with pytest.raises(NewerVersionError):  # the day's loss would be forgotten
        last_mark(journal, "mm", NOON)
    assert follower.news() == []
    assert follower.unreadable == 1
    assert caplog.text.count("of version 2") == 1
    before = lines.read_bytes()
    clock = [int(NOON.timestamp() * 1000) + 60_000]
    writer = JournalWriter(journal, "mm", None, lambda: clock[0], lambda: clock[0])
    writer.record(ClockJumped(time_ms=clock[0], coin="SIM", bot="mm", seconds=1.0))
    writer.close()
    assert "journal not merged" in caplog.text
    assert lines.read_bytes().startswith(before)


def test_a_merged_day_of_a_later_version_is_not_summed(earlier):
    journal = earlier("before_versions/journal")
    (day,) = journal.rglob("*.parquet")
    table = pq.read_table(day)
    pq.write_table(table.append_column("version", [[2] * table.num_rows]), day)
    with pytest.raises(NewerVersionError, match=r"parquet' is of version 2"):
        read_journal(journal)


# ---- recordings


@pytest.mark.parametrize(
    ("folder", "kinds"), [("first_files", 4), ("before_versions", 5)], ids=["version 1", "2"]
)
def test_recordings_of_earlier_versions_are_read(folder, kinds):
    store = ShardStore(EARLIER / folder / "recording")
    recording = store.read("SIM")
    assert len(recording.quotes) == 187
    assert len(recording.trades) == 674
    assert len(recording.book_time_ms) == 19
    assert recording.tick == 0.1
    assert len(store.connections("SIM")) == 1
    assert len(list((store.data_dir / "SIM").glob("*/*.parquet"))) == kinds


def test_ledgers_of_earlier_versions_are_read_and_numbered(earlier):
    folder = earlier("before_versions/ledgers")
    with SharedLedger(folder, "memory://recordings") as ledger:
        assert ledger.owner == "a6af0e3d426846c381865069a73a1d4c"
        assert ledger.shards("SIM", "trades") == {"trades_1.parquet": SharedShard(100, 7)}
    with Ledger(folder) as imports:
        assert (imports.progress("part.csv", "SIM").lines, imports.progress("x", "SIM").lines) == (
            12,
            0,
        )
    path = folder / ".imports.sqlite"
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        database.execute("PRAGMA user_version = 2")
    database.close()
    for _ in range(2):  # and it is let go of
        with pytest.raises(NewerVersionError, match=r"sqlite' is of version 2"):
            Ledger(folder)


def test_notes_of_candles_of_an_earlier_version_are_read(earlier):
    folder = earlier("before_versions/candles")
    notes = CandleNotes.read(folder)
    assert notes.pairs["SIM/USDC:USDC"].minutes == 11
    notes.write(folder)
    assert CandleNotes.read(folder) == notes
    edited(folder / "recording.json", version=2)
    with pytest.raises(NewerVersionError, match=r"recording.json is of version 2"):
        CandleNotes.read(folder)


# ---- makers, legs, the venue


def test_a_makers_file_of_an_earlier_version_is_read_and_of_a_later_one_refused(earlier):
    path = earlier("before_versions/maker.yaml")
    assert read_config(path).settings.version == 1
    path.write_text(f"version: 2\nsomething_new: 1\n{path.read_text()}")
    with pytest.raises(NewerVersionError, match=r"maker.yaml is of version 2, and this program"):
        read_config(path)


def test_a_hedges_state_of_an_earlier_version_is_restored(earlier):
    path = earlier("before_versions/hedge.maker.hyperliquid.SIM.json")
    state = restore_state(path.read_bytes(), str(path))
    assert state.position == Decimal("-0.5")
    assert list(state.orders.values()) == ["hedge posting"]
    path.write_bytes(save_state(state))
    assert restore_state(path.read_bytes(), str(path)) == state
    path.write_text(json.dumps({"version": 2, "all": "new"}))
    with pytest.raises(NewerVersionError, match=r"SIM.json is of version 2"):
        restore_state(path.read_bytes(), str(path))


def test_the_other_leg_may_be_of_an_earlier_version_but_of_no_later_one(earlier, caplog):
    folder = earlier("before_versions/legs").parent
    now = [1000.0]
    short = Legs(folder, "short", clock=lambda: now[0])
    path = folder / "legs" / "long.json"

    def heard(**changes):
        for beat in (1, 2):
            edited(path, beat=beat, **changes)
            found = short.joint("SIM", 0)
            now[0] += 1
        return found

    assert heard() == 1
    short.tell({"SIM": Held(0.0)})
    assert json.loads((folder / "legs" / "short.json").read_text())["version"] == 1
    assert heard(version=2) is None
    assert f"{path} is of version 2" in caplog.text


def test_the_venue_is_restored_from_its_first_version():
    path = EARLIER / "before_versions" / "venue.json"
    venue, saved = restore(path, 1_790_000_009_000)
    assert saved.version == 1
    assert venue.exchange.now_ms == 1_790_000_009_000
