"""The best level of a policy in place of the optimal depth, with the guards as they are."""

from datetime import UTC, datetime, timedelta

import pytest

from advanced_mm.errors import InputError
from advanced_mm.parameter_files import ParameterFileError, Settings
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import Quote, Quoter, Refusal, Touch
from tests.quoting.feeds import FixedFeed

NOW = datetime(2026, 11, 23, 12, 0, 20, tzinfo=UTC)
TOUCH = Touch(bid=2999.9, ask=3000.1, at=NOW)
WIDE = {"kind": "spot", "bin_step": 20}  # bp: six at a mid of 3000
UNGUARDED = {"min_edge_bp": None}


def quoter(served, policy, **settings) -> Quoter:
    return Quoter(Settings(policy=policy, **settings), FixedFeed(served), PriceGrid(4))


def later(seconds, mid=3000.0):
    at = NOW + timedelta(seconds=seconds)
    return Touch(mid - 0.1, mid + 0.1, at), at


def test_without_the_setting_nothing_is_asked_of_a_policy(make_set):
    assert Settings().policy is None and Settings().quoting_policy() is None
    assert Quoter(Settings(), FixedFeed(make_set()), PriceGrid(4))._policy is None


@pytest.mark.parametrize(
    ("policy", "bid", "ask"),
    [
        (WIDE, 2994.0, 3006.0),
        ({"kind": "curve", "bin_step": 10}, 2997.0, 3003.0),
        ({"kind": "basis_points", "spread_bps": 20, "skew_factor": 0}, 2997.0, 3003.0),
        # At its most, the bot is as far as the skew goes: the ask lies 10 bp lower.
        ({"kind": "basis_points", "spread_bps": 30}, 2995.5, 3001.5),
        ({"kind": "simple", "base_spread": 9.0, "risk_aversion": 1.0}, 2995.5, 3003.5),
        (
            {"kind": "avellaneda_stoikov", "gamma": 1e-9, "kappa": 0.2, "horizon_seconds": 60},
            2995.0,
            3005.0,
        ),
    ],
)
def test_the_best_level_of_a_side_is_quoted(make_set, policy, bid, ask):
    maker = quoter(make_set(sigma=0.3), policy)
    entry, offer = maker.entry("bid", 0, TOUCH, NOW), maker.exit("ask", 1, TOUCH, NOW)
    assert (entry.price, offer.price) == pytest.approx((bid, ask))
    assert entry.depth == pytest.approx(3000 - bid, abs=0.1) and entry.is_entry
    assert entry.calibration_id == offer.calibration_id != None  # noqa: E711


def test_it_lies_around_the_fair_price_where_the_policy_does(make_set):
    parameters = make_set(beta=2.0)
    touch = Touch(2999.9, 3000.1, NOW, 3.0, 1.0)  # the imbalance is one half: up by one
    simple = quoter(parameters, {"kind": "simple", "base_spread": 9.0})
    assert simple.exit("ask", 1, touch, NOW).price == pytest.approx(3005.5)
    bins = quoter(parameters, WIDE)
    assert bins.exit("ask", 1, touch, NOW).price == pytest.approx(3006.0)  # around the mid


def test_every_guard_of_entries_acts_as_ever(make_set):
    old = make_set(published_at=NOW - timedelta(seconds=61))
    refusals = {
        "published 61 s ago": (old, {}),
        "toxic": (make_set(epsilon_fill_minus=9.0), {}),
        "no edge: a round trip at the policy's quotes": (make_set(), {"min_edge_bp": 99.0}),
        "spread too wide": (make_set(), {"max_spread_bp": 30.0}),
    }
    for words, (parameters, settings) in refusals.items():
        refusal = quoter(parameters, WIDE, **settings).entry("bid", 0, TOUCH, NOW)
        assert isinstance(refusal, Refusal) and words in refusal.reason
    missing = quoter(ParameterFileError("there are none"), WIDE).entry("bid", 0, TOUCH, NOW)
    assert missing == Refusal("there are none")
    near = quoter(make_set(), {"kind": "basis_points", "spread_bps": 2, "skew_factor": 0})
    assert "round trip" in near.entry("bid", 0, TOUCH, NOW).reason  # less than two fees


