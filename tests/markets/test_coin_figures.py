"""Coins of every scale: their grids, their flow, and that it can be fitted and quoted."""

from dataclasses import asdict
from decimal import Decimal

import pytest

from advanced_mm.calibration import calibrate
from advanced_mm.errors import InputError
from advanced_mm.marketdata import ShardStore
from advanced_mm.marketdata.collector.recorder import Recorder
from advanced_mm.markets.coin_figures import KNOWN_COINS, figures_of, named_coins, tick_of
from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.model import ModelParameters, solve
from advanced_mm.price_grid import PriceGrid
from advanced_mm.venue.conditions.history import lay_history
from advanced_mm.venue.conditions.opening import VenueOptions

START_MS = 1_790_000_000_000
MAKER_FEE = 0.00015
MINIMUM_ORDER = 10.0  # USDC


@pytest.mark.parametrize("coin", KNOWN_COINS)
def test_the_scale_of_a_coin_makes_a_market_that_can_be_traded(coin):
    market = SyntheticParameters.for_coin(coin)
    grid = PriceGrid(market.size_decimals)
    assert grid.tick(market.start_price) <= market.tick  # every tick is a price of the venue
    in_ticks = Decimal(repr(market.start_price)) / Decimal(repr(market.tick))
    assert in_ticks == in_ticks.to_integral_value()
    assert 1e-5 < market.tick / market.start_price < 5e-4
    assert 2 <= 1 / (market.kappa_plus * market.tick) <= 30  # ticks that an order walks
    assert 300 <= market.level_size * market.start_price <= 50_000  # USDC at a price
    smallest = 10.0**-market.size_decimals * market.start_price
    assert smallest <= MINIMUM_ORDER / 2, "sizes must be finer than the least order"
    truth = market.truth()
    assert truth.lambda_plus > 0.7
    assert truth.kappa_plus * truth.epsilon_plus == pytest.approx(0.36)
    assert market.spec.max_leverage == KNOWN_COINS[coin].max_leverage


@pytest.mark.parametrize("coin", KNOWN_COINS)
def test_the_optimal_quotes_at_the_truth_are_prices_of_the_venue(coin):
    market = SyntheticParameters.for_coin(coin)
    truth, price = market.truth(), market.start_price
    values = solve(
        ModelParameters(
            lambda_plus=truth.lambda0_plus,
            lambda_minus=truth.lambda0_minus,
            kappa_plus=truth.kappa_plus,
            kappa_minus=truth.kappa_minus,
            epsilon_plus=truth.epsilon_plus,
            epsilon_minus=truth.epsilon_minus,
            fee=MAKER_FEE * price,
            phi=1e-6 * price,
            q_min=-3,
            q_max=3,
        )
    )
    flat = list(values.q).index(0)
    grid = PriceGrid(market.size_decimals)
    bid = grid.bid(price, float(values.bid_depth[flat]))
    ask = grid.ask(price, float(values.ask_depth[flat]))
    assert 0 < bid < price < ask
    assert price - bid < 0.003 * price
    for quote in (bid, ask):
        assert grid.bid(quote, 0.0) == grid.ask(quote, 0.0) == quote  # on the grid


def test_a_bid_of_a_cheap_coin_is_never_zero():
    grid, price = PriceGrid(0), KNOWN_COINS["kPEPE"].price
    assert grid.bid(price, 1e-12) == pytest.approx(price - 1e-6)
    assert grid.ask(price, 1e-12) == pytest.approx(price + 1e-6)


@pytest.mark.parametrize("coin", ["kPEPE", "xyz:XYZ100"])
def test_a_fit_of_half_an_hour_finds_the_truth(coin, tmp_path):
    market = SyntheticMarket(SyntheticParameters.for_coin(coin), START_MS, seed=5)
    recorder = Recorder(ShardStore(tmp_path), [coin], {coin: market.spec.tick})
    lay_history(market, recorder, START_MS + 1_800_000)
    fit = calibrate(ShardStore(tmp_path).read(coin), window_minutes=30)
    truth = asdict(market.truth())
    for side in ("plus", "minus"):
        curve = getattr(fit.fill_curve, side)
        for name, found in {
            "lambda": getattr(fit.arrivals, side).rate,
            "lambda0": curve.lambda0,
            "kappa": curve.kappa,
            "epsilon": getattr(fit.impact.epsilon, side),
        }.items():
            true = truth[f"{name}_{side}"]
            assert abs(found.value - true) < 4 * found.se, f"{name}_{side}"
            assert 0 < found.se < 0.35 * true, f"{name}_{side}"


@pytest.mark.parametrize("spelling", ["kPEPE", "KPEPE", "KPEPE/USDC:USDC", "kpepe"])
def test_a_coin_is_known_by_any_spelling(spelling):
    assert named_coins([spelling, "XYZ-XYZ100/USDC:USDC"]) == ("kPEPE", "xyz:XYZ100")


def test_a_coin_without_figures_is_refused_and_the_known_ones_are_named():
    for refused in (lambda: named_coins(["ETH", "NOPE"]), lambda: figures_of("NOPE")):
        with pytest.raises(InputError, match=r"'NOPE'.*ETH.*kPEPE.*xyz:XYZ100.*scenario file"):
            refused()
    with pytest.raises(InputError, match="'KPEPE' is called 'kPEPE' at the venue"):
        SyntheticParameters.for_coin("KPEPE")
    with pytest.raises(InputError, match="'a/b' is not a coin name"):
        VenueOptions(coins=("a/b",))


@pytest.mark.parametrize(
    ("highest", "size_decimals", "tick"),
    [
        (78_000.0, 5, 1.0),
        (120_000.0, 4, 10.0),
        (3_900.0, 4, 0.1),
        (0.00845, 0, 1e-6),
        (1.3, 3, 1e-3),
    ],
)
def test_the_tick_keeps_five_figures_up_to_the_highest_price(highest, size_decimals, tick):
    assert tick_of(highest, size_decimals) == tick
