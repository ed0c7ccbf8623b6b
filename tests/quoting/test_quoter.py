"""The quoter: the model's depth at the bot's inventory, rounded away from the mid, or a refusal."""

import dataclasses
import itertools
import json
import math
import random
import statistics
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from advanced_mm.errors import InputError
from advanced_mm.model import ModelParameters, solve
from advanced_mm.parameter_files import (
    ParameterFileError,
    ParameterFiles,
    ParameterSet,
    Settings,
    UnusableParametersError,
    ValueFunctionEntry,
    model_problem,
    value_function_fields,
)
from advanced_mm.price_grid import PriceGrid
from advanced_mm.quoting import ParameterFeed, Quote, Quoter, Refusal, Touch, kind_of
from tests.quoting.feeds import FixedFeed

NOW = datetime(2026, 11, 23, 12, 0, 20, tzinfo=UTC)
TOUCH = Touch(bid=2999.9, ask=3000.1, at=NOW)
GRID = PriceGrid(4)


def quoter(served, **settings) -> Quoter:
    return Quoter(Settings(**settings), FixedFeed(served), GRID)


def with_solution(parameters: ParameterSet, settings: Settings, shift: float = 0.0) -> ParameterSet:
    """Publish the solved problem; ``shift`` marks its depths, so that their use can be seen."""
    fields = value_function_fields(solve(model_problem(parameters, settings)))
    for name in ("ask_depth", "bid_depth"):
        fields[name] = [None if depth is None else depth + shift for depth in fields[name]]
    header = {
        name: getattr(parameters.kappa, name)
        for name in type(parameters.kappa).__mro__[1].model_fields
    }
    entry = ValueFunctionEntry(**header, **fields)
    return dataclasses.replace(parameters, value_functions=(entry,))


def test_guards_widen_the_depth_of_entries(make_set):
    maker = quoter(make_set())
    plain, wide = (maker.entry("bid", 0, TOUCH, NOW, widen) for widen in (1.0, 1.5))
    assert wide.depth == pytest.approx(1.5 * plain.depth)
    assert wide.widened == 1.5
    assert wide.price == pytest.approx(3000 - 1.5 * plain.depth, abs=0.1)
    assert wide.edge > plain.edge


def test_a_round_trip_that_does_not_pay_its_fees_is_refused_whatever_the_edge(
    make_set, monkeypatch
):
    """Optimal depths do, unless they are cut; the limit on the edge is off."""
    maker = quoter(make_set(), min_edge_bp=None)
    for depth, quoted in ((0.46, True), (0.44, False)):  # a fee is 0.45
        monkeypatch.setattr(maker, "_depth", lambda *_, depth=depth, **__: depth)
        assert isinstance(maker.entry("bid", 0, TOUCH, NOW), Quote) is quoted
    assert maker.entry("bid", 0, TOUCH, NOW).reason.startswith("narrow spread: a round trip")


@pytest.mark.parametrize("fresh", [True, False])
def test_with_a_book_in_doubt_an_exit_stays_while_its_parameters_are_fresh(make_set, fresh):
    parameters = make_set() if fresh else make_set(published_at=NOW - timedelta(seconds=61))
    maker = quoter(parameters)
    for touch in (
        Touch(2999.9, 3000.1, NOW - timedelta(seconds=11)),
        Touch(3000.1, 2999.9, NOW),
    ):
        offer, entry = maker.exit("ask", 1, touch, NOW), maker.entry("bid", 0, touch, NOW)
        assert isinstance(offer, Refusal)
        assert maker.is_outdated(3001.0, 5.0, offer) is not fresh
        assert maker.is_outdated(2999.0, 5.0, entry)


def test_the_usual_volatility_is_the_refit_s(make_set):
    assert quoter(make_set(sigma=0.7)).usual_volatility == 0.7
    assert quoter(make_set()).usual_volatility is None
    assert quoter(ParameterFileError("none")).usual_volatility is None


