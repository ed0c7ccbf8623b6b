"""Order flow that foretells, and flow that does not, in markets made for it."""

import numpy as np
import pytest

from advanced_mm.research.statistics.foretelling import foretelling, imbalance
from tests.research.statistics.simulated import candles_of


def market(count, push_bp, seed, step=1, lasting=1, **columns):
    """Flow that changes each `lasting` seconds, and pushes the next price change by `push_bp`."""
    rng = np.random.default_rng(seed)
    flow = np.repeat(rng.choice([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0], -(-count // lasting)), lasting)
    flow = flow[:count]
    quiet = rng.random(count) < 0.3
    volume = np.where(quiet, 0.0, 2.0)
    change = rng.normal(size=count)
    change[1:] += push_bp * (np.sign(flow) * ~quiet)[:-1]
    price = 100 * np.exp(1e-4 * np.cumsum(change))
    return candles_of(
        price, step, volume=volume, taker_buy_volume=volume * (1 + flow) / 2, **columns
    )


def test_the_imbalance_is_unknown_without_trades():
    candles = candles_of(
        np.ones(4), volume=[0.0, 2, 4, np.nan], taker_buy_volume=[0.0, 2, 1, np.nan]
    )
    assert imbalance(candles).tolist() == pytest.approx([np.nan, 1, -0.5, np.nan], nan_ok=True)


def test_a_push_is_found_with_its_size_on_both_sides():
    found = {
        (one.side, one.threshold, one.horizon_seconds): one
        for one in foretelling(market(20_000, 0.4, 1))
    }
    assert len(found) == 18
    for side, sign in (("buying", 1), ("selling", -1)):
        for horizon in (1, 10):
            one = found[side, 0.3, horizon]
            error = abs(one.move_bp / one.t)
            assert one.move_bp == pytest.approx(sign * 0.4, abs=3 * error)
        next_second = found[side, 0.3, 1]
        assert next_second.foretold is True
        assert abs(next_second.t) > 10
        assert next_second.right == pytest.approx(0.655, abs=0.02)  # P(N(0.4, 1) > 0)
        assert next_second.signals == pytest.approx(20_000 * 0.7 / 3, rel=0.05)
        assert found[side, 0.9, 1].signals == pytest.approx(20_000 * 0.7 / 6, rel=0.05)
    assert foretelling(market(20_000, -0.4, 1))[0].foretold is False


@pytest.mark.parametrize("horizon", [1, 10])
def test_flow_that_foretells_nothing_is_called_chance(horizon):
    called = [
        one.foretold is not None
        for seed in range(60)
        for one in foretelling(market(2000, 0.0, seed, lasting=5), [0.3], [horizon])
    ]
    assert len(called) == 120
    assert np.mean(called) < 0.11


def test_the_mid_is_used_where_it_is_known():
    candles = market(3000, 0.0, 3)
    bounce = 2e-4 * (imbalance(candles) > 0)
    frame = candles.frame.assign(
        bid=candles.frame["close"] - 0.01, ask=candles.frame["close"] + 0.01
    )
    frame["close"] *= 1 + bounce  # a buyer pays the ask, and the next price falls back
    frame["high"] = frame["close"]
    with_touch = type(candles)(frame, 1, "a")
    without = type(candles)(frame.drop(columns=["bid", "ask"]), 1, "a")
    by_mid, by_close = (foretelling(one, [0.3], [1])[0] for one in (with_touch, without))
    assert (by_mid.price, by_close.price) == ("mid", "close")
    assert by_mid.foretold is None
    assert by_close.foretold is False


def test_horizons_count_whole_candles_and_unknown_rows_are_left_out():
    minutes = market(3000, 0.4, 4, step=60)
    assert {one.horizon_seconds for one in foretelling(minutes)} == {60}
    hours = market(3000, 0.4, 4, step=3600)
    assert {one.horizon_seconds for one in foretelling(hours)} == {3600, 36_000, 216_000}
    holed = market(3000, 0.4, 4)
    frame = holed.frame.copy()
    frame.iloc[1000:2000] = np.nan
    fewer = foretelling(type(holed)(frame, 1, "a"), [0.3], [1])[0]
    assert fewer.signals == pytest.approx(2000 * 0.7 / 3, rel=0.1)
    assert fewer.foretold is True


def test_seconds_whose_flow_is_unknown_are_not_taken_for_balanced_ones():
    candles = market(4000, 0.4, 5)
    frame = candles.frame.copy()
    frame.iloc[2000:, 4:] = np.nan
    frame.iloc[2000:, :4] *= np.exp(1e-3 * np.arange(1, 2001))[:, None]  # a rise of 10 bp a second
    found = foretelling(type(candles)(frame, 1, "a"), [0.3], [1])
    for one, sign in zip(found, (1, -1), strict=True):
        assert one.move_bp == pytest.approx(sign * 0.4, abs=0.2)


def test_nothing_is_said_without_taker_volumes_or_with_few_signals():
    price = np.exp(np.random.default_rng(0).normal(0, 1e-4, 500))
    assert foretelling(candles_of(price, volume=np.ones(500))) == ()
    assert foretelling(market(40, 0.4, 0)) == ()
    still = candles_of(np.ones(900), volume=1.0, taker_buy_volume=np.arange(900) % 3 / 2)
    assert foretelling(still) == ()
