"""Candles of files: found columns, filled holes, and errors that name file, line and column."""

import numpy as np
import pandas as pd
import pytest

from advanced_mm.errors import InputError
from advanced_mm.research.sources.files import candles_from_file

HEAD = "timestamp,open,high,low,close,volume,quote_asset_volume,n_trades,taker_buy_base_volume"
ROWS = (
    "1757347200,1,3,0.5,2,10,20,4,6",
    "1757347201,2,2,2,2,0,0,0,0",
    "1757347204,2,4,2,3,5,15,2,5",
)


def written(tmp_path, *lines, head=HEAD, name="pol.csv"):
    path = tmp_path / name
    path.write_text("\n".join([head, *lines] if head else lines) + "\n")
    return path


def test_the_notebooks_columns_are_found_and_missing_seconds_filled(tmp_path):
    candles = candles_from_file(written(tmp_path, *ROWS))
    frame = candles.frame
    assert (candles.step_seconds, candles.missing, candles.name) == (1, 2, "pol")
    assert frame["close"].to_list() == [2, 2, 2, 2, 3]
    assert frame["open"].to_list() == [1, 2, 2, 2, 2]
    assert frame["trades"].to_list() == [4, 0, 0, 0, 2]
    assert frame["taker_buy_quote_volume"].isna().all()
    assert candles.notes == (
        "2 of 5 candles were missing and stand as rows without trades (the longest run: 2).",
        "The file does not tell: taker buy quote volume.",
    )


@pytest.mark.parametrize(
    "times",
    [
        ["1757347200000", "1757347260000"],
        ["1757347200000000", "1757347260000000"],
        ["1757347200000000000", "1757347260000000000"],
        ["2025-09-08T16:00:00Z", "2025-09-08 16:01:00+00:00"],
        ["2025-09-08 16:00", "2025-09-08 16:01"],
        ["1757347260", "1757347200"],
    ],
)
def test_times_in_any_unit_and_order(tmp_path, times):
    path = written(
        tmp_path, *(f"{at},1,1,1,1,0" for at in times), head="Date,Open,High,Low,Close,Volume"
    )
    candles = candles_from_file(path)
    assert candles.step_seconds == 60
    assert candles.frame.index[0] == pd.Timestamp("2025-09-08 16:00", tz="UTC")


def test_binances_files_without_headings(tmp_path):
    row = "{},0.27,0.28,0.26,0.27,100,0,27,5,40,10.8,0"
    path = written(tmp_path, row.format(1757347200000000), row.format(1757347201000000), head=None)
    frame = candles_from_file(path).frame
    assert frame.iloc[1].to_list() == [0.27, 0.28, 0.26, 0.27, 100, 27, 5, 40, 10.8]


def test_parquet_gives_the_same_and_keeps_the_touch(tmp_path):
    index = pd.date_range("2025-09-08", periods=4, freq="s", tz="UTC")
    table = pd.DataFrame(
        {name: [1.0, 2.0, np.nan, 2.0] for name in ("open", "high", "low", "close")}
    )
    table = table.assign(time=index, volume=[1.0, 2.0, np.nan, 0.0], bid=1.0, ask=[1.5, 2, 2, 2])
    table.to_parquet(tmp_path / "a.parquet")
    candles = candles_from_file(tmp_path / "a.parquet")
    assert (candles.unknown, candles.missing) == (1, 0)
    assert candles.frame["ask"].to_list() == [1.5, 2, 2, 2]
    assert candles.frame.index.equals(pd.DatetimeIndex(index))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([*ROWS, "1757347205,2,4,2,x,5,15,2,5"], r"pol.csv, line 5, column 'close': 'x' is no n"),
        (["", *ROWS, "1757347205,0,4,0,3,5,15,2,5"], r"line 6, column 'open': 0 is no positive"),
        ([*ROWS, "1757347205,2,2.5,2,3,5,15,2,5"], r"line 5, column 'high': 2.5 does not enclose"),
        ([*ROWS, "1757347205,2,3,2.5,3,5,15,2,5"], r"line 5, column 'low': 2.5 does not enclose"),
        ([*ROWS, "1757347205,2,3,2,3,-5,15,2,5"], r"line 5, column 'volume': -5 is negative"),
        ([*ROWS, "1757347205,2,,2,3,5,15,2,5"], r"line 5, column 'high': is empty in a row with"),
        ([*ROWS, ROWS[1]], r"line 5, column 'timestamp': comes twice"),
        ([*ROWS, "1757347205.5,2,3,2,3,5,1,2,5"], r"line 5, column 'timestamp': is no whole"),
        ([*ROWS, "soon,2,3,2,3,5,1,2,5"], r"line 5, column 'timestamp': 'soon' is no time like"),
        (["soon,2,3,2,3,5,1,2,5"], r"line 2, column 'timestamp': 'soon' is no time: seconds"),
        ([*ROWS, "1757347205,inf,inf,2,3,5,15,2,5"], r"line 5, column 'open': is infinite"),
        ([*ROWS, "1757347205,2,3"], r"pol.csv cannot be read: .*Expected 9 columns, got 3"),
        ([*ROWS, "1757347205000,2,3,2,3,5,1,2,5"], r"no whole number|is the unit of its times"),
        (ROWS[:1], r"has one row"),
        ([], r"has no rows"),
    ],
)
def test_errors_name_file_line_and_column(tmp_path, lines, words):
    with pytest.raises(InputError, match=words):
        candles_from_file(written(tmp_path, *lines))


def test_a_missing_column_or_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no column for close \(close\), volume .*it has: time,"):
        candles_from_file(written(tmp_path, "1,2,3,4", head="time,open,high,low"))
    with pytest.raises(InputError, match=r"market_research.py writes, that is --parquet, while"):
        candles_from_file(written(tmp_path, "1,2,3", head="time,close,volume"))
    with pytest.raises(InputError, match="comes twice"):
        candles_from_file(written(tmp_path, "1,2,3,4", head="time,open,open,low"))
    with pytest.raises(InputError, match=r"line 1: no headings; .*this one has 3"):
        candles_from_file(written(tmp_path, "1,2,3", head=None))
    with pytest.raises(InputError, match="there is no such file"):
        candles_from_file(tmp_path / "none.csv")
    (tmp_path / "b.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match=r"b.parquet cannot be read"):
        candles_from_file(tmp_path / "b.parquet")
