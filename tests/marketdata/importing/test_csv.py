"""CSV recordings of the earlier collectors become shards; what is unknown is named."""

import importlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv

from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore

ROOT = Path(__file__).parents[3]
TRADES = "timestamp,price,size,side,trade_id,exchange_timestamp\n"
PRICES = "timestamp,price,size,side,exchange_timestamp\n"
BOOKS = "timestamp,sequence,exchange_timestamp," + ",".join(
    f"{side}_{name}_{level}" for level in range(2) for side in ("bid", "ask")
    for name in ("price", "size")
) + "\n"  # fmt: skip
SECOND = 1_765_400_399


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("import_recordings")


@pytest.fixture
def folder(tmp_path):
    """Two hours' boundary in trades, quotes and books of ETH."""
    folder = tmp_path / "csv"
    folder.mkdir()
    trades, prices, books = TRADES, PRICES, BOOKS
    for n in range(4):
        at = SECOND + n
        trades += f"{at}.25,300{n}.1,0.5,{'buy' if n % 2 else 'sell'},{n + 7},{at * 1000}\n"
        prices += (
            f"{at}.5,300{n}.0,1.5,bid,{at * 1000 + 1}\n{at}.5,300{n}.2,2.5,ask,{at * 1000 + 1}\n"
        )
        books += f"{at}.75,{n},{at * 1000 + 2},300{n}.0,1.5,300{n}.2,2.5,300{n}.0,3,,\n"
    for kind, text in (("trades", trades), ("prices", prices), ("orderbooks", books)):
        (folder / f"{kind}_ETH.csv").write_text(text)
    return folder


def imported(script, folder, tmp_path, *more):
    script.main(["csv", str(folder), "--data-dir", str(tmp_path / "data"), *more])
    return ShardStore(tmp_path / "data")


def shards(tmp_path):
    return {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.parquet")}


def test_a_folder_becomes_shards_of_an_hour_each_once(script, folder, tmp_path):
    recording = imported(script, folder, tmp_path).read("ETH")
    assert recording.trades.trade_id.tolist() == [7, 8, 9, 10]
    assert recording.trades.side.tolist() == [-1, 1, -1, 1]
    assert recording.trades.local_s[0] == SECOND + 0.25
    assert recording.trades.time_ms[0] == SECOND * 1000
    assert recording.quotes.bid.tolist() == [3000.0, 3001.0, 3002.0, 3003.0]
    assert recording.quotes.ask_size.tolist() == [2.5] * 4
    assert recording.book_time_ms.tolist() == [(SECOND + n) * 1000 + 2 for n in range(4)]
    before = shards(tmp_path)
    assert len(before) == 6  # two hours of three kinds
    book = pq.read_table(sorted((tmp_path / "data/ETH/orderbooks").iterdir())[0])
    assert np.isnan(book["ask_price_1"][0].as_py())
    imported(script, folder, tmp_path)
    assert shards(tmp_path) == before


def test_a_file_that_is_still_written_is_continued(script, folder, tmp_path):
    path = folder / "trades_ETH.csv"
    with path.open("a") as file:
        file.write(f"{SECOND + 9}.25,3009.1,0.5,bu")
    assert len(imported(script, path, tmp_path).read("ETH").trades) == 4
    with path.open("a") as file:
        file.write(f"y,11,{SECOND + 9}000\n")
    assert imported(script, path, tmp_path).read("ETH").trades.trade_id.tolist() == [
        7,
        8,
        9,
        10,
        11,
    ]


def test_without_prices_the_tops_of_the_books_are_quotes(script, folder, tmp_path):
    (folder / "prices_ETH.csv").unlink()
    quotes = imported(script, folder, tmp_path).read("ETH").quotes
    assert quotes.bid.tolist() == [3000.0, 3001.0, 3002.0, 3003.0]
    notes = pq.read_schema(next((tmp_path / "data/ETH/prices").iterdir())).metadata
    assert notes[b"derived"] == b"best bid and offer of the orderbooks"


def test_a_symbol_column_and_a_missing_exchange_time(script, tmp_path):
    path = tmp_path / "part.csv.gz"
    text = "timestamp,symbol,price,size,side,exchange_timestamp\n" + "".join(
        f"{SECOND}.123456,WLFI,{price},9,{side},\n" for price, side in ((0.23, "bid"), ("", "ask"))
    )
    import gzip

    path.write_bytes(gzip.compress(text.encode()))
    quotes = imported(script, path, tmp_path).read("WLFI").quotes
    assert quotes.time_ms.tolist() == [SECOND * 1000 + 123]
    assert quotes.bid.tolist() == [0.23]
    assert np.isnan(quotes.ask).all()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trades_ETH.csv", TRADES.replace("size", "volume"), "line 1: column 'size' is missing"),
        ("trades_ETH.csv", TRADES.replace("\n", ",fee\n"),
         "line 1: column 7, 'fee', is not known in a recording of trades"),
        ("trades_ETH.csv", TRADES + f"{SECOND},3000,1,up,7,\n",
         "line 2: column side is 'up', must be buy or sell"),
        ("trades_ETH.csv", TRADES + f"{SECOND},NaN,1,buy,7,\n", "line 2: column price is 'NaN'"),
        ("trades_ETH.csv", TRADES + f"{SECOND}000,3000,1,buy,7,\n",
         "line 2: column timestamp is '1765400399000', must be in seconds"),
        ("trades_ETH.csv", TRADES + f"{SECOND},3000,1,buy,x7,\n",
         "line 2: column trade_id is 'x7'"),
        ("trades_ETH.csv", TRADES + f"{SECOND},3000\n", "line 2: 2 values for 6 columns"),
        ("other.csv", "a,b\n1,2\n", "columns a, b are those of no known recording"),
        ("prices_ETH.csv", "timestamp,symbol,price,size,side\n1,BTC,2,3,bid\n",
         "line 2: column symbol is 'BTC', but the file is of ETH"),
        ("part.csv", PRICES + f"{SECOND},3000,1,bid,\n", "names no coin; pass --crypto"),
        ("trades_ETH.csv", "", "columns  are those of no known recording"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_named_with_file_line_and_column(script, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        imported(script, tmp_path / name, tmp_path)
    assert message in str(error.value)
    assert name in str(error.value)


@pytest.mark.recorded
@pytest.mark.parametrize("coin", ["ETH", "WLFI"])
def test_a_real_recording_survives_the_way_through_csv(script, tmp_path, recordings, coin):
    for kind in ("trades", "prices", "orderbooks"):
        shards = sorted((recordings / coin / kind).glob("*.parquet"))
        table = pa.concat_tables(pq.read_table(shard) for shard in shards)
        write_csv(table, tmp_path / f"{kind}_{coin}.csv")
    there = ShardStore(recordings).read(coin)
    here = imported(script, tmp_path, tmp_path).read(coin)
    for name in ("trades", "quotes"):
        for column, values in vars(getattr(there, name)).items():
            np.testing.assert_array_equal(getattr(getattr(here, name), column), values)
    np.testing.assert_array_equal(here.book_time_ms, there.book_time_ms)
    assert (here.tick, here.bad_rows) == (there.tick, ())


def test_what_is_not_there_is_said(script, folder, tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        imported(script, folder / "trades_BTC.csv", tmp_path)
    with pytest.raises(InputError, match="has no CSV file of BTC"):
        imported(script, folder, tmp_path, "--crypto", "BTC")
    with pytest.raises(InputError, match="has no CSV file;"):
        imported(script, tmp_path / "nowhere", tmp_path)
    with pytest.raises(InputError, match="'gopher://x' is no location"):
        imported(script, "gopher://x", tmp_path)
