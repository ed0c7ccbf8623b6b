"""The account's own maker fee: asked once a day, and never a number that cannot be one."""

import logging

import ccxt
import pytest

from advanced_mm.quoting.exchange.account_fee import AccountFee


class Client:
    def __init__(self, reply):
        self.now, self.asked, self.reply = 0.0, 0, reply

    def handle_public_address(self, name, params):
        return "0x1", params

    def publicPostInfo(self, request):
        assert request == {"type": "userFees", "user": "0x1"}
        self.asked += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def look(client, fee, seconds=0.0, configured=0.00015):
    client.now += seconds
    fee.look(configured)


@pytest.fixture
def client():
    return Client({"userAddRate": "0.00008", "userCrossRate": "0.00035"})


@pytest.fixture
def fee(client):
    return AccountFee(client, lambda: client.now)


def test_it_is_asked_once_a_day_and_a_difference_is_told(client, fee, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(86_399):
        look(client, fee, 1.0)
    assert (client.asked, fee.rate) == (1, 0.00008)
    assert "maker fee is 0.8000 bp, market_making.fee_rate 1.5000 bp: set it" in caplog.text
    client.reply = {"userAddRate": "-0.00002"}
    look(client, fee, 2.0)
    assert (client.asked, fee.rate) == (2, -0.00002)


@pytest.mark.parametrize(
    "reply",
    [ccxt.NetworkError("down"), None, {}, {"userAddRate": "?"}, {"userAddRate": "nan"},
     {"userAddRate": "0.5"}],
)  # fmt: skip
def test_without_a_sound_reply_what_was_known_stays_and_it_is_asked_again(client, fee, reply):
    look(client, fee)
    client.reply = reply
    look(client, fee, 86_401)
    look(client, fee, 1)
    assert (client.asked, fee.rate) == (2, 0.00008)
    look(client, fee, 601)
    assert client.asked == 3
