"""Alerts as messages: once until they clear, seldom if they flap, never many at once."""

import math

from advanced_mm.metrics.alerts import Alert, AlertBook
from advanced_mm.metrics.table import Sample

LOW = Alert("Low", "requests_left", "value", "below", 100, 0, "warning", "few left", "trade")
LONG = Alert("Long", "inventory_limit_ratio", "value", "reached", 1, 60, "critical", "full", "look")


def few(value=1.0, bot="b"):
    return Sample("requests_left", value, (bot,))


def names(messages):
    return [message.partition(":")[0] + ":" + message.split()[1] for message in messages]


def test_an_alert_is_told_once_and_once_that_it_is_over():
    book = AlertBook([LOW])
    assert book.look([few(100)], 0) == []
    assert book.look([few(99)], 5) == [
        "Warning: Low (`b`): `few left`. To do: `trade`.",
    ]
    assert [book.look([few(98)], at) for at in (10, 2000, 9999)] == [[], [], []]
    assert book.look([few(100)], 10_000) == ["Over: Low (`b`)."]
    assert book.look([few(100)], 10_005) == []


def test_what_flaps_is_told_once_in_a_quarter_of_an_hour():
    book = AlertBook([LOW])
    told = []
    for at in range(0, 2000, 5):
        told += [(at, message[:4]) for message in book.look([few(1 if at % 10 else 500)], at)]
    assert told == [
        (5, "Warn"),
        (10, "Over"),
        (905, "Warn"),
        (910, "Over"),
        (1805, "Warn"),
        (1810, "Over"),
    ]


def test_it_must_last_as_long_as_it_says():
    book = AlertBook([LONG])

    def look(value, at):
        return book.look([Sample("inventory_limit_ratio", value, ("b", "ETH"))], at)

    assert look(1.0, 0) == look(1.0, 59) == look(0.99, 60) == look(1.0, 61) == look(1.0, 120) == []
    (message,) = look(1.0, 121)
    assert message.startswith("Critical: Long (`b, ETH`): `full`.")


def test_each_bot_has_its_own_and_what_is_not_known_is_not_wrong():
    book = AlertBook([LOW])
    assert len(book.look([few(bot="x"), few(bot="y"), few(math.nan, bot="z")], 0)) == 2
    assert book.look([], 5) == []
    assert book.look([few(500, bot="y")], 10) == ["Over: Low (`y`)."]


def test_of_many_at_once_some_wait_and_none_is_lost():
    book = AlertBook([LOW])
    bots = [f"b{n}" for n in range(9)]
    wrong = [few(bot=bot) for bot in bots]
    assert len(book.look(wrong, 0)) == 6
    assert book.look(wrong, 599) == []
    assert len(book.look(wrong, 600)) == 3
    assert book.look(wrong, 5000) == []
    assert len(book.look([few(500, bot=bot) for bot in bots], 5005)) == 6
    assert len(book.look([few(500, bot=bot) for bot in bots], 6000)) == 3
