"""SQL over shards: each trade once, only reading, also while shards are being merged."""

import importlib
import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.sharing import queries
from advanced_mm.marketdata.sharing.queries import query

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data_dir(tmp_path, made):
    store = ShardStore(tmp_path / "it's here")
    made.record(store, 0, 10)
    made.record(store, 8, 4)  # two of them replayed
    made.record(store, 0, 5, "xyz:XYZ100")
    made.quotes(store, 0, 3)
    return store.data_dir


def rows(data_dir, sql, **limits):
    return [tuple(row.values()) for row in query(data_dir, sql, **limits).to_pylist()]


def test_views_have_all_coins_and_each_trade_once(data_dir):
    count = "SELECT coin, count(*), sum(size) FROM {} GROUP BY coin ORDER BY coin"
    assert rows(data_dir, count.format("trades")) == [("ETH", 12, 6.0), ("xyz:XYZ100", 5, 2.5)]
    assert rows(data_dir, count.format("TRADES_received"))[0] == ("ETH", 14, 7.0)
    asked = "SELECT max(time)::VARCHAR, any_value(price) FROM prices WHERE side = 'bid'"
    assert rows(data_dir, asked) == [("2025-12-10 21:00:02", 3000.0)]
    assert rows(data_dir, "SELECT count(*) FROM orderbooks, connections") == [(0,)]
    both = "SELECT count(*) FROM trades t ASOF JOIN prices p USING (coin, time)"
    assert rows(data_dir, both) == [(12,)]


def test_coins_and_times_limit_what_is_read(data_dir, made):
    count = "SELECT count(*) FROM trades"
    at = made.START_MS + 3000
    assert rows(data_dir, count, coins=["XYZ-XYZ100"]) == [(5,)]
    assert rows(data_dir, count, since_ms=at) == [(11,)]
    assert rows(data_dir, count, coins=["eth"], since_ms=at, until_ms=at + 1000) == [(2,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "the statement cannot be answered: Parser Error"),
        ("SELECT * FROM trade", "Catalog Error: Table with name trade does not exist"),
        ("DROP VIEW trades", "must be one SELECT"),
        ("COPY (SELECT 1) TO 'x.csv'", "must be one SELECT"),
        ("SELECT 1; SELECT 2", "must be one SELECT"),
        ("", "must be one SELECT"),
    ],
)
def test_what_is_wrong_or_writes_is_refused_in_one_sentence(data_dir, sql, message):
    with pytest.raises(InputError, match=message) as error:
        query(data_dir, sql)
    assert "\n" not in str(error.value)


def test_a_file_that_is_merged_during_the_query_is_looked_for_again(data_dir, monkeypatch):
    listed = queries.shard_files
    looks = []

    def stale(folder, kind, *limits):
        looks.append(kind)
        found = listed(folder, kind, *limits)
        return [f._replace(path=f"{f.path}.gone") for f in found] if len(looks) == 1 else found

    monkeypatch.setattr(queries, "shard_files", stale)
    assert rows(data_dir, "SELECT count(*) FROM trades", coins=["ETH"]) == [(12,)]
    assert len(looks) == 2
    monkeypatch.setattr(queries, "shard_files", lambda folder, kind, *limits: [
        f._replace(path=f"{f.path}.gone") for f in listed(folder, kind, *limits)])  # fmt: skip
    with pytest.raises(InputError, match=r"a shard cannot be read: .*\.gone"):
        query(data_dir, "SELECT count(*) FROM trades")


def test_older_recordings_without_hash_are_read_beside_newer_ones(data_dir):
    path = data_dir / "ETH/trades/trades_1765400400000.parquet"
    table = pq.read_table(next((data_dir / "ETH/trades").glob("*.parquet")))
    pq.write_table(table.slice(0, 3).drop_columns(["hash", "snapshot"]), path)
    assert rows(data_dir, "SELECT count(*), count(hash) FROM trades_received")[0] == (22, 19)


def test_the_script_prints_and_writes(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    script = importlib.import_module("query_recordings")
    asked = ["SELECT coin, trade_id::BIGINT AS id, time FROM trades ORDER BY ALL", "--data-dir",
             str(data_dir), "--crypto", "ETH"]  # fmt: skip
    assert script.main(asked) == 0
    shown = capsys.readouterr().out
    assert "2025-12-10 21:00:11" in shown
    files = {form: tmp_path / f"answer.{form}" for form in ("csv", "json", "parquet")}
    options = [word for form, path in files.items() for word in (f"--{form}", str(path))]
    assert script.main([*asked, *options]) == 0
    assert "12 rows written to" in capsys.readouterr().out
    assert json.loads(files["json"].read_text())[11]["id"] == 11
    assert pq.read_table(files["parquet"])["id"].to_pylist() == list(range(12))
    assert len(files["csv"].read_text().splitlines()) == 13
    monkeypatch.setattr(script, "ROWS_SHOWN", 5)
    script.main(asked)
    assert "and 7 more rows" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"--csv .* cannot be written"):
        script.main([*asked, "--csv", str(tmp_path / "no" / "where.csv")])
    monkeypatch.setattr(script.sys, "argv", ["x", "SELECT nothing", "--data-dir", str(data_dir)])
    assert script.run(script.main) == 2
    assert duckdb.__version__ >= "2"


def test_rows_too_wide_for_the_terminal_are_printed_one_by_one(data_dir, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setenv("COLUMNS", "80")
    script = importlib.import_module("query_recordings")
    sql = "SELECT * FROM trades ORDER BY exchange_timestamp"
    assert script.main([sql, "--data-dir", str(data_dir), "--crypto", "ETH"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("row 1\n  coin                ETH\n  time ")
    assert shown.count("trade_id") == script.LONG_ROWS_SHOWN == 10
    assert shown.endswith("and 2 more rows: --csv, --json and --parquet have all\n")
