"""Each exchange has its own balance: events at one do not affect the other."""

from dataclasses import replace

import pytest

from advanced_mm.markets.market import CoinSpec
from advanced_mm.markets.recipes import MarketRecipe
from advanced_mm.markets.synthetic import SyntheticParameters
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.conditions.opening import open_venue
from advanced_mm.venue.conditions.saved_state import restore, save_state
from advanced_mm.venue.conditions.scenario import AccountPlan, open_accounts
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, OrderStatus, TimeInForce
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.actions.signers import Signers

START_MS = 1_790_000_000_000
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
BUILDER = "xyz:XYZ100"
USDC = 10**6
IOC, GTC = TimeInForce.IOC, TimeInForce.GTC
UNITS = CoinUnits(4)


def side(price, step):
    return [(round(price + step * (0.05 + i / 10), 2), 10_000.0) for i in range(3)]


@pytest.fixture
def markets(make_market):
    """A main and a builder-deployed market, both deep, around 100."""
    specs = [CoinSpec("ETH", 4, 25, 0.1), CoinSpec(BUILDER, 4, 20, 0.1, "noCross")]
    return {one.coin: make_market(one, side(100.0, -1), side(100.0, 1), START_MS) for one in specs}


@pytest.fixture
def exchange(markets):
    exchange = Exchange(list(markets.values()), Rules())
    exchange.advance(START_MS)
    exchange.accounts.open(ALICE)
    return exchange


def move(exchange, market, price):
    time_ms = exchange.now_ms // 100 * 100 + 100
    market.write(time_ms, bids=side(price, -1), asks=side(price, 1))
    exchange.advance(time_ms + 100)


def order(exchange, coin, sign, price, size, tif=GTC, account=ALICE, **changes):
    request = OrderRequest(
        coin, sign > 0, UNITS.price_units(price), UNITS.lots(size), False, tif, **changes
    )
    return exchange.place(account, [request])[0]


def purses(exchange, account=ALICE):
    owner = exchange.accounts.open(account)
    return owner.usdc / USDC, owner.dex_usdc.get("xyz", 0) / USDC


def send(exchange, micros, source="", destination="xyz", receiver=ALICE):
    return exchange.send_asset(ALICE, source, receiver, destination, micros)


def test_a_liquidation_there_takes_no_more_than_what_lies_there(exchange, markets):
    assert send(exchange, 100 * USDC) is None
    assert order(exchange, BUILDER, 1, 100.05, 19.0, IOC).error is None  # nearly all of it
    assert purses(exchange)[1] < 6
    before = exchange.accounts.open(ALICE).usdc
    move(exchange, markets[BUILDER], 50.0)
    owner = exchange.accounts.open(ALICE)
    assert owner.positions == {}
    assert owner.usdc == before == 9_900 * USDC
    assert exchange.clearing.insurance < 0  # it paid the position's loss beyond its margin
    assert 0 <= owner.dex_usdc["xyz"] < 6 * USDC


def test_a_liquidation_of_the_main_account_leaves_orders_there_alone(exchange, markets):
    send(exchange, 1_000 * USDC)
    there = order(exchange, BUILDER, 1, 90.0, 10.0).order
    here = order(exchange, "ETH", 1, 50.0, 1.0).order
    assert order(exchange, "ETH", 1, 100.05, 1_500.0, IOC).error is None
    move(exchange, markets["ETH"], 90.0)
    known = {one.oid: one.status for one in exchange.history(ALICE)}
    assert known[here.oid] is OrderStatus.LIQUIDATED_CANCELED
    assert known[there.oid] is OrderStatus.OPEN
    assert purses(exchange)[1] == 1_000


def test_with_one_purse_an_order_there_counts_at_home(exchange):
    exchange.set_dex_abstraction(ALICE, True)
    free = exchange.margin.withdrawable(exchange.accounts.open(ALICE))
    placed = order(exchange, BUILDER, 1, 90.0, 100.0).order
    owner = exchange.accounts.open(ALICE)
    held = 90 * 100 * USDC // 20
    assert exchange.margin.withdrawable(owner) == free - held
    assert exchange.margin.money_at(owner, "xyz") == held
    assert exchange.margin.money_at(owner, "") == owner.usdc - held
    exchange.cancel(ALICE, [(BUILDER, placed.oid)])
    assert exchange.margin.withdrawable(owner) == free
    assert exchange.margin.money_at(owner, "xyz") == 0


