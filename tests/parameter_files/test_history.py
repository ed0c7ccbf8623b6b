"""The history of refits.

Behaviours: what was appended is read back bit by bit, whoever asks and however far the merging has
come; nothing published later is ever seen; a crash at any moment loses and doubles nothing; bad
files are named and left alone; old days go.
"""

import json
import multiprocessing
import time
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm import day_files
from advanced_mm.errors import InputError
from advanced_mm.parameter_files import (
    EpsilonEntry,
    FairPriceEntry,
    KappaEntry,
    LambdaEntry,
    ParameterEntry,
)
from advanced_mm.parameter_files.history import CalibrationHistory
from advanced_mm.parameter_files.history_rows import SCHEMA, parameter_set_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def history(tmp_path):
    return CalibrationHistory(tmp_path / "history")


def at(time):
    return {"published_at": time, "fitted_at": time - timedelta(seconds=1)}


def fill(history, make_set, count, start=NOON, every=timedelta(seconds=15)):
    sets = [
        make_set(f"{start:%d %H}-{i}", kappa_plus=1.0 + i, **at(start + i * every))
        for i in range(count)
    ]
    for one in sets:
        history.append({"ETH": one})
    return sets


def files(history):
    return sorted(p.name for p in (history.directory / "ETH").iterdir() if p.name[0] != ".")


def test_a_refit_comes_back_as_it_was_published(history, make_set):
    wanted = make_set("r1", window_grown=True, epsilon_fill_slope_minus=-0.5, mid=0.1 + 0.2)
    history.append({"ETH": wanted})
    (row,) = history.read("ETH").to_pylist()
    assert parameter_set_of("ETH", row) == wanted
    assert row["kappa_status"] == "ok"
    assert row["lambda_n+"] == 1150
    assert row["epsilon_fill-_se"] is None
    assert history.coins() == ["ETH"]


def test_a_coin_s_folder_has_no_colon_and_one_of_before_is_gone_on_with(history, make_set):
    coin, folder = "xyz:XYZ100", history.directory / "xyz-XYZ100"
    history.append({coin: make_set("r1", **at(NOON))})
    folder.rename(history.directory / coin)
    assert history.coins() == [coin]
    assert history.newest_day(coin) == NOON.date()
    assert history.read(coin)["calibration_id"].to_pylist() == ["r1"]
    later = CalibrationHistory(history.directory)
    later.append({coin: make_set("r2", **at(NOON + timedelta(seconds=15)))})
    assert [path.name for path in history.directory.iterdir()] == ["xyz-XYZ100"]
    assert history.coins() == [coin]
    times = [round((NOON + timedelta(seconds=s)).timestamp() * 1000) for s in (1, 16)]
    assert history.parameters_at(coin, times)["calibration_id"].to_pylist() == ["r1", "r2"]


def test_an_insufficient_refit_is_a_row_too(history, make_set):
    header = make_set().kappa.model_dump(include={"window_seconds", "observed_seconds"})
    bare = {**header, "published_at": NOON, "calibration_id": "r0", "status": "insufficient"}
    counts = dict.fromkeys(("n_plus", "n_minus", "n1_plus", "n1_minus"), 3)
    whole = make_set()
    kinds = (KappaEntry, EpsilonEntry, LambdaEntry)
    nothing = type(whole)("ETH", *(kind(**bare, **counts) for kind in kinds), ())
    history.append({"ETH": nothing})
    (row,) = history.read("ETH").to_pylist()
    assert parameter_set_of("ETH", row) == nothing
    assert row["kappa+"] is None


def test_every_field_of_every_entry_has_a_column_of_its_own():
    around = (KappaEntry, EpsilonEntry, LambdaEntry)
    kinds = (*around, *around, FairPriceEntry)
    shared = {"calibration_id", "published_at", "version"}
    count = sum(len(set(kind.model_fields) - shared) for kind in kinds) - len(around)
    assert len(set(SCHEMA.names)) == len(SCHEMA.names) == count + len(shared) + 2
    assert len(set(ParameterEntry.model_fields) - shared) * 7 < count


def test_a_row_has_the_fair_price_if_there_was_one(history, make_set):
    history.append({"ETH": make_set("r1", beta=-0.2, published_at=NOON)})
    history.append({"ETH": make_set("r2", published_at=NOON + timedelta(seconds=15))})
    for _ in ("lines", "merged"):
        with_one, without = history.read("ETH").to_pylist()
        assert parameter_set_of("ETH", with_one) == make_set("r1", beta=-0.2, published_at=NOON)
        assert parameter_set_of("ETH", without).fair_price is None
        history.merge()


