"""Orders whose reply is lost: found, handed over or known not to exist; never placed twice."""

import json
from collections import defaultdict
from contextlib import suppress

import ccxt
import pytest
from eth_account import Account
from hyperliquid.utils.signing import recover_agent_or_user_from_l1_action
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.quoting.exchange.sure_orders import CLOID_PREFIX, OrderInDoubtError, SureOrders

PAIR = "ETH/USDC:USDC"
FATES = ("ok", "lost", "reply lost", "late", "refused", "garbage", "broken pipe", "interrupted")


class Venue:
    """A client that is the venue: orders by number, and a plan of what goes wrong.

    One that ``counts_nonces`` takes each message once and knows an action that does nothing. What
    it says of orders may be ``lag_s`` seconds old.
    """

    def __init__(self, fates=(), silences=(), offset_ms=0, counts_nonces=False, lag_s=0.0):
        self.now = 1_000.0  # s
        self.counts_nonces, self.lag_s = counts_nonces, lag_s
        self.nonces, self.noops, self.accepted_at = set(), [], {}
        self.fates, self.silences = list(fates), list(silences)
        self.offset_ms = offset_ms  # the venue's clock less ours
        self.orders, self.on_the_way, self.sent, self.cancelled = {}, [], [], []

    def milliseconds(self):
        return int(self.now * 1000)

    def sleep(self, seconds):
        self.now += seconds

    def _venue_ms(self):
        return self.milliseconds() + self.offset_ms

    def _accept(self, cloid, expires_ms, nonce, at=None):
        arrival_ms = self._venue_ms() if at is None else int(at * 1000) + self.offset_ms
        if nonce in self.nonces:
            return
        if self.counts_nonces:
            self.nonces.add(nonce)
        if arrival_ms <= expires_ms:
            self.accepted_at[cloid] = self.now if at is None else at
            self.orders[cloid] = {"id": str(len(self.orders) + 1), "status": "open", "filled": 0.0}

    def _arrivals(self):
        due = [order for order in self.on_the_way if order[0] <= self.now]
        self.on_the_way = [order for order in self.on_the_way if order[0] > self.now]
        for at, cloid, expires_ms, nonce in due:
            self._accept(cloid, expires_ms, nonce, at)

    def create_order(self, symbol, kind, side, amount, price, params):
        self._arrivals()
        cloid, expires_ms = params["clientOrderId"], params["expiresAfter"]
        nonce = self.create_orders_request([{}])["nonce"] if self.counts_nonces else None
        self.sent.append(cloid)
        fate = self.fates.pop(0) if self.fates else "ok"
        if fate == "refused":
            raise ccxt.InvalidOrder("hyperliquid Post only order would have matched")
        if fate == "late":
            self.on_the_way.append((self.now + 3, cloid, expires_ms, nonce))
        elif fate != "lost":
            self._accept(cloid, expires_ms, nonce)
        if fate == "interrupted":
            raise KeyboardInterrupt
        if fate == "garbage":
            return None
        if fate == "broken pipe":
            raise ccxt.ExchangeError("hyperliquid POST") from OSError("TLS")
        if fate != "ok":
            raise ccxt.RequestTimeout("hyperliquid POST")
        if cloid not in self.orders:
            raise ccxt.ExchangeError("the order has expired")
        return {"id": self.orders[cloid]["id"]}

    def create_orders_request(self, orders, params=None):
        return {"nonce": len(self.sent)}

    def sign_l1_action(self, action, nonce, vault):
        assert action == {"type": "noop"}
        return {"of": nonce}

    def privatePostExchange(self, request):
        self._arrivals()
        assert request["signature"] == {"of": request["nonce"]}
        self._silent()
        self.noops.append(request["nonce"])
        if request["nonce"] in self.nonces:
            raise ccxt.InvalidNonce("hyperliquid Invalid nonce: duplicate nonce")
        self.nonces.add(request["nonce"])
        return {"status": "ok", "response": {"type": "default"}}

    def _silent(self):
        if self.silences and self.silences.pop(0):
            raise ccxt.ExchangeNotAvailable("502")

    def fetch_time(self):
        self._silent()
        return self._venue_ms()

    def fetch_order(self, cloid, symbol):
        self._arrivals()
        self._silent()
        if cloid not in self.orders or self.accepted_at[cloid] > self.now - self.lag_s:
            raise ccxt.OrderNotFound("unknownOid")
        return dict(self.orders[cloid])

    def cancel_order(self, oid, symbol):
        self._silent()
        self.cancelled.append(oid)
        order = next(order for order in self.orders.values() if order["id"] == oid)
        if order["status"] != "open":
            raise ccxt.OrderNotFound("already canceled")
        order["status"] = "canceled"


