"""Rows by time and columns, from no more files than needed; and shards of later versions."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore, selection
from advanced_mm.marketdata import store as store_module
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.marketdata.compaction import HOUR_MS, compact_coin
from advanced_mm.marketdata.schemas import KINDS, SCHEMA_VERSION, SCHEMAS, shard_metadata

START_MS = 480_000 * HOUR_MS


@pytest.fixture(scope="module")
def original(tmp_path_factory, wire):
    """Twelve hours with three shards an hour and kind, and a connection log."""
    store = ShardStore(tmp_path_factory.mktemp("recorded"))
    recorder = Recorder(store, ["ETH"], {"ETH": 0.1})
    recorder.connected((START_MS - 5) / 1000)
    for number in range(36):
        ms = START_MS + number * HOUR_MS // 3
        recorder.handle(wire.bbo(ms, bid=100 - number), ms / 1000)
        recorder.handle(wire.trades((ms, number)), ms / 1000)
        recorder.handle(wire.book(ms, levels=3), ms / 1000)
        recorder.flush()
    return store


@pytest.fixture
def recorded(original, store):
    shutil.copytree(original.data_dir, store.data_dir)
    return store


@pytest.fixture
def opened(monkeypatch):
    """Names of the files opened and the columns read from their row groups."""
    files, columns = [], []

    class Counted(pq.ParquetFile):
        def __init__(self, source, **options):
            if isinstance(source, str):  # a whole file in memory is the compaction's
                files.append(source.rpartition("/")[2])
            super().__init__(source, **options)

        def read_row_group(self, number, columns=None, **options):
            if columns is not None:  # else the compaction's
                counted.append((number, tuple(columns)))
            return super().read_row_group(number, columns=columns, **options)

    counted = columns
    monkeypatch.setattr(selection.pq, "ParquetFile", Counted)
    return files, columns


def read(store, *arguments, **rest):
    return pa.concat_tables(store.rows("ETH", *arguments, **rest))


def test_only_files_that_may_hold_the_rows_are_opened(recorded, opened):
    files, columns = opened
    start, end = START_MS + 4 * HOUR_MS, START_MS + 5 * HOUR_MS
    rows = read(recorded, "orderbooks", start, end, ["bid_price_0", "exchange_timestamp"])
    assert rows.column_names == ["bid_price_0", "exchange_timestamp"]
    assert rows["exchange_timestamp"].to_pylist() == [start + k * HOUR_MS // 3 for k in range(4)]
    # The hour after the end may hold late rows; their statistics say that they do not.
    assert 4 <= len(files) <= 8
    assert [names for _, names in columns] == [
        ("bid_price_0", "exchange_timestamp", "exchange_timestamp", "timestamp")
    ] * 4


def test_only_row_groups_that_may_hold_the_rows_are_read(recorded, opened, monkeypatch):
    monkeypatch.setattr("advanced_mm.marketdata.compaction._ROWS_A_GROUP", 1)
    expected = read(recorded, "trades").to_pylist()
    compact_coin(recorded.data_dir / "ETH", START_MS + 12 * HOUR_MS, HOUR_MS)
    files, columns = opened
    files.clear()
    columns.clear()
    assert read(recorded, "trades").to_pylist() == expected
    assert (len(files), len(columns)) == (12, 36)
    files.clear()
    columns.clear()
    second = START_MS + HOUR_MS // 3
    assert read(recorded, "trades", second, second, ["trade_id"]).to_pylist() == [{"trade_id": "1"}]
    assert (len(files), len(columns)) == (2, 1)


def test_open_ends_are_everything(recorded):
    assert read(recorded, "prices").num_rows == 72
    assert read(recorded, "prices", START_MS + 11 * HOUR_MS).num_rows == 6
    assert read(recorded, "prices", None, START_MS).num_rows == 2


def test_rows_without_exchange_time_are_placed_by_their_local_time(recorded):
    log = read(recorded, "connections", None, START_MS - 5)
    assert log.to_pylist()[0]["exchange_timestamp"] is None
    assert log["event"].to_pylist() == ["connect"]
    later = read(recorded, "connections", START_MS - 4)
    assert later.num_rows
    assert "connect" not in later["event"].to_pylist()


def test_a_column_that_an_older_file_lacks_is_null(recorded):
    path = next((recorded.data_dir / "ETH/trades").glob("*.parquet"))
    pq.write_table(pq.read_table(path).drop_columns(["hash", "snapshot"]), path)
    rows = read(recorded, "trades", columns=["trade_id", "hash"])
    assert (rows.num_rows, rows["hash"].null_count) == (36, 1)


def test_files_merged_while_they_are_read_are_looked_for_again(recorded):
    rows = recorded.rows("ETH", "trades", columns=["trade_id"])
    first = next(rows)
    compact_coin(recorded.data_dir / "ETH", START_MS + 12 * HOUR_MS, 12 * HOUR_MS)
    rest = pa.concat_tables(rows)
    assert first["trade_id"].to_pylist() == ["0"]
    assert set(rest["trade_id"].to_pylist()) >= {str(number) for number in range(1, 36)}


def test_a_reading_beside_a_compaction_is_whole(recorded, monkeypatch):
    """Shards listed and then merged: the folder is listed again."""
    expected = recorded.read("ETH", START_MS, START_MS + HOUR_MS // 3)
    store = ShardStore(recorded.data_dir)
    original, calls = store._shards, []

    def merged_before(kind, files):
        calls.append(kind)
        if len(calls) == 1:
            compact_coin(store.data_dir / "ETH", START_MS + 12 * HOUR_MS, 12 * HOUR_MS)
        return original(kind, files)

    monkeypatch.setattr(store, "_shards", merged_before)
    found = store.read("ETH", START_MS, START_MS + HOUR_MS // 3)
    assert calls == ["orderbooks", "orderbooks", "prices", "trades"]
    assert found.skipped_files == ()
    assert found.trades.trade_id.tolist() == expected.trades.trade_id.tolist() == [0, 1]
    assert found.book_time_ms.tolist() == expected.book_time_ms.tolist()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("candles",), "kind 'candles' is unknown"), (("trades", 0, 1, ["px"]), "no column 'px'")],
)
def test_an_unknown_kind_or_column_is_named(recorded, arguments, complaint):
    with pytest.raises(InputError, match=complaint):
        recorded.rows("ETH", *arguments)


def test_a_damaged_file_is_named(recorded):
    path = next((recorded.data_dir / "ETH/trades").glob("*.parquet"))
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=rf"{path.name}: cannot be read"):
        read(recorded, "trades")


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_version_is_a_clear_error(recorded, kind):
    """Leaving such a shard out, as a damaged one, would hide that rows are missing."""
    folder = recorded.data_dir / "ETH" / kind
    if not folder.is_dir():
        pytest.skip(f"no {kind} recorded")
    path = max(folder.glob("*.parquet"))
    table = pq.read_table(path)
    later = {**table.schema.metadata, b"schema_version": str(int(SCHEMA_VERSION) + 1).encode()}
    pq.write_table(table.replace_schema_metadata(later), path)
    complaint = rf"{path.name}\b.*this program reads up to {SCHEMA_VERSION}: update it"
    with pytest.raises(InputError, match=complaint):
        read(recorded, kind)
    if kind == "connections":
        with pytest.raises(InputError, match=complaint):
            recorded.connections("ETH")
    with pytest.raises(InputError, match=complaint):
        recorded.read("ETH")


def test_contexts_of_a_later_version_are_a_clear_error(store):
    folder = store.data_dir / "ETH/contexts"
    folder.mkdir(parents=True)
    rows = [{"timestamp": 1.0, "mark_price": 100.0, "exchange_timestamp": 1000}]
    schema = SCHEMAS["contexts"].with_metadata({"schema_version": "99"})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "contexts_1000.parquet")
    with pytest.raises(InputError, match=r"contexts_1000.parquet: .*update it"):
        store.contexts("ETH")


def test_contexts_merged_while_they_are_read_are_whole(store, monkeypatch):
    schema = SCHEMAS["contexts"].with_metadata(shard_metadata("ETH", None))
    for minute in range(5):
        row = {"timestamp": 60.0 * minute, "mark_price": 1.0, "exchange_timestamp": 60_000 * minute}
        store.write("ETH", "contexts", pa.Table.from_pylist([row], schema=schema))
    original = store_module.read_contexts

    def merged_before(*arguments):
        compact_coin(store.data_dir / "ETH", HOUR_MS, HOUR_MS)
        return original(*arguments)

    monkeypatch.setattr(store_module, "read_contexts", merged_before)
    assert len(store.contexts("ETH", 0, 60_000).time_ms) == 2


@pytest.mark.parametrize("version", ["x", "-1", "1.0"])
def test_an_impossible_version_is_a_damaged_file(recorded, version):
    path = next((recorded.data_dir / "ETH/trades").glob("*.parquet"))
    table = pq.read_table(path)
    changed = {**table.schema.metadata, b"schema_version": version.encode()}
    pq.write_table(table.replace_schema_metadata(changed), path)
    assert recorded.read("ETH").skipped_files == (str(path),)
