"""Answers of /info: forms, rules for prices and sizes, and refusals."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import OrderRequest, TimeInForce
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.info_routing import (
    InfoRequest,
    InfoRouter,
    RejectedRequest,
    Route,
    UnknownCoinError,
)
from advanced_mm.venue.server.answers import Answers

START_MS = 1_800_000_000_000  # a whole hour
USER = "0x" + "aB" * 20
HOUR_MS = 3_600_000


def router_at(until_ms):
    exchange = Exchange([SyntheticMarket(SyntheticParameters(), START_MS, seed=1)], Rules())
    exchange.advance(until_ms)
    return Answers(exchange, lambda: until_ms), exchange.venue


@pytest.fixture(scope="module")
def running():
    return router_at(START_MS + 120_000)


@pytest.fixture(scope="module")
def router(running):
    return running[0]


def is_venue_price(text, size_decimals=4):
    """Hyperliquid's rule: an integer, or 5 significant figures and 6 - szDecimals decimals."""
    value = float(text)
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    digits = (whole + decimals).lstrip("0")
    return value > 0 and (not decimals or (len(digits) <= 5 and len(decimals) <= 6 - size_decimals))


def test_the_book_has_20_levels_a_side_on_the_venues_grid_and_is_not_crossed(router):
    book = router.info({"type": "l2Book", "coin": "ETH"})
    bids, asks = book["levels"]
    assert book["coin"] == "ETH"
    assert len(bids) == len(asks) == 20
    for level in bids + asks:
        assert is_venue_price(level["px"])
        assert len(level["sz"].partition(".")[2]) <= 4
        assert level["n"] >= 1
    prices = [float(level["px"]) for level in reversed(bids)] + [float(a["px"]) for a in asks]
    assert prices == sorted(set(prices))


def test_the_context_agrees_with_book_and_prints(router):
    (meta, contexts) = router.info({"type": "metaAndAssetCtxs"})
    (eth,) = meta["universe"]
    assert (eth["name"], eth["szDecimals"], eth["maxLeverage"]) == ("ETH", 4, 25)
    (context,) = contexts
    bids, asks = router.info({"type": "l2Book", "coin": "ETH"})["levels"]
    assert context["impactPxs"] == [bids[0]["px"], asks[0]["px"]]
    mid = (float(bids[0]["px"]) + float(asks[0]["px"])) / 2
    assert float(context["midPx"]) == pytest.approx(mid, abs=1e-9)
    assert context["markPx"] == context["oraclePx"]
    assert abs(float(context["markPx"]) - mid) <= 0.05 + 1e-9  # the only order in the book
    assert router.info({"type": "allMids"}) == {"ETH": context["midPx"]}
    assert all(is_venue_price(context[key]) for key in ("markPx", "oraclePx", "prevDayPx"))


def test_recent_trades_come_newest_first_with_hash_and_rules_kept(router):
    trades = router.info({"type": "recentTrades", "coin": "ETH"})
    assert len(trades) == 30
    assert [t["time"] for t in trades] == sorted((t["time"] for t in trades), reverse=True)
    for trade in trades:
        assert is_venue_price(trade["px"])
        assert float(trade["sz"]) > 0
        assert trade["side"] in ("A", "B")
        assert len(trade["hash"]) == 66
    assert len({trade["tid"] for trade in trades}) == 30


def test_candles_hold_every_print_and_higher_intervals_the_same_volume(running):
    router, venue = running

    def bars(interval):
        req = {"coin": "ETH", "interval": interval, "startTime": 0, "endTime": START_MS * 2}
        return router.info({"type": "candleSnapshot", "req": req})

    minutes, hours = bars("1m"), bars("1h")
    assert [bar["T"] - bar["t"] for bar in minutes + hours] == [59_999] * 3 + [HOUR_MS - 1]
    volume = math.fsum(float(bar["v"]) for bar in minutes)
    assert volume == pytest.approx(float(hours[0]["v"]), abs=2e-4)
    assert sum(bar["n"] for bar in minutes) == hours[0]["n"]
    again = SyntheticMarket(SyntheticParameters(), START_MS, seed=1)
    prints = [p for u in again.advance(venue.now_ms) for p in u.prints]
    assert hours[0]["n"] == len(prints)
    assert volume == pytest.approx(math.fsum(p.size for p in prints), abs=2e-4)
    assert float(hours[0]["h"]) == max(p.price for p in prints)
    assert float(hours[0]["l"]) == min(p.price for p in prints)
    for bar in minutes + hours:
        assert all(is_venue_price(bar[key]) for key in "ohlc")


@given(start=st.integers(0, 2 * HOUR_MS), hours=st.integers(0, 600))
@settings(deadline=None, max_examples=30)
def test_funding_stands_at_each_whole_hour_of_the_past_and_500_at_most(router, start, hours):
    start_ms = START_MS - hours * HOUR_MS + start
    entries = router.info({"type": "fundingHistory", "coin": "ETH", "startTime": start_ms})
    expected = [
        t
        for t in range(START_MS - 601 * HOUR_MS, START_MS + HOUR_MS, HOUR_MS)
        if start_ms <= t <= START_MS + 120_000
    ]
    assert [entry["time"] for entry in entries] == expected[:500]


