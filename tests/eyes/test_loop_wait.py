"""When the next loop begins."""

import pytest
from freqtrade.worker import Worker

from advanced_mm.eyes import LoopWait, takes_over_pacing
from advanced_mm.eyes.loop_wait import STOPPED_PAUSE_SECONDS


class Sight:
    """Eyes whose waits pass at once; ``events`` happen at their times."""

    def __init__(self, events=()):
        self.now = 0.0
        self.healthy, self.changes, self.own_changes = True, 0, 0
        self.events = sorted(events, key=lambda one: one[0])

    def wait(self, changes, seconds):
        assert seconds >= 0
        until = self.now + seconds
        if self.changes == changes and self.events and self.events[0][0] <= until:
            at, event = self.events.pop(0)
            self.now = max(at, self.now)
            event(self)
            self.changes += 1
        else:
            self.now = until


def never():
    return frozenset()


def calling_if(condition):
    """Something that calls while a condition holds."""
    return lambda: frozenset({"quote 1"} if condition() else ())


@pytest.fixture
def begun():
    """A wait whose first loop began at time 0."""

    def build(*events):
        sight = Sight(events)
        wait = LoopWait(sight, lambda: sight.now)
        wait.until(never)
        assert sight.now == 0.0  # the first loop begins at once
        return sight, wait

    return build


def test_a_second_passes_if_nothing_happens(begun):
    sight, wait = begun()
    for second in (1, 2, 3):
        wait.until(never)
        assert sight.now == pytest.approx(second)


def test_the_second_counts_from_the_beginning_of_the_last_loop(begun):
    sight, wait = begun()
    sight.now += 0.7  # the loop itself
    wait.until(never)
    assert sight.now == pytest.approx(1.0)


def test_a_touch_that_calls_for_a_quote_ends_the_wait_at_once(begun):
    sight, wait = begun((0.33, lambda sight: setattr(sight, "touch", 1)))
    wait.until(calling_if(lambda: hasattr(sight, "touch")))
    assert sight.now == 0.33


def test_time_alone_may_call(begun):
    """New parameters are published: no message tells of it."""
    sight, wait = begun()
    wait.until(calling_if(lambda: sight.now >= 0.42))
    assert 0.42 <= sight.now <= 0.53


def test_a_quote_is_looked_at_just_when_it_reaches_its_least_age(begun):
    sight, wait = begun()

    def calls():
        for least_age in (0.437, 0.8):
            wait.look_after(least_age - sight.now)
        return frozenset({"quote 1"} if sight.now >= 0.437 else ())

    wait.until(calls)
    assert sight.now == pytest.approx(0.437)


@pytest.mark.parametrize(
    ("internals", "paced", "throttle"),
    [
        ({"process_throttle_secs": 0}, True, STOPPED_PAUSE_SECONDS),
        ({"process_throttle_secs": 1}, False, 1),
        ({}, False, 5),
    ],
)
def test_freqtrade_is_left_a_pause_that_its_worker_reads(monkeypatch, internals, paced, throttle):
    """Freqtrade makes the bot, which starts the strategy, before it reads how long to wait."""
    taken = []
    monkeypatch.setattr(
        "freqtrade.worker.FreqtradeBot", lambda config: taken.append(takes_over_pacing(config))
    )
    worker = Worker({}, {"internals": internals})
    assert taken == [paced]
    assert worker._throttle_secs == throttle


def test_a_fill_ends_the_wait_once(begun):
    sight, wait = begun((0.25, lambda sight: setattr(sight, "own_changes", 2)))
    wait.until(never)
    assert sight.now == 0.25
    wait.until(never)
    assert sight.now == pytest.approx(1.25)


def test_a_failing_websocket_ends_the_wait_and_then_only_time_counts(begun):
    """The venue is asked at once, then every second; nothing is decided on what is seen."""
    sight, wait = begun((0.4, lambda sight: setattr(sight, "healthy", False)))
    wait.until(never)
    assert sight.now == 0.4
    for second in (1.4, 2.4):
        wait.until(lambda: pytest.fail("decided on a book that is not believed"))
        assert sight.now == pytest.approx(second)


def test_a_call_that_a_loop_cannot_satisfy_does_not_spin(begun):
    sight, wait = begun()
    began = []
    while sight.now < 20:
        wait.until(lambda: {"an entry that the venue refuses"})
        began.append(sight.now)
    assert len(began) < 30
    assert began[:2] == [0.0, pytest.approx(0.05)]
    at = sight.now
    wait.until(lambda: {"another"})  # is answered at once
    assert sight.now == at


def test_a_call_that_a_loop_cannot_satisfy_hides_no_other(begun):
    """A pair of which no entry is made, such as a locked one, and another whose quote drifts."""
    sight, wait = begun()
    locked = "an entry that is never made"
    for _ in range(8):
        wait.until(lambda: {locked})
    assert wait._pause == 1.0
    for number in range(3):
        at = sight.now = sight.now + 0.02
        wait.until(lambda number=number: {locked, number})
        assert sight.now == at
        wait.until(lambda: {locked})  # the other was satisfied
        assert sight.now > at + 0.9


def test_calls_that_loops_satisfy_are_answered_at_once_however_often(begun):
    """Each loop replaces the quote, and the touch has moved on meanwhile."""
    sight, wait = begun()
    for number in range(10):
        wait.until(lambda number=number: {number})
        assert sight.now == pytest.approx(0.1 * number)
        sight.now += 0.1


def test_without_a_websocket_only_time_counts():
    now = [5.0]
    wait = LoopWait(None, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    wait.until(never)
    assert now[0] == 5.0
    now[0] += 0.4
    wait.until(never)
    assert now[0] == 6.0
