"""What the benchmark counts as the time from a touch to the quote that answers it."""

import numpy as np
import pytest

from advanced_mm.journal import QuoteSent
from benchmarks.answered_calls import LATENCY_MS, answered_calls


def quote(number, price=2999.0, calibration="r1"):
    return QuoteSent(
        time_ms=0, coin="ETH", bot="bot", order=str(number), side="bid", price=price, size=1.0,
        mid=3000.0, depth=1.0, tick=0.1, inventory=0.0, units=0, purpose="entry",
        calibration_id=calibration,
    )  # fmt: skip


def order(number, placed, ended, status="canceled"):
    return {
        "order": {"oid": number, "timestamp": placed},
        "status": status,
        "statusTimestamp": ended,
    }


def calls(mids, ended=3000, replaced=3100, **second):
    """One bid at 2999 placed at 0, cancelled at ``ended``; ``mids`` by time."""
    sent = {"1": quote(1), "2": quote(2, **second)}
    history = [order(2, replaced, 9000, "open"), order(1, 0, ended)]
    times, values = np.array(sorted(mids)), np.array([mids[at] for at in sorted(mids)])
    found = answered_calls(times, values, sent, history, 1000.0)
    return [one.seconds for one in found]


def test_it_counts_from_the_touch_that_moved_the_price():
    assert calls({0: 3000.0, 2000: 3000.1, 2500: 3000.2}) == [pytest.approx(0.6)]


def test_it_counts_from_the_least_age_if_the_touch_moved_before():
    assert calls({0: 3000.0, 400: 3001.0}) == [pytest.approx(2.1)]


def test_a_touch_that_came_back_calls_no_longer():
    assert calls({0: 3000.0, 1500: 3001.0, 2000: 3000.0, 2700: 3001.0}) == [pytest.approx(0.4)]
    assert calls({0: 3000.0, 1500: 3001.0, 2000: 3000.0}) == []


def test_what_was_not_to_be_seen_when_the_cancel_was_sent_does_not_count():
    assert calls({0: 3000.0, 3001 - LATENCY_MS: 3001.0}) == []


def test_another_refit_is_another_reason():
    assert calls({0: 3000.0, 2500: 3001.0}, calibration="r2") == []


def test_the_way_is_that_of_cancel_and_order_or_of_one_edit():
    mids = {0: 3000.0, 2000: 3001.0}
    times, values = np.array(sorted(mids)), np.array(list(mids.values()))
    sent = {"1": quote(1), "2": quote(2)}
    for replaced, requests in ((3100, 2), (3000, 1)):
        history = [order(2, replaced, 9000, "open"), order(1, 0, 3000)]
        found = answered_calls(times, values, sent, history, 1000.0)
        assert [one.way for one in found] == [requests * LATENCY_MS / 1000]