def test_guards_widen_and_the_least_spread_holds(make_set):
    maker = quoter(make_set(), WIDE)
    assert maker.entry("bid", 0, TOUCH, NOW, 1.5).price == pytest.approx(2991.0)
    least = quoter(make_set(), WIDE, min_spread_bp=60)
    assert least.entry("bid", 0, TOUCH, NOW).price == pytest.approx(2991.0)
    assert least.exit("ask", 1, TOUCH, NOW).price == pytest.approx(3009.0)


@pytest.mark.parametrize("served", ["old", "none"])
def test_an_exit_without_usable_parameters_rests_where_the_policy_says(make_set, served):
    parameters = {
        "old": make_set(published_at=NOW - timedelta(seconds=61)),
        "none": ParameterFileError("there are none"),
    }[served]
    offer = quoter(parameters, WIDE).exit("ask", 1, TOUCH, NOW)
    assert (offer.price, offer.calibration_id) == (pytest.approx(3006.0), None)
    unknown = {"kind": "glft", "gamma": 1e-3, "kappa": 0.2, "intensity": 1.0}
    assert quoter(parameters, unknown).exit("ask", 1, TOUCH, NOW).price == 3000.1  # no volatility


def test_a_side_that_the_policy_leaves_empty_is_not_quoted_and_says_why(make_set):
    refusal = quoter(make_set(), WIDE).entry("bid", 1, TOUCH, NOW)
    assert refusal.reason.startswith("no bid is quoted at inventory 1: no bids: the inventory's")


@pytest.mark.parametrize("served", ["fresh", "none"])
def test_a_policy_that_wants_to_hold_more_is_not_made_to_sell(make_set, served):
    """Spot aims at half of eight units: one is below its band, three are in it, none is known."""
    parameters = make_set() if served == "fresh" else ParameterFileError("there are none")
    layered = {"inventory_mode": "layered", "q_max": 8}
    maker = quoter(parameters, WIDE, **layered)
    held = maker.exit("ask", 1, TOUCH, NOW)
    assert isinstance(held, Refusal) and not held.keeps_resting
    assert held.reason.startswith("no ask is quoted at inventory 1: no asks: the inventory's share")
    assert maker.exit("ask", 3, TOUCH, NOW).price == pytest.approx(3006.0)
    # Outside of its bounds the bot comes back whatever the policy says.
    assert maker.exit("ask", 9, TOUCH, NOW).price == pytest.approx(
        3000.1 if served == "fresh" else 3006.0
    )


def test_a_price_beyond_the_other_side_of_the_touch_is_moved_back(make_set):
    steep = {"kind": "simple", "base_spread": 1.0, "risk_aversion": 50.0}
    offer = quoter(make_set(), steep).exit("ask", 1, TOUCH, NOW)
    assert offer.price == pytest.approx(3000.0)  # a tick above the bid
    assert offer.depth == pytest.approx(0.5 - 50.0)


@pytest.mark.parametrize(("skew", "side"), [(0.0, "ask"), (5.0, "ask")])
def test_with_one_order_at_a_time_the_nearer_side_rests(make_set, skew, side):
    policy = {"kind": "simple", "base_spread": 9.0, "risk_aversion": skew}
    layered = {"inventory_mode": "layered", "q_max": 3}
    quote = quoter(make_set(), policy, **layered).one_order(1, TOUCH, NOW)
    assert quote.side == side
    flat = quoter(make_set(), policy, **layered).one_order(0, TOUCH, NOW)
    assert (flat.side, flat.inventory) == ("bid", 0)


def test_the_bots_bounds_hold_whatever_the_policys_are(make_set):
    """Basis points know no long-only, and a fair price above the mid makes the ask the nearer."""
    policy = {"kind": "basis_points", "spread_bps": 40, "max_inventory": 9, "skew_factor": 0}
    bounds = {"inventory_mode": "layered", "q_max": 3, "min_edge_bp": None}
    maker = quoter(make_set(beta=2.0), policy, **bounds)
    book = Touch(2999.9, 3000.1, NOW, 3.0, 1.0)
    assert maker.one_order(0, book, NOW).side == "bid"
    assert "at its least" in maker.entry("ask", 0, book, NOW).reason
    assert maker.one_order(3, book, NOW).side == "ask"
    assert "at its most" in maker.entry("bid", 3, book, NOW).reason


