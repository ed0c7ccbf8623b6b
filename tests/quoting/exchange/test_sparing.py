"""What is not asked twice, and what is asked nevertheless."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import ccxt
import pytest
from freqtrade.exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from advanced_mm.quoting.exchange.sparing import FUNDING_AGAIN, FundingMemory, SparingClient

PAIR = "ETH/USDC:USDC"


class Client:
    """Counts what is sent."""

    def __init__(self):
        self.sent = []
        self.failing = False

    def publicPostInfo(self, request):
        self.sent.append(request["type"])
        return len(self.sent)

    def privatePostExchange(self, request):
        self.sent.append(request["type"])
        if self.failing:
            raise OSError("lost")
        return len(self.sent)

    def fetch_order(self, oid, symbol, params):
        return dict(self.order)

    def fetch_my_trades(self, symbol, since=None, limit=None, params=None):
        return self.trades

    def set_margin_mode(self, mode, symbol, params):
        return self.privatePostExchange({"type": f"updateLeverage {mode} {params['leverage']}"})


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def client(now):
    client = Client()
    SparingClient(client, lambda: now[0]).install()
    return client


def test_the_same_look_in_the_same_moment_is_one(client, now):
    book = {"type": "l2Book", "coin": "ETH"}
    assert [client.publicPostInfo(book), client.publicPostInfo(dict(book))] == [1, 1]
    assert client.publicPostInfo({"type": "l2Book", "coin": "BTC"}) == 2
    now[0] = 0.26
    assert client.publicPostInfo(book) == 3


def test_an_answer_is_as_old_as_its_question(now):
    """A slow reply shows the past: it is not kept for longer because it came late."""

    def slow(request):
        now[0] += 0.3
        return now[0]

    client = Client()
    client.publicPostInfo = slow
    SparingClient(client, lambda: now[0]).install()
    first = client.publicPostInfo({"type": "l2Book"})
    assert client.publicPostInfo({"type": "l2Book"}) > first


def test_after_an_action_everything_is_asked_anew_even_a_failed_one(client):
    account = {"type": "clearinghouseState", "user": "0x1"}
    client.publicPostInfo(account)
    client.failing = True
    with pytest.raises(OSError, match="lost"):
        client.privatePostExchange({"type": "order"})
    client.publicPostInfo(account)
    assert client.sent == ["clearinghouseState", "order", "clearinghouseState"]


def test_after_failures_a_growing_moment_passes_before_the_next_attempt(now):
    pauses = []

    def down(request):
        raise ccxt.NetworkError("502")

    client = Client()
    client.publicPostInfo = down
    sparing = SparingClient(client, lambda: now[0], pauses.append)
    sparing.install()
    for kind in ("l2Book", "orderStatus", "l2Book", "orderStatus"):
        with pytest.raises(ccxt.NetworkError):
            client.publicPostInfo({"type": kind})
    assert pauses == [0.5, 1.0, 2.0, 2.0]
    client.privatePostExchange({"type": "cancel"})
    with pytest.raises(ccxt.NetworkError):
        client.publicPostInfo({"type": "l2Book"})
    assert pauses[4:] == [0.5]


def test_an_order_is_looked_at_each_time(client):
    for _ in range(2):
        client.publicPostInfo({"type": "orderStatus", "oid": 1})
    assert len(client.sent) == 2


def test_the_leverage_is_set_when_it_differs_failed_or_an_hour_ago(client, now):
    def set_to(leverage, pair=PAIR):
        client.set_margin_mode("isolated", pair, {"leverage": leverage})

    set_to(1)
    set_to(1)
    assert len(client.sent) == 1
    set_to(1, "BTC/USDC:USDC")
    set_to(3)
    set_to(1)
    assert len(client.sent) == 4
    client.failing = True
    with pytest.raises(OSError, match="lost"):
        set_to(2)
    client.failing = False
    set_to(1)  # whether the lost one was heard is unknown
    assert len(client.sent) == 6
    now[0] = 3601
    set_to(1)
    assert len(client.sent) == 7


@pytest.mark.parametrize(
    ("changes", "average"),
    [
        ({}, 3000.0),
        ({"timeInForce": "IOC"}, None),  # may have been filled at a better price
        ({"status": "canceled"}, None),  # ended later than its last fill
        ({"average": 2999.0}, 2999.0),
    ],
)
def test_a_filled_post_only_order_has_its_own_price(client, changes, average):
    filled = {"status": "closed", "timeInForce": "ALO", "price": 3000.0, "average": None}
    client.order = filled | {"lastUpdateTimestamp": 7} | changes
    order = client.fetch_order("1", PAIR)
    assert order["average"] == average
    assert order.get("lastTradeTimestamp") == (7 if average == 3000.0 else None)


def test_the_maker_rate_is_that_of_the_largest_fill_for_an_hour(client, now):
    def fill(cost, fee, kind="maker"):
        return {"cost": cost, "fee": {"cost": fee, "currency": "USDC"}, "takerOrMaker": kind}

    client.order = {"status": "closed", "timeInForce": "ALO", "price": 3000.0, "filled": 0.5}
    assert "fee" not in client.fetch_order("1", PAIR)
    client.trades = [fill(10.0, 0.0014), fill(9000.0, 1.35), fill(9900.0, 4.455, "taker")]
    client.fetch_my_trades(PAIR, 1, params={})
    fee = client.fetch_order("1", PAIR)["fee"]
    assert (fee["rate"], fee["currency"]) == (0.00015, "USDC")
    assert fee["cost"] == pytest.approx(0.225)
    assert "fee" not in client.fetch_order("1", "BTC/USDC:USDC")
    client.trades = []
    client.fetch_my_trades(PAIR)
    now[0] = 3599.0
    assert "fee" in client.fetch_order("1", PAIR)
    now[0] = 3601.0
    assert "fee" not in client.fetch_order("1", PAIR)


def reference(opened, now, amount, short, delay):
    """Freqtrade's own sum over hourly rows, each on record ``delay`` after its hour."""
    hours = [datetime(2026, 11, 23, tzinfo=UTC) + timedelta(hours=h) for h in range(60)]
    rows = [
        {"date": hour, "open_mark": 3000.0, "open_fund": 1e-5 * (i + 1)}
        for i, hour in enumerate(hours)
        if hour + delay <= now
    ]
    if not rows:
        return 0.0
    hour = opened.replace(minute=0, second=0, microsecond=0)
    start = hour if Exchange.funding_fee_cutoff(None, opened) else opened
    freqtrade = SimpleNamespace(_add_funding_columns=Exchange._add_funding_columns)
    return Exchange.calculate_funding_fees(freqtrade, DataFrame(rows), amount, short, start, now)


