"""What is answered without a request: only what is certain and new, with a clock of the test."""

import json

import pytest

from advanced_mm.eyes import Eyes, Health
from advanced_mm.eyes.eyes import FRESH_SECONDS, OLDEST_BOOK_SECONDS

USER = "0x" + "ab" * 20
BOOK = {"type": "l2Book", "coin": "ETH"}
FILLS = {"type": "userFillsByTime", "user": USER, "startTime": 1_000_000_000}


class Told:
    """Eyes, and a venue that tells them something at a time (seconds since the epoch)."""

    def __init__(self, coins=("ETH",), user=None):
        self.now = 1_000_000.0
        self.eyes = Eyes(coins, user, lambda: self.now)

    def tell(self, channel, data):
        self.eyes.received(json.dumps({"channel": channel, "data": data}))

    def book(self, coin="ETH", age=0.3, bid="3000.0"):
        levels = [[{"px": bid, "sz": "1", "n": 1}], [{"px": "3001.0", "sz": "1", "n": 1}]]
        at = round(1000 * (self.now - age))
        self.tell("l2Book", {"coin": coin, "time": at, "levels": levels, "fast": True})

    def fills(self, *rows, snapshot=False):
        mark = {"isSnapshot": True} if snapshot else {}
        self.tell("userFills", {**mark, "user": USER, "fills": list(rows)})


def subscriptions(messages, method="subscribe"):
    sent = map(json.loads, messages)
    return [one["subscription"] for one in sent if one["method"] == method]


def coins_of(messages, method="subscribe"):
    return {one["coin"] for one in subscriptions(messages, method) if "coin" in one}


def fill(tid, at_ms=1_000_000_500, oid=7, size="0.4"):
    return {"coin": "ETH", "px": "3000.0", "sz": size, "time": at_ms, "tid": tid, "oid": oid}


def order(remaining, status="open", oid=7):
    one = {"coin": "ETH", "oid": oid, "sz": remaining, "origSz": "1.0", "cloid": "0x1"}
    return {"order": one, "status": status, "statusTimestamp": 1_000_000_500}


@pytest.fixture
def told():
    one = Told(user=USER)
    one.eyes.opened()
    one.book()
    one.fills(snapshot=True)
    return one


def test_a_book_is_answered_until_it_is_old(told):
    assert OLDEST_BOOK_SECONDS > FRESH_SECONDS
    told.now += FRESH_SECONDS - 0.31
    assert told.eyes.answer(BOOK)["levels"][0][0]["px"] == "3000.0"
    told.now += 0.02
    assert told.eyes.answer(BOOK) is None
    assert told.eyes.health() is Health.DELAYED
    told.book()  # the same prices: a quiet coin, but a new book
    assert told.eyes.health() is Health.HEALTHY


def test_books_that_come_late_are_no_answer(told):
    """A connection that is five seconds behind tells as often as ever."""
    for _ in range(50):
        told.now += 0.1
        told.book(age=5.0, bid="2990.0")
        book = told.eyes.answer(BOOK)
        assert book is None or book["time"] >= 1000 * (told.now - FRESH_SECONDS)
    assert told.eyes.health() is Health.DELAYED


def test_a_pair_list_that_changes_is_followed():
    told = Told()
    assert coins_of(told.eyes.opened()) == {"ETH"}
    told.book()
    told.eyes.watch(["ETH", "BTC"])
    assert coins_of(told.eyes.look()) == {"BTC"}
    assert told.eyes.look() == []
    assert told.eyes.healthy  # of BTC nothing can have come
    assert told.eyes.answer({**BOOK, "coin": "BTC"}) is None
    told.now += FRESH_SECONDS + 0.1
    told.book()
    assert told.eyes.health() is Health.SILENT
    told.book("BTC")
    assert told.eyes.healthy
    told.eyes.watch(["BTC"])
    assert coins_of(told.eyes.look(), "unsubscribe") == {"ETH"}
    told.book("ETH")  # sent before the venue heard of it
    told.now += 1.0
    told.book("BTC")
    assert told.eyes.healthy
    told.eyes.closed("cut")
    assert coins_of(told.eyes.opened()) == {"BTC"}


def test_the_account_at_a_builder_s_exchange_is_told_apart():
    told = Told(["xyz:GOLD"], USER)
    states = [
        one for one in subscriptions(told.eyes.opened()) if one["type"] == "clearinghouseState"
    ]
    assert [one.get("dex") for one in states] == [None, "xyz"]
    told.book("xyz:GOLD")
    for dex, value in (("", "1"), ("xyz", "2")):
        state = {"time": round(1000 * told.now), "withdrawable": value}
        told.tell("clearinghouseState", {"dex": dex, "user": USER, "clearinghouseState": state})
    asked = {"type": "clearinghouseState", "user": USER}
    assert told.eyes.answer(asked)["withdrawable"] == "1"
    assert told.eyes.answer({**asked, "dex": "xyz"})["withdrawable"] == "2"
    assert told.eyes.answer({**asked, "dex": "abc"}) is None


def test_fills_are_answered_once_each_oldest_first(told):
    told.fills(fill(2, 1_000_000_700))
    told.fills(fill(1, 1_000_000_600), fill(2, 1_000_000_700))
    assert [one["tid"] for one in told.eyes.answer(FILLS)] == [1, 2]
    later = {**FILLS, "startTime": 1_000_000_650}
    assert [one["tid"] for one in told.eyes.answer(later)] == [2]
    assert told.eyes.own_changes == 2
    assert told.eyes.answer({**FILLS, "aggregateByTime": True}) is None


def test_fills_from_before_the_connection_are_asked_for(told):
    assert told.eyes.answer({**FILLS, "startTime": 999_999_000}) is None


def test_after_a_reconnection_fills_go_on_from_those_known(told):
    told.fills(fill(1, 1_000_000_600))
    told.eyes.closed("cut")
    told.now += 60
    told.eyes.opened()
    told.book()
    told.fills(fill(2, 1_000_030_000), fill(1, 1_000_000_600), snapshot=True)
    assert [one["tid"] for one in told.eyes.answer(FILLS)] == [1, 2]
    told.eyes.closed("cut")
    told.eyes.opened()
    told.book()
    told.fills(fill(4, 1_000_059_000), snapshot=True)  # fewer than were missed, for all one knows
    assert told.eyes.answer(FILLS) is None


def test_a_fill_that_was_never_told_is_found_by_what_is_left_of_its_order(told):
    told.tell("orderUpdates", [order("0.6")])
    assert told.eyes.answer(FILLS) is None
    told.eyes.told(FILLS, [fill(1)])  # as REST has it
    assert [one["tid"] for one in told.eyes.answer(FILLS)] == [1]