def sure(venue, patience=40.0):
    orders = SureOrders(venue, patience, clock=lambda: venue.now, sleep=venue.sleep)
    if venue.counts_nonces:
        venue.create_orders_request = orders._request_with_expiry
    return orders


def buy(orders, **params):
    return orders.create_order(PAIR, "limit", "buy", 1.0, 3000.0, params)


def test_an_order_that_arrives_costs_no_question():
    venue = Venue()
    assert buy(sure(venue))["id"] == "1"
    assert venue.sent[0].startswith(CLOID_PREFIX)
    assert len(venue.sent[0]) == 2 + 32


@pytest.mark.parametrize("fate", ["reply lost", "late", "garbage", "broken pipe"])
def test_an_accepted_order_is_returned_though_its_reply_was_lost(fate):
    venue = Venue([fate])
    assert buy(sure(venue))["id"] == "1"
    assert len(venue.sent) == 1


def test_the_venues_no_is_final_and_immediate():
    venue = Venue(["refused"])
    with pytest.raises(ccxt.InvalidOrder, match="Post only"):
        buy(sure(venue))
    assert venue.now == 1_000.0
    assert buy(sure(venue))["id"] == "1"


def test_an_order_that_can_no_longer_arrive_raises_what_ate_it():
    venue = Venue(["lost"])
    orders = sure(venue)
    with pytest.raises(ccxt.RequestTimeout):
        buy(orders)
    assert 12 < venue.now - 1_000 < 16
    assert orders.doubt is None


@pytest.mark.parametrize("fate", ["lost", "late"])
def test_an_order_that_has_not_come_is_forestalled_at_once(fate):
    """Its nonce is used up: should it still be on its way, the venue takes it for a copy."""
    venue = Venue([fate], counts_nonces=True)
    orders = sure(venue)
    with pytest.raises(ccxt.RequestTimeout):
        buy(orders)
    assert venue.now - 1_000 < 0.5
    assert len(venue.noops) == 1
    venue.now += 10
    venue._arrivals()
    assert (venue.orders, orders.doubt) == ({}, None)
    assert buy(orders)["id"] == "1"


@pytest.mark.parametrize("lag_s", [0.0, 0.4, 1.9])
def test_an_order_that_has_come_is_found_though_the_venue_is_slow_to_tell(lag_s):
    venue = Venue(["reply lost"], counts_nonces=True, lag_s=lag_s)
    assert buy(sure(venue))["id"] == "1"
    assert len(venue.noops) == (lag_s > 0)


def test_a_lost_answer_to_the_forestalling_is_asked_for_again():
    """The first "nothing" was done unheard: its second copy is refused, and no order ever comes."""
    venue = Venue(["lost"], counts_nonces=True)
    act = venue.privatePostExchange

    def deaf(request):
        venue.privatePostExchange = act
        act(request)
        raise ccxt.RequestTimeout("hyperliquid POST")

    venue.privatePostExchange = deaf
    orders = sure(venue)
    with pytest.raises(ccxt.RequestTimeout):
        buy(orders)
    assert venue.now - 1_000 < 5
    assert orders.doubt is None


def test_a_closing_order_does_not_hold_up_the_stop_for_long():
    venue = Venue(["reply lost"], silences=[True] * 400, counts_nonces=True)
    orders = sure(venue)
    with pytest.raises(OrderInDoubtError):
        orders.create_order(PAIR, "limit", "sell", 1.0, 3000.0, {"reduceOnly": True})
    assert venue.now - 1_000 < 8