def test_no_hour_no_question():
    asked = []
    now = datetime(2026, 11, 23, 12, 59, 59, tzinfo=UTC)
    memory = FundingMemory(lambda **asked_for: asked.append(asked_for) or 1.0, lambda: now)
    assert memory(PAIR, 1.0, False, now - timedelta(minutes=59)) == 0.0
    assert not asked
    assert memory(PAIR, 1.0, False, now - timedelta(minutes=60)) == 1.0


@given(
    st.integers(0, 20 * 3600),
    st.lists(st.integers(1, 4000), min_size=1, max_size=30),
    st.integers(0, 170),
    st.booleans(),
)
def test_what_is_remembered_is_what_freqtrade_would_compute(opened_s, steps, delay_s, short):
    """Half a minute after the venue has them on record, the fees are Freqtrade's own."""
    opened = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=opened_s)
    delay = timedelta(seconds=delay_s)
    now = [opened]
    asked = []

    def ask(pair, amount, is_short, open_date):
        asked.append(now[0])
        return reference(open_date, now[0], amount, is_short, delay)

    memory = FundingMemory(ask, lambda: now[0])
    for step in steps:
        now[0] += timedelta(seconds=step)
        truth = reference(opened, now[0], 1.5, short, delay)
        found = memory(PAIR, 1.5, short, opened)
        if now[0] - now[0].replace(minute=0, second=0) >= delay + FUNDING_AGAIN:
            assert found == pytest.approx(truth)
    settled = [at for at in asked if at.minute >= 3]
    assert len(settled) == len({(at.date(), at.hour) for at in settled})
    assert all(b - a >= FUNDING_AGAIN or b.hour != a.hour for a, b in pairwise(asked))


def test_just_after_the_hour_a_busy_bot_asks_twice_a_minute():
    """Each question weighs 40 of the 1200 a minute that all bots of an address share."""
    struck = datetime(2026, 11, 23, 12, tzinfo=UTC)
    now, asked = [struck], []
    memory = FundingMemory(lambda **_: asked.append(now[0]) or 0.0, lambda: now[0])
    for second in range(180):
        now[0] = struck + timedelta(seconds=second)
        memory(PAIR, 1.0, False, struck - timedelta(minutes=5))
    assert len(asked) == 6
