"""The dead man's switch: set anew while the bot is well, lifted when it ends."""

import ccxt
import pytest

from advanced_mm.quoting.exchange.dead_mans_switch import DeadMansSwitch


class Venue:
    """A ccxt client that notes what it is asked, and refuses what it is told to."""

    def __init__(self):
        self.asked, self.error, self.now = [], None, 0.0

    def cancel_all_orders_after(self, milliseconds):
        self.asked.append((self.now, milliseconds))
        if self.error is not None:
            raise self.error

    def incrementing_nonce(self):
        return 7

    def handle_option_string_and_params_2(self, params, method, one, other):
        return None, params

    def format_vault_address(self, address):
        return address

    def sign_l1_action(self, action, nonce, vault):
        return ("signed", action, nonce)

    def privatePostExchange(self, request):
        self.asked.append((self.now, request["action"]))
        if self.error is not None:
            raise self.error


@pytest.fixture
def venue():
    return Venue()


def run(venue, switch, seconds, *, healthy=True):
    for _ in range(seconds):
        switch.refresh(healthy=healthy)
        venue.now += 1


def test_it_is_set_anew_at_half_of_its_time(venue):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    run(venue, switch, 100)
    assert venue.asked == [(0, 60_000), (30, 60_000), (60, 60_000), (90, 60_000)]


def test_an_unhealthy_bot_lets_it_run_down(venue):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    run(venue, switch, 1)
    run(venue, switch, 100, healthy=False)
    assert len(venue.asked) == 1
    run(venue, switch, 1)
    assert len(venue.asked) == 2


def test_an_account_that_may_not_use_it_asks_again_after_hours(venue, caplog):
    caplog.set_level("INFO")
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    venue.error = ccxt.ExchangeError(
        'hyperliquid {"status":"err","response":"Cannot set scheduled cancel time until enough '
        'volume traded. Required: $1000000. Traded: $373.47205."}'
    )
    run(venue, switch, 6 * 3600)
    assert len(venue.asked) == 1
    assert "until enough volume traded" in caplog.text
    switch.lift()
    assert len(venue.asked) == 1  # it was never set
    run(venue, switch, 1)
    assert len(venue.asked) == 2


def test_a_venue_that_does_not_answer_is_asked_again_soon(venue):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    venue.error = ccxt.RequestTimeout("hyperliquid POST")
    run(venue, switch, 11)
    assert [at for at, _ in venue.asked] == [0, 5, 10]


def test_it_is_lifted_once_and_not_used_without_a_time(venue, caplog):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    run(venue, switch, 1)
    switch.lift()
    switch.lift()
    assert venue.asked[1:] == [(1, {"type": "scheduleCancel"})]
    run(venue, switch, 40)
    venue.error = ccxt.NetworkError("gone")
    switch.lift()
    assert "it will strike" in caplog.text
    never = DeadMansSwitch(venue, None, lambda: venue.now)
    asked = len(venue.asked)
    run(venue, never, 100)
    assert len(venue.asked) == asked


def test_a_lifted_switch_is_set_at_once_when_the_bot_goes_on(venue):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    run(venue, switch, 1)
    switch.lift()
    assert not switch.is_set
    run(venue, switch, 1)
    assert venue.asked == [(0, 60_000), (1, {"type": "scheduleCancel"}), (1, 60_000)]


def test_a_switch_is_lifted_again_where_the_venue_did_not_answer(venue, caplog):
    switch = DeadMansSwitch(venue, 60.0, lambda: venue.now)
    venue.error = ccxt.RequestTimeout("hyperliquid POST")
    run(venue, switch, 1)
    assert switch.is_set  # it may be: only the answer did not come
    switch.lift()
    assert switch.is_set
    venue.error = None
    switch.lift()
    assert not switch.is_set
    assert [what for _, what in venue.asked] == [60_000, *[{"type": "scheduleCancel"}] * 2]
    caplog.set_level("INFO")
    run(venue, switch, 40)
    assert caplog.text.count("the venue cancels all orders of the account") == 1