def test_the_depth_is_the_models_own(make_set):
    """Against the HJB written out here: {0, 1}, lambda0, fill epsilon, fee rate times mid."""
    truth = solve(
        ModelParameters(
            lambda_plus=0.28,
            lambda_minus=0.19,
            kappa_plus=2.6,
            kappa_minus=2.7,
            epsilon_plus=0.7,
            epsilon_minus=0.6,
            phi=0.01 * 0.235 / 2.65,
            fee=0.00015 * 3000,
            q_min=0,
            q_max=1,
        )
    )
    bid = quoter(make_set()).entry("bid", 0, TOUCH, NOW)
    ask = quoter(make_set()).exit("ask", 1, TOUCH, NOW)
    assert bid.depth == pytest.approx(truth.bid_depth[0], abs=1e-9)
    assert ask.depth == pytest.approx(truth.ask_depth[1], abs=1e-9)
    assert bid.price == pytest.approx(math.floor((3000 - bid.depth) * 10) / 10)
    assert ask.price == pytest.approx(math.ceil((3000 + ask.depth) * 10) / 10)


def test_published_depths_are_used_where_they_answer_the_question(make_set):
    published = with_solution(make_set(), Settings(), shift=1.0)
    solved = quoter(make_set()).entry("bid", 0, TOUCH, NOW).depth
    assert quoter(published).entry("bid", 0, TOUCH, NOW).depth == pytest.approx(solved + 1.0)


@pytest.mark.parametrize(
    "settings", [{"risk_aversion": 0.02}, {"q_max": 2}, {"fee_rate": 0.0002}, {"min_depth": 0.1}]
)
def test_another_configuration_is_solved_by_the_strategy(make_set, settings):
    published = with_solution(make_set(), Settings(), shift=1.0)
    own = quoter(make_set(), **settings).entry("bid", 0, TOUCH, NOW).depth
    assert quoter(published, **settings).entry("bid", 0, TOUCH, NOW).depth == own


def test_a_mid_far_from_the_refits_is_solved_anew(make_set):
    published = with_solution(make_set(), Settings(), shift=1.0)
    far = Touch(bid=3059.9, ask=3060.1, at=NOW)
    own = quoter(make_set()).entry("bid", 0, far, NOW).depth
    assert quoter(published).entry("bid", 0, far, NOW).depth == own


def test_a_side_absent_at_the_bound_is_refused(make_set):
    assert isinstance(quoter(make_set()).entry("ask", 0, TOUCH, NOW), Refusal)
    published = with_solution(make_set(), Settings())
    assert isinstance(quoter(published).entry("ask", 0, TOUCH, NOW), Refusal)


@pytest.mark.parametrize(
    ("touch", "reason"),
    [
        (Touch(3000.1, 2999.9, NOW), "crossed"),
        (Touch(math.nan, 3000.1, NOW), "crossed or empty"),
        (Touch(2999.9, 3000.1, NOW - timedelta(seconds=11)), "11 s old"),
        (Touch(2999.9, 3000.1, NOW + timedelta(seconds=6)), "6 s in the future"),
    ],
)
def test_a_book_in_doubt_means_no_quote_at_all(make_set, touch, reason):
    for decide, inventory in (("entry", 0), ("exit", 1)):
        side = "bid" if decide == "entry" else "ask"
        refusal = getattr(quoter(make_set()), decide)(side, inventory, touch, NOW)
        assert reason in refusal.reason


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, {"epsilon_source": "pareto"}),
        ({"epsilon_fill_plus": 1e300}, {}),
        ({}, {"q_min": -1, "q_max": 0}),
    ],
)
def test_a_position_that_cannot_be_priced_is_offered_at_the_touch(make_set, changes, settings):
    """No Pareto mean was fitted; an absurd estimate; an inventory outside the solved ones."""
    offer = quoter(make_set(**changes), **settings).exit("ask", 1, TOUCH, NOW)
    assert (offer.price, offer.calibration_id) == (3000.1, None)


def test_an_absurd_depth_is_no_entry(make_set):
    refusal = quoter(
        make_set(epsilon_fill_minus=0.7, epsilon_fill_plus=0.7, mid=3000.0), min_depth=400
    ).entry("bid", 0, TOUCH, NOW)
    assert "more than 10% of the mid" in refusal.reason


SLOPED = {
    "epsilon_fill_intercept_plus": 0.3,
    "epsilon_fill_slope_plus": 0.6,
    "epsilon_fill_intercept_minus": 0.25,
    "epsilon_fill_slope_minus": 0.7,
}


@pytest.mark.parametrize(
    ("settings", "quoted"),
    [({}, False), ({"min_edge_bp": None}, True), ({"fee_rate": 0.0}, True)],
)
def test_a_round_trip_that_is_expected_to_lose_is_not_begun(make_set, settings, quoted):
    """At 1.3 to 1.7 USDC a fill pays 1.1 to 1.4 and a fee of 0.45; without the fee it earns."""
    parameters = make_set(**SLOPED)
    entry = quoter(parameters, **settings).entry("bid", 0, TOUCH, NOW)
    assert isinstance(entry, Quote) is quoted
    assert quoted or entry.reason.startswith("no edge")
    offer = quoter(parameters, **settings).exit("ask", 1, TOUCH, NOW)  # what is held must go
    assert offer.calibration_id == "r1"


