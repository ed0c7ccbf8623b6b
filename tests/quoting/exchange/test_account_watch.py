"""An account that is not as the books say: what is cancelled, what is only told, what refuses."""

import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import ccxt
import pytest

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting import Quote, Refusal, Touch
from advanced_mm.quoting.exchange.account_watch import AccountWatch, Books, OpenOrder
from advanced_mm.quoting.exchange.live import LiveTrading, books_of
from advanced_mm.quoting.exchange.sure_orders import CLOID_PREFIX

PAIR, OTHER = "ETH/USDC:USDC", "BTC/USDC:USDC"
LIVE = sys.modules[LiveTrading.__module__]
OURS = CLOID_PREFIX + "0" * 24


class Client:
    """An account that can be set, and a count of what is asked."""

    def __init__(self):
        self.now = 0.0
        self.asked, self.cancelled = [], []
        self.orders, self.positions = [], []
        self.filled = {}
        self.limit = {"nRequestsUsed": 100, "nRequestsCap": 10_000}
        self.failing = False

    def milliseconds(self):
        return 1_000_000 + int(self.now * 1000)

    def _count(self, what):
        self.asked.append(what)
        if self.failing:
            raise ccxt.NetworkError("down")

    def market(self, symbol):
        code = symbol.partition("/")[0]
        dex, dash, name = code.partition("-")
        return {"symbol": symbol, "info": {"name": f"{dex.lower()}:{name}" if dash else code}}

    def _of(self, rows, params):
        """What the venue answers: rows of one exchange, of the main one where none is named."""
        wanted = (params or {}).get("dex", "")
        of_dex = [("-" in one["symbol"] and one["symbol"].split("-")[0].lower()) for one in rows]
        return [one for one, dex in zip(rows, of_dex, strict=True) if (dex or "") == wanted]

    def fetch_open_orders(self, params=None):
        self._count("orders")
        return self._of(self.orders, params)

    def fetch_positions(self, params=None):
        self._count("positions")
        return self._of(self.positions, params)

    def fetch_order(self, oid, symbol):
        self._count("orderStatus")
        if oid not in self.filled:
            raise ccxt.OrderNotFound(oid)
        return {"id": oid, "filled": self.filled[oid]}

    def handle_public_address(self, method, params):
        return "0x1", params

    def publicPostInfo(self, request):
        self._count(request["type"])
        return self.limit

    def cancel_order(self, oid, symbol):
        self.cancelled.append(oid)
        raise ccxt.OrderNotFound("filled meanwhile")

    def hold(self, contracts, side="long", pair=PAIR):
        self.positions = [{"symbol": pair, "side": side, "contracts": contracts}]

    def rest(self, oid, cloid=OURS, timestamp=0, pair=PAIR):
        order = {"id": oid, "symbol": pair, "clientOrderId": cloid, "timestamp": timestamp}
        self.orders.append(order)


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def watch(client):
    return AccountWatch(client, lambda: client.now)


def look(watch, client, positions=None, orders=(), loops=1, seconds=1.0):
    for _ in range(loops):
        client.now += seconds
        watch.look([PAIR], Books(positions or {}, orders))


def test_only_our_own_orders_that_the_books_do_not_know_are_cancelled(watch, client):
    client.rest("1")
    client.rest("2")
    client.rest("3", timestamp=client.milliseconds())  # may not be in the books yet
    client.rest("4", cloid=None)  # a person's
    client.rest("5", pair=OTHER)  # another bot's
    look(watch, client, orders=["1"])
    assert client.cancelled == ["2"]


def closes(client):
    """The venue closes orders as asked; the first cancel of each fails if the client is shaky."""
    failed = set()

    def cancel(oid, symbol):
        if client.shaky and oid not in failed:
            failed.add(oid)
            raise ccxt.NetworkError("down")
        client.cancelled.append(oid)
        client.orders = [one for one in client.orders if one["id"] != oid]

    client.cancel_order = cancel


@pytest.mark.parametrize("shaky", [False, True])
def test_at_the_end_all_our_orders_are_cancelled_and_told_in_one_line(
    client, caplog, monkeypatch, shaky
):
    monkeypatch.setattr(LIVE, "PAUSE_SECONDS", 0.0)
    client.shaky = shaky
    closes(client)
    live = live_on(client)
    live.at_loop([PAIR], [])
    client.rest("1", timestamp=client.milliseconds())
    client.rest("2")
    client.rest("3", cloid=None)  # a person's
    client.rest("4", pair=OTHER)  # another bot's
    live.withdraw([])
    assert client.cancelled == ["1", "2"]
    told = [record for record in caplog.records if record.name == LiveTrading.__module__]
    assert told[-1].levelname == "WARNING"
    assert told[-1].getMessage().endswith("cancelled at the venue: 1, 2")


