"""Kappa, lambda0 and epsilon around the fair price, on markets whose fill curve there is known."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from advanced_mm.calibration.calibrate import CalibrationOptions, calibrate
from advanced_mm.calibration.entries import fair_price_entry, kappa_entry
from advanced_mm.calibration.publish import parameter_set
from advanced_mm.calibration.windows import Window
from advanced_mm.calibration.windows.estimate import Sides
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.parameter_files import MixedParametersError, ParameterFiles, Settings

START_MS = 1_760_000_000_000
TICK, LAMBDA, KAPPA, EPSILON, SIZES, TURNS = 0.1, 1.0, 2.0, 0.15, 0.6, 0.03
BETA = 0.9
TILT = KAPPA * BETA * SIZES
"""Logarithm of how much oftener an order comes as far with the sizes for it than without them."""


@cache
def market(seed: int, around_fair: bool, beta: float = BETA, grows: float = 0.0) -> Recording:
    """A mid that follows the sizes, and orders of which lambda exp(-kappa y) come as far as y.

    That is y from the fair price, or from the mid whatever the sizes are. Each moves both by
    epsilon and ``grows`` times how far it came from the fair price.
    """
    rng = np.random.default_rng(seed)
    n = 36_000
    sizes = SIZES * np.cumprod(np.where(rng.random(n) < TURNS, -1.0, 1.0))
    tilt = KAPPA * beta * sizes if around_fair else np.zeros(n)
    rates = 0.1 * LAMBDA * np.exp([tilt, -tilt])
    counts = rng.poisson(rates)
    # What the sizes foretell of the orders' moves is part of beta.
    ahead = beta * sizes * np.array([[1.0], [-1.0]])
    jumps = -rates * (EPSILON + grows * (1 / KAPPA - ahead))
    reach = [rng.exponential(1 / KAPPA, count.sum()) for count in counts]
    for i, count in enumerate(counts):
        block = np.repeat(np.arange(n), count)
        each = EPSILON + grows * (reach[i] - ahead[i][block])
        jumps[i] += np.bincount(block, weights=each, minlength=n)
    steps = 2 * TURNS * beta * sizes + rng.normal(0, 0.05, n) + jumps[0] - jumps[1]
    level = 3000 + np.cumsum(steps) - steps
    bid = np.floor(level / TICK) * TICK
    time_ms = START_MS + 100 * np.arange(n, dtype=np.int64)
    rows = []
    for side, count, beyond in zip((1, -1), counts, reach, strict=True):
        block = np.repeat(np.arange(n), count)
        reached = level[block] + side * beyond
        price = np.floor(side * reached / TICK) * TICK * side
        prints = side * price >= side * (bid[block] + (side > 0) * TICK) - 1e-6
        rows.append((block[prints], np.full(prints.sum(), side), price[prints]))
    block, side, price = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(block, kind="stable")
    number, at = np.arange(len(block)), time_ms[block[order]] + 50
    trades = Trades(
        at, price[order], np.ones(len(block)), side[order], number, number + 1, at / 1e3
    )
    quotes = Quotes(time_ms, bid, 1 + sizes, bid + TICK, 1 - sizes, time_ms / 1e3)
    return Recording("SIM", quotes, trades, time_ms[::5], TICK)


def fitted(*args, **kwargs):
    found = calibrate(market(*args, **kwargs), window_minutes=60)
    return found, found.around_fair


def mean(pairs) -> float:
    return float(np.mean([estimate.value for pair in pairs for estimate in pair]))


def test_orders_that_come_around_the_fair_price_are_found_there():
    found = [fitted(seed, True) for seed in range(3)]
    for mid, fair in found:
        assert fair.fair_price.beta == pytest.approx(BETA, rel=0.15)
        for side in (*fair.fill_curve, *mid.fill_curve):
            assert side.kappa.value == pytest.approx(KAPPA, rel=0.1)
        for side in fair.fill_curve:
            assert abs(side.lambda0.value - LAMBDA) < 3 * side.lambda0.se
            assert side.ks < side.ks_critical * 1.3
    assert mean(c.fill_curve.map(lambda s: s.lambda0) for c, _ in found) == pytest.approx(
        LAMBDA * np.cosh(TILT), rel=0.1
    )
    assert mean(c.fill_curve.map(lambda s: s.lambda0) for _, c in found) == pytest.approx(
        LAMBDA, rel=0.1
    )
    # Around the mid, the second after a fill has part of the drift that the sizes foretold.
    assert mean(c.fill_impact.epsilon_fill for _, c in found) == pytest.approx(EPSILON, abs=0.05)
    assert mean(c.fill_impact.epsilon_fill for c, _ in found) > EPSILON + 0.1


def test_orders_that_do_not_care_for_the_sizes_come_oftener_and_as_far():
    """A quote on the side that the sizes speak for is nearer to the mid: cosh(kappa beta |I|)."""
    found = [fitted(seed, False) for seed in range(3)]
    for mid, fair in found:
        for around, plain in zip(fair.fill_curve, mid.fill_curve, strict=True):
            assert around.kappa.value == pytest.approx(plain.kappa.value, rel=0.1)
            ratio = around.lambda0.value / plain.lambda0.value
            assert ratio == pytest.approx(np.cosh(TILT), rel=0.15)
    for which in (0, 1):
        assert mean(pair[which].fill_impact.epsilon_fill for pair in found) == pytest.approx(
            EPSILON, abs=0.05
        )


@pytest.mark.parametrize("grows", [0.4, 0.8])
def test_a_move_that_grows_with_the_depth_does_so_from_the_fair_price(grows):
    """An order further than delta from it has moved it by epsilon + grows * (delta + 1/kappa)."""
    for seed in range(3):
        mid, fair = fitted(seed, True, grows=grows)
        found = zip(fair.fill_impact.profile, fair.fill_curve, strict=True)
        for line, curve in found:
            depth = curve.half_spread + TICK
            value = line.intercept.value + line.slope.value * depth
            truth = EPSILON + grows * (depth + 1 / KAPPA)
            assert line.slope.value == pytest.approx(grows, abs=0.12)
            assert value == pytest.approx(truth, abs=0.12)
        assert fair.fill_impact.profile.plus.slope == mid.fill_impact.profile.plus.slope


def test_without_a_beta_everything_is_as_around_the_mid():
    window = Window.of(market(1, True))
    same = window.around(0.0, Sides(KAPPA, KAPPA))
    assert np.array_equal(same.path.mid, window.path.mid)
    assert np.array_equal(same.orders.walk, window.orders.walk)
    assert set(same.orders.weight) == {1.0}
    calibration, fair = fitted(2, True, beta=0.0)
    assert calibration.fair_price.beta == 0
    assert fair is None
    made = parameter_set(calibration, Settings(), None, datetime.now(UTC))
    assert made.around("imbalance") is made is made.around("mid")
    assert made.value_functions[0].anchor == "mid"


def test_the_quote_before_the_order_is_the_one_that_counts():
    """The order is of the same millisecond as the next quote, which the order has changed."""
    recording = market(1, True)
    late = replace(recording.trades, time_ms=recording.trades.time_ms + 50)
    before, same = (
        Window.of(replace(recording, trades=trades)).around(BETA, Sides(KAPPA, KAPPA)).orders.ahead
        for trades in (recording.trades, late)
    )
    n = min(len(before), len(same))
    assert np.array_equal(before[:n], same[:n])


def test_both_are_published_and_never_mixed(tmp_path):
    calibration, fair = fitted(1, True)
    now = datetime.now(UTC)
    made = parameter_set(calibration, Settings(), None, now)
    ParameterFiles(tmp_path).publish({"SIM": made})
    found = ParameterFiles(tmp_path).read("SIM")
    assert found.kappa.model_dump() == kappa_entry(calibration, now).model_dump() | {
        "window_grown": False
    }
    around = found.around("imbalance")
    assert (found.anchor, around.anchor) == ("mid", "fair price")
    assert (found.quoted_beta, around.quoted_beta) == (0.0, found.beta)
    assert around.lambda_.lambda0_plus == fair.fill_curve.plus.lambda0.value
    assert around.require_one_refit() is around.around("imbalance") is around
    assert found.value_functions[0].anchor == "fair price"
    configuration = found.value_functions[0].configuration
    assert configuration["epsilon_plus"] < found.epsilon.epsilon_fill_plus
    with pytest.raises(MixedParametersError, match="cannot be quoted around the mid"):
        around.around("mid")
    with pytest.raises(MixedParametersError, match="measured from different prices"):
        replace(found, kappa=around.kappa).require_one_refit()
    of_mid = parameter_set(calibration, Settings(fair_price="mid"), None, now)
    assert of_mid.value_functions[0].anchor == "mid"


def test_around_the_mid_is_quoted_where_one_of_them_cannot_be_fitted():
    calibration, _ = fitted(1, True)
    fits = calibration.fair_fits
    curve = fits.fill_curve.map(lambda side: replace(side, kappa=side.kappa.rejected("no")))
    doubtful = replace(calibration, fair_fits=replace(fits, fill_curve=curve))
    entry = fair_price_entry(doubtful, datetime.now(UTC))
    assert (entry.kappa, entry.epsilon, entry.lambda_) == (None, None, None)
    assert entry.beta != 0
    made = parameter_set(doubtful, Settings(), None, datetime.now(UTC))
    assert made.around("imbalance").anchor == "mid"
    assert made.around("imbalance").quoted_beta == 0
    assert doubtful.around("imbalance") is doubtful


def test_a_few_orders_that_outweigh_all_others_are_too_few():
    """Sizes that hardly ever speak against orders: those that came then are the likely fills."""
    recording = market(1, False)
    n = len(recording.quotes.time_ms)
    sizes = np.where(np.random.default_rng(3).random(n) < 1e-3, -0.95, 0.05)
    quotes = replace(recording.quotes, bid_size=1 + sizes, ask_size=1 - sizes)
    window = Window.of(replace(recording, quotes=quotes))
    options = CalibrationOptions()
    of_mid = options.fill_impact.fit(window)
    for beta, enough in ((0.9, True), (3.0, False), (100.0, False)):
        around = window.around(beta, Sides(KAPPA, KAPPA))
        buys = options.fill_curve.fit(around).plus
        assert (buys.n1 > 2000, buys.kappa.usable, buys.lambda0.usable) == (True, enough, enough)
        assert enough or "of equal weight, 30 needed" in buys.kappa.reason
        fill = options.fill_impact.fit_around(around, of_mid)
        assert (fill.raw.plus.n > 30) == enough