def test_depths_that_pay_for_a_move_that_grows_with_them(make_set):
    """delta = 1/kappa + (a + c -/+ D)/(1 - b) on {0, 1}, D where both incomes are equal."""
    rate, kappa, fee = {"ask": 0.28, "bid": 0.19}, {"ask": 2.6, "bid": 2.7}, 0.45
    line = {"ask": (0.3, 0.6), "bid": (0.25, 0.7)}
    phi = 0.01 * 0.235 / 2.65

    def depth(side, gain):
        a, b = line[side]
        return 1 / kappa[side] + (a + fee - gain) / (1 - b)

    def income(side, gain):
        at = depth(side, gain)
        a, b = line[side]
        return rate[side] * math.exp(-kappa[side] * at) * (at * (1 - b) - a - fee + gain)

    gain = brentq(lambda d: income("bid", d) + phi - income("ask", -d), -3, 3, xtol=1e-14)
    q = quoter(make_set(**SLOPED), epsilon_source="fill_slope")
    bid, ask = q.entry("bid", 0, TOUCH, NOW), q.exit("ask", 1, TOUCH, NOW)
    assert bid.depth == pytest.approx(depth("bid", gain), abs=1e-9)
    assert ask.depth == pytest.approx(depth("ask", -gain), abs=1e-9)
    # (1 - b)/kappa a fill at the depths, and the rounding's share
    rounded = {quote.side: abs(quote.price - quote.mid) - quote.depth for quote in (bid, ask)}
    assert all(0 <= ticks < 0.1 for ticks in rounded.values())
    earned = 0.3 / 2.7 + 0.3 * rounded["bid"] + 0.4 / 2.6 + 0.4 * rounded["ask"]
    assert bid.edge + ask.edge == pytest.approx(earned)


def test_a_side_without_a_line_pays_the_same_at_any_depth(make_set):
    flat = quoter(make_set()).entry("bid", 0, TOUCH, NOW)
    assert quoter(make_set(), epsilon_source="fill_slope").entry("bid", 0, TOUCH, NOW) == flat


def test_a_line_without_an_intercept_begins_at_the_origin(make_set):
    """One that is not above zero is not published; the slope must not be forgotten with it."""
    steep = {"epsilon_fill_slope_plus": 0.9, "epsilon_fill_slope_minus": 0.9}
    almost = steep | {"epsilon_fill_intercept_plus": 1e-9, "epsilon_fill_intercept_minus": 1e-9}
    refused = quoter(make_set(**steep)).entry("bid", 0, TOUCH, NOW)
    assert refused.reason.startswith("no edge")
    assert refused == quoter(make_set(**almost)).entry("bid", 0, TOUCH, NOW)
    for unasked in ({"min_edge_bp": None}, {"min_edge_bp": None, "epsilon_source": "fill_slope"}):
        none, tiny = (quoter(make_set(**one), **unasked) for one in (steep, almost))
        quote = none.entry("bid", 0, TOUCH, NOW)
        assert quote.depth == pytest.approx(tiny.entry("bid", 0, TOUCH, NOW).depth, abs=1e-6)
        assert quote.edge == pytest.approx(0.1 * (quote.mid - quote.price) - 0.45)


def test_where_the_move_outgrows_the_depth_nothing_is_begun(make_set):
    parameters = make_set(**SLOPED | {"epsilon_fill_slope_plus": 1.01})
    q = quoter(parameters, epsilon_source="fill_slope")
    assert isinstance(q.entry("bid", 0, TOUCH, NOW), Refusal)
    assert q.exit("ask", 1, TOUCH, NOW).price == TOUCH.ask


