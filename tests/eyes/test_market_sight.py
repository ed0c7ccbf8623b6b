"""Trades of others and the funding rate, as the websocket tells them."""

import json

import pytest

from advanced_mm.eyes import Eyes
from advanced_mm.eyes.market_sight import Taken


def trades(*entries, coin="ETH"):
    rows = [
        {"coin": coin, "side": side, "px": "3000.0", "sz": size, "time": at, "tid": tid}
        for tid, side, size, at in entries
    ]
    return json.dumps({"channel": "trades", "data": rows})


def context(rate, coin="ETH"):
    data = {"coin": coin, "ctx": {"funding": rate, "markPx": "3000.0"}}
    return json.dumps({"channel": "activeAssetCtx", "data": data})


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def eyes(clock):
    return Eyes(["ETH"], clock=lambda: clock[0])


def test_they_are_subscribed_to(eyes):
    wanted = [json.loads(one)["subscription"] for one in eyes.opened()]
    for kind in ("trades", "activeAssetCtx"):
        assert {"type": kind, "coin": "ETH"} in wanted


def test_trades_are_told_once(eyes):
    eyes.received(trades((1, "B", "0.5", 10), (2, "A", "1.5", 11)))
    eyes.received(trades((2, "A", "1.5", 11), (3, "A", "2.0", 12)))  # after a new connection
    eyes.received(trades((4, "B", "9.0", 12), coin="BTC"))
    assert eyes.taken("ETH") == [Taken(10, True, 0.5), Taken(11, False, 1.5), Taken(12, False, 2.0)]
    assert eyes.taken("ETH") == []


def test_an_old_funding_rate_is_not_told(eyes, clock):
    assert eyes.funding_rate("ETH") is None
    eyes.received(context("-0.0000125"))
    assert eyes.funding_rate("ETH") == -0.0000125
    clock[0] += 601
    assert eyes.funding_rate("ETH") is None


def test_malformed_messages_are_left_out(eyes, caplog):
    eyes.received('{"channel": "trades", "data": [{"coin": "ETH"}]}')
    eyes.received('{"channel": "activeAssetCtx", "data": {"coin": "ETH"}}')
    assert eyes.taken("ETH") == []
    assert "a malformed trades message" in caplog.text
