"""Every counter against a count by hand; numbers and messages are from the venue's documentation.

- REST weights by request, extra weight by items, 1200 a minute as a sliding window;
- websocket connections, new ones a minute, subscriptions, users, messages, posts;
- the budget of an address: 10 000 and one per USDC, cancels more, one request in 10 s beyond.
"""

import pytest

from advanced_mm.venue.conditions.limits import (
    AddressBudget,
    RestWeight,
    SlidingMinute,
    StreamCounter,
    base_weight,
    extra_weight,
)

USDC = 1_000_000
ADDRESS = "0x" + "1" * 40


@pytest.mark.parametrize(
    ("kind", "weight"),
    [
        ("l2Book", 2),
        ("allMids", 2),
        ("clearinghouseState", 2),
        ("orderStatus", 2),
        ("spotClearinghouseState", 2),
        ("exchangeStatus", 2),
        ("meta", 20),
        ("openOrders", 20),
        ("candleSnapshot", 20),
        ("userRole", 60),
    ],
)
def test_weight_of_an_info_request(kind, weight):
    assert base_weight("/info", {"type": kind}) == weight


@pytest.mark.parametrize(("orders", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3)])
def test_weight_of_a_batch(orders, weight):
    action = {"type": "order", "orders": [{}] * orders, "grouping": "na"}
    assert base_weight("/exchange", {"action": action}) == weight


def test_an_action_without_array_weighs_one_and_nonsense_is_weighed_too():
    assert base_weight("/exchange", {"action": {"type": "updateLeverage"}}) == 1
    assert base_weight("/exchange", ["nonsense"]) == 1
    assert base_weight("/info", None) == 20
    assert base_weight("/health", None) == 0


@pytest.mark.parametrize(
    ("kind", "items", "extra"),
    [
        ("candleSnapshot", 5000, 83),
        ("candleSnapshot", 59, 0),
        ("userFills", 2000, 100),
        ("recentTrades", 19, 0),
        ("openOrders", 500, 0),
    ],
)
def test_weight_of_what_is_returned(kind, items, extra):
    assert extra_weight(kind, [0] * items) == extra


def test_weight_of_an_answer_that_is_no_list():
    assert extra_weight("userFills", None) == 0


def test_rest_weight_in_a_sliding_minute():
    budget = RestWeight()
    assert all(budget.take(0.0, 20) for _ in range(30))  # 600
    assert all(budget.take(30.0, 2) for _ in range(300))  # 1200
    assert not budget.take(59.9, 1)
    assert budget.refused == 1
    assert budget.take(60.0, 600)  # the first 600 are a minute old
    assert not budget.take(60.0, 1)
    assert budget.minute.used(90.0) == 600
    assert budget.minute.used(120.0) == 0


def test_an_answer_is_charged_beyond_the_limit():
    budget = RestWeight()
    assert budget.take(0.0, 1190)
    budget.charge(0.0, 83)
    assert budget.minute.used(0.0) == 1273
    assert not budget.take(59.0, 1)


def test_nothing_is_remembered_that_is_older_than_a_minute():
    minute = SlidingMinute()
    for second in range(1000):
        minute.add(float(second), 1)
        assert minute.used(float(second)) <= 60
    assert len(minute._entries) == 60


def test_ten_connections_and_thirty_new_ones_a_minute():
    counter = StreamCounter()
    for i in range(10):
        assert counter.connect(f"c{i}", 0.0) is None
    assert "10 connections" in str(counter.connect("c10", 0.0))
    for i in range(20):
        counter.disconnect(f"c{i}")
        assert counter.connect(f"c{i + 10}", 1.0) is None
    counter.disconnect("c29")
    assert "30 connections a minute" in str(counter.connect("c30", 59.9))
    assert counter.connect("c30", 60.0) is None
    assert counter.refused == 2


def test_subscriptions_of_all_connections_together():
    counter = StreamCounter()
    counter.connect("a", 0.0)
    counter.connect("b", 0.0)
    for i in range(500):
        assert counter.subscribe("a", f"s{i}", None) is None
        assert counter.subscribe("b", f"s{i}", None) is None
    assert counter.subscribe("a", "s0", None) is None  # the same again is not one more
    assert counter.subscribe("a", "more", None) is not None
    counter.unsubscribe("b", "s7")
    assert counter.subscribe("a", "more", None) is None
    counter.disconnect("a")
    assert counter.subscriptions == 499


def test_ten_users_in_user_subscriptions():
    counter = StreamCounter()
    counter.connect("a", 0.0)
    counter.connect("b", 0.0)
    for i in range(10):
        assert counter.subscribe("a", f"userFills {i}", f"0x{i}") is None
    assert counter.subscribe("b", "orderUpdates 3", "0x3") is None
    refusal = counter.subscribe("b", "userFills 10", "0x10")
    assert refusal == "Cannot track more than 10 total users."
    assert counter.subscribe("b", "bbo", None) is None


def test_messages_a_minute_and_posts_under_way():
    counter = StreamCounter()
    counter.connect("a", 0.0)
    for _ in range(2000):
        assert counter.message("a", 0.5) is None
    assert counter.message("a", 60.4) is not None
    assert counter.message("a", 60.5) is None
    for _ in range(100):
        assert counter.post("a") is None
    assert counter.post("a") is not None
    counter.answered("a")
    assert counter.post("a") is None
    counter.answered("gone")
    assert counter.posts == 100


def refusal(budget, requests=1, *, cancels=False, used, traded=0, now_ms=0):
    return budget.refusal(
        ADDRESS, requests, cancels=cancels, used=used, traded_micros=traded, now_ms=now_ms
    )


def test_the_sentence_is_the_one_seen_on_the_venue():
    """Copied from an answer of the testnet: (97460 > 97456), $87457.46 traded."""
    budget = AddressBudget()
    budget.refusal(ADDRESS, 1, cancels=False, used=97459, traded_micros=0, now_ms=0)  # the one pass
    assert refusal(budget, used=97459, traded=87_457_460_000, now_ms=5) == (
        "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87457.46. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    assert "(15401 > 14642) for cumulative volume traded $4643." in str(
        refusal(budget, used=15_400, traded=4643 * USDC, now_ms=6)
    )


def test_beyond_the_budget_one_request_in_ten_seconds():
    """Testnet, one request a second for 45 s: 5 pass, refusals do not restart the window."""
    budget = AddressBudget()
    passed = [
        second for second in range(45) if refusal(budget, used=20_000, now_ms=second * 1000) is None
    ]
    assert passed == [0, 10, 20, 30, 40]
    assert budget.refused == 40


def test_batches_count_by_their_length_and_do_not_pass_slowly():
    budget = AddressBudget()
    assert refusal(budget, 9999, used=0) is None
    assert refusal(budget, 10_000, used=0) is not None
    assert refusal(budget, 10_000, used=0, traded=USDC) is None


def test_cancels_go_on_longer():
    budget = AddressBudget()
    assert refusal(budget, 2, cancels=True, used=9_998) is None
    assert refusal(budget, 2, cancels=True, used=2 * 9_999 - 2) is None
    assert refusal(budget, 2, cancels=True, used=2 * 9_999 - 1) is not None
    rich = 1_000_000 * USDC  # limit 1 009 999: 100 000 more is less than twice
    assert refusal(budget, 2, cancels=True, used=1_109_997, traded=rich) is None
    assert refusal(budget, 2, cancels=True, used=1_109_998, traded=rich) is not None
