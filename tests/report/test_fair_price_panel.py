"""The report's panel of the fair price, against a market whose beta is known."""

from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration import CalibrationOptions, Window, calibrate
from advanced_mm.calibration.toxicity import economics
from advanced_mm.marketdata import ShardStore
from advanced_mm.report.fair_price_panel import fair_price
from tests.calibration.test_around_fair_price import market as orders_around
from tests.calibration.test_fair_price import market, truth


def panel(recording):
    fitted = calibrate(recording, window_minutes=30)
    options = CalibrationOptions()
    start_ms = fitted.end_ms - 30 * 60_000
    window = Window.of(recording, start_ms, fitted.end_ms, options.window)
    return fair_price(window, fitted, options), fitted


def test_the_moves_rise_with_the_imbalance_by_beta():
    section, fitted = panel(market(1, 0.3))
    (chart,) = section.charts
    points, line = chart.series
    assert points.x.tolist() == pytest.approx([-0.6, 0.6])  # the only ones of this market
    # With two values of the imbalance, least squares goes through both means.
    assert points.y.tolist() == pytest.approx(line.y.tolist())
    assert np.diff(points.y)[0] / 1.2 == pytest.approx(truth(0.3, 5.0), rel=0.2)
    (row,) = section.tables[0].rows
    assert float(row[1]) == pytest.approx(1e4 * fitted.fair_price.beta / fitted.mid, rel=1e-3)
    assert row[-1] == "significant"


def test_what_is_not_significant_or_not_known_is_said():
    section, _ = panel(market(2))
    assert section.tables[0].rows[0][-1] == "not significant: the mid is quoted"
    constant, _ = panel(market(2, turns=0.0))
    assert "never changed" in constant.tables[0].rows[0][-1]
    assert not constant.charts


def test_the_parameters_around_both_prices_stand_side_by_side():
    recording = orders_around(1, True)
    fitted = calibrate(recording, window_minutes=60)
    window = Window.of(recording)
    section = fair_price(window, fitted, CalibrationOptions(), fee_rate=0.0001)
    rows = section.tables[-1].rows
    assert [row[0] for row in rows] == ["mid"] * 2 + ["fair price"] * 2
    to_bp = 1e4 / fitted.mid
    for calibration, two in ((fitted, rows[:2]), (fitted.around_fair, rows[2:])):
        worth = economics(calibration, fee_rate=0.0001)
        for row, curve, side in zip(two, calibration.fill_curve, worth.sides, strict=True):
            assert float(row[3].split()[0]) == pytest.approx(curve.lambda0.value, rel=1e-3)
            assert float(row[7]) == pytest.approx(side.depth * to_bp, rel=1e-3)
            assert float(row[8].split()[0]) == pytest.approx(
                side.expected_edge.value * to_bp, rel=1e-3
            )
    assert float(rows[2][7]) < float(rows[0][7])  # what the sizes foretell is no cost of a fill
    without, _ = panel(market(2))
    assert len(without.tables) == 1


@pytest.mark.recorded
def test_on_a_recording_the_sizes_foretell_a_part_of_a_fills_move():
    """The imbalance before a fill is 0.91 of 1, and 0.20 of its 0.72 USDC were to be seen."""
    recordings = Path(__file__).parents[2].parent / "shared" / "hyperliquid"
    if not recordings.is_dir():
        pytest.skip(f"no recordings at {recordings}")
    section, _ = panel(ShardStore(recordings).read("ETH"))
    buys, sells = section.tables[1].rows
    assert len(section.tables[2].rows) == 4
    assert [float(cell) for cell in buys[1:]] == pytest.approx(
        [0.914, 0.720, 0.202, 0.518], abs=2e-3
    )
    assert float(sells[4]) == pytest.approx(0.467, abs=2e-3)