@given(
    slope=st.tuples(st.floats(0, 1.2), st.floats(0, 1.2)),
    least_bp=st.floats(-5, 5),
    opens=st.sampled_from([("bid", 0, 1), ("ask", -1, 0)]),
)
def test_the_edge_asked_for_is_that_of_both_fills(make_set, slope, least_bp, opens):
    """Against depth (1 - b) - a - fee at the depths of the problem solved here, on the grid."""
    side, q_min, q_max = opens
    steep = {"epsilon_fill_slope_plus": slope[0], "epsilon_fill_slope_minus": slope[1]}
    parameters = make_set(**SLOPED | steep)
    bounds = {"q_min": q_min, "q_max": q_max}
    truth = solve(model_problem(parameters, Settings(**bounds)))
    depths = float(truth.ask_depth[1]), float(truth.bid_depth[0])
    ask, bid = (math.ceil(10 * depth - 1e-6) / 10 for depth in depths)
    fee = 0.00015 * 3000
    edge = ask * (1 - slope[0]) - 0.3 - fee + bid * (1 - slope[1]) - 0.25 - fee
    entry = quoter(parameters, min_edge_bp=least_bp, **bounds).entry(side, 0, TOUCH, NOW)
    clear = edge / 3000 * 1e4 - least_bp
    if abs(clear) > 1e-6:
        assert isinstance(entry, Quote) is (clear > 0)


@pytest.mark.parametrize("later", [61, 3600])
def test_with_stale_parameters_a_position_is_offered_at_the_touch(make_set, later, caplog):
    now = NOW + timedelta(seconds=later)
    touch = dataclasses.replace(TOUCH, at=now)
    assert "stale" in quoter(make_set()).entry("bid", 0, touch, now).reason
    offer = quoter(make_set()).exit("ask", 1, touch, now)
    assert (offer.price, offer.calibration_id) == (3000.1, None)
    assert "offered at the touch" in caplog.text


def test_while_a_channel_is_silent_nothing_is_opened_and_exits_rest_at_the_touch(make_set, caplog):
    q = quoter(make_set(status="stale", silent="trades"))
    entry = q.entry("bid", 0, TOUCH, NOW)
    assert entry.reason.startswith("data in doubt: no data on trades")
    assert q.is_outdated(2999.0, 0, entry)  # a resting entry goes at once
    offer = q.exit("ask", 1, TOUCH, NOW)
    assert (offer.price, offer.calibration_id) == (TOUCH.ask, None)
    assert isinstance(quoter(make_set()).entry("bid", 0, TOUCH, NOW), Quote)  # it speaks again


def test_a_quote_is_replaced_when_it_drifted_aged_or_lost_its_reason(make_set):
    q = quoter(make_set(), requote_ticks=2, min_quote_age_seconds=5, max_quote_age_seconds=15)
    wanted = Quote("bid", 0, 2999.0, 3000.0, 1.0, 0.1, "r1")
    assert not q.is_outdated(2999.0, 100, wanted)
    assert not q.is_outdated(2999.1, 14, wanted)
    assert q.is_outdated(2999.1, 15, wanted)
    assert q.is_outdated(2999.2, 5, wanted)
    assert q.is_outdated(2998.8, 5, wanted)
    assert not q.is_outdated(2998.8, 4.9, wanted)
    assert q.is_outdated(2999.0, 0, Refusal("toxic"))


def test_a_quote_is_replaced_once_it_has_lost_more_than_the_tolerance(make_set):
    """5% of the value: 0.355 mean reaches too deep or 0.287 too near; less is left alone for ever,
    and in ticks alone where the value is not known.
    """
    q = quoter(make_set(), min_quote_age_seconds=0.5)
    wanted = q.entry("bid", 0, TOUCH, NOW)
    reach, best = 1 / wanted.kappa, wanted.price
    wanted = dataclasses.replace(wanted, tick=0.001, depth=wanted.mid - wanted.price)
    for price, outdated in (
        (best - 0.33 * reach, False), (best - 0.38 * reach, True),
        (best + 0.26 * reach, False), (best + 0.31 * reach, True),
    ):  # fmt: skip
        assert q.is_outdated(price, 1e6, wanted) is outdated
    assert not q.is_outdated(best - 0.38 * reach, 0.4, wanted)  # too young
    assert not q.is_outdated(best - 0.38 * reach, 1, wanted, tolerance_percent=10)
    assert not q.is_outdated(wanted.price, 1, wanted, tolerance_percent=0)
    offer = quoter(make_set(status="stale", silent="bbo")).exit("ask", 1, TOUCH, NOW)
    assert q.is_outdated(offer.price + 0.1, 1, offer)