@pytest.mark.parametrize("counts_nonces", [False, True])
@pytest.mark.parametrize("fate", ["interrupted", "late and interrupted"])
def test_an_order_cut_short_by_the_end_of_the_bot_is_cancelled(fate, counts_nonces):
    venue = Venue([fate], counts_nonces=counts_nonces)
    create = venue.create_order

    def interrupted(*asked):
        venue.fates = ["late"]
        with suppress(ccxt.RequestTimeout):
            create(*asked)
        raise KeyboardInterrupt

    if fate.startswith("late"):
        venue.create_order = interrupted
    orders = sure(venue)
    with pytest.raises(KeyboardInterrupt):
        buy(orders)
    orders.close()
    assert orders.doubt is None
    venue.now += 20
    venue._arrivals()
    assert all(order["status"] == "canceled" for order in venue.orders.values())


def test_the_end_of_the_bot_names_what_it_cannot_settle(caplog):
    venue = Venue(["interrupted"], silences=[True] * 400)
    orders = sure(venue)
    with pytest.raises(KeyboardInterrupt):
        buy(orders)
    orders.close()
    assert venue.now - 1_000 < 20
    assert f"{PAIR}: order {venue.sent[0]} is not in the books" in caplog.text


@pytest.mark.parametrize("offset_s", [-30, -8, 6])
def test_absence_is_judged_by_the_venues_clock(offset_s):
    """Whatever our clock says, an order that may still arrive is waited for."""
    venue = Venue(["late"], offset_ms=offset_s * 1000)
    orders = sure(venue, patience=60)
    assert buy(orders)["id"] == "1"


def test_while_in_doubt_nothing_is_opened_but_the_stop_goes_out():
    venue = Venue(["reply lost"], silences=[True] * 400)
    orders = sure(venue)
    with pytest.raises(OrderInDoubtError):
        buy(orders)
    assert "RequestTimeout" in orders.doubt
    with pytest.raises(OrderInDoubtError):
        buy(orders)
    with pytest.raises(OrderInDoubtError):
        orders.create_order(PAIR, "limit", "sell", 1.0, 3000.0, {"reduceOnly": True})
    stop = orders.create_order(PAIR, "market", "sell", 1.0, 3000.0, {"reduceOnly": True})
    assert stop["id"] == "2"
    assert len(venue.sent) == 2


def test_an_order_found_later_takes_the_place_of_the_next_of_its_kind():
    venue = Venue(["reply lost"], silences=[True] * 40)
    orders = sure(venue)
    with pytest.raises(OrderInDoubtError):
        buy(orders)
    venue.silences.clear()
    assert buy(orders)["id"] == "1"
    assert orders.doubt is None
    assert buy(orders)["id"] == "2"


def test_an_order_found_later_is_not_left_at_rest_but_its_fill_is_kept():
    venue = Venue(["reply lost", "reply lost"], silences=[True] * 40)
    orders = sure(venue)
    with pytest.raises(OrderInDoubtError):
        buy(orders)
    venue.silences.clear()
    orders.tend()
    assert (venue.cancelled, orders.doubt) == (["1"], None)
    assert orders.filled_entry(PAIR, "buy") is None

    venue.silences = [True] * 40
    with pytest.raises(OrderInDoubtError):
        buy(orders)
    venue.silences.clear()
    venue.orders[venue.sent[1]]["filled"] = 0.4
    orders.tend()
    assert orders.filled_entry(PAIR, "sell") is None
    assert orders.filled_entry(PAIR, "buy")["filled"] == 0.4
    taken = buy(orders)
    assert (taken["id"], taken["status"], taken["filled"]) == ("2", "canceled", 0.4)
    assert orders.filled_entry(PAIR, "buy") is None
    assert len(venue.sent) == 2


def test_an_offer_in_doubt_is_not_mistaken_for_the_stop():
    venue = Venue(["reply lost"], silences=[True] * 40)
    orders = sure(venue)
    with pytest.raises(OrderInDoubtError):
        orders.create_order(PAIR, "limit", "sell", 1.0, 3000.0, {"reduceOnly": True})
    venue.silences.clear()
    stop = orders.create_order(PAIR, "market", "sell", 1.0, 3000.0, {"reduceOnly": True})
    assert stop["id"] == "2"
    assert venue.cancelled == ["1"]