def test_at_the_end_a_silent_venue_is_an_error(client, caplog, monkeypatch):
    monkeypatch.setattr(LIVE, "WITHDRAWAL_SECONDS", 0.02)
    monkeypatch.setattr(LIVE, "PAUSE_SECONDS", 0.005)
    live = live_on(client)
    client.failing = True
    live.withdraw([PAIR])
    assert client.asked.count("orders") > 1
    assert caplog.records[-1].levelname == "ERROR"
    assert "orders of this bot may still rest" in caplog.text


BUILT = "XYZ-XYZ100/USDC:USDC"


def test_a_builder_s_market_is_looked_at_on_its_own_exchange(watch, client):
    """The venue tells of the main exchange's orders and positions alone, unless asked."""
    client.rest("1", pair=BUILT)
    client.rest("2", pair="ABC-XYZ100/USDC:USDC")
    client.hold(0.5, pair=BUILT)
    books = Books({}, [])
    for _ in range(8):
        client.now += 1.0
        watch.look([PAIR, "KPEPE/USDC:USDC", BUILT], books)
    assert client.cancelled == ["1", "1"]  # again when the difference stands: it is still there
    assert "+0.5" in watch.refusal(BUILT)
    assert watch.refusal(PAIR) is None
    watch.look([PAIR, BUILT], Books({BUILT: 0.5}, []))
    client.now += 1.0
    watch.look([PAIR, BUILT], Books({BUILT: 0.5}, []))
    assert watch.refusal(BUILT) is None


def test_a_loop_costs_nothing_and_a_minute_two(watch, client):
    look(watch, client, loops=590)
    assert client.asked.count("orders") == client.asked.count("userRateLimit") == 1
    assert client.asked.count("positions") == 10


def test_books_that_lag_behind_are_no_difference(watch, client):
    """A quote that is filled bit by bit differs at every look, by another amount."""
    for filled in range(1, 20):
        client.hold(0.1 * filled)
        look(watch, client, {PAIR: 0.1 * (filled - 1)} if filled % 2 else {})
        assert watch.refusal(PAIR) is None


def busy(watch, client, unknown, loops):
    """A bot that is filled between any two looks; each order is booked at the look after."""
    for number in range(loops):
        oid, buys = str(number), number % 2 == 0
        client.filled = {oid: 3.1}
        client.hold((3.1 if buys else 0.0) + unknown)
        booked = 0.0 if buys else 3.1
        client.now += 1.0
        open_orders = {oid: OpenOrder(PAIR, buys, 0.0), "8": OpenOrder(OTHER, True, 0.0)}
        watch.look([PAIR], Books({PAIR: booked}, [oid], open_orders))


def test_fills_that_the_books_have_not_heard_of_hide_no_difference_and_are_none(watch, client):
    busy(watch, client, 0.02, loops=8)
    assert "+0.02" in watch.refusal(PAIR)
    busy(watch, client, 0.0, loops=1)
    assert watch.refusal(PAIR) is None
    busy(watch, client, 0.0, loops=200)
    assert watch.refusal(PAIR) is None


def test_an_order_that_the_venue_does_not_know_hides_no_difference(watch, client):
    client.hold(4.0)
    for _ in range(10):
        client.now += 1.0
        watch.look([PAIR], Books({}, ["1"], {"1": OpenOrder(PAIR, True, 0.0)}))
    assert "+4" in watch.refusal(PAIR)


def test_nothing_is_asked_of_orders_while_the_books_agree(watch, client):
    client.hold(1.0)
    orders = {"1": OpenOrder(PAIR, False, 0.0)}
    for _ in range(200):
        client.now += 1.0
        watch.look([PAIR], Books({PAIR: 1.0}, ["1"], orders))
    assert "orderStatus" not in client.asked


