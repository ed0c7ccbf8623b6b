"""The venue hashes an action from its own reading of it, independent of the client's spelling.

- Numbers lose trailing and leading zeros, addresses and client order ids become lower case; for a
  client that signed another spelling, the reply says that some other wallet does not exist.
- Unknown fields, nulls and the client's order of fields are not part of the hash.
- The hash of orders from Hyperliquid's SDK and ccxt equals theirs, whatever the number's spelling.
"""

import copy
from decimal import Decimal

import ccxt
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given
from hypothesis import strategies as st

from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.protocol.actions.fields import canonical, plain_decimal
from advanced_mm.venue.protocol.actions.forms import parse_action
from advanced_mm.venue.protocol.actions.requests import Requests

WALLET = Account.from_key("0x" + "21" * 32)
ADDRESS = WALLET.address.lower()
CAPITALS = "0x" + "AbCdEf0123" * 4
WALL_MS = 1_790_000_000_000
CLOID = "0x" + "aB" * 16


def order(**fields):
    limit = {"limit": {"tif": "Gtc"}}
    wire = {"a": 0, "b": True, "p": "2990.5", "s": "0.1", "r": False, "t": limit, **fields}
    return {"type": "order", "orders": [wire], "grouping": "na"}


def stop(price):
    trigger = {"isMarket": True, "triggerPx": price, "tpsl": "sl"}
    return order(b=False, p="2800", t={"trigger": trigger})


def modify(**fields):
    return {"type": "modify", "oid": 1, "order": order(**fields)["orders"][0]}


def batch_modify(**fields):
    one = {"oid": 1, "order": order(**fields)["orders"][0]}
    return {"type": "batchModify", "modifies": [one]}


def twap(size="1", price=None):
    action = {
        "type": "twapOrder",
        "twap": {"a": 0, "b": True, "s": size, "r": False, "m": 5, "t": False},
    }
    if price is not None:
        action["details"] = {"t": {"p": price, "a": False}, "s": price}
    return action


@pytest.fixture
def send(scripted):
    """Sign an action as written, send it, and return the venue's answer."""
    exchange = Exchange([scripted.Market(start_ms=WALL_MS)], Rules())
    exchange.accounts.open(ADDRESS)
    requests = Requests(exchange, lambda: WALL_MS)
    nonces = iter(range(WALL_MS, WALL_MS + 1000))

    def send(action, sent=None, sign=sdk.sign_l1_action):
        nonce = next(nonces)
        signature = sign(WALLET, action, None, nonce, None, True)
        return requests.answer(
            {"action": action if sent is None else sent, "nonce": nonce, "signature": signature}
        )

    return send


def stranger(reply):
    """Return whether the answer says that a wallet other than the signer's does not exist."""
    sentence = reply["response"] if reply["status"] == "err" else ""
    known = sentence.startswith("User or API Wallet 0x") and sentence.endswith(" does not exist.")
    return known and ADDRESS not in sentence


@pytest.mark.parametrize(
    "action",
    [
        order(p="2990.50"),
        order(p="2990.0"),
        order(p="02990"),
        order(s="0.10"),
        order(s="1.0"),
        stop("2900.0"),
        stop("2900.50"),
        modify(p="2991.00"),
        modify(s="0.20"),
        batch_modify(p="2991.0"),
        twap("1.0"),
        twap(price="2900.0"),
        {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "2.0"},
        order(c=CLOID),
        {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]},
        {**order(), "builder": {"b": CAPITALS, "f": 0}},
        {
            "type": "subAccountTransfer",
            "subAccountUser": CAPITALS,
            "isDeposit": True,
            "usd": 1,
        },
    ],
    ids=str,
)
def test_another_spelling_is_somebody_elses_signature(send, action):
    assert stranger(send(action))
    assert not stranger(send(canonical(parse_action(action))))


def test_who_sends_another_spelling_than_was_signed_is_understood(send):
    """As on Hyperliquid, ``p`` may be sent as "2990.50" if "2990.5" was signed."""
    assert send(order(), sent=order(p="2990.50", s="0.10"))["status"] == "ok"


@pytest.mark.parametrize(
    "change",
    [
        lambda action: action.update(surprise=1),
        lambda action: action.update(builder=None),
        lambda action: action["orders"][0].update(cloid=CLOID.lower()),
        lambda action: action["orders"][0].update(c=None),
    ],
    ids=["unknown field", "null builder", "cloid for c", "null cloid"],
)
def test_what_the_venue_drops_is_not_in_its_hash(send, change):
    signed = order()
    change(signed)
    assert stranger(send(signed))
    assert send(order(), sent=signed)["status"] == "ok"


def test_fields_are_hashed_in_the_venues_order(send):
    turned = dict(reversed(order().items()))
    assert stranger(send(turned))
    inside = copy.deepcopy(order())
    inside["orders"][0] = dict(reversed(inside["orders"][0].items()))
    assert stranger(send(inside))
    assert send(order(), sent=turned)["status"] == "ok"


def test_a_twaps_details_are_hashed_with_their_nulls(send):
    action = twap()
    action["details"] = {"t": None, "s": "3100"}
    assert canonical(parse_action(action)) == action
    assert "running" in send(action)["response"]["data"]["status"]


@given(st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False))
def test_numbers_are_written_as_the_sdk_writes_them(value):
    assert plain_decimal(f"{value:f}") == sdk.float_to_wire(float(f"{value:f}")) or (
        Decimal(sdk.float_to_wire(float(f"{value:f}"))) != value  # more digits than a float holds
    )
    assert plain_decimal(f"{value:f}000" if "." in f"{value:f}" else f"{value:f}.000") == (
        plain_decimal(f"{value:f}")
    )


def test_ccxt_hashes_its_orders_as_the_venue_does():
    client = ccxt.hyperliquid()
    for action in (order(), stop("2900.5"), modify(), batch_modify(), twap()):
        ours = sdk.action_hash(canonical(parse_action(action)), None, WALL_MS, None)
        assert client.action_hash(action, None, WALL_MS) == ours
