"""The spot exchange's engine: what is locked, filled and charged, and what is refused."""

import contextlib
from decimal import Decimal as D
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.venue.spot.amounts import ATOMS, base_atoms, quote_atoms
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.orders import (
    Execution,
    ExecutionType,
    OrderKind,
    SpotRefusedError,
    SpotRequest,
    SpotStatus,
    SpotTif,
    WalletEvent,
)
from advanced_mm.venue.spot.rules import SpotRules

SYMBOL = "ETHUSDC"
RICH = {"USDC": D(10_000), "ETH": D(3)}


@pytest.fixture
def market(scripted):
    return scripted.Market(bid=3000.0, ask=3001.0)


@pytest.fixture
def exchange(market):
    exchange = SpotExchange([market], SpotRules(taker_fee=D("0.002")))
    exchange.open_account("me", "secret", RICH)
    exchange.open_account("other", "secret", RICH)
    return exchange


@pytest.fixture
def me(exchange):
    return exchange.accounts.get("me")


def order(side="buy", size="1", price=None, kind=None, **more):
    kind = kind or (OrderKind.MARKET if price is None else OrderKind.LIMIT)
    return SpotRequest(
        SYMBOL,
        side == "buy",
        kind,
        quantity=None if size is None else D(size),
        price=None if price is None else D(price),
        **more,
    )


def held(account, asset):
    one = account.wallet[asset]
    return D(one.free) / ATOMS, D(one.locked) / ATOMS


def refusal(exchange, account, request):
    with pytest.raises(SpotRefusedError) as caught:
        exchange.place(account, request)
    return caught.value.code, caught.value.message


def test_a_resting_order_locks_what_it_may_cost_and_a_cancel_frees_it(exchange, me):
    placed = exchange.place(me, order("buy", "2", "2990", client_id="mine"))
    assert held(me, "USDC") == (4020, 5980)
    sold = exchange.place(me, order("sell", "0.5", "3010"))
    assert held(me, "ETH") == (D("2.5"), D("0.5"))
    assert [one.oid for one in me.orders.values()] == [placed.order.oid, sold.order.oid]
    ended = exchange.cancel(me, SYMBOL, None, "mine")
    assert ended.status is SpotStatus.CANCELED
    assert held(me, "USDC") == (10_000, 0)
    assert me.find(None, "mine").status is SpotStatus.CANCELED


def test_a_fill_is_charged_in_what_it_brings(exchange, market, me):
    bought = exchange.place(me, order("buy", "0.5"))
    assert [fill.fee_asset for fill in bought.fills] == ["ETH"]
    assert held(me, "ETH") == (D("3.499"), 0)  # a taker pays 0.2% of 0.5
    assert held(me, "USDC") == (D("8499.5"), 0)
    exchange.place(me, order("sell", "0.5", "3002"))
    market.trade(3003.0, 1.0, 1)  # goes beyond: filled whole, at its own price
    exchange.advance(market.now_ms + 100)
    (fill,) = (one for one in me.fills if one.maker)
    assert (fill.fee_asset, fill.price, fill.fee) == ("USDC", 300200, int(D("1.501") * ATOMS))
    assert held(me, "USDC") == (D("8499.5") + D("1499.499"), 0)


def test_an_order_behind_the_level_is_filled_in_its_turn(exchange, market, me):
    exchange.place(me, order("buy", "0.6", "3000"))  # behind 1.0 of others
    market.trade(3000.0, 1.2, -1)
    exchange.advance(market.now_ms + 100)
    (mine,) = me.orders.values()
    assert mine.status is SpotStatus.PARTIALLY_FILLED
    assert mine.core.filled == 2000
    assert held(me, "USDC") == (8200, 1200)
    market.trade(3000.0, 5.0, -1)
    exchange.advance(market.now_ms + 100)
    assert not me.orders
    assert held(me, "USDC") == (8200, 0)