def test_an_account_has_play_money_and_nothing_else(router):
    def ask(kind, **fields):
        return router.info({"type": kind, "user": USER, **fields})

    state = ask("clearinghouseState")
    assert state["marginSummary"]["accountValue"] == state["withdrawable"] == "10000.0"
    assert state["assetPositions"] == []
    for kind in ("openOrders", "frontendOpenOrders", "historicalOrders", "userFills"):
        assert ask(kind) == []
    assert ask("userFillsByTime", startTime=0) == []
    assert ask("orderStatus", oid=7) == {"status": "unknownOid"}
    assert ask("orderStatus", oid="0x" + "0" * 32) == {"status": "unknownOid"}
    assert ask("userAbstraction") == "default"
    assert ask("userRateLimit")["nRequestsCap"] == 10_000
    assert ask("spotClearinghouseState") == {"balances": []}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"type": 3},
        {"type": "noSuchThing"},
        {"type": "l2Book"},
        {"type": "l2Book", "coin": "ETH", "nSigFigs": 1},
        {"type": "l2Book", "coin": "ETH", "nSigFigs": 4, "mantissa": 2},
        {"type": "l2Book", "coin": "ETH", "mantissa": 2},
        {"type": "candleSnapshot", "coin": "ETH"},
        {"type": "candleSnapshot", "req": {"coin": "ETH", "interval": "7m", "startTime": 0}},
        {"type": "openOrders", "user": "0x12"},
        {"type": "orderStatus", "user": USER},
        {"type": "fundingHistory", "coin": "ETH", "startTime": -1},
    ],
)
def test_a_request_without_its_form_is_rejected(router, body):
    with pytest.raises(RejectedRequest):
        router.info(body)


def test_a_coin_that_does_not_trade_here_has_no_book_and_is_unknown_otherwise(router):
    assert router.info({"type": "l2Book", "coin": "NOPE"}) is None
    for kind in ("recentTrades", "fundingHistory"):
        with pytest.raises(UnknownCoinError, match="NOPE"):
            router.info({"type": kind, "coin": "NOPE", "startTime": 0})


def test_a_type_cannot_be_routed_twice():
    route = {"meta": Route(InfoRequest, lambda _: None)}
    with pytest.raises(ValueError, match="meta"):
        InfoRouter(route, route)


def test_the_rate_that_is_told_is_the_one_that_is_paid():
    rules = Rules(funding_rate="0.0003")
    exchange = Exchange([SyntheticMarket(SyntheticParameters(), START_MS - 1_000, seed=1)], rules)
    request = OrderRequest("ETH", True, 310_000, 10_000, tif=TimeInForce.IOC)
    assert exchange.place(USER.lower(), [request])[0].error is None
    exchange.advance(START_MS)
    answers = Answers(exchange, lambda: START_MS)
    context = answers.info({"type": "metaAndAssetCtxs"})[1][0]
    (past,) = answers.info({"type": "fundingHistory", "coin": "ETH", "startTime": START_MS})
    (paid,) = answers.info({"type": "userFunding", "user": USER, "startTime": 0})
    rates = [context["funding"], past["fundingRate"], paid["delta"]["fundingRate"]]
    assert rates == ["0.0003"] * 3


def test_the_mark_that_is_told_is_the_one_that_margins_and_stops_go_by():
    exchange = Exchange([SyntheticMarket(SyntheticParameters(), START_MS, seed=1)], Rules())
    answers = Answers(exchange, lambda: START_MS)
    user = USER.lower()
    opened = OrderRequest("ETH", True, 310_000, 10_000, tif=TimeInForce.IOC)
    assert exchange.place(user, [opened])[0].error is None
    moved = 0
    for seconds in range(1, 60):
        exchange.advance(START_MS + seconds * 1000)
        state = answers.info({"type": "clearinghouseState", "user": user})
        (entry,) = state["assetPositions"]
        position = entry["position"]
        reckoned = float(position["positionValue"]) / float(position["szi"])
        context = answers.info({"type": "metaAndAssetCtxs"})[1][0]
        own = answers.info({"type": "activeAssetData", "user": user, "coin": "ETH"})
        assert context["markPx"] == context["oraclePx"] == own["markPx"]
        assert is_venue_price(context["markPx"])
        assert round(float(context["markPx"]) * 10) == pytest.approx(
            float(context["markPx"]) * 10, abs=1e-9
        )
        assert abs(float(context["markPx"]) - reckoned) <= 0.05 + 1e-9
        newest = answers.info({"type": "recentTrades", "coin": "ETH"})[0]
        moved += abs(float(newest["px"]) - reckoned) > 0.1
    assert moved  # the last print's price differs


def test_the_ledger_begins_with_play_money_and_the_page_gets_everything_at_once():
    exchange = Exchange([SyntheticMarket(SyntheticParameters(), START_MS, seed=1)], Rules())
    answers = Answers(exchange, lambda: START_MS)
    for more in ({}, {"startTime": 0}, {"startTime": 0, "endTime": None}):
        body = {"type": "userNonFundingLedgerUpdates", "user": USER, **more}
        (line,) = answers.info(body)
        assert line["delta"] == {"type": "deposit", "usdc": "10000.0"}
    exchange.place(USER.lower(), [OrderRequest("ETH", True, 290_000, 10_000)])
    page = answers.info({"type": "webData2", "user": USER})
    for kind, name in (
        ("clearinghouseState", "clearinghouseState"),
        ("frontendOpenOrders", "openOrders"),
    ):
        assert page[name] == answers.info({"type": kind, "user": USER})
    assert [page["meta"], page["assetCtxs"]] == answers.info({"type": "metaAndAssetCtxs"})
    assert page["user"] == USER.lower()
    assert len(page["openOrders"]) == 1
