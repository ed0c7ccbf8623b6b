"""Refusals of /exchange: tampering, foreign accounts, nonces, forms. No sockets."""

import copy
import itertools

import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.actions.requests import Requests
from advanced_mm.venue.protocol.actions.signers import NonceBook, RefusedError
from advanced_mm.venue.protocol.info_routing import RejectedRequest

WALLET = Account.from_key("0x" + "21" * 32)
OTHER = Account.from_key("0x" + "43" * 32)
ADDRESS = WALLET.address.lower()
WALL_MS = 1_790_000_000_000
DAY_MS = 86_400_000
DONE = {"status": "ok", "response": {"type": "default"}}
LIMIT = {"limit": {"tif": "Gtc"}}


class Client:
    """Signs messages itself, so that every part of one can be wrong."""

    def __init__(self, requests, wallet=WALLET):
        self.requests, self.wallet = requests, wallet
        self._nonces = itertools.count(WALL_MS)

    def envelope(self, action, vault=None, nonce=None, expires=None):
        nonce = next(self._nonces) if nonce is None else nonce
        signature = sdk.sign_l1_action(self.wallet, action, vault, nonce, expires, True)
        body = {"action": action, "nonce": nonce, "signature": signature}
        if vault is not None:
            body["vaultAddress"] = vault
        if expires is not None:
            body["expiresAfter"] = expires
        return body

    def send(self, action, **options):
        return self.requests.answer(self.envelope(action, **options))


def order(price="2990", size="0.1", asset=0, **fields):
    wire = {"a": asset, "b": True, "p": price, "s": size, "r": False, "t": LIMIT, **fields}
    return {"type": "order", "orders": [wire], "grouping": "na"}


@pytest.fixture
def exchange(scripted):
    exchange = Exchange([scripted.Market(start_ms=WALL_MS)], Rules())
    exchange.accounts.open(ADDRESS)
    return exchange


@pytest.fixture
def client(exchange):
    return Client(Requests(exchange, lambda: WALL_MS))


def refusal(reply):
    assert reply["status"] == "err"
    return reply["response"]


def errors(reply):
    return [one.get("error") for one in reply["response"]["data"]["statuses"]]


def test_whatever_is_changed_on_its_way_is_refused_and_does_nothing(client, exchange):
    body = client.envelope(order())
    larger = copy.deepcopy(body)
    larger["action"]["orders"][0]["s"] = "0.2"
    later = {**body, "nonce": body["nonce"] + 1}
    sooner_over = {**body, "expiresAfter": WALL_MS + 1_000}
    foreign = {**body, "vaultAddress": OTHER.address}
    for tampered in (larger, later, sooner_over, foreign):
        sentence = refusal(client.requests.answer(tampered))
        assert sentence.startswith("User or API Wallet 0x")
        assert sentence.endswith(" does not exist.")
        assert ADDRESS not in sentence
    assert exchange.open_orders(ADDRESS) == []
    assert client.requests.answer(body)["status"] == "ok"


def test_a_signature_no_key_can_have_made_is_refused(client):
    body = client.envelope(order())
    body["signature"] = {"r": "0x0", "s": "0x0", "v": 27}
    assert refusal(client.requests.answer(body)) == "Unable to recover signer."


def test_a_wallet_without_an_account_is_named(client, exchange):
    stranger = Client(client.requests, OTHER)
    sentence = refusal(stranger.send(order()))
    assert sentence == f"User or API Wallet {OTHER.address.lower()} does not exist."
    exchange.accounts.open(OTHER.address.lower())
    assert stranger.send(order())["status"] == "ok"


def test_a_sub_account_is_its_masters_alone(client, exchange):
    creation = {"type": "createSubAccount", "name": "one"}
    assert refusal(client.send(creation)).endswith("Required: $100000. Traded: $0.")
    exchange.accounts.open(ADDRESS).volume = 10**11
    sub = client.send(creation)["response"]["data"]
    exchange.accounts.open(OTHER.address.lower())
    stranger = Client(client.requests, OTHER)
    assert refusal(stranger.send(order(), vault=sub)) == f"Vault not registered: {sub}"
    own = refusal(client.send(order(), vault=ADDRESS))
    assert own == f"Vault not registered: {ADDRESS}"
    pay = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 10**9}
    assert "not registered" in refusal(stranger.send(pay))
    assert client.send(pay) == DONE
    for written in (sub, sub[2:]):  # ccxt leaves "0x" out
        assert client.send(order(), vault=written)["status"] == "ok"
    assert len(exchange.open_orders(sub)) == 2


