"""Two simulated markets: correlated, cointegrated, or neither."""

import numpy as np
import pytest

from advanced_mm.errors import InputError
from advanced_mm.research.statistics.pair import compare
from tests.research.statistics.simulated import candles_of


def walk(count, rng, bp=1.0):
    return 1e-4 * bp * np.cumsum(rng.normal(size=count))


def reverting(count, half_life, rng):
    share = 0.5 ** (1 / half_life)
    found = np.zeros(count)
    for k in range(1, count):
        found[k] = share * found[k - 1] + rng.normal()
    return 3e-4 * found


def markets(first, second, **kwargs):
    return candles_of(2000 * np.exp(first), name="A", **kwargs), candles_of(
        50 * np.exp(second), name="B", **kwargs
    )


def test_cointegrated_markets_give_their_line_and_half_life():
    rng = np.random.default_rng(1)
    base = walk(2000, rng, 20.0)
    first, second = markets(1.5 * base + reverting(2000, 20, rng), base, step=60)
    found = compare(first, second)
    assert found.cointegrated
    assert found.p_value < 1e-3
    assert found.cointegration_beta == pytest.approx(1.5, abs=0.02)
    assert found.half_life_seconds == pytest.approx(20 * 60, rel=0.25)
    assert found.deviation_bp == pytest.approx(3 / np.sqrt(1 - 0.25 ** (1 / 20)), rel=0.2)
    assert (found.step_seconds, found.observations) == (60, 2000)
    last = first.frame["close"].iloc[-1] / second.frame["close"].iloc[-1]
    assert found.hedge_beta == pytest.approx(1.5, abs=0.03)
    assert found.hedge_ratio == pytest.approx(found.hedge_beta * last)


def test_independent_markets_are_seldom_called_cointegrated():
    called = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        called += compare(*markets(walk(400, rng), walk(400, rng))).cointegrated
    assert called <= 5


def test_the_correlation_of_changes_is_the_simulated_one():
    rng = np.random.default_rng(2)
    common, own = rng.normal(size=(2, 8000))
    first = 1e-4 * np.cumsum(common)
    second = 1e-4 * np.cumsum(0.8 * common + 0.6 * own)
    found = compare(*markets(first, second))
    assert list(found.correlation) == [1, 10, 60, 300]
    assert found.correlation[1] == pytest.approx(0.8, abs=0.01)
    assert found.correlation[60] == pytest.approx(0.8, abs=0.07)
    assert (found.step_seconds, found.observations) == (2, 4000)
    assert found.hedge_beta == pytest.approx(0.8, abs=0.02)  # 0.8 / (0.8² + 0.6²)
    assert found.hedge_t > 50


def test_a_market_that_lags_is_correlated_over_longer_times_only():
    first = walk(2000, np.random.default_rng(3))
    late = np.concatenate((np.zeros(5), first[:-5]))
    found = compare(*markets(first, late)).correlation
    assert abs(found[1]) < 0.07
    assert found[60] == pytest.approx(1 - 5 / 60, abs=0.04)


def test_unknown_rows_and_other_spans_are_left_out():
    rng = np.random.default_rng(4)
    base = walk(1500, rng, 5.0)
    first, second = markets(base + reverting(1500, 10, rng), base)
    first.frame.iloc[100:400] = np.nan
    later = type(second)(second.frame.iloc[500:], 1, "B")
    assert compare(first, second).observations == 1200
    assert compare(first, later).observations == 1000
    assert compare(first, later).cointegrated


def test_one_price_twice_is_cointegrated_and_has_no_deviation():
    price = walk(500, np.random.default_rng(5))
    found = compare(*markets(price, price))
    assert found.cointegrated
    assert found.hedge_beta == pytest.approx(1.0)
    assert found.deviation_bp < 1e-6


def test_the_last_deviation_is_that_of_the_newest_price():
    rng = np.random.default_rng(7)
    base = walk(6000, rng, 5.0)
    first = base + reverting(6000, 10, rng)
    first[-1] = base[-1] + 0.01
    found = compare(*markets(first, base))
    assert found.step_seconds == 2
    assert found.deviation_now == pytest.approx(100 / found.deviation_bp, rel=0.1)


def test_what_cannot_be_compared():
    rng = np.random.default_rng(6)
    second, minute = candles_of(np.exp(walk(500, rng))), candles_of(np.exp(walk(500, rng)), 60)
    with pytest.raises(InputError, match="compare candles of one length"):
        compare(second, minute)
    with pytest.raises(InputError, match="share 50 candles; at least 100"):
        compare(second, type(second)(second.frame.iloc[450:], 1, "B"))
    with pytest.raises(InputError, match="the price of still never moves"):
        compare(second, candles_of(np.ones(500), name="still"))
