"""The papers' policies: published figures, limits in which they agree, and our solver.

The seeds' slips with Avellaneda & Stoikov are here as tests of the right values.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.errors import InputError
from advanced_mm.model import ModelParameters, solve
from advanced_mm.policies import Ladder, MarketState, build, cartea_jaimungal
from advanced_mm.policies.cartea_jaimungal import CarteaJaimungalPolicy

# Guéant, Lehalle & Fernandez-Tapia's example: σ = 0.3, A = 0.9, k = 0.3, γ = 0.01.
GLFT = {
    "gamma": 0.01,
    "kappa": 0.3,
    "intensity": 0.9,
    "volatility": 0.003,  # of a mid of 100
    "order_size": 1,
    "max_inventory": 30,
}
# Avellaneda & Stoikov's: σ = 2, γ = 0.1, k = 1.5, T = 1.
AS = {
    "gamma": 0.1,
    "kappa": 1.5,
    "volatility": 0.02,
    "order_size": 1,
    "max_inventory": 50,
    "horizon_seconds": 1,
}
CASE_A = {
    "lambda_plus": 1,
    "lambda_minus": 1,
    "kappa_plus": 100,
    "kappa_minus": 100,
    "phi": 1e-5,
    "order_size": 1,
    "max_inventory": 3,
}


def depths(ladder, mid=100.0):
    """Distances of the best bid and ask from the mid; NaN for an empty side."""
    bid = mid - ladder.bids[0].price if ladder.bids else math.nan
    ask = ladder.asks[0].price - mid if ladder.asks else math.nan
    return bid, ask


def at(policy, market, units, **fields):
    return depths(policy.ladder(market(inventory=units, **fields)))


@pytest.mark.parametrize(
    ("units", "bid"), [(-1, 3.2450493660), (0, 3.3129151986), (1, 3.3807810311), (2, 3.4486468636)]
)
def test_glft_gives_the_figures_of_its_closed_form(market, units, bid):
    policy = build("glft", GLFT)
    assert at(policy, market, units)[0] == pytest.approx(bid, abs=5e-11)
    assert at(policy, market, -units)[1] == pytest.approx(bid, abs=5e-11)


def test_glft_is_near_the_solver_where_they_must_agree(market):
    """Mapped as Guéant et al. do: λ = ηe, φ = γσ²/2, κ = k, and ξ in the place of 1/κ."""
    gamma, kappa, sigma, intensity, bound = 0.01, 0.3, 0.3, 0.9, 30
    xi = math.log1p(gamma / kappa) / gamma
    eta = intensity * (1 + gamma / kappa) ** -(1 + kappa / gamma)
    flow = {"lambda_plus": eta * math.e, "lambda_minus": eta * math.e}
    exact = build(
        "cartea_jaimungal",
        flow
        | {"kappa_plus": kappa, "kappa_minus": kappa, "phi": gamma * sigma**2 / 2}
        | {"order_size": 1, "max_inventory": bound},
    )
    closed = build("glft", GLFT)
    for units in (-2, -1, 0, 1, 2):
        wanted = np.array(at(exact, market, units)) - 1 / kappa + xi
        assert at(closed, market, units) == pytest.approx(wanted, abs=1.5e-3)
    assert at(exact, market, 1)[0] - 1 / kappa + xi == pytest.approx(3.3811681006, abs=1e-9)


@pytest.mark.parametrize(
    ("units", "left"), [(0, 1.0), (3, 1.0), (-2, 0.5), (5, 0.005)], ids=lambda x: f"{x:g}"
)
def test_avellaneda_stoikov_quotes_its_reservation_price_and_spread(market, units, left):
    policy = build("avellaneda_stoikov", AS | {"horizon": "session"})
    ladder = policy.ladder(market(inventory=units, time_ms=86_400_000 + round((1 - left) * 1000)))
    middle = (ladder.bids[0].price + ladder.asks[0].price) / 2
    spread = ladder.asks[0].price - ladder.bids[0].price
    assert middle == pytest.approx(100 - units * 0.1 * 2**2 * left)  # equation 3.17
    assert spread == pytest.approx(0.1 * 4 * left + 20 * math.log(1 + 0.1 / 1.5))  # 3.18


def test_the_average_spread_over_the_session_is_that_of_table_1(market):
    policy = build("avellaneda_stoikov", AS | {"horizon": "session"})
    spreads = [sum(at(policy, market, 0, time_ms=ms)) for ms in range(0, 1000, 5)]
    assert np.mean(spreads) == pytest.approx(1.49, abs=0.005)


def test_avellaneda_stoikovs_spread_knows_neither_inventory_nor_arrival_rate(market):
    # 001 adds |inventory| to the half-spread as if it were a price, takes (2/γ)·ln(1 + γ/κ), the
    # whole spread, for half of it, and the rate at which orders arrive for κ.
    policy = build("avellaneda_stoikov", AS)
    spreads = [sum(at(policy, market, units)) for units in (-30, -1, 0, 7, 30)]
    assert spreads == pytest.approx([0.4 + 20 * math.log(1 + 0.1 / 1.5)] * 5)
    assert spreads[0] < 30  # 001: a spread of twice the inventory
    with pytest.raises(InputError, match=r"arrival_rate = 0\.1 is not a setting here"):
        build("avellaneda_stoikov", AS | {"arrival_rate": 0.1})
    # Ten times the orders at the same κ leave it as it is, a smaller κ widens it.
    wider = build("avellaneda_stoikov", AS | {"kappa": 0.15})
    assert sum(at(wider, market, 0)) == pytest.approx(0.4 + 20 * math.log(1 + 0.1 / 0.15))


def test_without_an_end_the_trade_leaves_the_utility_as_it_is(market):
    """The reservation prices solve the paper's own condition, both sides, up to the bounds."""
    bound, gamma, sigma, kappa = 5, 0.1, 2.0, 1.5
    policy = build(
        "avellaneda_stoikov",
        AS | {"horizon": "infinite", "horizon_seconds": None, "max_inventory": bound},
    )
    xi = math.log1p(gamma / kappa) / gamma
    omega = 0.5 * gamma**2 * sigma**2 * (bound + 1) ** 2

    def utility(cash, q, price):
        return -math.exp(-gamma * (cash + q * price)) / (2 * omega - gamma**2 * sigma**2 * q**2)

    for units in range(-bound, bound + 1):
        bid, ask = at(policy, market, units)
        now = utility(0.0, units, 1.0)
        if units < bound:
            assert utility(bid - xi - 1.0, units + 1, 1.0) == pytest.approx(now)
        else:
            assert math.isnan(bid)
        if units > -bound:
            assert utility(ask - xi + 1.0, units - 1, 1.0) == pytest.approx(now)
        else:
            assert math.isnan(ask)  # the ask printed in the paper would still rest here