def test_a_limit_order_that_takes_pays_the_better_price(exchange, me):
    placed = exchange.place(me, order("buy", "0.5", "3010"))
    assert placed.order.status is SpotStatus.FILLED
    assert held(me, "USDC") == (D("8499.5"), 0)


def test_two_accounts_trade_with_each_other(exchange, me):
    other = exchange.accounts.get("other")
    exchange.place(other, order("sell", "0.5", "3000.5"))
    taken = exchange.place(me, order("buy", "0.5", "3000.5"))
    assert [fill.price for fill in taken.fills] == [300050]
    (sale,) = other.fills
    assert sale.maker
    assert sale.tid == taken.fills[0].tid
    assert held(other, "USDC") == (10_000 + D("1500.25") * D("0.999"), 0)


def test_an_own_resting_order_gives_way(exchange, me):
    exchange.place(me, order("sell", "0.5", "3000.5", client_id="mine"))
    placed = exchange.place(me, order("buy", "0.5", "3001"))
    assert [fill.price for fill in placed.fills] == [300100]
    assert me.find(None, "mine").status is SpotStatus.EXPIRED_IN_MATCH
    assert held(me, "ETH")[1] == 0


@pytest.mark.parametrize(
    "request_, code, message",
    [
        (order("buy", "1", "3001", OrderKind.LIMIT_MAKER), -2010,
         "Order would immediately match and take."),
        (order("buy", "4", "2990"), -2010,
         "Account has insufficient balance for requested action."),
        (order("sell", "3.5", "3010"), -2010,
         "Account has insufficient balance for requested action."),
        (order("buy", "4"), -2010, "Account has insufficient balance for requested action."),
        (order("buy", "1", "2990.05"), -1013, "Filter failure: PRICE_FILTER"),
        (order("buy", "1.00005", "2990"), -1013, "Filter failure: LOT_SIZE"),
        (order("buy", "0", "2990"), -1013, "Filter failure: LOT_SIZE"),
        (order("buy", "0.001", "2990"), -1013, "Filter failure: NOTIONAL"),
        (order("buy", "0.001"), -1013, "Filter failure: NOTIONAL"),
        (order("buy", "1", "500"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (order("buy", "1", kind=OrderKind.STOP_LOSS, stop_price=D(2990)), -2010,
         "Stop price would trigger immediately."),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(exchange, me, request_, code, message):
    assert refusal(exchange, me, request_) == (code, message)
    assert not me.orders
    assert (held(me, "USDC"), held(me, "ETH")) == ((10_000, 0), (3, 0))
    assert not exchange.take_events()


def test_orders_are_counted_and_names_are_unique(market):
    exchange = SpotExchange([market], SpotRules(most_orders=2, most_stops=1))
    me = exchange.open_account("me", "secret", RICH)
    stop = {"kind": OrderKind.STOP_LOSS, "stop_price": D(2900)}
    exchange.place(me, order("sell", "0.1", client_id="one", **stop))
    assert refusal(exchange, me, order("sell", "0.1", **stop))[1].endswith("MAX_NUM_ALGO_ORDERS")
    assert refusal(exchange, me, order("buy", "0.1", "2990", client_id="one")) == (
        -2010, "Duplicate order sent.",
    )  # fmt: skip
    exchange.place(me, order("buy", "0.1", "2990"))
    assert refusal(exchange, me, order("buy", "0.1", "2990"))[1].endswith("MAX_NUM_ORDERS")


def test_what_may_not_rest_expires(exchange, me):
    ioc = exchange.place(me, order("buy", "3", "3001", tif=SpotTif.IOC))
    assert (ioc.order.status, ioc.order.core.filled) == (SpotStatus.EXPIRED, 10_000)
    fok = exchange.place(me, order("buy", "2", "3001.1", tif=SpotTif.FOK))
    assert (fok.order.status, fok.order.core.filled) == (SpotStatus.EXPIRED, 0)
    assert held(me, "USDC") == (10_000 - 3001, 0)


def test_a_market_order_may_say_what_it_spends(exchange, me):
    placed = exchange.place(me, SpotRequest(SYMBOL, True, OrderKind.MARKET, quote_quantity=D(4000)))
    assert placed.order.spent <= 4000 * ATOMS
    assert 4000 * ATOMS - placed.order.spent < quote_atoms(300110, 1)


def test_a_stop_waits_for_a_trade(exchange, market, me):
    sale = exchange.place(me, order("sell", "1", kind=OrderKind.STOP_LOSS, stop_price=D(2990)))
    buy = exchange.place(me, order("buy", "3", kind=OrderKind.STOP_LOSS, stop_price=D(3010)))
    assert (held(me, "ETH"), held(me, "USDC")) == ((2, 1), (970, 9030))
    market.quote(2980.0, 2981.0)  # a touch is no trade
    exchange.advance(market.now_ms + 200)
    assert len(me.orders) == 2
    market.trade(2980.0, 0.1, -1)
    exchange.advance(market.now_ms + 200)
    assert me.find(sale.order.oid, None).status is SpotStatus.FILLED
    market.quote(3500.0, 3501.0)
    market.trade(3501.0, 0.1, 1)
    exchange.advance(market.now_ms + 200)
    assert me.find(buy.order.oid, None).status is SpotStatus.FILLED
    assert held(me, "USDC")[1] == 0


def test_a_stop_without_the_money_for_it_expires(exchange, market):
    poor = exchange.open_account("poor", "secret", {"USDC": D(4000)})
    stop = exchange.place(poor, order("buy", "1", kind=OrderKind.STOP_LOSS, stop_price=D(3010)))
    exchange.place(poor, order("buy", "0.3", "2990"))
    assert held(poor, "USDC") == (93, 3907)
    market.quote(4000.0, 4001.0)
    market.trade(4001.0, 0.1, 1)
    exchange.advance(market.now_ms + 200)
    assert poor.find(stop.order.oid, None).status is SpotStatus.EXPIRED
    assert held(poor, "USDC") == (3103, 897)
    assert not poor.fills


def test_a_smaller_size_keeps_the_place_in_the_queue(exchange, market, me):
    exchange.place(me, order("buy", "1", "3000", client_id="mine"))
    market.trade(3000.0, 0.7, -1)
    exchange.advance(market.now_ms + 100)
    ahead = me.find(None, "mine").core.ahead
    changed = exchange.reduce(me, SYMBOL, None, "mine", D("0.4"))
    assert changed.core.remaining == 4000
    assert me.find(None, "mine").core.ahead == ahead == 3000
    assert held(me, "USDC") == (8800, 1200)
    with pytest.raises(SpotRefusedError):
        exchange.reduce(me, SYMBOL, None, "mine", D("0.5"))


def test_events_tell_each_change_and_what_is_left(exchange, market, me):
    exchange.place(me, order("buy", "0.6", "3000"))
    market.trade(2999.0, 1.2, -1)
    exchange.advance(market.now_ms + 100)
    events = exchange.take_events()
    assert [one.kind for one in events if isinstance(one, Execution)] == [
        ExecutionType.NEW, ExecutionType.TRADE,
    ]  # fmt: skip
    last = [one for one in events if isinstance(one, WalletEvent)][-1]
    assert dict((asset, (free, locked)) for asset, free, locked in last.amounts) == {
        asset: (one.free, one.locked) for asset, one in me.wallet.items()
    }


def test_a_closed_market_accepts_cancels_alone(exchange, market, me):
    exchange.place(me, order("buy", "1", "2990", client_id="mine"))
    exchange.halt("ETH", True)
    market.trade(2980.0, 5.0, -1)
    exchange.advance(market.now_ms + 100)
    assert refusal(exchange, me, order("buy", "1", "2990")) == (-1013, "Market is closed.")
    exchange.cancel(me, SYMBOL, None, "mine")
    assert not me.fills


def locked_by_hand(exchange, account):
    """What an account's open orders lock, from their prices and sizes."""
    units = exchange.markets[SYMBOL].units
    locked = {"USDC": 0, "ETH": 0}
    for one in account.orders.values():
        left = one.core.remaining
        if one.is_buy:
            price = one.core.request.price if one.kind.priced else one.stop
            locked["USDC"] += quote_atoms(price, left)
        else:
            locked["ETH"] += base_atoms(units, left)
    return locked


def owned_by_hand(exchange, account):
    """What an account must own after its fills and their fees."""
    units = exchange.markets[SYMBOL].units
    owned = {asset: int(amount * ATOMS) for asset, amount in RICH.items()}
    for fill in account.fills:
        sign = 1 if fill.is_buy else -1
        owned["ETH"] += sign * base_atoms(units, fill.lots)
        owned["USDC"] -= sign * quote_atoms(fill.price, fill.lots)
        owned[fill.fee_asset] -= fill.fee
    return owned


def step_of(random):
    """One step of a random market: most are orders of accounts near the touch."""
    mine, which = random.random() < 0.5, random.randrange(6)
    match random.choices(["place", "cancel", "reduce", "trade", "quote"], [6, 1, 1, 2, 1])[0]:
        case "place":
            kind = random.choices(list(OrderKind), [6, 3, 2, 1, 1, 1, 1])[0]
            side, tif = random.choice(["buy", "sell"]), random.choice(list(SpotTif))
            return "place", mine, side, random.randint(1, 6), random.randint(-6, 6), kind, tif
        case "trade":
            return "trade", random.choice([-3, -2, -1, 0, 1, 2, 3]), random.randint(1, 40)
        case "quote":
            return "quote", random.randint(-6, 6)
        case "reduce":
            return "reduce", mine, which, random.randint(1, 5)
        case kind:
            return kind, mine, which


def carry_out(exchange, market, step):
    """Do what `step_of` says."""
    kind, *values = step
    if kind == "trade":
        ticks, size = values
        market.trade(3000 + ticks / 10, size / 10, 1 if ticks > 0 else -1)
        return exchange.advance(market.now_ms + 100)
    if kind == "quote":
        bid = 3000 + values[0] / 10
        market.quote(bid, bid + 0.1)
        return exchange.advance(market.now_ms + 100)
    mine, *values = values
    account = exchange.accounts.get("me" if mine else "other")
    if kind == "place":
        side, size, ticks, order_kind, tif = values
        price = D(3000) + D(ticks) / 10
        request = order(
            side,
            str(D(size) / 10),
            str(price) if order_kind.priced else None,
            order_kind,
            tif=tif if order_kind is OrderKind.LIMIT else SpotTif.GTC,
            stop_price=price if order_kind.stops else None,
        )
        return exchange.place(account, request)
    oids = list(account.orders)
    if not oids:
        return None
    oid = oids[values[0] % len(oids)]
    if kind == "cancel":
        return exchange.cancel(account, SYMBOL, oid, None)
    return exchange.reduce(account, SYMBOL, oid, None, D(values[1]) / 10)


@given(st.integers(0, 1_000_000))
def test_nothing_is_lost_and_nothing_is_made(scripted, seed):
    random = Random(seed)
    market = scripted.Market(start_ms=1_800_000_000_000)
    exchange = SpotExchange([market], SpotRules())
    accounts = [exchange.open_account(key, "secret", RICH) for key in ("me", "other")]
    for step in (step_of(random) for _ in range(80)):
        with contextlib.suppress(SpotRefusedError):
            carry_out(exchange, market, step)
        for account in accounts:
            free = {asset: one.free for asset, one in account.wallet.items()}
            locked = {asset: one.locked for asset, one in account.wallet.items()}
            assert min(free.values()) >= 0
            assert locked == locked_by_hand(exchange, account)
            assert {a: free[a] + locked[a] for a in free} == owned_by_hand(exchange, account)
            assert all(one.core.remaining > 0 for one in account.orders.values())
    assert sum(len(account.fills) for account in accounts) > 5