def test_a_difference_that_grows_goes_on_standing(watch, client):
    client.hold(0.02)
    look(watch, client, loops=10)
    assert "+0.02" in watch.refusal(PAIR)
    client.hold(0.07)
    look(watch, client)
    assert "+0.07" in watch.refusal(PAIR)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_lasting_difference_refuses_until_it_is_gone(watch, client, side, caplog):
    client.hold(1.5, side)
    booked = {PAIR: 1.0 if side == "long" else -1.0}
    look(watch, client, booked, loops=3)
    assert watch.refusal(PAIR) is None
    look(watch, client, booked, loops=8)
    assert ("+0.5" if side == "long" else "-0.5") in watch.refusal(PAIR)
    assert watch.refusal(OTHER) is None
    assert caplog.text.count("position unknown") == 1
    client.hold(1.0, side)
    look(watch, client, booked, loops=2)
    assert watch.refusal(PAIR) is None
    assert "agree with the venue again" in caplog.text


def test_a_position_the_venue_no_longer_has_is_a_difference(watch, client):
    look(watch, client, {PAIR: 1.0}, loops=10)
    assert "-1" in watch.refusal(PAIR)


def test_the_last_requests_are_kept_for_closing(watch, client):
    client.limit = {"nRequestsUsed": 9_800, "nRequestsCap": 10_000}
    look(watch, client, seconds=61)
    assert "this address has 200 left" in watch.refusal(PAIR)
    client.limit = {"nRequestsUsed": 9_800, "nRequestsCap": 12_000}
    look(watch, client, seconds=601)
    assert watch.refusal(PAIR) is None


def test_a_silent_venue_is_asked_again_and_raises_nothing(watch, client):
    client.failing = True
    look(watch, client, loops=3)
    client.failing = False
    client.hold(1.0)
    look(watch, client, loops=10)
    assert watch.refusal(PAIR) is not None


def test_the_books_count_what_an_open_order_has_filled():
    def order(oid, side, filled):
        return SimpleNamespace(order_id=oid, ft_order_side=side, safe_filled=filled)

    entering, leaving = order("1", "sell", 0.25), order("2", "buy", 0.5)
    short = SimpleNamespace(
        pair=PAIR, amount=2.0, is_short=True, entry_side="sell", open_orders=[entering, leaving]
    )
    short.orders = [entering, leaving, order("3", "sell", 2.0)]
    books = books_of([short])
    assert books.positions == {PAIR: -1.75}
    assert set(books.orders) == {"1", "2", "3"}
    assert books.open_orders == {
        "1": OpenOrder(PAIR, False, 0.25), "2": OpenOrder(PAIR, True, 0.5)
    }  # fmt: skip


def time_passes(live, seconds):
    clock = live._watch._clock
    live._watch._clock = lambda: clock() + seconds


def live_on(client):
    client.create_order = client.create_orders_request = client.set_margin_mode = None
    client.privatePostExchange = client.fetch_order = client.fetch_my_trades = None
    exchange = SimpleNamespace(_api=client, get_funding_fees=lambda **asked: 1.0)
    return LiveTrading(exchange, BadRows())


def test_live_trading_takes_the_place_of_the_clients_methods():
    client = Client()
    live = live_on(client)
    assert client.create_order.__self__ is live._orders
    client.hold(1.0)
    live.at_loop([PAIR], [])
    touch = Touch(2999.9, 3000.1, datetime.now(UTC))
    wanted = Quote("bid", 0, 2999.0, 3000.0, 1.0, 0.1, "r1")
    assert live.entry(PAIR, "bid", touch, 0.1, wanted) is wanted
    for _ in range(10):
        time_passes(live, 2.0)
        live.at_loop([PAIR], [])
    held_back = live.entry(PAIR, "bid", touch, 0.1, wanted)
    assert "position unknown" in held_back.reason
    live._orders.filled_entry = lambda pair, side: {"price": 2990.0} if side == "buy" else None
    assert live.entry(PAIR, "bid", touch, 0.1, Refusal("toxic")).price == 2990.0
    assert live.entry(PAIR, "ask", touch, 0.1, Refusal("toxic")).reason.startswith("position")


def test_a_position_that_cannot_be_read_is_a_refusal_until_it_can_be():
    """Left out of the reply, it must not count as none."""
    client, bad_rows, now = Client(), BadRows(), [0.0]
    watch = AccountWatch(client, lambda: now[0], bad_rows)
    books = Books({PAIR: 1.0}, set())

    def told_badly():
        bad_rows.add("positions", "szi NaN")
        return []

    client.fetch_positions, good = told_badly, client.fetch_positions
    for _ in range(10):
        watch.look([PAIR], books)
        now[0] += 1.0
    assert "cannot be read" in watch.refusal(PAIR)
    client.fetch_positions = good
    client.positions = [{"symbol": PAIR, "side": "long", "contracts": 1.0}]
    watch.look([PAIR], books)
    assert watch.refusal(PAIR) is None