def test_without_an_end_the_depth_grows_as_the_aversion_falls(market):
    """σ cancels: at no inventory the bound alone adds ln(B²/(B² - 1))/γ with B = Q + 1."""
    endless = {"horizon": "infinite", "horizon_seconds": None, "max_inventory": 9}
    for gamma in (1e-1, 1e-3):
        policy = build("avellaneda_stoikov", AS | endless | {"gamma": gamma})
        wanted = (math.log1p(gamma / 1.5) + math.log(100 / 99)) / gamma
        assert at(policy, market, 0) == pytest.approx((wanted, wanted))


def test_without_inventory_risk_all_quote_one_over_kappa(market):
    """γ → 0 and σ = 0 for the first two, φ = 0 far from the bounds and near the end for ours."""
    kappa = 1.5
    still = {"gamma": 1e-9, "kappa": kappa, "volatility": 0.0, "order_size": 1}
    quiet = still | {"max_inventory": 50}
    for policy in (
        build("avellaneda_stoikov", quiet | {"horizon_seconds": 60}),
        build("glft", quiet | {"intensity": 2.0}),
        build(
            "cartea_jaimungal",
            {"lambda_plus": 2, "lambda_minus": 2, "kappa_plus": kappa, "kappa_minus": kappa}
            | {"phi": 0, "order_size": 1, "max_inventory": 50, "horizon_seconds": 1},
        ),
    ):
        assert at(policy, market, 0) == pytest.approx((1 / kappa, 1 / kappa), rel=1e-6)


