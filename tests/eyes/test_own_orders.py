"""Own orders: nothing is answered that is not certain, and no fill counts twice."""

import pytest

from advanced_mm.eyes.own_orders import OwnOrders

CLOID = "0x" + "1" * 32
FORM = {"a": 0, "b": True, "p": "3000", "s": "1", "r": False, "c": CLOID}
SENT = {"type": "order", "orders": [{**FORM, "t": {"limit": {"tif": "Alo"}}}]}
CANCEL = {"type": "cancel", "cancels": [{"a": 0, "o": 7}]}


def update(status="open", remaining="1.0", at=1000):
    order = {
        "coin": "ETH",
        "side": "B",
        "limitPx": "3000.0",
        "sz": remaining,
        "oid": 7,
        "timestamp": 1000,
        "origSz": "1.0",
        "cloid": CLOID,
    }
    return {"order": order, "status": status, "statusTimestamp": at}


def fill(tid, size="0.4", at=2000):
    return {"tid": tid, "oid": 7, "sz": size, "time": at}


@pytest.fixture
def orders():
    one = OwnOrders()
    one.sent(SENT, 1.0)
    one.update(update(), 1.0)
    return one


def test_a_resting_order_is_answered_with_the_type_it_was_sent_with(orders):
    seen = orders.answer(7, 1.5, 5.0)
    assert seen["status"] == "order"
    assert seen["order"]["status"] == "open"
    assert (seen["order"]["order"]["tif"], seen["order"]["order"]["reduceOnly"]) == ("Alo", False)


def test_an_order_of_another_hand_is_not_answered():
    orders = OwnOrders()
    orders.update(update(), 1.0)
    assert orders.answer(7, 1.5, 5.0) is None
    orders.told_by_rest(
        {**update(), "order": {**update()["order"], "tif": "Gtc", "orderType": "Limit"}}, 2.0
    )
    assert orders.answer(7, 2.5, 5.0)["order"]["order"]["tif"] == "Gtc"


def test_a_market_order_is_left_to_the_venue():
    orders = OwnOrders()
    orders.sent({"type": "order", "orders": [{**FORM, "t": {"limit": {"tif": "Ioc"}}}]}, 1.0)
    orders.fill(fill(1, "1.0"))
    orders.update(update("filled", "0.0"), 1.0)
    assert orders.answer(7, 1.5, 5.0) is None


def test_a_resting_order_is_asked_for_again_after_a_while(orders):
    assert orders.answer(7, 6.1, 5.0) is None
    orders.told_by_rest(update(), 6.2)
    assert orders.answer(7, 6.3, 5.0) is not None


def test_an_order_that_ended_is_known_for_ever_and_ends_once(orders):
    assert orders.fill(fill(1, "1.0"))
    assert orders.update(update("filled", "0.0", 2000), 2.0)
    assert not orders.update(update("filled", "0.0", 2000), 2.1)
    assert not orders.update(update(at=1500), 2.2)  # overtaken
    assert orders.answer(7, 1e6, 5.0)["order"]["status"] == "filled"


def test_fills_told_twice_count_once(orders):
    assert [orders.fill(fill(tid)) for tid in (1, 1, 2, 1)] == [True, False, True, False]
    orders.update(update(remaining="0.2", at=2000), 2.0)
    assert orders.answer(7, 2.5, 5.0)["order"]["order"]["sz"] == "0.2"


@pytest.mark.parametrize("told", ["fill alone", "update alone"])
def test_a_contradiction_is_not_answered(orders, told):
    if told == "fill alone":
        orders.fill(fill(1))
    else:
        orders.update(update(remaining="0.6", at=2000), 2.0)
    assert orders.answer(7, 2.5, 5.0) is None


def test_a_cancelled_order_is_in_doubt_until_its_end_is_told(orders):
    orders.sent(CANCEL, 1.0)
    assert orders.is_unsettled(7, 2.0)
    assert orders.answer(7, 1.5, 5.0) is None
    orders.update(update(), 1.6)  # still to come
    assert orders.answer(7, 1.7, 5.0) is None
    assert not orders.update(update("canceled", at=1700), 1.8)  # as asked: no news
    assert orders.answer(7, 1.9, 5.0)["order"]["status"] == "canceled"


def test_the_doubt_about_a_refused_cancel_ends_with_the_venue_s_answer(orders):
    """No message tells of a refusal: each later question would wait, and then ask over REST."""
    orders.sent(CANCEL, 2.0)
    orders.told_by_rest(update(), 2.3)  # perhaps the cancel is still on its way
    assert orders.is_unsettled(7, 2.4)
    assert orders.answer(7, 2.4, 5.0) is None
    orders.told_by_rest(update(), 3.1)
    assert not orders.is_unsettled(7, 3.2)
    assert orders.answer(7, 3.2, 5.0)["order"]["status"] == "open"
    assert orders.update(update("canceled", at=3300), 3.4)  # later after all
    assert orders.answer(7, 3.5, 5.0)["order"]["status"] == "canceled"


def test_an_answer_older_than_a_message_ends_no_doubt(orders):
    orders.sent(CANCEL, 2.0)
    orders.update(update(remaining="0.6", at=2500), 2.5)
    orders.fill(fill(1))
    orders.told_by_rest(update(), 3.1)
    assert orders.answer(7, 3.2, 5.0) is None
    assert orders.is_unsettled(7, 3.2)


def test_an_end_that_was_not_asked_for_is_news(orders):
    assert orders.update(update("marginCanceled", at=1700), 1.8)
    assert orders.answer(7, 1.9, 5.0)["order"]["status"] == "marginCanceled"


def test_a_fill_that_overtakes_a_cancel_is_news(orders):
    orders.sent(CANCEL, 1.0)
    assert orders.update(update("filled", "0.0", 1700), 1.8)


def test_after_a_lost_connection_resting_orders_are_unknown(orders):
    orders.forget_open()
    assert orders.answer(7, 1.5, 5.0) is None
