"""The budget of actions: counted, spread over a day, kept for closing, and enough for one."""

import ccxt
import pytest

from advanced_mm.quoting.exchange.request_budget import RESERVED_REQUESTS, RequestBudget
from benchmarks.requotes import DAY_S, FRESH, Market, Rules, simulate

ETH_LIKE = Market(volatility=0.8, tick=0.2, rate=0.05)


class Client:
    """An address whose actions are counted."""

    def __init__(self):
        self.now, self.used, self.cap, self.asked = 0.0, 100, 10_000, 0
        self.reply = None
        self.sent = []

    def privatePostExchange(self, request):
        self.sent.append(request)
        return "done"

    def handle_public_address(self, name, params):
        return "0x1", params

    def publicPostInfo(self, request):
        assert request == {"type": "userRateLimit", "user": "0x1"}
        self.asked += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply or {"nRequestsUsed": self.used, "nRequestsCap": self.cap}


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def budget(client):
    one = RequestBudget(client, lambda: client.now)
    one.install()
    return one


def wait(budget, client, seconds):
    client.now += seconds
    budget.look()


def test_it_is_asked_seldom_and_counted_between(budget, client):
    budget.look()
    assert (client.asked, budget.left) == (0, None)
    wait(budget, client, 61)
    assert (client.asked, budget.left) == (1, 9_900)
    orders = {"action": {"type": "order", "orders": [{}, {}]}}
    assert client.privatePostExchange(orders) == "done"
    client.privatePostExchange({"action": {"type": "batchModify", "modifies": [{}]}})
    client.privatePostExchange({"action": {"type": "noop"}})
    assert len(client.sent) == 3
    assert budget.left == 9_896
    asked = []
    for second in range(62, 3662):
        wait(budget, client, 1)
        if client.asked > len(asked) + 1:
            asked.append(second)
    assert asked[:5] == pytest.approx([122, 244, 488, 976, 1576], abs=8)
    assert len(asked) == 8


def test_what_trading_earns_is_spent_from_the_second_answer_on(budget, client):
    """Two trades of 5000 USDC a minute earn far more than two actions a second."""
    for second in range(1, 600):
        budget.count(2)
        client.used += 2
        client.cap += 10_000 // 60
        wait(budget, client, 1)
        if second == 20:
            assert budget.tolerance_percent(5.0) > 20  # all that is known is what is left
    assert budget.tolerance_percent(5.0) == 5.0


def test_the_last_requests_are_kept_for_closing(budget, client):
    client.used = 9_800
    wait(budget, client, 61)
    assert budget.refusal().startswith("requests spent: this address has 200 left")
    client.cap = 12_000
    wait(budget, client, 601)
    assert budget.refusal() is None


@pytest.mark.parametrize("fault", [ccxt.NetworkError("down"), {"nRequestsUsed": "?"}])
def test_a_venue_that_does_not_answer_stops_nothing(budget, client, fault):
    client.reply = fault
    wait(budget, client, 61)
    assert (budget.left, budget.refusal(), budget.tolerance_percent(5.0)) == (None, None, 5.0)
    client.reply = None
    wait(budget, client, 601)
    assert budget.left == 9_900


def trade(budget, client, actions, earned=0.0, seconds=3 * 3600):
    """Actions a second at a tolerance of 5%; twice the tolerance, half the actions."""
    due = 0.0
    for _ in range(seconds):
        due += actions * 5.0 / budget.tolerance_percent(5.0)
        if due >= 1:
            budget.count(int(due))
            client.used += int(due)
            due %= 1
        client.cap += earned
        wait(budget, client, 1)


def test_a_pace_that_lasts_a_day_widens_nothing(budget, client):
    client.cap = 500_000
    trade(budget, client, 1)
    assert budget.tolerance_percent(5.0) == 5.0


def test_the_tolerance_widens_by_as_much_as_the_pace_is_too_fast(budget, client):
    trade(budget, client, 0.5)
    spread = (budget.left - RESERVED_REQUESTS) / DAY_S
    assert budget.tolerance_percent(5.0) == pytest.approx(5.0 * 0.5 / spread, rel=0.15)
    assert budget.tolerance_percent(70.0) == 70.0  # never narrower than configured
    wait(budget, client, 3600)
    assert budget.tolerance_percent(5.0) == 5.0


def test_what_trading_earns_is_spent(budget, client):
    trade(budget, client, 2.0, earned=1)
    spread = (budget.left - RESERVED_REQUESTS) / DAY_S
    assert budget.tolerance_percent(5.0) == pytest.approx(5.0 * 2.0 / (spread + 1), rel=0.15)


def test_a_day_stays_inside_a_fresh_address_s_budget_at_nine_tenths_of_the_value():
    """24 hours of an ETH-like market with orders of 20 USDC, which earn less than a fifth of what
    the configured tolerance alone would spend.
    """
    rules = Rules(look_s=0.1, way_s=0.1)
    free = simulate(ETH_LIKE, rules, 3600, seed=1)
    day = simulate(ETH_LIKE, rules, DAY_S, seed=1, stake=20.0)
    earned = 20.0 * day.fills
    assert free.actions > 2 * (FRESH + earned)
    assert day.left > RESERVED_REQUESTS
    assert day.actions < FRESH + earned
    assert day.kept > 0.9


def test_a_budget_that_trading_does_not_earn_ends_above_its_reserve():
    """Hardly a fill, and a fair price that moves fast: quoting stops, closing does not."""
    day = simulate(Market(2.0, 0.2, 0.0005), Rules(look_s=0.5, way_s=0.5), DAY_S, 1, stake=11.0)
    assert day.left > RESERVED_REQUESTS - 50