def test_cartea_jaimungal_gives_the_figures_of_case_a(market):
    policy = build("cartea_jaimungal", CASE_A | {"horizon_seconds": 30, "alpha": 1e-4})
    asks = [at(policy, market, units)[1] for units in range(-2, 4)]
    assert asks == pytest.approx(
        [
            *(0.016241129832, 0.012755570053, 0.010822241202),
            *(0.009177758798, 0.007244429947, 0.003758870168),
        ],
        abs=1e-11,
    )
    assert [at(policy, market, -units)[0] for units in range(-2, 4)] == pytest.approx(asks)
    assert math.isnan(at(policy, market, -3)[1]) and math.isnan(at(policy, market, 3)[0])


def test_cartea_jaimungals_levels_are_the_quotes_after_the_fills(market):
    policy = build("cartea_jaimungal", CASE_A | {"levels": 10})
    ladder = policy.ladder(market(inventory=1))
    best = build("cartea_jaimungal", CASE_A)
    assert [100 - x.price for x in ladder.bids] == pytest.approx(
        [at(best, market, q)[0] for q in (1, 2)]
    )
    assert [x.price - 100 for x in ladder.asks] == pytest.approx(
        [at(best, market, q)[1] for q in (1, 0, -1, -2)]
    )


def test_fee_and_adverse_selection_are_in_cartea_jaimungals_depths(market):
    costly = build("cartea_jaimungal", CASE_A | {"fee_rate": 1e-4, "epsilon_plus": 0.005})
    exact = solve(
        ModelParameters(
            lambda_plus=1, lambda_minus=1, kappa_plus=100, kappa_minus=100, phi=1e-5,
            epsilon_plus=0.005, fee=0.01, q_min=-3, q_max=3,
        )
    )  # fmt: skip
    assert at(costly, market, 1) == pytest.approx(
        (exact.bid_depth[4], exact.ask_depth[4]), abs=1e-4
    )


def test_a_problem_that_cannot_be_solved_is_not_quoted_and_says_why(market, monkeypatch):
    tried = []

    def fails(problem):
        tried.append(problem)
        raise ArithmeticError("The HJB integration did not reach the horizon.")

    monkeypatch.setattr(cartea_jaimungal, "solve", fails)
    policy = build("cartea_jaimungal", CASE_A | {"fee_rate": -0.01})
    for _ in range(3):
        ladder = policy.ladder(market())
        assert ladder.reason.startswith("the problem cannot be solved at a mid of 100: The HJB")
        assert not (ladder.bids or ladder.asks)
    assert len(tried) == 1  # it takes seconds


def test_a_calibrated_problem_is_quoted_as_it_is(market):
    problem = ModelParameters(
        lambda_plus=1.2, lambda_minus=0.7, kappa_plus=100, kappa_minus=60, epsilon_plus=0.004,
        epsilon_minus=0.006, phi=2e-5, fee=0.015, q_min=0, q_max=4,
    )  # fmt: skip
    policy = CarteaJaimungalPolicy.of(problem, mid=100.0, order_size=0.5)
    exact = solve(problem)
    bid, ask = depths(policy.ladder(market(inventory=1.0)))
    # The fee is that of the mid to 1%.
    assert (bid, ask) == pytest.approx((exact.bid_depth[2], exact.ask_depth[2]), abs=1.5e-4)
    assert not policy.ladder(market(inventory=0.0)).asks
    with pytest.raises(InputError, match="sides = 'one' of the problem"):
        CarteaJaimungalPolicy.of(
            ModelParameters(**{**problem.__dict__, "sides": "one"}), mid=100.0, order_size=1.0
        )