def test_a_day_written_before_there_was_a_fair_price_is_read(history, make_set):
    history.append({"ETH": make_set("r1", published_at=NOON)})
    history.merge()
    (day,) = (history.directory / "ETH").glob("*.parquet")
    table = pq.read_table(day)
    new = ("fair_", "beta")
    older = [n for n in table.column_names if not n.startswith(new) and not n.endswith("_anchor")]
    assert len(older) < len(table.column_names)
    pq.write_table(table.select(older), day)
    (row,) = history.read("ETH").to_pylist()
    assert parameter_set_of("ETH", row) == make_set("r1", published_at=NOON)


def test_a_day_is_one_file_that_other_tools_can_read(history, make_set):
    fill(history, make_set, 5)
    fill(history, make_set, 5, NOON + timedelta(days=1))
    history.merge()
    assert files(history) == ["2026-11-23.parquet", "2026-11-24.parquet"]
    table = pq.read_table(history.directory / "ETH" / "2026-11-23.parquet")
    assert table["kappa+"].to_pylist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert table["published_at"].to_pylist()[0] == NOON


def test_lines_are_merged_now_and_then_and_at_the_day_s_end(history, make_set):
    fill(history, make_set, 600)
    assert files(history) == ["2026-11-23.jsonl", "2026-11-23.parquet"]
    merged = pq.read_table(history.directory / "ETH" / "2026-11-23.parquet").num_rows
    assert 600 - 240 <= merged < 600
    assert history.read("ETH").num_rows == 600
    fill(history, make_set, 1, NOON + timedelta(days=1))
    assert files(history) == ["2026-11-23.parquet", "2026-11-24.parquet"]


def test_bounds_are_included(history, make_set):
    fill(history, make_set, 20, every=timedelta(hours=4))
    between = history.read("ETH", NOON + timedelta(hours=8), NOON + timedelta(hours=24))
    assert between["kappa+"].to_pylist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert history.read("ETH", end=NOON - timedelta(seconds=1)).num_rows == 0
    assert history.read("WLFI").num_rows == 0


@settings(deadline=None, max_examples=50)
@given(
    # Published times in microseconds over four days, some of them within one millisecond.
    published=st.lists(st.integers(0, 4 * 86_400_000_000), unique=True, max_size=12),
    near=st.lists(st.integers(-1500, 1500), max_size=5),
    asked=st.lists(st.integers(-86_400_000, 6 * 86_400_000), max_size=12),
    merged=st.booleans(),
)
def test_parameters_never_look_ahead(tmp_path_factory, make_set, published, near, asked, merged):
    history = CalibrationHistory(tmp_path_factory.mktemp("history"))
    published += (
        [us for us in (published[0] + n for n in near) if us not in published and us >= 0]
        if published
        else []
    )
    for us in dict.fromkeys(published):
        history.append({"ETH": make_set(f"r{us}", **at(NOON + timedelta(microseconds=us)))})
    if merged:
        history.merge()
    asked += [us // 1000 + k for us in published for k in (0, 1)]
    noon_ms = int(NOON.timestamp() * 1000)
    found = history.parameters_at("ETH", [noon_ms + ms for ms in asked])
    naive = [max((us for us in published if us <= ms * 1000), default=None) for ms in asked]
    assert found["calibration_id"].to_pylist() == [None if us is None else f"r{us}" for us in naive]
    assert found.schema.names == SCHEMA.names


@pytest.mark.parametrize("times", [[1.5], ["now"], [[1]]])
def test_times_that_are_no_milliseconds_are_refused(history, times):
    with pytest.raises(InputError, match="epoch milliseconds"):
        history.parameters_at("ETH", times)


def test_times_far_out_are_no_trouble(history, make_set):
    assert history.parameters_at("ETH", []).num_rows == 0
    assert history.parameters_at("ETH", [0]).to_pylist()[0]["calibration_id"] is None
    fill(history, make_set, 1)
    found = history.parameters_at("ETH", [2**62, -(2**62)])
    assert found["kappa+"].to_pylist() == [1.0, None]


def test_a_line_cut_short_by_a_crash_is_no_line_and_spoils_no_other(history, make_set, caplog):
    fill(history, make_set, 3)
    path = history.directory / "ETH" / "2026-11-23.jsonl"
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert history.read("ETH").num_rows == 1 + whole[:length].count(b"\n")
    path.write_bytes(whole[:-5])
    after = CalibrationHistory(history.directory)
    fill(after, make_set, 1, NOON + timedelta(hours=1))
    assert after.read("ETH")["kappa+"].to_pylist() == [1.0, 2.0, 1.0]
    assert "truncated" in caplog.text


def test_a_crash_between_merging_and_deleting_doubles_nothing(history, make_set, monkeypatch):
    fill(history, make_set, 10)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            history.merge()
    assert files(history) == ["2026-11-23.jsonl", "2026-11-23.parquet"]
    assert history.read("ETH").num_rows == 10
    history.merge()
    assert files(history) == ["2026-11-23.parquet"]
    assert history.read("ETH").num_rows == 10


def _killed(*_, **__):
    raise KeyboardInterrupt


def test_a_failed_merge_leaves_the_old_file_and_the_lines(history, make_set, monkeypatch):
    fill(history, make_set, 10)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(day_files.pq.ParquetWriter, "write_table", full)
        with pytest.raises(OSError, match="No space"):
            history.merge()
    assert history.read("ETH").num_rows == 10
    assert not list((history.directory / "ETH").glob("*.tmp"))


def test_a_file_that_is_no_history_is_named_and_left_alone(history, make_set):
    folder = history.directory / "ETH"
    folder.mkdir(parents=True)
    bad = folder / "2026-11-23.parquet"
    bad.write_bytes(b"not parquet")
    one = make_set("r1", **at(NOON))
    with pytest.raises(InputError, match=r"2026-11-23\.parquet.*move it away"):
        history.append({"ETH": one, "BTC": one})
    assert history.read("BTC").num_rows == 1  # the other coin's was kept all the same
    with pytest.raises(InputError, match="cannot be read"):
        history.read("ETH")
    history.append({"ETH": make_set("r2", **at(NOON + timedelta(seconds=15)))})
    bad.unlink()
    assert history.read("ETH")["calibration_id"].to_pylist() == ["r1", "r2"]


def test_files_of_another_version_are_read_by_their_names(history, make_set):
    fill(history, make_set, 3)
    history.merge()
    path = history.directory / "ETH" / "2026-11-23.parquet"
    older = pq.read_table(path).drop_columns(["kappa+_se"])
    pq.write_table(older.append_column("novelty", older["kappa+"]), path)
    table = history.read("ETH")
    assert table.schema == SCHEMA
    assert table["kappa+_se"].to_pylist() == [None] * 3


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, make_set):
    (tmp_path / "history").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        CalibrationHistory(tmp_path / "history").append({"ETH": make_set()})


