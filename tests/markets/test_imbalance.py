"""The synthetic market whose mid follows the imbalance at the touch, by a known amount."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from advanced_mm.calibration.estimators import FairPriceEstimator
from advanced_mm.calibration.windows import Window
from advanced_mm.errors import InputError
from advanced_mm.marketdata.records import Quotes, Recording, Trades
from advanced_mm.markets.synthetic import SyntheticMarket
from advanced_mm.markets.synthetic_flow import SyntheticFlow
from advanced_mm.markets.synthetic_parameters import SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regimes
from advanced_mm.venue.conditions.scenario import load_scenario

START_MS = 1_760_000_000_000
CALM = SyntheticParameters(sigma=0.3, jump_minimum=0.1)
FOLLOWS = replace(CALM, imbalance=0.6, imbalance_drift=0.3)


def recording(parameters: SyntheticParameters, seed: int, minutes: int) -> Recording:
    """The touch of each block, as the market publishes it."""
    flow = SyntheticFlow(Regimes.of(parameters), seed)
    chunks = [flow.next_chunk() for _ in range(minutes)]
    bid, imbalance = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("bid_ticks", "imbalance")
    )
    time_ms = START_MS + parameters.block_ms * np.arange(len(bid), dtype=np.int64)
    touch = (0.1 * bid, 1 + imbalance, 0.1 * (bid + 1), 1 - imbalance)
    nothing, none = np.empty(0, dtype=np.int64), np.empty(0)
    return Recording(
        coin="ETH",
        quotes=Quotes(time_ms, *touch, time_ms / 1e3),
        trades=Trades(nothing, none, none, nothing, nothing, nothing, none),
        book_time_ms=time_ms[::5],
        tick=0.1,
    )


@pytest.mark.parametrize("horizon_s", [1.0, 5.0])
def test_the_fitted_beta_is_the_markets(horizon_s):
    estimator = FairPriceEstimator(horizon_ms=round(1000 * horizon_s))
    slopes = [estimator.fit(Window.of(recording(FOLLOWS, seed, 15))).slope for seed in range(40)]
    truth = FOLLOWS.beta(horizon_s)
    assert sum(slope.low <= truth <= slope.high for slope in slopes) >= 35
    error = np.std([slope.value for slope in slopes]) / np.sqrt(len(slopes))
    assert np.mean([slope.value for slope in slopes]) == pytest.approx(truth, abs=3 * error)


def test_beta_is_zero_without_an_imbalance_and_saturates_with_the_horizon():
    assert replace(FOLLOWS, imbalance=0.0).beta(5.0) == 0.0
    assert FOLLOWS.beta(0.1) == pytest.approx(0.03)
    assert FOLLOWS.beta(600.0) == pytest.approx(0.3 * 3.0 / 2, rel=0.05)


def test_book_and_quotes_show_the_imbalance_and_turn_as_often_as_told():
    market = SyntheticMarket(FOLLOWS, START_MS, 5)
    updates = market.advance(START_MS + 600_000)
    touches = [(u.time_ms, u.quote.bid_size, u.quote.ask_size) for u in updates if u.quote]
    assert touches[0][1:] == (5.0, 5.0)
    sizes = [one[1:] for one in touches[1:]]
    assert set(sizes) == {(8.0, 2.0), (2.0, 8.0)}
    turns = sum(before != after for before, after in pairwise(sizes))
    assert turns == pytest.approx(600 / 3, abs=3 * np.sqrt(200))
    book = market.book(5)
    assert (book.bids[0].size, book.asks[0].size) == touches[-1][1:]
    assert {level.size for level in (*book.bids[1:], *book.asks[1:])} == {5.0}
    assert len(book.bids) == len(book.asks) == 5


def test_sizes_that_do_not_move_the_mid_leave_the_orders_as_they_were():
    plain, shown = (
        SyntheticMarket(parameters, START_MS, 5).advance(START_MS + 60_000)
        for parameters in (CALM, replace(CALM, imbalance=0.6))
    )
    prints = [[(u.time_ms, u.prints) for u in updates if u.prints] for updates in (plain, shown)]
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    "wrong", [{"imbalance": 0.99}, {"imbalance_seconds": 0.0}, {"imbalance_drift": 1e9}]
)
def test_values_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        replace(CALM, **wrong)


def test_the_scenario_says_its_beta():
    path = Path(__file__).parents[1] / "scenarios" / "imbalanced.yaml"
    (market,) = load_scenario(path).markets
    assert "0.15 USDC per unit" in path.read_text(encoding="utf-8")
    parameters = market.synthetic.on(SyntheticParameters.for_coin("ETH"))
    assert parameters.beta(5.0) == pytest.approx(0.15, abs=0.005)