def test_what_is_held_stays_there_when_one_purse_becomes_two(exchange):
    exchange.set_dex_abstraction(ALICE, True)
    placed = order(exchange, BUILDER, 1, 90.0, 100.0).order
    exchange.set_dex_abstraction(ALICE, False)
    assert purses(exchange) == (9_550, 450)
    assert order(exchange, BUILDER, 1, 89.0, 1.0).error == "Insufficient margin to place order."
    exchange.cancel(ALICE, [(BUILDER, placed.oid)])
    assert order(exchange, BUILDER, 1, 89.0, 1.0).error is None
    exchange.set_dex_abstraction(ALICE, True)
    assert purses(exchange) == (10_000, 0)


def test_a_position_there_is_opened_and_closed_out_of_the_purse_there(exchange):
    send(exchange, 100 * USDC)
    order(exchange, BUILDER, -1, 99.95, 10.0, IOC)
    main, there = purses(exchange)
    assert main == 9_900
    assert there == pytest.approx(100 - 999.5 / 20 - 999.5 * 0.00045)
    order(exchange, BUILDER, 1, 100.05, 10.0, IOC)
    assert purses(exchange)[0] == 9_900
    assert purses(exchange)[1] == pytest.approx(100 - 1.0 - 2_000 * 0.00045)


def test_margin_can_be_taken_out_again_where_the_coin_allows_it(exchange, markets):
    send(exchange, 200 * USDC)

    def update(coin, micros):
        return exchange.update_isolated_margin(ALICE, coin, True, micros)

    assert update(BUILDER, USDC) == "Cannot update margin for empty position."
    order(exchange, "ETH", 1, 100.05, 10.0, IOC)
    assert update("ETH", USDC) == "Position does not use isolated margin."
    order(exchange, BUILDER, 1, 100.05, 10.0, IOC)
    too_much = "Account does not have sufficient margin available for increase."
    assert update(BUILDER, 200 * USDC) == too_much
    too_little = "Position does not have sufficient margin for reduction."
    assert update(BUILDER, -USDC) == too_little
    assert exchange.update_isolated_margin(ALICE, BUILDER, True, 100 * USDC) is None
    assert exchange.update_isolated_margin(ALICE, BUILDER, True, -40 * USDC) is None
    markets[BUILDER].spec = replace(markets[BUILDER].spec, margin_mode="strictIsolated")
    kept = exchange.update_isolated_margin(ALICE, BUILDER, True, -USDC)
    assert kept.startswith("Cannot remove isolated margin for this asset.")
    assert exchange.update_leverage(ALICE, BUILDER, True, 5) == (
        "Cross margin is not allowed for this asset."
    )


@pytest.mark.parametrize("abstraction", [True, False])
def test_the_value_of_an_account_is_that_of_all_its_exchanges(exchange, abstraction):
    if abstraction:
        exchange.set_dex_abstraction(ALICE, True)
    else:
        send(exchange, 1_000 * USDC)
    order(exchange, BUILDER, 1, 100.05, 10.0, IOC)
    order(exchange, "ETH", -1, 99.95, 10.0, IOC)
    expected = 10_000 - 10 * 0.05 * 2 - 10 * (100.05 + 99.95) * 0.00045
    owner = exchange.accounts.open(ALICE)
    assert exchange.margin.value(owner) / USDC == pytest.approx(expected)


def test_money_elsewhere_and_one_purse_are_saved_and_restored(tmp_path):
    coins = ("ETH", BUILDER)
    recipes = tuple(
        MarketRecipe(
            coin=coin, seed=3, start_ms=START_MS, synthetic=SyntheticParameters.for_coin(coin)
        )
        for coin in coins
    )
    venue = open_venue(recipes, START_MS + 2_000, journaled=True)
    plans = (
        AccountPlan(address=ALICE, dex_money={"xyz": 700}),
        AccountPlan(address=BOB, dex_abstraction=True),
    )
    open_accounts(plans, venue.exchange.accounts)
    mark = venue.exchange.books[BUILDER].mark
    for account in (ALICE, BOB):
        price = UNITS.price(mark) // 1 - 500
        assert order(venue.exchange, BUILDER, 1, price, 0.01, account=account).error is None
    assert venue.exchange.send_asset(ALICE, "xyz", ALICE, "", 200 * USDC) is None
    venue.exchange.set_dex_abstraction(BOB, False)
    venue.exchange.advance(venue.exchange.now_ms + 3_000)
    save_state(tmp_path / "venue.json", venue, Signers())
    again, _ = restore(tmp_path / "venue.json", venue.exchange.now_ms)
    for address in (ALICE, BOB):
        was, now = (one.exchange.accounts.open(address) for one in (venue, again))
        assert (was.usdc, was.dex_usdc, was.dex_abstraction) == (
            now.usdc, now.dex_usdc, now.dex_abstraction
        )  # fmt: skip
        assert list(was.orders) == list(now.orders) != []
    assert again.exchange.accounts.open(ALICE).dex_usdc == {"xyz": 500 * USDC}