def test_days_beyond_the_retention_are_deleted_and_other_files_kept(history, make_set):
    for day in range(5):
        fill(history, make_set, 1, NOON + timedelta(days=day))
    (history.directory / "ETH" / "notes.parquet").write_text("mine")
    keeping = CalibrationHistory(history.directory, keep_days=2)
    fill(keeping, make_set, 2, NOON + timedelta(days=5))
    keeping.merge()
    days = [f"2026-11-{day}.parquet" for day in (26, 27, 28)]
    assert files(history) == [*days, "notes.parquet"]


def _append_many(directory, sets):
    history = CalibrationHistory(directory)
    for one in sets:
        history.append({"ETH": one})
        history.merge()


def test_two_writers_lose_nothing(history, make_set):
    context = multiprocessing.get_context("spawn")
    times = [NOON + timedelta(seconds=i) for i in range(20)]
    sets = [make_set(f"r{i}", **at(time)) for i, time in enumerate(times)]
    writers = [
        context.Process(target=_append_many, args=(history.directory, sets[k::2])) for k in (0, 1)
    ]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        now = history.read("ETH").num_rows
        assert now >= seen  # a reader never sees a refit go
        seen = now
        time.sleep(0.02)
    for writer in writers:
        writer.join()
    assert history.read("ETH")["calibration_id"].to_pylist() == [f"r{i}" for i in range(20)]


def test_lines_are_json_for_a_person(history, make_set):
    fill(history, make_set, 2)
    (line,) = (history.directory / "ETH" / "2026-11-23.jsonl").read_text().splitlines()
    assert json.loads(line)["kappa+"] == 2.0


def test_rows_that_are_no_refits_cost_themselves(history, make_set, caplog):
    fill(history, make_set, 3)
    path = history.directory / "ETH" / "2026-11-23.jsonl"
    first, *others = path.read_text().splitlines()
    strays = ['{"kappa+": 5.0}', '{"calibration_id": "r9"}', "[]", '{"kappa+": "much"}', "{"]
    path.write_text("\n".join([first, *strays, *others]) + "\n")
    assert history.read("ETH")["kappa+"].to_pylist() == [1.0, 2.0, 3.0]
    assert "skipped 2 rows that are not refits" in caplog.text
    assert "skipped 3 of 7 lines (truncated)" in caplog.text
    history.merge()
    assert history.read("ETH")["kappa+"].to_pylist() == [1.0, 2.0, 3.0]
