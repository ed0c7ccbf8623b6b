"""The files hold what the page shows, under the names that others use."""

import json

import pandas as pd
import pytest

from advanced_mm.report.research.export import (
    paths_for,
    study_json,
    write_metrics,
    write_parquet,
)
from advanced_mm.report.research.insights import insights_of
from advanced_mm.research.candles import CANDLE_COLUMNS
from advanced_mm.research.columns import COLUMNS
from advanced_mm.research.sources import candles_from_file
from tests.report.research.markets import market, study

NOTEBOOKS_COLUMNS = [
    "close", "volume", "volatility_300s", "vwap_300s", "order_flow_imbalance",
    "mm_opportunity_score", "optimal_spread_300s", "inventory_risk_300s", "hl_spread_bps",
    "volume_ratio_300s", "reversal_rate_300s",
]  # fmt: skip


@pytest.fixture(scope="module")
def hour():
    return study(market(5000))


def test_the_csv_has_the_notebooks_columns(hour, tmp_path):
    write_metrics(tmp_path / "new" / "metrics.csv", hour)
    found = pd.read_csv(tmp_path / "new" / "metrics.csv", index_col="time", parse_dates=True)
    assert list(found) == NOTEBOOKS_COLUMNS
    assert list(found.index) == list(hour.candles.frame.index)
    pd.testing.assert_series_equal(found["close"], hour.candles.frame["close"], check_freq=False)
    for name in NOTEBOOKS_COLUMNS[2:]:
        pd.testing.assert_series_equal(found[name], hour.columns[name], check_freq=False)


def test_parquet_has_candles_and_every_column(hour, tmp_path):
    write_parquet(tmp_path / "all.parquet", hour)
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert list(found) == [*CANDLE_COLUMNS, "bid", "ask", "spread", *COLUMNS]
    assert found.index.name == "time"
    expected = hour.candles.frame.join(hour.columns)
    pd.testing.assert_frame_equal(found, expected, check_freq=False)
    again = candles_from_file(tmp_path / "all.parquet")  # as --file reads it
    pd.testing.assert_frame_equal(
        again.frame[["close", "ask"]], hour.candles.frame[["close", "ask"]],
        check_freq=False, check_names=False,
    )  # fmt: skip


def test_json_is_plain_and_says_what_the_page_says(hour):
    found = study_json(hour)
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert [one["sentence"] for one in found["insights"]] == [
        one.sentence for one in insights_of(hour)
    ]
    assert list(found["hours"]) == ["16", "17"]
    assert found["candles"] == 5000
    assert found["missing"] == 7
    assert list(found["metrics"]) == NOTEBOOKS_COLUMNS[2:]
    score = hour.columns["mm_opportunity_score"]
    assert found["metrics"]["mm_opportunity_score"]["mean"] == pytest.approx(score.mean())
    assert list(found["volatility"]) == ["60", "300", "900", "3600"]
    assert found["screener"] is None


def test_each_of_several_markets_has_its_file(hour, tmp_path):
    path = tmp_path / "metrics.csv"
    assert paths_for(path, [hour]) == [path]
    other = study(market(600, name="WLFI/USDC (Binance)"))
    names = [one.name for one in paths_for(path, [hour, other])]
    assert names == ["metrics_ETH.csv", "metrics_WLFI_USDC.csv"]
    assert (
        len({one.name for one in paths_for(path, [other, study(market(600, name="WLFI/USDC"))])})
        == 2
    )
