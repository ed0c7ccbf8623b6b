"""The theoretical P&L of the model's window stands beside what the model expects, and is named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from advanced_mm.calibration import CalibrationOptions
from advanced_mm.calibration.adaptive import AdaptiveWindow
from advanced_mm.calibration.rolling import RollingWindow
from advanced_mm.calibration.toxicity import economics
from advanced_mm.marketdata import ShardStore
from advanced_mm.report.research.expected import (
    expected_insights,
    expected_json,
    expected_table,
    theoretical,
)
from advanced_mm.report.research.page import research_sections
from advanced_mm.report.research.study import Study
from advanced_mm.report.research.words import number
from advanced_mm.report.screener import ScreenOptions, screen_or_reason
from advanced_mm.research.columns import columns
from advanced_mm.research.sources import recorded_candles
from tests.report.research.markets import market, study

MINUTES, STAKE, FEE = 12.0, 500.0, 0.00015


@pytest.fixture(scope="module")
def good(data_dir):
    """Twenty minutes, of which the model looks at the newest twelve."""
    store = ShardStore(data_dir)
    screen = ScreenOptions(MINUTES, MINUTES, FEE, STAKE, fair_price="mid")
    candles = recorded_candles(store, "GOOD")
    needed = ["theoretical_pnl"]
    row = screen_or_reason(store, "GOOD", screen)
    return Study(candles, columns(candles, needed), 1.5, row, STAKE)


def test_the_model_s_rows_are_the_economics_of_its_calibration(good, data_dir):
    rolling = RollingWindow(ShardStore(data_dir), "GOOD", MINUTES)
    fitted = AdaptiveWindow(rolling, MINUTES, MINUTES, CalibrationOptions()).fit()
    found, bp = economics(fitted, fee_rate=FEE), 1e-4 * fitted.mid
    ask, bid, both = expected_json(good)["model"]
    for row, side in ((ask, found.sides.plus), (bid, found.sides.minus)):
        assert row["quotes"] == f"{side.side} alone"
        assert row["depths_bp"] == pytest.approx([side.depth / bp])
        assert row["edge_bp"] == pytest.approx(side.expected_edge.value / bp)
        hourly = side.income_per_hour.value / fitted.mid * STAKE
        assert row["per_hour"] == pytest.approx(hourly)
        assert row["per_hour"] == pytest.approx(
            row["fills_per_hour"] * row["edge_bp"] * 1e-4 * STAKE
        )
        assert row["per_hour_low"] < row["per_hour"] < row["per_hour_high"]
    assert both["depths_bp"] == pytest.approx([found.bot.ask_depth / bp, found.bot.bid_depth / bp])
    assert both["fills_per_hour"] == pytest.approx(2 * found.bot.round_trips_per_hour)
    assert both["per_hour"] == pytest.approx(good.screened.income_per_hour.value)


def test_the_theoretical_pnl_is_of_the_same_minutes(good):
    frame = good.candles.frame
    window = frame[frame.index >= pd.Timestamp(good.screened.fitted_at) - pd.Timedelta(minutes=12)]
    half = (window["high"] - window["low"]) / 2
    price = ((window["bid"] + window["ask"]) / 2).mean()
    known = half.notna()
    hours = known.sum() / 3600
    found = theoretical(good)
    assert found.seconds == pytest.approx(720, abs=2)
    total = (half * window["trades"]).sum()
    assert found.per_hour == pytest.approx(total / hours * STAKE / price)
    assert found.fills_per_hour == pytest.approx(window["trades"][known].sum() / hours)
    assert found.depth_bp == pytest.approx(total / window["trades"][known].sum() / price * 1e4)


def test_each_row_says_what_it_is(good):
    table = expected_table(good)
    assert [row[0] for row in table.rows] == [
        "theoretical P&L (no income)", "expected, ask alone", "expected, bid alone",
        "expected, both in turn",
    ]  # fmt: skip
    assert table.rows[0][3] == number(theoretical(good).fills_per_hour)
    assert " / " in table.rows[3][1]


def test_a_market_without_a_model_has_the_theoretical_pnl_of_all_its_candles(good):
    made_up = study(market(1200, quotes=False))
    assert theoretical(made_up).seconds == 1200
    (row,) = expected_table(made_up).rows
    assert row[0].startswith("theoretical P&L")
    assert expected_json(made_up)["model"] == []
    silent = made_up.columns.assign(theoretical_pnl=np.nan)  # a source that counts no trades
    assert expected_table(replace(made_up, columns=silent)) is None
    sections = {one.key: one for one in research_sections([replace(made_up, columns=silent)])}
    assert sections["pnl"].tables == []


def test_what_cannot_be_fitted_says_why(good, data_dir):
    screen = ScreenOptions(MINUTES, MINUTES, FEE, STAKE)
    (data_dir.parent / "nothing" / "NONE" / "trades").mkdir(parents=True, exist_ok=True)
    row = screen_or_reason(ShardStore(data_dir.parent / "nothing"), "NONE", screen)
    assert row.expected == ()
    (said,) = expected_insights(replace(good, screened=row))
    assert said.sentence == f"It cannot say: {row.verdict}."
    assert "NONE" in row.verdict