def test_an_order_the_venue_refused_unheard_is_no_doubt():
    venue = Venue(["reply lost"])
    refused = {"id": "9", "status": "rejected"}
    venue._accept = lambda cloid, *_: venue.orders.update({cloid: refused})
    venue.accepted_at = defaultdict(float)
    orders = sure(venue)
    with pytest.raises(ccxt.InvalidOrder, match="refused"):
        buy(orders)
    assert orders.doubt is None


def in_doubt(orders):
    return {cloid for cloid, doubt in orders._doubts.items() if doubt.order is None}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(FATES), max_size=8),
    st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=6),
    st.integers(-20_000, 9_000),
    st.lists(st.sampled_from(["entry", "offer", "tend"]), min_size=1, max_size=12),
    st.booleans(),
)
def test_whatever_is_lost_every_order_is_known_once(
    fates, silences, offset_ms, steps, counts_nonces
):
    """Law: an order at the venue was returned exactly once, was withdrawn, or is in doubt."""
    silent = [silent for silent, count in silences for _ in range(count)]
    venue = Venue(fates, silent, offset_ms, counts_nonces)
    orders = sure(venue)
    returned = []

    def step(kind):
        if kind == "tend":
            orders.tend()
            return
        asked = ("limit", "buy", {}) if kind == "entry" else ("limit", "sell", {"reduceOnly": True})
        with suppress(ccxt.BaseError, KeyboardInterrupt):
            order = orders.create_order(PAIR, asked[0], asked[1], 1.0, 3000.0, asked[2])
            returned.append(order["id"])

    for kind in steps:
        before = len(venue.sent)
        unsolved = in_doubt(orders)
        step(kind)
        assert len(venue.sent) - before <= (0 if unsolved & in_doubt(orders) else 1)
    venue.silences.clear()
    venue.now += 60
    orders.tend()
    venue._arrivals()
    assert orders.doubt is None
    assert len(returned) == len(set(returned))
    at_rest = {order["id"] for order in venue.orders.values() if order["status"] == "open"}
    assert at_rest <= set(returned)


def test_the_expiry_is_signed_and_sent(monkeypatch):
    """ccxt signs orders without it: the official SDK recovers the signer, of a sub-account too."""
    account = Account.create()
    client = ccxt.hyperliquid(
        {
            "walletAddress": account.address,
            "privateKey": account.key.hex(),
            "options": {"builderFee": False, "subAccountAddress": "0x" + "ab" * 20},
        }
    )
    market = {"id": "4", "baseId": "4", "symbol": PAIR, "base": "ETH", "quote": "USDC"}
    market |= {"precision": {"amount": 1e-4, "price": 0.1}, "swap": True, "spot": False}
    client.set_markets([market])
    posted = []

    def fetch(url, method, headers, body):
        message = json.loads(body)
        if message.get("action", {}).get("type") != "order":
            return {"status": "ok"} if "action" in message else '"disabled"'
        posted.append(message)
        status = {"resting": {"oid": 77}}
        return {"status": "ok", "response": {"type": "order", "data": {"statuses": [status]}}}

    monkeypatch.setattr(client, "fetch", fetch)
    orders = SureOrders(client)
    orders.install()
    order = client.create_order(PAIR, "limit", "buy", 1.0, 3000.0, {"timeInForce": "ALO"})
    assert order["id"] == "77"
    [message] = posted
    assert message["action"]["orders"][0]["c"].startswith(CLOID_PREFIX)
    assert message["action"]["orders"][0]["t"] == {"limit": {"tif": "Alo"}}
    assert 8_000 < message["expiresAfter"] - client.milliseconds() <= 10_000
    for expiry, known in ((message["expiresAfter"], True), (None, False)):
        signer = recover_agent_or_user_from_l1_action(
            message["action"],
            message["signature"],
            "0x" + message["vaultAddress"],
            message["nonce"],
            expiry,
            True,
        )
        assert (signer == account.address) is known