def test_the_bots_units_are_the_policys():
    bounds = {"inventory_mode": "layered", "q_max": 4}
    policy = Settings(policy={"kind": "basis_points"}, **bounds).quoting_policy()
    assert (policy.settings.order_size, policy.settings.max_inventory) == (1.0, 4.0)
    own = {"kind": "basis_points", "max_inventory": 2}
    assert Settings(policy=own, **bounds).quoting_policy().settings.max_inventory == 2.0
    flow = {"lambda_plus": 1, "lambda_minus": 1, "kappa_plus": 1, "kappa_minus": 1}
    model = Settings(policy={"kind": "cartea_jaimungal", **flow}, **bounds).quoting_policy()
    assert model.settings.long_only and model.settings.units == 4


def test_a_short_bot_sells_first(make_set):
    maker = quoter(make_set(), WIDE, inventory_mode="short_only")
    assert maker.entry("ask", 0, TOUCH, NOW).price == pytest.approx(3006.0)
    assert maker.exit("bid", -1, TOUCH, NOW).price == pytest.approx(2994.0)


def test_a_side_changes_its_shape_with_the_volatility_of_the_looks(make_set):
    wild = {"kind": "basis_points", "spread_bps": 40, "skew_factor": 0, "volatility_spread": True}
    maker = quoter(make_set(sigma=0.3), wild)
    assert maker.exit("ask", 1, TOUCH, NOW).price == pytest.approx(3006.0)  # the refit's, by now
    for second in range(1, 30):  # each second a move of a dollar, three times the usual one
        touch, now = later(second, 3000.0 + second % 2)
        offer = maker.exit("ask", 1, touch, now)
    assert offer.price - touch.mid == pytest.approx(6.0 * 1 / 0.3, rel=0.05)


def test_paced_prices_stay_for_their_bar(make_set):
    paced = {"kind": "basis_points", "spread_bps": 40, "skew_factor": 0, "bar_seconds": 60}
    maker = quoter(make_set(), paced, max_published_age_seconds=600)
    prices = [
        maker.exit("ask", 1, *later(seconds, mid)).price
        for seconds, mid in ((0, 3000.0), (20, 3001.0), (30, 3000.5), (41, 3001.0))
    ]
    assert prices == pytest.approx([3006.0, 3006.0, 3006.0, 3007.0], abs=0.11)
    # An entry thinks of the position that it would make; that is not what rests.
    entries = [maker.entry("bid", 0, *later(seconds)) for seconds in (101, 120, 159)]
    assert [entry.price for entry in entries] == [2994.0] * 3
    assert all(isinstance(entry, Quote) for entry in entries)


def test_quotes_of_a_policy_are_kept_while_they_lose_little(make_set):
    maker = quoter(make_set(), WIDE)
    wanted = maker.exit("ask", 1, TOUCH, NOW)
    assert wanted.kappa == 2.6 and wanted.from_best == 0.0
    assert not maker.is_outdated(wanted.price + 0.1, 5.0, wanted)
    assert maker.is_outdated(wanted.price + 1.0, 5.0, wanted)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"kind": "curv"}, "policy.kind = 'curv' is not a policy. You may mean 'curve'"),
        ({"kind": "curve", "bin_stp": 1}, "policy.curve.bin_stp = 1 is not a setting here"),
        ({"bin_step": 1}, "market_making.policy.kind"),
        ("curve", "market_making.policy = 'curve'"),
        ({"kind": "glft"}, "policy.glft.gamma is missing: set it"),
        ({"kind": "basis_points", "cooldown_seconds": 3}, "set large_order_multiple and flow"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_settings(policy, words):
    with pytest.raises(InputError) as error:
        Settings.from_config({"market_making": {"policy": policy}})
    assert words in str(error.value)


def test_settings_with_a_policy_are_keys_as_others_are():
    one, same, other = (
        Settings(policy={"kind": "curve", "bin_step": step}) for step in (10, 10, 20)
    )
    assert hash(one) == hash(same) and one == same != other