@pytest.mark.parametrize(
    ("nonce", "words"),
    [
        (WALL_MS - 2 * DAY_MS, f"nonce too low {WALL_MS - 2 * DAY_MS} < {WALL_MS - 2 * DAY_MS}"),
        (WALL_MS + DAY_MS, f"nonce too high {WALL_MS + DAY_MS} > {WALL_MS + DAY_MS}"),
        (7, f"nonce too low 7 < {WALL_MS - 2 * DAY_MS}"),
    ],
)
def test_a_nonce_far_from_the_present_is_refused(client, nonce, words):
    assert refusal(client.send({"type": "noop"}, nonce=nonce)) == f"Invalid nonce: {words}"


def test_a_nonce_is_good_once_for_each_signer(client, exchange):
    body = client.envelope(order(), nonce=WALL_MS + 5)
    assert client.requests.answer(body)["status"] == "ok"
    words = f"Invalid nonce: duplicate nonce {WALL_MS + 5}"
    assert refusal(client.requests.answer(body)) == words
    assert refusal(client.send({"type": "noop"}, nonce=WALL_MS + 5)) == words
    assert len(exchange.open_orders(ADDRESS)) == 1
    exchange.accounts.open(OTHER.address.lower())
    assert Client(client.requests, OTHER).send({"type": "noop"}, nonce=WALL_MS + 5) == DONE


def test_a_noop_takes_the_nonce_from_what_comes_after_it(client, exchange):
    late = client.envelope(order(), nonce=WALL_MS + 9)
    assert client.send({"type": "noop"}, nonce=WALL_MS + 9) == DONE
    assert "duplicate nonce" in refusal(client.requests.answer(late))
    assert exchange.open_orders(ADDRESS) == []


@given(st.lists(st.integers(1, 400), max_size=300))
@settings(deadline=None)
def test_the_100_greatest_nonces_are_remembered(nonces):
    """Compare with a plain set that keeps everything."""
    book, used = NonceBook(), set()
    for nonce in nonces:
        greatest = sorted(used)[-100:]
        good = nonce not in used and (len(greatest) < 100 or nonce > greatest[0])
        if good:
            book.use(nonce)
            used.add(nonce)
        else:
            with pytest.raises(RefusedError):
                book.use(nonce)


def test_an_expired_action_is_refused_and_its_nonce_used_up(client):
    body = client.envelope(order(), expires=WALL_MS - 1)
    assert refusal(client.requests.answer(body)) == "Action already expired"
    assert "duplicate" in refusal(client.requests.answer(body))
    assert client.send(order(), expires=WALL_MS)["status"] == "ok"


def test_an_expired_action_costs_five_times_as_many_requests(client, exchange):
    batch = order()
    batch["orders"] *= 2
    client.send(batch, expires=WALL_MS - 1)
    assert exchange.accounts.open(ADDRESS).requests_used == 10


def test_an_agents_time_runs_out(exchange):
    now = [WALL_MS]
    requests = Requests(exchange, lambda: now[0])
    ends = f"bot valid_until {WALL_MS + 1_000}"
    agent = {"type": "approveAgent", "agentAddress": OTHER.address, "agentName": ends}
    assert requests.answer(owner_action(sdk.sign_agent, **agent)) == DONE
    hand = Client(requests, OTHER)
    assert hand.send({"type": "noop"}) == DONE
    now[0] += 1_000
    assert refusal(hand.send({"type": "noop"})).endswith("does not exist.")


