"""The two policies of a spread and a skew, pacing, and what a spot account can pay."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.policies import Ladder, Level, MarketState, build, within_balances

CALM = {"volatility": 1e-4, "usual_volatility": 1e-4}
STILL = {"volatility": 4e-12, "usual_volatility": 0.0}  # the weighted figure falls, but not to 0
WILD = {"volatility": 2e-4, "usual_volatility": 1e-4}


def only(levels):
    (level,) = levels
    return level.price, level.size


# --- simple -----------------------------------------------------------------------------------


def test_simple_moves_both_prices_against_the_inventory(market):
    # 001's worked answer: half of 0.10 around mid - 0.0001·inventory.
    ladder = build("simple").ladder(market(inventory=300))
    assert only(ladder.bids) == pytest.approx((100 - 0.05 - 0.03, 700))  # cut to what may be held
    assert only(ladder.asks) == pytest.approx((100 + 0.05 - 0.03, 1000))
    short = build("simple").ladder(market(inventory=-300))
    assert only(short.bids) == pytest.approx((100 - 0.05 + 0.03, 1000))
    assert only(short.asks) == pytest.approx((100 + 0.05 + 0.03, 700))


@pytest.mark.parametrize(("inventory", "empty"), [(1000, "bids"), (-1000, "asks"), (1200, "bids")])
def test_simple_rests_one_side_at_the_limit(market, inventory, empty):
    ladder = build("simple").ladder(market(inventory=inventory))
    assert getattr(ladder, empty) == () and f"no {empty}: the inventory is at" in ladder.reason
    assert getattr(ladder, "asks" if empty == "bids" else "bids")


@pytest.mark.parametrize(
    ("inventory", "seen", "size"),
    [(0, CALM, 10), (500, CALM, 10), (501, CALM, 5), (0, WILD, 7), (-600, WILD, 3.5)],
)
def test_simple_halves_sizes_beyond_half_the_limit_and_takes_seven_tenths_when_volatile(
    market, inventory, seen, size
):
    ladder = build("simple", {"base_size": 10}).ladder(market(inventory=inventory, **seen))
    assert ladder.bids[0].size == ladder.asks[0].size == pytest.approx(size)


@pytest.mark.parametrize(
    ("settings", "inventory", "seen", "spread"),
    [
        ({}, 0, CALM, 0.1),
        ({}, 900, CALM, 0.1),  # the inventory itself is no price
        ({"inventory_penalty": 0.04}, 900, CALM, 0.14),
        ({"risk_multiplier": 3.0}, 0, CALM, 0.1 + 3 * 1e-4 * 100),
        ({"stress_multiplier": 4.0}, 0, WILD, 0.4),
        ({"low_liquidity_size": 3.0}, 0, CALM, 0.2),  # two units lie in the book
        ({"low_liquidity_size": 2.0}, 0, CALM, 0.1),
        ({}, 0, {}, 0.1),  # unknown volatility is no stress
        ({}, 0, STILL, 0.1),  # nor is a standstill
    ],
)
def test_simples_spread_is_base_volatility_penalty_and_stress(
    market, settings, inventory, seen, spread
):
    ladder = build("simple", settings).ladder(market(inventory=inventory, **seen))
    assert ladder.asks[0].price - ladder.bids[0].price == pytest.approx(spread)


def test_simple_says_what_it_lacks(market):
    assert build("simple", {"risk_multiplier": 1}).ladder(market()) == Ladder(
        reason="the volatility is not known yet"
    )
    assert "the spread is 0" in build("simple", {"base_spread": 0}).ladder(market()).reason


# --- basis points -----------------------------------------------------------------------------


def test_basis_points_quote_twenty_around_the_mid(market):
    ladder = build("basis_points").ladder(market())
    assert only(ladder.bids) == pytest.approx((99.9, 1.0))
    assert only(ladder.asks) == pytest.approx((100.1, 1.0))


def test_the_skew_moves_both_prices_the_same_way(market):
    # 002's text multiplies the ask by 1 + skew, which keeps a long position from being sold.
    policy = build("basis_points", {"max_inventory": 10, "skew_factor": 0.001})
    flat, long, short = (policy.ladder(market(inventory=q)) for q in (0, 5, -5))
    assert long.bids[0].price == pytest.approx(flat.bids[0].price * 0.9995)
    assert long.asks[0].price == pytest.approx(flat.asks[0].price * 0.9995)
    assert short.bids[0].price == pytest.approx(flat.bids[0].price * 1.0005)
    assert short.asks[0].price == pytest.approx(flat.asks[0].price * 1.0005)


@pytest.mark.parametrize(("inventory", "empty"), [(10, "bids"), (-10, "asks")])
def test_basis_points_stop_at_the_limit(market, inventory, empty):
    ladder = build("basis_points").ladder(market(inventory=inventory))
    assert getattr(ladder, empty) == ()
    assert getattr(ladder, "asks" if empty == "bids" else "bids")


def test_several_levels_have_their_offsets_and_sizes(market):
    rows = [{"offset_bps": 20, "size": 1.5}, {"offset_bps": 10, "size": 2.0}]
    ladder = build("basis_points", {"levels": rows}).ladder(market())
    assert [(x.price, x.size) for x in ladder.bids] == [
        pytest.approx((99.9, 2.0)),
        pytest.approx((99.8, 1.5)),
    ]
    assert [x.size for x in build("basis_points", {"levels": rows}).ladder(
        market(inventory=7)).bids] == pytest.approx([2.0, 1.0])  # fmt: skip
    with pytest.raises(InputError, match=r"levels\.0\.size is missing: set it"):
        build("basis_points", {"levels": [{"offset_bps": 10}]})


@pytest.mark.parametrize(
    ("volatility", "spread"), [(1e-4, 0.2), (2e-4, 0.4), (1e-5, 0.1), (1.0, 1.0)]
)
def test_the_spread_follows_the_volatility_ratio_within_limits(market, volatility, spread):
    policy = build("basis_points", {"volatility_spread": True})
    ladder = policy.ladder(market(volatility=volatility, usual_volatility=1e-4))
    assert ladder.asks[0].price - ladder.bids[0].price == pytest.approx(spread)
    assert policy.ladder(market()) == Ladder(reason="the volatility is not known yet")


def test_a_standstill_is_quoted_at_the_spread_as_set(market):
    policy = build("basis_points", {"volatility_spread": True})
    still = policy.ladder(market(**STILL))
    assert (still.bids[0].price, still.asks[0].price) == pytest.approx((99.9, 100.1))


@pytest.mark.parametrize(
    ("bid_size", "bid", "ask"),
    [(1.4, 99.9, 100.1), (3.0, 99.92, 100.12), (1 / 3, 99.88, 100.08)],
)
def test_a_lopsided_book_moves_one_side_nearer_and_the_other_away(market, bid_size, bid, ask):
    policy = build("basis_points", {"imbalance_shift": 0.2})
    ladder = policy.ladder(market(bids=((99.99, bid_size),)))
    assert (ladder.bids[0].price, ladder.asks[0].price) == pytest.approx((bid, ask))


def test_nothing_rests_for_the_cooldown_after_a_large_trade(market):
    policy = build("basis_points", {"cooldown_seconds": 3})
    just = policy.ladder(market(time_ms=10_000, large_trade_ms=9_000))
    assert just == Ladder(reason="cooldown after a large trade, 2.0 s left")
    assert policy.ladder(market(time_ms=12_000, large_trade_ms=9_000)).bids
    assert policy.ladder(market(time_ms=12_000)).bids


def test_prices_are_renewed_with_the_bar_and_withdrawn_at_once(market):
    policy = build("basis_points", {"update_freq": 2, "bar_seconds": 60, "cooldown_seconds": 5})
    assert policy.update_seconds == 120 and policy.name == "basis_points"
    first = policy.ladder(market(time_ms=120_000))
    assert policy.ladder(market(mid=101.0, time_ms=239_000)) is first
    full = policy.ladder(market(mid=101.0, time_ms=239_100, inventory=10))
    assert full.bids == () and full.asks == first.asks and "no bids" in full.reason
    # Not back before the next bar, although it might.
    assert policy.ladder(market(mid=101.0, time_ms=239_200)).bids == ()
    assert policy.ladder(market(mid=101.0, time_ms=240_000)).bids[0].price > 100
    assert not policy.ladder(market(time_ms=240_100, large_trade_ms=240_050)).asks


def test_fills_within_a_bar_never_lead_beyond_the_limit(market):
    rows = [{"offset_bps": x, "size": 4} for x in (10, 20, 30)]
    policy = build("basis_points", {"levels": rows, "bar_seconds": 60})
    sizes = [
        [x.size for x in policy.ladder(market(time_ms=time, inventory=held)).bids]
        for time, held in ((0, 0), (1, 4), (2, 8), (3, 4))
    ]
    assert sizes == [[4, 4, 2], [4, 2], [2], [4, 2]]


def test_a_side_that_waits_for_the_next_bar_says_so(market):
    policy = build("basis_points", {"bar_seconds": 60})
    policy.ladder(market(inventory=10))
    waits = policy.ladder(market(time_ms=1))
    assert waits.bids == () and waits.asks
    assert waits.reason == "no bids: withdrawn until the next bar"
    assert policy.ladder(market(time_ms=-1)).bids  # the clock went back: another bar


def test_bars_without_a_length_are_refused():
    with pytest.raises(InputError, match="update_freq = 2 counts bars, but bar_seconds is 0"):
        build("basis_points", {"update_freq": 2})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("simple", {"base_spread": 1e-9}), ("basis_points", {"spread_bps": 1e-13})],
)
def test_a_spread_below_the_last_digit_of_a_price_is_not_quoted(market, kind, settings):
    ladder = build(kind, settings).ladder(market(mid=1e8))
    assert ladder == Ladder(
        reason="the best bid and ask would meet: the edge of a fill is not above 0"
    )


# --- both -------------------------------------------------------------------------------------


def test_a_spot_account_sells_what_it_has_and_spends_what_it_has(market):
    ladder = Ladder(
        (Level(99.0, 1.0), Level(98.0, 1.0), Level(97.0, 1.0)),
        (Level(101.0, 1.0), Level(102.0, 1.0)),
    )
    cut = within_balances(ladder, market(inventory=1.5, quote_balance=148.0))
    assert cut == Ladder(
        (Level(99.0, 1.0), Level(98.0, 0.5)), (Level(101.0, 1.0), Level(102.0, 0.5))
    )
    assert within_balances(ladder, market(inventory=9, quote_balance=999)) is ladder
    none = within_balances(ladder, market(inventory=0.0, quote_balance=0.0))
    assert none.reason == (
        "no bids: there is no quote balance to spend; no asks: there is no inventory to sell"
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("simple", {"base_size": 3, "max_inventory": 10, "risk_aversion": 0.01}),
        ("simple", {"base_size": 3, "max_inventory": 10, "target_inventory": 4}),
        ("basis_points", {"order_size": 3}),
        ("basis_points", {"levels": [{"offset_bps": x, "size": 4} for x in (1, 5, 9)]}),
    ],
)
@given(inventory=st.floats(-20.0, 20.0), volatility=st.floats(1e-6, 1e-3))
def test_the_bounds_hold_and_the_mirrored_inventory_has_the_mirrored_ladder(
    kind, settings, inventory, volatility
):
    target = settings.get("target_inventory", 0)

    def ladder(held):
        book = ((99.99, 1.0),), ((100.01, 1.0),)
        seen = {"volatility": volatility, "usual_volatility": 1e-4}
        return build(kind, settings).ladder(MarketState(0, *book, held + target, **seen))

    here, there = ladder(inventory), ladder(-inventory)
    assert inventory + sum(x.size for x in here.bids) <= max(10, inventory) + 1e-9
    assert inventory - sum(x.size for x in here.asks) >= min(-10, inventory) - 1e-9
    assert [x.size for x in here.bids] == pytest.approx([x.size for x in there.asks])
    # A skew in basis points scales the prices: mirrored up to its square.
    off = 1e-9 if kind == "simple" else 0.01
    assert [100 - x.price for x in here.bids] == pytest.approx(
        [x.price - 100 for x in there.asks], abs=off
    )
    assert not any(math.isnan(x.price) for x in (*here.bids, *here.asks))
