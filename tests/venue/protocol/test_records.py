"""Account history on /info and the streams: merged fills, portfolio, limits, agents."""

import pytest

from advanced_mm.venue.engine.accounts import Account, Sample
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import TwapRequest
from advanced_mm.venue.protocol.actions.signers import RefusedError, Signers
from advanced_mm.venue.protocol.messages.account_views import AccountViews
from advanced_mm.venue.protocol.messages.money_messages import portfolio
from advanced_mm.venue.protocol.subscriptions.channels import Subscription
from advanced_mm.venue.protocol.subscriptions.user_channels import USER_CHANNELS
from advanced_mm.venue.server.answers import Answers

START_MS = 1_800_000_000_000  # a whole hour
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
USER = "0x" + "ab" * 20
USDC = 1_000_000


@pytest.fixture
def exchange(scripted):
    return Exchange([scripted.Market(start_ms=START_MS)], Rules())


@pytest.fixture
def ask(exchange):
    answers = Answers(exchange, lambda: exchange.now_ms)
    return lambda kind, **more: answers.info({"type": kind, "user": USER, **more})


def take(exchange, is_buy, lots):
    price = 310_000 if is_buy else 290_000
    request = OrderRequest("ETH", is_buy, price, lots, tif=TimeInForce.IOC, is_market=True)
    assert exchange.place(USER, [request])[0].error is None


def test_what_one_order_took_is_one_fill_and_what_a_resting_one_gave_is_not(exchange, ask):
    take(exchange, True, 25_000)  # three levels
    resting = OrderRequest("ETH", False, 300_010, 20_000)
    exchange.place(USER, [resting])
    for _ in range(2):
        exchange.advance(exchange.now_ms + 100)
        exchange.place("0x" + "c" * 40, [OrderRequest("ETH", True, 300_010, 10_000)])
    apart, together = ask("userFills"), ask("userFills", aggregateByTime=True)
    assert [fill["sz"] for fill in apart] == ["1.0", "1.0", "0.5", "1.0", "1.0"]
    assert [fill["sz"] for fill in together] == ["1.0", "1.0", "2.5"]
    one = together[-1]
    assert (one["tid"], one["dir"], one["startPosition"]) == (apart[-1]["tid"], "Open Long", "0.0")
    assert float(one["px"]) == pytest.approx((3000.1 + 3000.2 + 0.5 * 3000.3) / 2.5)
    by_time = ask("userFillsByTime", startTime=0, aggregateByTime=True)
    assert by_time == together[::-1]
    assert ask("userFillsByTime", startTime=0, aggregateByTime=True, reversed=True) == together


def test_a_market_order_without_anybody_to_trade_with_is_called_so(exchange, ask, scripted):
    exchange.place(USER, [OrderRequest("ETH", True, 299_000, 10_000, tif=TimeInForce.IOC)])
    request = OrderRequest("ETH", True, 299_000, 10_000, tif=TimeInForce.IOC, is_market=True)
    assert exchange.place(USER, [request])[0].error == "No liquidity available for market order."
    newest, before = ask("historicalOrders")
    assert newest["status"] == "marketOrderNoLiquidityRejected"
    assert before["status"] == "iocCancelRejected"
    assert (newest["order"]["orderType"], newest["order"]["tif"]) == ("Market", "FrontendMarket")


def test_open_orders_have_the_venues_limits(exchange):
    account = exchange.accounts.open(USER)
    plain = OrderRequest("ETH", True, 200_000, 100)
    exchange.place(USER, [plain] * 1_001)
    assert len(account.orders) == 1_000
    account.volume = 10_000_000 * USDC  # two more
    exchange.place(USER, [plain] * 3)
    assert len(account.orders) == 1_002
    (newest,) = exchange.history(USER)[-1:]
    assert newest.status == "tooManyOpenOrdersRejected"
    stop = OrderRequest("ETH", False, 200_000, 100, reduce_only=True)
    assert exchange.place(USER, [stop])[0].error == "Too many open orders."


def test_the_portfolio_has_what_lies_within_each_period():
    account = Account(USER, START_MS - 40 * DAY_MS, 100 * USDC)
    for days, gain in ((35, 10), (8, 20), (2, 30)):
        value = (100 + gain) * USDC
        account.samples.append(
            Sample(START_MS - days * DAY_MS, value, 0, gain * USDC, gain * 10 * USDC)
        )
    now = Sample(START_MS, 140 * USDC, 5 * USDC, 45 * USDC, 450 * USDC)
    answer = dict(portfolio(account, now))
    assert list(answer) == [
        "day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime",
    ]  # fmt: skip
    gains = {name: period["pnlHistory"][-1][1] for name, period in answer.items()}
    assert [gains[name] for name in ("day", "week", "month", "allTime")] == [
        "15.0", "25.0", "35.0", "45.0",
    ]  # fmt: skip
    assert gains["perpDay"] == gains["day"]
    assert answer["allTime"]["accountValueHistory"][-1] == [START_MS, "145.0"]
    assert answer["perpAllTime"]["accountValueHistory"][-1] == [START_MS, "140.0"]
    assert [answer[name]["vlm"] for name in ("day", "week", "allTime")] == [
        "150.0", "250.0", "450.0",
    ]  # fmt: skip