def test_a_modify_of_what_has_ended_places_the_new_order_if_that_is_asked_for(client, exchange):
    change = {"type": "modify", "oid": 7, "order": order("2995")["orders"][0]}
    assert refusal(client.send(change)) == "Cannot modify canceled or filled order"
    assert client.send({**change, "a": True}) == DONE
    (placed,) = exchange.open_orders(ADDRESS)
    assert placed.request.price == 299_500
    batch = {"type": "batchModify", "modifies": [{k: change[k] for k in ("oid", "order")}]}
    assert errors(client.send(batch)) == ["Cannot modify canceled or filled order asset=0"]
    assert errors(client.send({**batch, "a": True})) == [None]


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"type": "noSuchAction"},
        {"type": "order", "orders": [], "grouping": "na"},
        {"type": "order", "orders": order()["orders"]},
        order(price=2990),
        order(price="1e3"),
        order(price="-1"),
        order(size="NaN"),
        order(t={"limit": {"tif": "Po"}}),
        order(t={}),
        order(t={**LIMIT, "trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "sl"}}),
        order(c="0x12"),
        order(a=-1),
        order(r="false"),
        {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 0},
        {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 2**70},
        {"type": "createSubAccount", "name": ""},
        {"type": "setReferrer", "code": "\ud800"},
    ],
)
def test_what_is_no_action_is_rejected(client, action):
    body = {"action": action, "nonce": WALL_MS, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
    with pytest.raises(RejectedRequest):
        client.requests.answer(body)


@pytest.mark.parametrize("body", [None, [], {}, {"action": {"type": "noop"}}])
def test_what_is_no_envelope_is_rejected(client, body):
    with pytest.raises(RejectedRequest):
        client.requests.answer(body)


def test_each_order_of_a_batch_has_an_answer_of_its_own(client):
    batch = order()
    good = batch["orders"][0]
    batch["orders"] = [
        good,
        {**good, "a": 9},
        {**good, "p": "2990.001"},
        {**good, "s": "0.00001"},
        {**good, "p": "2991"},
    ]
    reply = client.send(batch)
    assert errors(reply) == [
        None,
        "Invalid asset. asset=9",
        "Price must be divisible by tick size. asset=0",
        "Order has invalid size. asset=0",
        None,
    ]


def test_a_group_with_an_order_that_cannot_be_is_refused_whole(client, exchange):
    group = order()
    stop = {"trigger": {"isMarket": True, "triggerPx": "2900", "tpsl": "sl"}}
    child = {**group["orders"][0], "b": False, "r": True, "t": stop}
    group |= {"grouping": "normalTpsl", "orders": [group["orders"][0], {**child, "s": "0.00001"}]}
    assert errors(client.send(group)) == ["Order has invalid size. asset=0"] * 2
    assert exchange.open_orders(ADDRESS) == []
    group["orders"][1] = child
    statuses = client.send(group)["response"]["data"]["statuses"]
    assert "resting" in statuses[0]
    assert statuses[1] == "waitingForFill"


def test_an_unknown_asset_is_refused_everywhere(client):
    for action in (
        {"type": "cancel", "cancels": [{"a": 9, "o": 1}]},
        {"type": "cancelByCloid", "cancels": [{"asset": 9, "cloid": "0x" + "1" * 32}]},
        {"type": "updateLeverage", "asset": 9, "isCross": True, "leverage": 2},
        {"type": "updateIsolatedMargin", "asset": 9, "isBuy": True, "ntli": 1},
    ):
        assert refusal(client.send(action)) == "Invalid asset: 9"


def test_one_modify_answers_without_a_status(client, exchange):
    placed = client.send(order())["response"]["data"]["statuses"][0]["resting"]["oid"]
    change = {"type": "modify", "oid": placed, "order": order("2995")["orders"][0]}
    assert client.send(change) == DONE
    (changed,) = exchange.open_orders(ADDRESS)
    assert changed.oid != placed
    assert refusal(client.send(change)) == "Cannot modify canceled or filled order"


def owner_action(sign, **fields):
    action = {"nonce": WALL_MS + 50, **fields}
    signature = sign(WALLET, action, True)
    return {"action": action, "nonce": WALL_MS + 50, "signature": signature}


def test_an_owners_action_is_refused_from_strangers_and_with_two_nonces(client):
    agent = {"type": "approveAgent", "agentAddress": OTHER.address, "agentName": "a"}
    body = owner_action(sdk.sign_agent, **agent)
    assert refusal(client.requests.answer({**body, "nonce": WALL_MS})) == "Nonce mismatch."
    changed = copy.deepcopy(body)
    changed["action"]["agentName"] = "b"
    sentence = refusal(client.requests.answer(changed))
    assert sentence.startswith("Must deposit before performing actions. User: 0x")
    assert client.requests.answer(body) == DONE
    assert Client(client.requests, OTHER).send(order())["status"] == "ok"


def test_no_builder_takes_more_than_the_venue_allows(client):
    fee = {"type": "approveBuilderFee", "maxFeeRate": "0.2%", "builder": OTHER.address}
    body = owner_action(sdk.sign_approve_builder_fee, **fee)
    assert refusal(client.requests.answer(body)) == "Builder fee too high."


def test_requests_are_counted_one_for_each_order_of_a_batch(client, exchange):
    batch = order()
    batch["orders"] *= 3
    client.send(batch)
    client.send({"type": "noop"})
    assert exchange.accounts.open(ADDRESS).requests_used == 4
