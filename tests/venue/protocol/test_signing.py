"""Signatures: the official SDK's published vectors, agreement with both clients, tampering.

The vectors (action, signature) are those of hyperliquid-python-sdk's own tests, all signed with
one known key.
"""

import copy
import time

import ccxt
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from advanced_mm.venue.protocol.actions.signing import (
    Signature,
    UnrecoverableSignatureError,
    action_hash,
    phantom_signers,
    user_signer,
)

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
WALLET = Account.from_key(KEY)
SIGNER = WALLET.address.lower()
SUB = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
NONCE = 1_790_000_000_123
DUMMY = {"type": "dummy", "num": 100_000_000_000}
ORDER = {"a": 1, "b": True, "p": "100", "s": "100", "r": False}
LIMIT = {"type": "order", "orders": [{**ORDER, "t": {"limit": {"tif": "Gtc"}}}], "grouping": "na"}
STOP = {
    "type": "order",
    "orders": [
        {**ORDER, "t": {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}},
    ],
    "grouping": "na",
}

# action, account, r, s, v as signed for the mainnet with nonce 0
VECTORS = [
    (
        DUMMY,
        None,
        "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
        "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
        27,
    ),
    (
        DUMMY,
        SUB,
        "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
        "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
        28,
    ),
    (
        LIMIT,
        None,
        "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
        "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
        28,
    ),
    (
        STOP,
        None,
        "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
        "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405",
        27,
    ),
    (
        {"type": "scheduleCancel", "time": 123456789},
        None,
        "0x609cb20c737945d070716dcc696ba030e9976fcf5edad87afa7d877493109d55",
        "0x16c685d63b5c7a04512d73f183b3d7a00da5406ff1f8aad33f8ae2163bab758b",
        28,
    ),
    (
        {"type": "createSubAccount", "name": "example"},
        None,
        "0x51096fe3239421d16b671e192f574ae24ae14329099b6db28e479b86cdd6caa7",
        "0xb71f7d293af92d3772572afb8b102d167a7cef7473388286bc01f52a5c5b423",
        27,
    ),
]
# the same LIMIT signed for any other network
OTHER_NETWORK = (
    "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
    "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
    27,
)


def signers(action, signature, account=None, nonce=NONCE, expires=None):
    digest = action_hash(action, account, nonce, expires)
    return list(phantom_signers(digest, Signature.model_validate(signature)))


@pytest.mark.parametrize(("action", "account", "r", "s", "v"), VECTORS)
def test_the_published_vectors_are_signed_by_their_key(action, account, r, s, v):
    assert signers(action, {"r": r, "s": s, "v": v}, account, 0)[0] == SIGNER


def test_an_order_hashes_as_in_production():
    """connectionId of a real order, published with the SDK."""
    order = {"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False}
    action = {
        "type": "order",
        "orders": [{**order, "t": {"limit": {"tif": "Ioc"}}}],
        "grouping": "na",
    }
    digest = action_hash(action, None, 1677777606040, None)
    assert digest.hex() == "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"


def test_both_networks_letters_are_recovered():
    r, s, v = OTHER_NETWORK
    mainnet, other = signers(LIMIT, {"r": r, "s": s, "v": v}, nonce=0)
    assert other == SIGNER
    assert mainnet != SIGNER


@given(
    action=st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.integers(-(2**63), 2**64 - 1) | st.text() | st.booleans() | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    ),
    nonce=st.integers(0, 2**63),
    account=st.none() | st.just(SUB),
    expires=st.none() | st.integers(0, 2**63),
)
@settings(max_examples=50, deadline=None)
def test_whatever_the_sdk_signs_is_recovered(action, nonce, account, expires):
    signature = sdk.sign_l1_action(WALLET, action, account, nonce, expires, True)
    assert signers(action, signature, account, nonce, expires)[0] == SIGNER


@pytest.mark.parametrize("account", [None, SUB[2:]])
def test_ccxt_and_the_sdk_sign_alike_and_are_recovered(account):
    client = ccxt.hyperliquid({"walletAddress": SIGNER, "privateKey": KEY})
    signature = client.sign_l1_action(LIMIT, NONCE, account)
    assert signers(LIMIT, signature, account)[0] == SIGNER
    assert action_hash(LIMIT, account, NONCE, None) == sdk.action_hash(LIMIT, account, NONCE, None)