@pytest.mark.parametrize("kind", ["avellaneda_stoikov", "glft"])
def test_an_order_of_half_the_size_with_twice_the_aversion_is_the_same_problem(market, kind):
    whole = {"glft": GLFT, "avellaneda_stoikov": AS}[kind]
    half = whole | {"order_size": 0.5, "gamma": whole["gamma"] * 2}
    half["max_inventory"] = whole["max_inventory"] / 2
    assert at(build(kind, half), market, 1.5) == pytest.approx(at(build(kind, whole), market, 3.0))


@pytest.mark.parametrize("kind", ["avellaneda_stoikov", "glft"])
def test_without_a_volatility_they_say_so(market, kind):
    wanted = {"glft": GLFT, "avellaneda_stoikov": AS}[kind] | {"volatility": None}
    policy = build(kind, wanted)
    assert policy.ladder(market()) == Ladder(reason="the volatility is not known yet")
    assert policy.ladder(market(volatility=math.inf)) == policy.ladder(market())
    measured = policy.ladder(market(volatility=0.003))
    assert measured == build(kind, wanted | {"volatility": 0.003}).ladder(market())


ALL = [
    ("glft", GLFT | {"levels": 4}),
    ("avellaneda_stoikov", AS | {"levels": 4, "max_inventory": 10}),
    (
        "avellaneda_stoikov",
        AS | {"levels": 4, "max_inventory": 5, "horizon": "infinite", "horizon_seconds": None},
    ),
    ("cartea_jaimungal", CASE_A | {"levels": 4}),
    ("cartea_jaimungal", CASE_A | {"levels": 4, "fee_rate": -1e-4}),
]


@pytest.mark.parametrize(("kind", "wanted"), ALL)
@given(inventory=st.floats(-12.0, 12.0), fair=st.floats(99.0, 101.0))
@settings(max_examples=40)
def test_ladders_hold_their_bounds_and_the_mirrored_inventory_its_mirrored_ladder(
    kind, wanted, inventory, fair
):
    def ladder(held, price):
        book = ((99.99, 1.0),), ((100.01, 1.0),)
        return build(kind, wanted).ladder(MarketState(0, *book, held, fair_price=price))

    here, there = ladder(inventory, fair), ladder(-inventory, 200.0 - fair)
    most = wanted["max_inventory"]
    assert inventory + sum(x.size for x in here.bids) <= max(most, inventory) + 1e-9
    assert inventory - sum(x.size for x in here.asks) >= min(-most, inventory) - 1e-9
    assert [x.size for x in here.bids] == pytest.approx([x.size for x in there.asks])
    assert [fair - x.price for x in here.bids] == pytest.approx(
        [x.price - (200.0 - fair) for x in there.asks], abs=1e-9
    )


@pytest.mark.parametrize(
    ("kind", "wanted", "words"),
    [
        ("glft", {}, "policy.glft.order_size is missing: set it"),
        ("glft", GLFT | {"gamma": 0}, "policy.glft.gamma = 0: Input should be greater than 0"),
        ("glft", GLFT | {"max_inventory": 0.5}, "max_inventory = 0.5 must hold at least one order"),
        (
            "avellaneda_stoikov",
            AS | {"horizon_seconds": None},
            "be set with horizon = rolling",
        ),
        (
            "avellaneda_stoikov",
            AS | {"horizon": "infinite"},
            "be null with horizon = infinite",
        ),
        ("cartea_jaimungal", CASE_A | {"max_inventory": 300}, "300 orders of order_size = 1"),
        ("cartea_jaimungal", CASE_A | {"alpha": 1}, "alpha = 1 counts at horizon_seconds"),
    ],
)
def test_settings_that_cannot_be_used_are_named(kind, wanted, words):
    with pytest.raises(InputError, match=words):
        build(kind, wanted)


def test_a_skew_beyond_the_price_itself_quotes_nothing_and_says_so(market):
    steep = build("avellaneda_stoikov", AS | {"gamma": 10.0, "horizon_seconds": 60})
    ladder = steep.ladder(market(inventory=5))
    assert ladder == Ladder(
        reason="no bids: no finite price above 0 is wanted; no asks: no finite price above 0 is "
        "wanted"
    )