def test_what_other_prices_are_worth_is_the_same_published_and_solved(make_set):
    settings = Settings()
    solved = quoter(make_set()).exit("ask", 1, TOUCH, NOW)
    published = quoter(with_solution(make_set(), settings)).exit("ask", 1, TOUCH, NOW)
    assert solved.kappa == published.kappa > 0
    assert solved.from_best == pytest.approx(published.from_best, abs=1e-9)
    assert solved.from_best == pytest.approx(0.0, abs=1e-6)  # no bound holds it


def test_spreads_are_bounded(make_set):
    """Never nearer than half of the least; beyond half of the greatest nothing is opened, and a
    position is offered no farther than that.
    """
    free = quoter(make_set()).entry("bid", 0, TOUCH, NOW)
    depth_bp = free.depth / 3000.0 * 1e4
    wide = quoter(make_set(), min_spread_bp=6 * depth_bp)
    entry, offer = wide.entry("bid", 0, TOUCH, NOW), wide.exit("ask", 1, TOUCH, NOW)
    assert entry.depth >= 3 * free.depth - 1e-9
    assert offer.depth == pytest.approx(3 * free.depth)
    assert offer.from_best > 0.5  # a deeper one would lose value faster
    narrow = quoter(make_set(), max_spread_bp=depth_bp)
    assert narrow.entry("bid", 0, TOUCH, NOW).reason.startswith("spread too wide: the optimal")
    offer = narrow.exit("ask", 1, TOUCH, NOW)
    assert offer.depth == pytest.approx(free.depth / 2)
    assert offer.price >= 3000.0 + offer.depth
    assert quoter(make_set(), max_spread_bp=4 * depth_bp).entry("bid", 0, TOUCH, NOW) == free


def test_least_spreads_are_in_the_published_problem(make_set):
    """So that what the calibration has solved is quoted, and nothing else."""
    settings = Settings(min_spread_bp=20.0)
    marked = with_solution(make_set(), settings, shift=0.77)
    quote = Quoter(settings, FixedFeed(marked), GRID).exit("ask", 1, TOUCH, NOW)
    other = quoter(marked).exit("ask", 1, TOUCH, NOW)
    assert quote.depth == pytest.approx(3.0 + 0.77, rel=1e-3)
    assert other.depth < 3.0


def test_bounds_out_of_order_are_refused():
    with pytest.raises(InputError, match="min_spread_bp = 5 must not be above max_spread_bp = 4"):
        Settings.from_config({"market_making": {"min_spread_bp": 5, "max_spread_bp": 4}})


@given(st.floats(0, 2), st.sampled_from(["bid", "ask"]), st.integers(1, 40))
def test_a_maker_never_takes(make_set, depth, side, spread_ticks):
    """Even at depth 0 in a wide market a quote stays behind the opposite touch."""
    touch = Touch(bid=3000.0, ask=round(3000.0 + 0.1 * spread_ticks, 1), at=NOW)
    fields = dict.fromkeys(("epsilon_fill_plus", "epsilon_fill_minus"), 1e-6)
    parameters = make_set(**fields, kappa_plus=50.0, kappa_minus=50.0)
    q = quoter(parameters, fee_rate=-0.0002, risk_aversion=depth)
    quote = q.exit("ask", 1, touch, NOW) if side == "ask" else q.entry("bid", 0, touch, NOW)
    assert quote.price > touch.bid if side == "ask" else quote.price < touch.ask


def test_the_feed_keeps_the_last_whole_set_while_files_change(tmp_path, make_set):
    files = ParameterFiles(tmp_path)
    files.publish({"ETH": make_set("r1")})
    feed = ParameterFeed(files, "ETH")
    assert feed.latest().calibration_id == "r1"
    path = tmp_path / "kappa.json"
    content = json.loads(path.read_text())
    content["ETH"]["calibration_id"] = "r2"
    replacement = tmp_path / "new"
    replacement.write_text(json.dumps(content))
    replacement.replace(path)
    assert feed.latest().calibration_id == "r1"
    files.publish({"ETH": make_set("r2")})
    assert feed.latest().calibration_id == "r2"


def test_reasons_that_differ_in_numbers_alone_are_of_one_kind():
    assert kind_of("the book is 141 s old, at most 10 s") == kind_of(
        "the book is 9.5 s old, at most 10 s"
    )
    assert kind_of("stale: published 61 s ago") == kind_of("stale: the data are old")
    assert kind_of("toxic: x") != kind_of("stale: x")


def heavy(bid_size: float, ask_size: float, **fields) -> Touch:
    return dataclasses.replace(TOUCH, bid_size=bid_size, ask_size=ask_size, **fields)


