"""What a backtest on candles is priced with and around, and what is said of it."""

import pytest

from advanced_mm.bad_rows import BadRows
from advanced_mm.parameter_files import ParameterFiles, Settings
from advanced_mm.parameter_files.history import (
    HISTORY_FOLDER,
    RECALIBRATED_FOLDER,
    CalibrationHistory,
)
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting.candle_backtest import CandleBacktest, caveats

GRID = PriceGrid(4, 0.1)


@pytest.fixture
def candles(tmp_path):
    return lambda **settings: CandleBacktest(Settings(**settings), tmp_path, BadRows())


@pytest.mark.parametrize(
    ("rate", "bid", "ask"),
    [(3000.05, 3000.0, 3000.1), (3000.1, 3000.0, 3000.2), (99999.5, 99999.0, 100000.0)],
)
def test_the_touch_is_the_grid_around_the_mid(candles, make_set, tmp_path, rate, bid, ask):
    ParameterFiles(tmp_path).publish({"ETH": make_set()})
    backtest = candles(backtest_parameters="published")
    touch, now = backtest.see(backtest.feed("ETH"), GRID, rate, make_set().kappa.fitted_at)
    assert (touch.bid, touch.ask) == pytest.approx((bid, ask), abs=1e-9)
    assert touch.mid == pytest.approx(rate)
    assert touch.at == now == make_set().kappa.published_at


def test_the_history_made_of_the_recording_is_preferred(candles, make_set, tmp_path):
    CalibrationHistory(tmp_path / HISTORY_FOLDER).append({"ETH": make_set(calibration_id="kept")})
    assert HISTORY_FOLDER in candles().require(["ETH"])
    made = CalibrationHistory(tmp_path / RECALIBRATED_FOLDER)
    made.append({"ETH": make_set(calibration_id="made")})
    assert RECALIBRATED_FOLDER in candles().require(["ETH"])
    backtest = candles()
    feed = backtest.feed("ETH")
    backtest.see(feed, GRID, 3000.0, make_set().kappa.published_at)
    assert feed.latest().calibration_id == "made"


def test_the_two_lines_name_the_other_kind_and_the_replay():
    first, second = caveats("touch", ["replay ETH"])
    assert "on 'touch' candles; a run on 'through' ones shows" in first
    assert second.endswith("replay ETH")
    assert "scripts/recording_to_freqtrade.py" in caveats(None, [])[0]
