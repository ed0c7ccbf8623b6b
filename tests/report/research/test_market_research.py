"""The script from a user's side, on a recording, a file, and against the screener."""

import contextlib
import io
import json
import runpy
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from advanced_mm.errors import InputError
from advanced_mm.research.sources import exchange_named
from tests.report.research.markets import market
from tests.research.sources.binance import binance

SCRIPTS = Path(__file__).parents[3] / "scripts"
MAIN = runpy.run_path(str(SCRIPTS / "market_research.py"))["main"]
SCREENER = runpy.run_path(str(SCRIPTS / "market_screener.py"))["main"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pol.csv"
    market(1200, quotes=False).frame.to_csv(path, index_label="time")
    return path


def said_by(main, *words):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([str(word) for word in words]) == 0
    return json.loads(said.getvalue())


def refused(*words) -> str:
    with pytest.raises(InputError) as caught:
        MAIN([str(word) for word in words])
    return str(caught.value)


@pytest.fixture(scope="module")
def told(data_dir):
    """Twenty minutes of two coins."""
    coins = ("--coin", "good", "DEEP", "--against", "DEEP", "--stake", "2000")
    return said_by(MAIN, "--recording", data_dir, *coins, "--json")


def test_the_report_and_the_screener_agree(told, data_dir):
    """On one window: the spread within a percent, the volatility within three."""
    screened = said_by(SCREENER, "--data-dir", data_dir, "--stake", "2000", "--json")
    rows = {row["coin"]: row for row in screened}
    for one in told:
        row = rows[one["market"].split()[0]]
        assert one["spread_source"] == "quotes"
        assert one["spread_bp"] == pytest.approx(row["spread_bp"], rel=0.01)
        assert one["volatility_bp"] == pytest.approx(row["volatility_bp"], rel=0.03)
        assert one["screener"] == row
        model, pnl = (x["sentence"] for x in one["insights"] if x["about"] == "our model")
        assert model.endswith(f"{row['verdict']}.")
        assert "on a stake of 2000 " in model
        assert "nobody could have earned" in pnl


def test_each_market_is_tested_and_compared_with_the_other(told):
    good, deep = told
    assert good["tests"]["hurst"]["verdict"] in ("mean reverting", "random", "trending")
    assert [one["steps"] for one in good["tests"]["ratios"]] == [2, 5, 10]
    (pair,) = good["tests"]["pairs"]
    assert pair["second"] == deep["market"]
    assert deep["tests"]["pairs"] == []
    topics = [one["about"] for one in good["insights"]]
    assert topics.count("memory") == topics.count("other market") == 2
    assert topics == sorted(topics, key=topics.index)  # a topic's sentences stand together


def test_it_writes_each_file_and_says_where(data_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("advanced_mm.report.pictures._DOTS_PER_INCH", 30)
    paths = {flag: tmp_path / "out" / f"made.{flag}" for flag in ("html", "csv", "parquet", "png")}
    words = [word for flag, path in paths.items() for word in (f"--{flag}", str(path))]
    assert MAIN(["--recording", str(data_dir), "--coin", "GOOD", *words]) == 0
    said = capsys.readouterr().out
    for path in paths.values():
        assert f"written to {path}" in said
        assert path.stat().st_size > 10_000
    assert "Market research: GOOD (Hyperliquid recording)" in paths["html"].read_text()
    assert "market_screener.py" in paths["html"].read_text()
    assert len(pd.read_csv(paths["csv"])) == len(pd.read_parquet(paths["parquet"])) > 1100
    assert "python scripts/market_screener.py" in said
    picture = imread(paths["png"])[:, :, :3]
    height, width = picture.shape[0] // 5, picture.shape[1] // 2
    for row, column in product(range(5), range(2)):  # of ten panels
        cell = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert (cell.min(axis=2) < 0.6).mean() > 0.01, (row, column)


def test_an_exchanges_candles_are_kept_and_need_no_second_visit(tmp_path, monkeypatch):
    """Through ccxt's own client, from a stand-in of Binance."""

    def named(name):
        exchange = exchange_named(name, {"rateLimit": 1})
        exchange.urls["api"]["public"] = binance_here.url
        return exchange

    monkeypatch.setitem(MAIN.__globals__, "exchange_named", named)
    words = ["--exchange", "binance", "--pair", "POL/USDT", "--days", "0.1", "--json"]
    with binance() as binance_here:
        (first,) = said_by(MAIN, *words, "--cache", tmp_path)
        asked = len(binance_here.asked)
        (again,) = said_by(MAIN, *words, "--cache", tmp_path)
    assert first["market"] == again["market"] == "POL/USDT (Binance)"
    assert (first["candles"], first["tick"], first["screener"]) == (8640, 1e-4, None)
    assert first["taker_buy"] == pytest.approx(0.4)
    assert asked > 5
    assert len(binance_here.asked) - asked < asked
    assert list(tmp_path.rglob("*.parquet"))


def test_two_files_are_compared(file, tmp_path):
    other = tmp_path / "eth.csv"
    market(1200, quotes=False, seed=2, name="x").frame.to_csv(other, index_label="time")
    (one,) = said_by(MAIN, "--file", file, "--against", other, "--json")
    (pair,) = one["tests"]["pairs"]
    assert abs(pair["correlation"]["1"]) < 0.2
    assert pair["second"].startswith("eth")


def test_a_file_is_enough_and_the_csv_has_a_name_of_its_own(file, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    config = Path(__file__).parents[3] / "user_data" / "config.json"
    assert MAIN(["--file", str(file), "--csv", "--config", str(config)]) == 0
    assert len(pd.read_csv("pmm_strategy_metrics.csv")) == 1200
    said = capsys.readouterr().out
    assert "spread" in said
    assert "market_screener" not in said


def test_a_market_that_is_no_market(file, data_dir, tmp_path):
    assert "no market: name a --recording" in refused("--json")
    assert "--coin names a market of --recording" in refused("--file", file, "--coin", "ETH")
    assert "--pair names a market of --exchange" in refused("--file", file, "--pair", "A/B")
    assert "needs a --pair" in refused("--exchange", "binance")
    assert "--days is 0" in refused("--recording", data_dir, "--days", "0")
    assert "NONE" in refused("--recording", data_dir, "--coin", "NONE")
    assert "nowhere is no folder" in refused("--recording", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "has no coins" in refused("--recording", tmp_path / "empty")
    blocked = tmp_path / "pol.csv" / "page.html"
    for flag in ("--html", "--csv", "--parquet", "--png"):
        assert f"{flag} {blocked} cannot be written" in refused("--file", file, flag, blocked)
