"""Policies compared: the words for a market, the table, and a page with the ladders drawn."""

import numpy as np
import pytest

from advanced_mm.performance import Figure
from advanced_mm.policies import Ladder, Level
from advanced_mm.price_grid import PriceGrid
from advanced_mm.replay import ReplayOptions
from advanced_mm.replay.account import Account
from advanced_mm.replay.backtest import Backtest
from advanced_mm.replay.ladders import LadderOptions, run_ladder
from advanced_mm.report.policies_page import (
    DrawnLadder,
    Outcome,
    _charts,
    outcome_rows,
    verdict_on_market,
    write_policies_page,
)
from tests.replay.ladders.policies_for_tests import Even
from tests.replay.markets import T0, Market


def outcome(net: float, low: float, high: float, policy: str = "curve", fills: float = 5.0):
    figure = Figure(net, "USDC per hour", low, high)
    return Outcome("calm", policy, figure, 4.0, -2.0, net - 1.0, -1.0, fills, 0.125)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([outcome(2, 1, 3), outcome(-1, -2, 0, "spot")], "These pay: curve."),
        ([outcome(2, -1, 3), outcome(-9, -10, -8)], "Nothing is shown to pay: curve earned"),
        ([outcome(-2, -3, -1), outcome(-5, -6, -4)], "Do not quote here: every policy that"),
        ([outcome(-2, -3, 1), outcome(-5, -6, -4)], "some no more than chance does."),
        ([outcome(2, np.nan, np.nan)], "Too short to tell luck from skill: curve"),
        ([outcome(-2, np.nan, np.nan)], "some no more than chance does."),
        ([outcome(0, np.nan, np.nan, fills=0), Outcome.none("calm", "glft", "?")], "Undecided"),
    ],
)
def test_a_market_where_every_policy_loses_is_called_one(outcomes, words) -> None:
    assert words in verdict_on_market(outcomes)


def test_the_four_parts_add_up_beyond_what_was_held() -> None:
    market = Market().steady(0, 60_000, 100.0, 100.2).steady(60_500, 120_000, 101.0, 101.2)
    market.trade(2000, 99.9, 1.0, -1)
    data = market.data()
    backtest = Backtest(data, None, None, data.start_ms, data.end_ms)
    options = ReplayOptions(
        size=1.0, grid=PriceGrid(3, 0.1), latency_ms=50, feed_latency_ms=20, fee_rate=0.001
    )
    account = LadderOptions(account=Account(capital=1001.0))
    run = run_ladder(backtest, Even, options, account, ("back",))
    one = Outcome.of_run("up", "even", run)
    # One bought at 100.0 under a mid of 100.1, worth 101.1 in the end; the ask at 100.2 sold one
    # when the market rose. The five that were held count for nothing.
    hours = 2 / 60
    assert one.fills == pytest.approx(2 / hours)
    assert one.spread == pytest.approx((0.1 + 0.1) / hours)
    assert one.fees == pytest.approx(-0.001 * 200.2 / hours)
    assert one.net.value == pytest.approx((0.2 - 0.2002) / hours)
    total = one.spread + one.adverse + one.inventory + one.fees
    assert total == pytest.approx(one.net.value)
    assert one.adverse == pytest.approx(-1.0 / hours)  # the ask that the market ran over
    assert one.inventory == pytest.approx(1.0 / hours)  # what was bought, before
    assert one.held == pytest.approx(100.1 * 58.5 / 120 / 1001.0, rel=0.01)
    assert data.start_ms == T0


def test_the_page_has_each_market_with_its_verdict_and_each_ladder(tmp_path) -> None:
    ladder = Ladder((Level(99.0, 1.0), Level(98.0, 2.0)), (Level(101.0, 1.0),))
    bad = Outcome.none("calm", "glft", "kappa is missing: set it")
    page = tmp_path / "new" / "policies.html"
    write_policies_page(
        page,
        "lead",
        [outcome(-2, -3, -1), bad],
        [DrawnLadder("curve", 100.0, [("at the start", ladder)])],
        ["a note"],
    )
    text = page.read_text()
    for words in ("Do not quote here", "kappa is missing", "USDC at rest", "at the start, bids"):
        assert words in text
    bids, asks = _charts(DrawnLadder("curve", 100.0, [("at the start", ladder)]))[0].series
    assert list(bids.x) == pytest.approx([-100, -100, -200, -200])
    assert list(bids.y) == pytest.approx([0, 99, 99, 295])  # a step up at each price
    assert list(asks.y) == pytest.approx([0, 101])
    assert "http://" not in text.split("<h1>")[1].split("<script")[0]
    assert outcome_rows([outcome(-2, -3, -1)])[0] == (
        *("curve", "5.00", "−2.00 [−3.00, −1.00]", "4.00", "−2.00", "−3.00", "−1.00", "12.5"),
    )