def test_whatever_is_changed_after_signing_yields_a_stranger():
    signature = sdk.sign_l1_action(WALLET, LIMIT, SUB, NONCE, 2 * NONCE, True)
    assert SIGNER in signers(LIMIT, signature, SUB, NONCE, 2 * NONCE)
    larger = copy.deepcopy(LIMIT)
    larger["orders"][0]["s"] = "1000"
    reordered = {key: LIMIT[key] for key in ("type", "grouping", "orders")}
    for action, account, nonce, expires in (
        (larger, SUB, NONCE, 2 * NONCE),
        (reordered, SUB, NONCE, 2 * NONCE),
        (LIMIT, None, NONCE, 2 * NONCE),
        (LIMIT, "0x" + "1" * 40, NONCE, 2 * NONCE),
        (LIMIT, SUB, NONCE + 1, 2 * NONCE),
        (LIMIT, SUB, NONCE, None),
        (LIMIT, SUB, NONCE, 2 * NONCE + 1),
    ):
        assert SIGNER not in signers(action, signature, account, nonce, expires)


def test_actions_of_an_owner_alone_are_recovered_from_their_fields():
    agent = {"type": "approveAgent", "agentAddress": SUB, "agentName": "", "nonce": NONCE}
    signature = Signature.model_validate(sdk.sign_agent(WALLET, agent, False))
    del agent["agentName"]  # as the SDK does for an agent without a name
    assert user_signer(agent, signature) == SIGNER
    assert user_signer({**agent, "agentName": "other"}, signature) != SIGNER
    fee = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": SUB, "nonce": NONCE}
    signature = Signature.model_validate(sdk.sign_approve_builder_fee(WALLET, fee, True))
    assert user_signer(fee, signature) == SIGNER
    assert user_signer({**fee, "maxFeeRate": "0.1%"}, signature) != SIGNER


def test_ccxts_approval_of_a_builder_is_recovered():
    client = ccxt.hyperliquid({"walletAddress": SIGNER, "privateKey": KEY})
    message = {
        "hyperliquidChain": "Mainnet",
        "maxFeeRate": "0.01%",
        "builder": "0x6530512A6c89C7cfCEbC3BA7fcD9aDa5f30827a6",
        "nonce": NONCE,
    }
    signature = Signature.model_validate(client.build_approve_builder_fee_sig(message))
    action = {"type": "approveBuilderFee", "signatureChainId": "0x66eee", **message}
    assert user_signer(action, signature) == SIGNER


@pytest.mark.parametrize(
    "signature",
    [
        {"r": "0x0", "s": "0x0", "v": 27},
        {"r": "0x" + "f" * 64, "s": "0x1", "v": 27},
        {"r": "0x5", "s": "0x1", "v": 28},
    ],
)
def test_what_no_key_can_have_made_has_no_signer(signature):
    made = Signature.model_validate(signature)
    with pytest.raises(UnrecoverableSignatureError):
        next(phantom_signers(bytes(32), made))
    action = {"type": "approveAgent", "agentAddress": SUB, "nonce": 1, "signatureChainId": "0x1"}
    with pytest.raises(UnrecoverableSignatureError):
        user_signer({**action, "hyperliquidChain": "Mainnet"}, made)


@pytest.mark.parametrize(
    "signature",
    [{"r": "0x1", "s": "0x1", "v": 99}, {"r": "1", "s": "0x1", "v": 27}, {"r": "0x1", "s": "0x1"}],
)
def test_a_signature_of_another_form_is_none(signature):
    with pytest.raises(ValidationError):
        Signature.model_validate(signature)


def test_recovery_is_fast_enough_for_a_hundred_actions_a_second():
    signature = Signature.model_validate(sdk.sign_l1_action(WALLET, LIMIT, None, NONCE, None, True))
    list(phantom_signers(action_hash(LIMIT, None, NONCE, None), signature))
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        list(phantom_signers(action_hash(LIMIT, None, NONCE, None), signature))
        seconds.append(time.perf_counter() - start)
    # 0.3 ms with libsecp256k1; the pure Python fallback takes more than 20 ms.
    assert min(seconds) < 0.005