def test_accounts_are_looked_at_once_an_hour(exchange, ask):
    take(exchange, True, 10_000)
    exchange.advance(START_MS + 3 * HOUR_MS)
    account = exchange.accounts.open(USER)
    assert [one.time_ms - START_MS for one in account.samples] == [
        HOUR_MS,
        2 * HOUR_MS,
        3 * HOUR_MS,
    ]
    history = dict(ask("portfolio"))["allTime"]["pnlHistory"]
    funding = sum(float(line["delta"]["usdc"]) for line in ask("userFunding"))
    fee = float(ask("userFills")[0]["fee"])
    assert float(history[-1][1]) == pytest.approx(funding - fee - 0.05)  # bought above the mark


def test_bought_requests_are_used_up_first(exchange, ask):
    account = exchange.accounts.open(USER)
    account.requests_used, account.requests_reserved = 3, 10
    limits = ask("userRateLimit")
    assert (limits["nRequestsUsed"], limits["nRequestsSurplus"]) == (0, 7)
    account.requests_used = 25
    limits = ask("userRateLimit")
    assert (limits["nRequestsUsed"], limits["nRequestsSurplus"]) == (15, 0)


def test_a_referrer_must_have_traded(exchange, ask):
    assert ask("referral")["referrerState"] == {
        "stage": "needToTrade",
        "data": {"required": "10000.0"},
    }
    exchange.accounts.open(USER).volume = 10_000 * USDC
    assert ask("referral")["referrerState"] == {"stage": "needToCreateCode"}


def test_there_are_three_agents_with_names_and_one_without():
    signers = Signers()

    def approve(number, name):
        signers.approve_agent(USER, f"0x{number:040x}", name, most_named=3)

    for number, name in enumerate(("", "a", "b", "c")):
        approve(number, name)
    with pytest.raises(RefusedError, match=r"Too many extra agents .* Current limit is 3"):
        approve(5, "d")
    approve(6, "a")  # replaces the agent of that name
    approve(7, "")
    approve(6, "d")  # the same key under another
    assert sorted(agent.name for agent in signers.agents.values()) == ["", "b", "c", "d"]
    with pytest.raises(RefusedError, match="must be between 1 and 16 characters"):
        approve(8, "x" * 17)


def test_an_agents_time_is_taken_from_its_name():
    signers = Signers()
    signers.approve_agent(USER, "0x" + "1" * 40, "bot valid_until 1800000000000", most_named=3)
    (agent,) = signers.agents.values()
    assert (agent.name, agent.valid_until) == ("bot", 1_800_000_000_000)


def test_streams_begin_with_what_there_was_and_go_on_with_what_happens(exchange):
    views, user = AccountViews(exchange), {"user": USER}
    exchange.place_twap(USER, TwapRequest("ETH", True, 20_000, 5))
    exchange.place(USER, [OrderRequest("ETH", True, 299_000, 10_000)])
    snapshots = {
        "openOrders": "orders",
        "userHistoricalOrders": "orderHistory",
        "userTwapHistory": "history",
        "userTwapSliceFills": "twapSliceFills",
        "twapStates": "states",
        "userNonFundingLedgerUpdates": "nonFundingLedgerUpdates",
    }
    lengths = {}
    for kind, field in snapshots.items():
        subscription = Subscription(type=kind, **user)
        (message,) = USER_CHANNELS[kind].on_subscribe(views, subscription)
        assert message["channel"] == kind
        assert message["data"]["user"] == USER
        lengths[kind] = len(message["data"][field])
    assert lengths == {
        "openOrders": 1, "userHistoricalOrders": 1, "userTwapHistory": 1,
        "userTwapSliceFills": 0, "twapStates": 1, "userNonFundingLedgerUpdates": 1,
    }  # fmt: skip
    exchange.take_events()
    exchange.advance(START_MS + 100)
    exchange.change_class(USER, 5 * USDC, False)
    events = exchange.take_events()
    grown = {}
    for kind, field in snapshots.items():
        subscription = Subscription(type=kind, **user)
        (*messages,) = USER_CHANNELS[kind].on_events(views, subscription, events)
        grown[kind] = [len(message["data"][field]) for message in messages]
    assert grown == {
        "openOrders": [1], "userHistoricalOrders": [1], "userTwapHistory": [],
        "userTwapSliceFills": [1], "twapStates": [1], "userNonFundingLedgerUpdates": [1],
    }  # fmt: skip
    (spot,) = USER_CHANNELS["spotState"].on_events(
        views, Subscription(type="spotState", **user), events
    )
    assert spot["data"]["spotState"]["balances"][0]["total"] == "5.0"