@pytest.mark.parametrize(("bid_size", "moved"), [(3.0, 0.2), (1.0, 0.0), (1 / 3, -0.2)])
def test_quotes_are_set_around_the_fair_price(make_set, bid_size, moved):
    """0.4 USDC per unit of imbalance: two ticks where one side has three quarters of the size."""
    parameters, touch = make_set(beta=0.4), heavy(bid_size, 1.0)
    for side, decide in (("bid", Quoter.entry), ("ask", Quoter.exit)):
        inventory = 0 if side == "bid" else 1
        plain = decide(quoter(make_set()), side, inventory, touch, NOW)
        quote = decide(quoter(parameters), side, inventory, touch, NOW)
        assert quote.price - plain.price == pytest.approx(moved)
        assert (quote.mid, quote.depth, quote.edge) == (plain.mid, plain.depth, plain.edge)
        assert plain.fair_price is None
        assert (quote.fair_price or quote.mid) == pytest.approx(TOUCH.mid + moved)


@pytest.mark.parametrize(
    ("settings", "touch"),
    [
        ({"fair_price": "mid"}, heavy(3.0, 1.0)),
        ({}, TOUCH),
        ({}, heavy(3.0, 0.0)),
        ({}, heavy(math.nan, 1.0)),
    ],
)
def test_without_sizes_or_by_the_setting_the_mid_is_the_fair_price(make_set, settings, touch):
    quote = quoter(make_set(beta=0.4), **settings).entry("bid", 0, touch, NOW)
    assert quote == quoter(make_set()).entry("bid", 0, TOUCH, NOW)


def anchored(parameters, **changes):
    """The set with other numbers around the fair price than around the mid."""
    fair = parameters.fair_price
    entries = {
        name: getattr(fair, name).model_copy(
            update={k: v for k, v in changes.items() if k in type(getattr(fair, name)).model_fields}
        )
        for name in ("kappa", "epsilon", "lambda_")
    }
    return dataclasses.replace(parameters, fair_price=fair.model_copy(update=entries))


AROUND_FAIR = {"kappa_plus": 1.3, "kappa_minus": 1.4, "epsilon_fill_plus": 0.2, "lambda0_plus": 0.5}


def test_quotes_are_priced_from_what_was_fitted_around_their_price_and_nothing_else(make_set):
    """At each look anew: the sizes may be known at one, and not at the next."""
    parameters = anchored(make_set(beta=0.4), epsilon_fill_minus=0.1, **AROUND_FAIR)
    apart = make_set(beta=0.4, epsilon_fill_minus=0.1, **AROUND_FAIR)
    of_mid, of_fair = quoter(make_set()), quoter(apart)
    served = quoter(parameters, min_edge_bp=None)
    of_mid.settings = of_fair.settings = served.settings
    for touch in (heavy(3.0, 1.0), TOUCH, heavy(1.0, 3.0), heavy(3.0, 0.0), heavy(3.0, 1.0)):
        for side, decide, inventory in (("bid", Quoter.entry, 0), ("ask", Quoter.exit, 1)):
            quote = decide(served, side, inventory, touch, NOW)
            alone = of_fair if touch.shows_sizes else of_mid
            assert quote == decide(alone, side, inventory, touch, NOW)
            assert (quote.fair_price is None) == (not touch.shows_sizes)
    mid = quoter(parameters, min_edge_bp=None, fair_price="mid")
    assert mid.entry("bid", 0, heavy(3.0, 1.0), NOW) == of_mid.entry("bid", 0, TOUCH, NOW)


def test_without_parameters_around_the_fair_price_quotes_are_around_the_mid(make_set):
    """As a runner of before publishes: a beta alone."""
    parameters = make_set(beta=0.4)
    bare = {name: None for name in ("kappa", "epsilon", "lambda_")}
    older = dataclasses.replace(
        parameters, fair_price=parameters.fair_price.model_copy(update=bare)
    )
    quote = quoter(older).entry("bid", 0, heavy(3.0, 1.0), NOW)
    assert quote == quoter(make_set()).entry("bid", 0, TOUCH, NOW)


def test_an_absurd_fair_price_is_not_quoted(make_set):
    parameters = make_set(beta=100.0)
    refused = quoter(parameters).entry("bid", 0, heavy(3.0, 1.0), NOW)
    assert "more than 1% from the mid" in refused.reason
    offer = quoter(parameters).exit("ask", 1, heavy(3.0, 1.0), NOW)
    assert offer.calibration_id is None
    assert offer.price == TOUCH.ask


