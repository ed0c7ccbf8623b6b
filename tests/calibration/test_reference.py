"""The reference table of the ETH recording, and the statuses for a recording with too little data.

The numbers were published with the recordings and computed by other code. Point estimates agree to
1% (epsilon and epsilon_fill 3%), intervals to 5%, both the fast and the bootstrap ones.
"""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from advanced_mm.calibration.calibrate import CalibrationOptions, CoinCalibration, calibrate
from advanced_mm.calibration.estimators.arrivals import ArrivalEstimator
from advanced_mm.calibration.estimators.impact import ImpactEstimator
from advanced_mm.calibration.estimators.pareto import hill_alpha
from advanced_mm.calibration.publish import parameter_set
from advanced_mm.calibration.windows.bootstrap import BlockBootstrap
from advanced_mm.calibration.windows.estimate import Estimate, Status
from advanced_mm.calibration.windows.window import Window
from advanced_mm.parameter_files import Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quoter, Refusal, Touch, entry_refusal

pytestmark = pytest.mark.recorded

INTERVAL = 0.05


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(CalibrationOptions(), id="quick"),
        pytest.param(CalibrationOptions.bootstrapped(), id="bootstrapped"),
    ],
)
def eth(recorded, request) -> CoinCalibration:
    return calibrate(recorded("ETH"), window_minutes=60, options=request.param)


@pytest.fixture(scope="module")
def wlfi(recorded) -> CoinCalibration:
    return calibrate(recorded("WLFI"), window_minutes=60)


def agrees(
    estimate: Estimate,
    value: float,
    low: float,
    high: float,
    point: float = 0.01,
    status: Status = Status.OK,
) -> None:
    assert estimate.status is status
    assert estimate.value == pytest.approx(value, rel=point)
    assert estimate.low == pytest.approx(low, rel=INTERVAL)
    assert estimate.high == pytest.approx(high, rel=INTERVAL)


def test_counts_and_covered_time(eth):
    assert eth.observed_seconds == pytest.approx(1139.166, abs=1e-9)
    assert (eth.n.plus, eth.n.minus, eth.n1.plus, eth.n1.minus) == (1150, 769, 204, 135)
    assert eth.impact.bins == 2272
    assert [side.cap for side in eth.fill_curve] == [34, 34]


def test_covered_share_of_the_market_orders(recorded):
    window = Window.of(recorded("ETH"))
    assert len(window.orders) == 1919
    assert window.orders.quoted.all()


def test_arrivals(eth):
    agrees(eth.arrivals.plus.rate, 1.0095, 0.88, 1.15)
    agrees(eth.arrivals.minus.rate, 0.6751, 0.53, 0.82)
    assert eth.arrivals.plus.dispersion == pytest.approx(5.1, abs=0.05)
    assert eth.arrivals.minus.dispersion == pytest.approx(9.1, abs=0.05)


def test_fill_curve(eth):
    """The buy side's reach is not quite geometric: its own test says so, and the status too."""
    assert eth.fill_curve.plus.ks > eth.fill_curve.plus.ks_critical
    agrees(eth.fill_curve.plus.kappa, 2.649, 2.11, 3.40, status=Status.MISFIT)
    agrees(eth.fill_curve.minus.kappa, 2.725, 2.35, 3.18)
    agrees(eth.fill_curve.plus.lambda0, 0.2847, 0.21, 0.38, status=Status.MISFIT)
    agrees(eth.fill_curve.minus.lambda0, 0.1897, 0.14, 0.25)


def test_impact(eth):
    for side, value, half in zip(
        eth.impact.epsilon, (0.1234, 0.1291), (0.0253, 0.0383), strict=True
    ):
        agrees(side, value, value - half, value + half, point=0.03)


def test_drawn_interval_of_each_parameter_covers_the_reference(recorded):
    drawing = BlockBootstrap()
    options = replace(
        CalibrationOptions.bootstrapped(drawing),
        arrivals=ArrivalEstimator(bootstrap=drawing),
        impact=ImpactEstimator(bootstrap=drawing),
    )
    fit = calibrate(recorded("ETH"), window_minutes=60, options=options)
    for found, centres in (
        (fit.arrivals.map(lambda s: s.rate), (1.0095, 0.6751)),
        (fit.fill_curve.map(lambda s: s.lambda0), (0.2847, 0.1897)),
        (fit.fill_curve.map(lambda s: s.kappa), (2.649, 2.725)),
        (fit.impact.epsilon, (0.1234, 0.1291)),
        (fit.fill_impact.epsilon_fill, (0.7197, 0.6693)),
    ):
        for estimate, centre in zip(found, centres, strict=True):
            assert estimate.low < centre < estimate.high
            assert estimate.high - estimate.low < 1.1 * centre


def test_fill_impact(eth):
    for side, value in zip(eth.fill_impact.epsilon_fill, (0.7197, 0.6693), strict=True):
        assert side.status is Status.OK
        assert side.value == pytest.approx(value, rel=0.03)


def test_toxicity_of_a_fill(eth):
    for curve, side, value in zip(
        eth.fill_curve, eth.fill_impact.epsilon_fill, (1.907, 1.824), strict=True
    ):
        assert curve.kappa.value * side.value == pytest.approx(value, rel=0.03)


def test_move_given_a_fill_grows_with_depth(eth):
    profile = eth.fill_impact.profile.plus
    at = dict(zip(profile.depth.round(2).tolist(), profile.mean_move.tolist(), strict=True))
    assert at[0.15] == pytest.approx(0.73, abs=0.005)
    assert at[0.55] == pytest.approx(1.19, abs=0.005)
    assert 0.7 < eth.fill_impact.profile.minus.slope.value < profile.slope.value < 1.05
    assert not profile.no_depth_pays  # the slope is near 1, and too uncertain to withdraw the side


def test_the_bot_quotes_neither_side_of_a_market_whose_fills_lose(recorded):
    """kappa*epsilon_fill is below 2 and no slope surely 1, but at any depth a fill costs more."""
    fit = calibrate(recorded("ETH"), window_minutes=60)
    now = datetime.fromtimestamp(fit.end_ms / 1000, UTC)
    touch = Touch(fit.mid - 0.05, fit.mid + 0.05, now)
    for side, q_min, q_max in (("bid", 0, 1), ("ask", -1, 0)):
        settings = Settings(q_min=q_min, q_max=q_max)
        parameters = parameter_set(fit, settings, None, now)
        assert entry_refusal(parameters, settings, now) is None
        feed = SimpleNamespace(latest=lambda parameters=parameters: parameters)
        decision = Quoter(settings, feed, PriceGrid(4)).entry(side, 0, touch, now)
        assert isinstance(decision, Refusal)
        assert decision.reason.startswith("no edge")


def test_tail_is_not_pareto_since_alpha_grows_with_the_threshold(recorded):
    jumps = 2 * Window.of(recorded("ETH")).orders.reach
    found = [hill_alpha(jumps, u) for u in (2, 4, 6)]
    assert found == pytest.approx([0.740, 1.103, 1.410], abs=0.001)


def test_thin_recording_is_insufficient(wlfi):
    rates = [side.rate.value for side in wlfi.arrivals]
    assert rates == pytest.approx([0.124, 0.066], abs=0.0005)
    assert wlfi.observed_seconds == pytest.approx(242, abs=1)
    assert wlfi.status is Status.INSUFFICIENT
    assert wlfi.kappa_status is wlfi.lambda_status is wlfi.epsilon_status is Status.INSUFFICIENT
