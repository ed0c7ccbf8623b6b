"""What always holds, whatever the exchange does: random fills, refusals, lost replies, repeats.

Never two orders for one purpose, never more hedge than wanted, every fill counted once; and when
nothing happens any more, the hedge is where it should be.
"""

import random
from collections import Counter
from decimal import Decimal as D

from hypothesis import HealthCheck
from hypothesis import settings as options
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from advanced_mm.hedging import HedgeSettings, new_state, restore_state, save_state, step
from tests.hedging.pretend import MARKET, Venue, seen

WHERE = {"exchange": "x", "symbol": "E", "init_iqv_ratio": 0.5}
PASSIVE = {
    "passive_hedge_ratio": 0.03,
    "passive_hedge_sp_ratio": 0.02,
    "passive_hedge_proportion": 0.5,
    "passive_hedge_refresh_iqv_ratio": 0.3,
    "passive_hedge_refresh_interval": 10,
    "dual_sided_hedge": True,
}
QUIET_ROUNDS = 60
FEW = options(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class Hedging(RuleBasedStateMachine):
    """One hedge at one venue; rules are what may happen."""

    chosen: HedgeSettings

    def __init__(self):
        super().__init__()
        self.venue = Venue(least_share=D("0.2"), shuffled=True)
        self.inventory = D(10)
        self.state = new_state("0x" + "1" * 24)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed):
        self.venue.rng = random.Random(seed)

    def take(self, news):
        self.state, wishes = step(self.chosen, MARKET, self.state, news)
        self.venue.carry_out(wishes)

    def look(self):
        self.take(seen(self.venue.now, self.venue.mid, self.inventory, D(1000)))

    def hear(self):
        for news in self.venue.told():
            self.take(news)

    @rule(ms=st.integers(100, 8000))
    def time_passes(self, ms):
        self.venue.now += ms
        self.look()

    @rule()
    def news_arrives(self):
        self.hear()

    @rule(outcome=st.sampled_from(["done", "refused", "lost", "unheard"]))
    def the_exchange_is(self, outcome):
        self.venue.outcome = outcome

    @rule(mid=st.integers(90, 110))
    def the_price_moves(self, mid):
        self.venue.move(mid)

    @rule(share=st.sampled_from([D("0.3"), D(1)]))
    def somebody_trades(self, share):
        self.venue.trade_with(share)

    @rule(inventory=st.integers(4, 20))
    def inventory_moves(self, inventory):
        self.inventory = D(inventory)

    @rule()
    def the_program_starts_again(self):
        self.venue.news.clear()  # nobody heard it
        self.state = restore_state(save_state(self.state), "state")
        self.take(self.venue.reconnected())

    @invariant()
    def every_fill_is_counted_at_most_once(self):
        counted = self.state.targeted.ledger.counted + self.state.passive.ledger.counted
        assert len(set(counted)) == len(counted)

    def calm(self):
        """Faults end, time passes, news arrives."""
        self.venue.outcome = "done"
        self.venue.least_share = D(1)
        self.take(self.venue.reconnected())
        for _ in range(QUIET_ROUNDS):
            self.hear()
            self.venue.now += 1000
            self.look()
        self.hear()

    def teardown(self):
        self.calm()
        assert self.state.position == self.venue.position
        self.check_rest()

    def check_rest(self):
        raise NotImplementedError


class Delta(Hedging):
    chosen = HedgeSettings.read({**WHERE, "delta": {"delta_band": 0.5}})

    def __init__(self):
        super().__init__()
        self.targets = {D(0), -self.inventory}

    def inventory_moves(self, inventory):
        super().inventory_moves(inventory)
        self.targets.add(-self.inventory)

    inventory_moves = rule(inventory=st.integers(4, 20))(inventory_moves)

    @invariant()
    def one_order_at_most_is_alive(self):
        assert len(self.venue.live()) <= 1

    @invariant()
    def no_more_is_held_than_was_ever_wanted(self):
        assert min(self.targets) <= self.venue.position <= max(self.targets)

    def check_rest(self):
        assert self.venue.live() == []
        assert abs(self.venue.position + self.inventory) <= D("0.5")


class Passive(Hedging):
    chosen = HedgeSettings.read({**WHERE, "passive": PASSIVE})

    def __init__(self):
        super().__init__()
        self.most = self.inventory / 2

    def inventory_moves(self, inventory):
        super().inventory_moves(inventory)
        self.most = max(self.most, self.inventory / 2)

    inventory_moves = rule(inventory=st.integers(4, 20))(inventory_moves)

    @invariant()
    def no_purpose_has_two_orders_alive(self):
        # The stop has the other side of its hedge; a trigger withdrawn late may share its side.
        sides = Counter(one.side for one in self.venue.live())
        assert all(count <= 2 for count in sides.values())
        opening = [p for p in self.venue.placed if not getattr(p, "closing", False)]
        alive = {one.client_id for one in self.venue.live()}
        assert (
            max(Counter(p.side for p in opening if p.client_id in alive).values(), default=0) <= 1
        )

    @invariant()
    def no_more_is_held_than_was_ever_wanted(self):
        assert abs(self.venue.position) <= self.most

    def check_rest(self):
        held = self.venue.position
        alive = self.venue.live()
        if MARKET.tradeable(held, self.venue.mid):
            (stop,) = alive
            assert stop.size == abs(held)
            assert stop.side == ("buy" if held < 0 else "sell")
        else:
            assert sorted(one.side for one in alive) == ["buy", "sell"]
            assert all(one.size <= self.inventory for one in alive)


class Active(Hedging):
    chosen = HedgeSettings.read(
        {**WHERE, "active": {"active_hedge_iqv_ratio": 0.1, "dual_sided_hedge": True}}
    )

    @invariant()
    def one_order_at_most_is_alive(self):
        assert len(self.venue.live()) <= 1

    def check_rest(self):
        assert self.venue.live() == []
        value = self.inventory * self.venue.mid + D(1000)
        share = (self.inventory + self.venue.position) * self.venue.mid / value
        slack = MARKET.min_value / value
        assert D("0.45") - slack <= share <= D("0.55") + slack


TestDelta = Delta.TestCase
TestPassive = Passive.TestCase
TestActive = Active.TestCase
TestDelta.settings = TestPassive.settings = TestActive.settings = FEW
