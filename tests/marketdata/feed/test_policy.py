"""The reconnect policy, with times passed in.

- waits are a random part of a delay that doubles to a cap, and start over after data only;
- no minute sees more attempts, or more messages, than the venue allows;
- a connection without data, or that does not answer a ping, is given up; pongs are not data.
"""

import random
from bisect import bisect_left
from dataclasses import replace

import pytest

from advanced_mm.errors import InputError
from advanced_mm.marketdata.feed.policy import (
    Backoff,
    ConnectionPolicy,
    ConnectionSettings,
    Heard,
)

TIMES = ConnectionSettings(first_delay_seconds=1.0, longest_delay_seconds=8.0)


def policy(settings: ConnectionSettings = TIMES, seed: int = 1) -> ConnectionPolicy:
    return ConnectionPolicy(settings, random.Random(seed))


def most_in_a_minute(times: list[float]) -> int:
    return max(bisect_left(times, start + 60.0) - i for i, start in enumerate(times))


def test_waits_are_spread_over_a_delay_that_doubles_to_the_cap() -> None:
    waits = [[], [], [], [], []]
    for seed in range(400):
        one = policy(seed=seed)
        for found in waits:
            found.append(one.wait(0.0))
    for found, longest in zip(waits, (1.0, 2.0, 4.0, 8.0, 8.0), strict=True):
        assert max(found) <= longest
        assert min(found) < 0.05 * longest < 0.95 * longest < max(found)  # full jitter


def test_only_data_start_the_delay_over() -> None:
    def longest_wait_after(heard: Heard | None) -> float:
        waits = []
        for seed in range(200):
            one = policy(seed=seed)
            for _ in range(5):
                one.wait(0.0)
            one.opened(0.0)
            if heard is not None:
                one.heard(heard, 0.1)
            waits.append(one.wait(0.2))
        return max(waits)

    assert longest_wait_after(Heard.DATA) <= 1.0
    for nothing in (None, Heard.OTHER, Heard.PONG):
        assert longest_wait_after(nothing) > 4.0


@pytest.mark.parametrize("delivers", [True, False])
def test_an_hour_of_lost_connections_stays_within_the_limit(delivers: bool) -> None:
    one, now, attempts = policy(ConnectionSettings()), 0.0, []
    while now < 3600:
        attempts.append(now)
        one.attempted(now)
        one.opened(now)
        if delivers:  # and breaks at once: the delay starts over each time
            one.heard(Heard.DATA, now)
        now += one.wait(now)
    assert most_in_a_minute(attempts) <= 15


def test_a_minute_sees_no_more_messages_than_the_venue_allows() -> None:
    one, sent, now = policy(), [], 0.0
    while now < 180:
        while one.may_send(now):
            sent.append(now)
        now += 0.05
    assert sent.count(0.0) == 900  # a hundred coins at once
    assert most_in_a_minute(sent) <= 1801
    assert one.wake_at(unsent=True) <= now + 0.1


def test_no_data_ends_a_connection_though_pings_are_answered() -> None:
    one = policy()
    one.opened(0.0)
    one.heard(Heard.DATA, 10.0)
    assert one.wake_at(unsent=False) == 1.0  # to look
    for now in range(11, 25):
        one.heard(Heard.PONG, now)
        one.heard(Heard.OTHER, now)
        assert one.fault(now) is None
    assert one.fault(25.0) == "no data for 15 s"


def test_an_unanswered_ping_ends_a_connection_that_sends_data() -> None:
    one = policy(replace(TIMES, ping_seconds=5.0, pong_seconds=2.0))
    one.opened(0.0)
    one.heard(Heard.DATA, 4.0)
    assert (one.ping_due(4.9), one.ping_due(5.0), one.ping_due(5.1)) == (False, True, False)
    one.heard(Heard.DATA, 6.0)
    assert one.fault(6.9) is None
    assert one.fault(7.0) == "no answer to a ping for 2 s"
    one.heard(Heard.PONG, 7.1)
    assert one.fault(7.2) is None


def test_backoff_lengthens_by_up_to_half_and_starts_over() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(3))
    for base in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert base <= backoff.next_delay() <= 1.5 * base
    backoff.reset()
    assert 1.0 <= backoff.next_delay() <= 1.5


@pytest.mark.parametrize(
    "field", ["first_delay_seconds", "silence_seconds", "pong_seconds", "connections_a_minute"]
)
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_times_are_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        replace(TIMES, **{field: value})


def test_pings_rarer_than_the_venue_allows_are_refused() -> None:
    with pytest.raises(InputError, match="ping_seconds"):
        replace(TIMES, ping_seconds=51.0)