@given(
    beta=st.floats(-25, 25),
    bid_size=st.floats(0.001, 1000),
    spread_ticks=st.integers(1, 40),
    side=st.sampled_from(["bid", "ask"]),
)
def test_around_a_fair_price_beyond_the_touch_a_maker_does_not_take(
    make_set, beta, bid_size, spread_ticks, side
):
    """It then joins or betters its own side of the touch, one tick from the other."""
    ask = round(3000.0 + 0.1 * spread_ticks, 1)
    touch = Touch(3000.0, ask, NOW, bid_size, 1.0)
    q = quoter(make_set(beta=beta))
    quote = q.exit("ask", 1, touch, NOW) if side == "ask" else q.entry("bid", 0, touch, NOW)
    assert quote.price > touch.bid if side == "ask" else quote.price < touch.ask
    ideal = (quote.fair_price or quote.mid) + (quote.depth if side == "ask" else -quote.depth)
    if touch.bid < ideal < touch.ask:
        assert abs(quote.price - ideal) < 0.1 + 1e-6
    elif (ideal >= touch.ask) == (side == "bid"):
        nearest = round(touch.ask - 0.1, 1) if side == "bid" else round(touch.bid + 0.1, 1)
        assert quote.price == nearest


LAYERED = {"inventory_mode": "layered", "q_max": 3, "compensate_drift": False, "min_edge_bp": None}


@pytest.mark.parametrize("published", [True, False])
def test_of_several_units_one_order_rests_and_the_other_side_keeps_its_own_best_depth(
    make_set, published
):
    """With a drift upwards: bids below the target of 1.6 units, offers above it."""
    settings = Settings(**LAYERED, risk_aversion=0.1)
    served = with_solution(make_set(), settings) if published else make_set()
    asked = quoter(served, **LAYERED, risk_aversion=0.1)
    quotes = [asked.one_order(q, TOUCH, NOW) for q in range(4)]
    assert [(one.side, one.is_entry) for one in quotes] == [
        *[("bid", True)] * 2,
        *[("ask", False)] * 2,
    ]
    solved = solve(model_problem(make_set(), settings))
    assert [one.depth for one in quotes] == pytest.approx(
        [*solved.bid_depth[:2], *solved.ask_depth[2:]], rel=1e-6
    )
    # Where nothing may be added, the offer is at the depth that the value function gives it.
    barred = quoter(served, **LAYERED, risk_aversion=0.1, toxicity_limit=0.1)
    assert isinstance(barred.one_order(0, TOUCH, NOW), Refusal)
    offer = barred.one_order(1, TOUCH, NOW)
    p, h = solved.parameters, solved.h
    best = 1 / p.kappa_plus + p.epsilon_plus + p.fee - (h[0] - h[1])
    assert (offer.side, offer.depth) == ("ask", pytest.approx(best, rel=1e-6))


def test_of_several_units_what_is_held_is_offered_at_the_touch_without_parameters():
    asked = quoter(UnusableParametersError("none"), **LAYERED)
    assert isinstance(asked.one_order(0, TOUCH, NOW), Refusal)
    offer = asked.one_order(2, TOUCH, NOW)
    assert (offer.side, offer.price, offer.calibration_id) == ("ask", 3000.1, None)
    assert isinstance(asked.one_order(2, dataclasses.replace(TOUCH, ask=1.0), NOW), Refusal)


AGAINST = {"epsilon_fill_slope_plus": 0.9, "epsilon_fill_slope_minus": 0.9}


@pytest.mark.parametrize(
    ("side", "beta", "bid_size", "settings", "slopes", "refused"),
    [
        ("bid", 0.4, 0.25, {}, AGAINST, True),  # imbalance -0.6
        ("bid", 0.4, 0.4, {}, AGAINST, False),  # -0.43
        ("bid", 0.4, 4.0, {}, AGAINST, False),
        ("ask", 0.4, 4.0, {}, AGAINST, True),
        ("ask", -0.4, 4.0, {}, AGAINST, False),
        ("bid", -0.4, 4.0, {}, AGAINST, True),
        ("bid", 0.4, 0.25, {"max_adverse_imbalance": 0.7}, AGAINST, False),
        ("bid", 0.4, 0.25, {"fair_price": "mid"}, AGAINST, False),
        ("bid", 0.0, 0.25, {}, AGAINST, False),
        ("bid", 0.4, 0.25, {}, {}, False),  # whether depth pays is not known
        ("bid", 0.4, 0.25, {}, {"epsilon_fill_slope_minus": 0.3}, False),
        ("bid", 0.4, 0.25, {}, {"epsilon_fill_slope_plus": 0.9}, True),
    ],
)
def test_no_position_is_opened_against_the_sizes(
    make_set, side, beta, bid_size, settings, slopes, refused
):
    """Unless the setting allows it, or most of the greater distance is earned."""
    touch = heavy(bid_size, 1.0)
    q = quoter(make_set(beta=beta, **slopes), q_min=-1, min_edge_bp=None, **settings)
    found = q.entry(side, 0, touch, NOW)
    assert isinstance(found, Refusal) == refused
    if refused:
        assert kind_of(found.reason) == f"the sizes are against a {side}"
    held = 1 if side == "ask" else -1
    assert isinstance(q.exit(side, held, touch, NOW), Quote)


