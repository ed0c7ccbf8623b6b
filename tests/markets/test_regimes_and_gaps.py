"""Markets that change: regimes of the synthetic market and price gaps of any market.

- until a change, the market equals the one without it; the change takes effect in the exact block;
- without noise the drift is the whole motion; level sizes and rates are the regime's;
- a gap moves book, touch, mid and prints by the same whole ticks, and only from its time on;
- no price is zero or less, whatever the gaps, reaches and depth;
- a market does not depend on how it is driven; bad schedules and gaps are refused by name.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.markets.price_gaps import Gap, GapMarket
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.markets.synthetic_regimes import Regime, Regimes

START_MS = 1_790_000_000_000
CALM = SyntheticParameters()
STILL = replace(CALM, sigma=0.0, lambda_plus=0.0, lambda_minus=0.0)


def market(*later: Regime, first: SyntheticParameters = CALM) -> SyntheticMarket:
    return SyntheticMarket(Regimes(first, later), START_MS, seed=3)


def test_before_a_change_the_market_is_the_one_without_it():
    wild = Regime(60_000, replace(CALM, sigma=20.0))
    changing, plain = market(wild), market()
    until = START_MS + 60_000
    assert changing.advance(until) == plain.advance(until)
    assert changing.advance(until + 60_000) != plain.advance(until + 60_000)


def test_drift_is_the_motion_where_there_is_no_noise():
    source = market(
        Regime(10_000, replace(STILL, drift=5.0)), Regime(20_000, STILL), first=STILL
    )  # fmt: skip
    mids = []
    for second in range(31):
        source.advance(START_MS + second * 1000)
        mids.append(source.mid - 3000.0)
    assert mids[1:11] == pytest.approx([0.05] * 10)
    assert mids[11:21] == pytest.approx([5.0 * i for i in range(1, 11)], abs=0.11)
    assert mids[21:] == [mids[20]] * 10


def test_a_regime_has_its_own_sizes_and_orders():
    source = market(Regime(5_000, replace(STILL, level_size=0.5)), first=STILL)
    source.advance(START_MS + 5_000)
    assert source.book(1).bids[0].size == 5.0
    updates = source.advance(START_MS + 6_000)
    assert [(u.time_ms, u.quote.bid_size) for u in updates] == [(START_MS + 5_100, 0.5)]
    busy = market(Regime(5_000, replace(CALM, lambda_plus=50.0)), first=STILL)
    prints = [u for u in busy.advance(START_MS + 10_000) if u.prints]
    assert prints[0].time_ms == START_MS + 5_100


def test_truth_is_that_of_the_present_regime():
    source = market(Regime(1_000, replace(CALM, kappa_plus=9.0)))
    source.advance(START_MS + 1_000)
    assert source.truth().kappa_plus == 2.0
    source.advance(START_MS + 1_100)
    assert source.truth().kappa_plus == 9.0


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.integers(1, 40_000), min_size=1, max_size=12),
    gaps=st.lists(
        st.tuples(st.integers(1, 60_000), st.sampled_from([-5.0, 2.5, 0.01])), max_size=3
    ),
)
def test_the_steps_do_not_matter(steps, gaps):
    planned = tuple(Gap(START_MS + ms, percent) for ms, percent in gaps)
    regime = Regime(20_000, replace(CALM, drift=-1.0, level_size=2.0))

    def run(times):
        source = GapMarket(market(regime), planned)
        updates = [update for ms in times for update in source.advance(START_MS + ms)]
        return updates, source.book(5), source.mid

    times = [sum(steps[: i + 1]) for i in range(len(steps))]
    assert run(times) == run(times[-1:])


@pytest.mark.parametrize(
    ("later", "message"),
    [
        ((Regime(0, STILL),), "begins at 0 ms"),
        ((Regime(150, STILL),), "multiple of the block time"),
        ((Regime(100, STILL), Regime(100, CALM)), "two regimes"),
        ((Regime(100, replace(CALM, start_price=4000.0)),), "may change only"),
    ],
)
def test_regimes_that_cannot_be(later, message):
    with pytest.raises(InputError, match=message):
        Regimes(CALM, later)


def test_a_gap_moves_everything_by_the_same_ticks():
    plain = market()
    gapped = GapMarket(market(), (Gap(START_MS + 30_050, -10.0),))
    before = START_MS + 30_000
    assert gapped.advance(before) == plain.advance(before)
    mid = gapped.mid
    plain_after, after = plain.advance(before + 30_000), gapped.advance(before + 30_000)
    jump, after = after[0], after[1:]
    assert (jump.time_ms, jump.prints) == (START_MS + 30_050, ())
    assert (jump.quote.bid + jump.quote.ask) / 2 == pytest.approx(0.9 * mid, abs=0.1)
    shift = round((0.9 - 1) * mid, 1)
    assert len(after) == len(plain_after)
    for one, other in zip(after, plain_after, strict=True):
        for mine, theirs in zip(one.prints, other.prints, strict=True):
            assert mine.price == pytest.approx(theirs.price + shift, abs=0.051)
            assert (mine.size, mine.side, mine.tid) == (theirs.size, theirs.side, theirs.tid)
        if one.quote is not None:
            assert one.quote.bid == pytest.approx(other.quote.bid + shift, abs=0.051)
            assert one.quote.ask == round(one.quote.bid + 0.1, 1)
    assert gapped.mid == pytest.approx(plain.mid + shift, abs=0.051)
    assert gapped.book(1).bids[0].price == pytest.approx(gapped.mid - 0.05)
    assert gapped.gaps == (Gap(START_MS + 30_050, -10.0),)


def test_gaps_that_cannot_be():
    gapped = GapMarket(market())
    gapped.advance(START_MS + 1000)
    with pytest.raises(InputError, match="in the past"):
        gapped.add(Gap(START_MS + 1000, 1.0))
    for percent in (-100.0, -99.9, 250.0):
        with pytest.raises(InputError, match="give a smaller gap"):
            gapped.add(Gap(START_MS + 2000, percent))
    gapped.add(Gap(START_MS + 2000, -50.0))
    gapped.advance(START_MS + 2000)
    assert gapped.mid == pytest.approx(1500, rel=0.01)


def test_a_gap_that_the_price_has_made_too_far_is_cut_short_and_logged(caplog):
    gapped = GapMarket(market(), (Gap(START_MS + 1000, -99.0), Gap(START_MS + 2000, -90.0)))
    gapped.advance(START_MS + 1500)
    assert gapped.mid == pytest.approx(30, abs=1)
    assert caplog.text == ""
    gapped.advance(START_MS + 2000)
    assert gapped.mid == pytest.approx(10, abs=0.1)  # 100 ticks
    assert "ETH: a price gap of -90% from 30" in caplog.text
    assert "cut short at 9.95" in caplog.text


@pytest.mark.parametrize(
    ("percent", "drift"),
    [(-99.0, -5.0), (200.0, 500.0)],  # both ends
)
def test_after_a_gap_the_market_stays_where_its_tick_fits(caplog, percent, drift):
    """It would move on below zero, or to more than five significant figures."""
    moving = replace(CALM, drift=drift, kappa_minus=0.05)  # long reaches
    gapped = GapMarket(market(first=moving), (Gap(START_MS + 100, percent),))
    at_the_end = False
    for update in gapped.advance(START_MS + 30_000):
        for one in update.prints:
            assert one.price >= 0.1
        if update.quote is not None and update.time_ms > START_MS + 100:
            assert 9.85 < update.quote.bid < update.quote.ask < 10_000.05
            at_the_end |= update.quote.bid < 10 or update.quote.ask > 9999
    assert at_the_end
    assert caplog.text.count("held at the end") == 1
    deep = gapped.book(5_120)
    assert all(level.price > 0 for level in (*deep.bids, *deep.asks))
    assert gapped.mid == pytest.approx((deep.bids[0].price + deep.asks[0].price) / 2)


def test_a_reach_longer_than_the_price_is_high_prints_no_price_of_zero():
    cheap = replace(CALM, start_price=15.0, sigma=0.0, kappa_minus=0.01, kappa_plus=0.01)
    prints = [one for update in market(first=cheap).advance(START_MS + 60_000)
              for one in update.prints]  # fmt: skip
    assert 0.1 <= min(one.price for one in prints) < 0.2
    assert all(one.size >= 0.0001 for one in prints)


@pytest.mark.parametrize("coin", ["BTC", "SOL", "BNB", "HYPE", "AVAX", "LINK", "XRP", "DOGE"])
def test_coins_are_alike_but_for_their_scale(coin):
    ours, default = SyntheticParameters.for_coin(coin), SyntheticParameters()
    truth, usual = ours.truth(), default.truth()
    assert ours.sigma / ours.start_price == pytest.approx(default.sigma / default.start_price)
    assert ours.kappa_plus * ours.start_price == pytest.approx(6000)
    assert 0.3 < truth.kappa_plus * truth.epsilon_plus < 0.6
    assert truth.lambda_plus == pytest.approx(usual.lambda_plus, rel=0.25)
    usdc_a_percent = [one.level_size * one.start_price**2 / one.tick for one in (ours, default)]
    assert usdc_a_percent[0] == pytest.approx(usdc_a_percent[1], rel=0.1)