def test_sizes_that_change_with_each_message_do_not_take_an_entry_away_and_back(make_set):
    """It goes at once, and comes back when they were better for the least age of a quote."""
    maker = quoter(make_set(beta=0.4, **AGAINST), min_edge_bp=None)

    def quoted(bid_size, ms):
        now = NOW + timedelta(milliseconds=ms)
        return isinstance(maker.entry("bid", 0, heavy(bid_size, 1.0, at=now), now), Quote)

    flickering = [quoted(size, 50 * look) for look, size in enumerate([0.4, 0.25] * 20)]
    assert flickering == [True] + 39 * [False]  # imbalances of -0.43 and -0.6
    assert not quoted(1.0, 2_000)  # the last refusal was 50 ms before
    assert not quoted(0.4, 2_300)  # too near to the limit to come back
    assert not quoted(1.0, 2_400)
    assert quoted(1.0, 2_500)
    assert quoted(0.4, 2_550)  # what rests may stay up to the limit


def test_of_several_units_depths_published_without_their_value_function_are_not_relied_on(make_set):
    """The offer's own depth follows from it: without one, the position went at the touch."""
    settings = Settings(**LAYERED)
    published = with_solution(make_set(), settings)
    (entry,) = published.value_functions
    bare = dataclasses.replace(published, value_functions=(entry.model_copy(update={"h": None}),))
    offers = [quoter(one, **LAYERED).exit("ask", 2, TOUCH, NOW) for one in (published, bare)]
    assert offers[1].calibration_id is not None
    assert offers[1].price == offers[0].price


def test_a_quote_that_guards_widen_is_replaced_at_once_but_not_at_each_tick(make_set):
    """While the market moves, each tick would be an action of the address's budget."""
    maker = quoter(make_set(), min_quote_age_seconds=0.0)
    plain, wide = (maker.entry("bid", 0, TOUCH, NOW, widen) for widen in (1.0, 1.5))
    slightly = maker.entry("bid", 0, TOUCH, NOW, 1.25)
    assert maker.is_outdated(plain.price, 1.0, wide)
    assert maker.is_outdated(wide.price, 1.0, plain)
    assert maker.is_outdated(plain.price, 1.0, slightly)
    for off in (-0.1, 0.1):
        assert maker.is_outdated(wide.price + off, 1.0, wide) is False
        assert maker.is_outdated(plain.price + off, 1.0, plain) is False
    assert maker.is_outdated(wide.price + 0.3, 1.0, wide)


def test_the_rounding_of_prices_alone_does_not_take_an_entry_away_and_back(make_set):
    """Around a fair price that moves with the sizes, half of the looks would: two requests each."""
    served, chance = make_set(beta=0.2), random.Random(1)
    touches = [
        dataclasses.replace(TOUCH, bid_size=chance.random(), ask_size=chance.random())
        for _ in range(400)
    ]
    free = quoter(served, min_edge_bp=-100)
    quotes = [free.entry("bid", 0, touch, NOW) for touch in touches]
    usual = 2 * statistics.median(one.edge for one in quotes) / 3000 * 1e4
    for least in (usual - 0.2, usual, usual + 0.2):
        maker = quoter(served, min_edge_bp=least)
        quoted = [isinstance(maker.entry("bid", 0, touch, NOW), Quote) for touch in touches]
        assert sum(a != b for a, b in itertools.pairwise(quoted)) <= 20
    never = quoter(served, min_edge_bp=usual + 1)
    assert not any(isinstance(never.entry("bid", 0, touch, NOW), Quote) for touch in touches)
