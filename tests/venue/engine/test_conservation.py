"""Under random actions everything balances: money, positions, sizes, prices, queue positions.

The other side of every trade is summed up from the published prints, with arithmetic independent
of the exchange, and compared with the exchange's accounts.
"""

from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal
from itertools import count, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advanced_mm.markets.synthetic import SyntheticMarket, SyntheticParameters
from advanced_mm.venue.engine.exchange import Exchange
from advanced_mm.venue.engine.orders import (
    Fill,
    FundingPayment,
    Liquidation,
    OrderEvent,
    OrderRequest,
    OrderStatus,
    TimeInForce,
    Trigger,
)
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.twap_orders import TwapEvent, TwapRequest

HOUR_MS = 3_600_000
START_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS - 4_000  # funding is soon due
ACCOUNTS = ["0x" + digit * 40 for digit in "abc"]
MARKETS = [
    SyntheticParameters(
        coin="MAJOR", size_decimals=3, start_price=100.0, tick=0.1, level_size=2.0, sigma=0.5
    ),
    SyntheticParameters(
        coin="MINOR", size_decimals=0, start_price=0.05, tick=0.0001, level_size=500.0, sigma=0.001,
        jump_minimum=None, kappa_plus=3000.0, kappa_minus=3000.0, max_leverage=3, block_ms=250,
    ),
    SyntheticParameters(
        coin="dex:OTHER", size_decimals=3, start_price=100.0, tick=0.1, level_size=2.0, sigma=0.5,
        margin_mode="strictIsolated",
    ),
]  # fmt: skip
COINS = [one.coin for one in MARKETS]
DECIMALS = {one.coin: (6 - one.size_decimals, one.size_decimals) for one in MARKETS}
TICK_UNITS = {"MAJOR": 100, "MINOR": 100, "dex:OTHER": 100}  # ticks in price units
FEES = {False: Decimal("0.00015"), True: Decimal("0.00045")}

who = st.integers(0, len(ACCOUNTS) - 1)
coin = st.sampled_from(COINS)
dex = st.sampled_from(["", "dex", "spot"])
order = st.tuples(
    coin,
    st.booleans(),
    st.integers(-6, 6),
    st.sampled_from([1, 3, 10, 40, 400]),
    st.sampled_from(list(TimeInForce)),
    st.integers(0, 3).map(lambda n: n == 0),
    st.sampled_from([None, None, None, (True, True), (True, False), (False, True), (False, False)]),
)
action = st.one_of(
    st.tuples(st.just("place"), who, order),
    st.tuples(st.just("place"), who, order),
    st.tuples(st.just("place"), who, order),
    st.tuples(st.just("cancel"), who, st.integers(0, 9)),
    st.tuples(st.just("modify"), who, st.integers(0, 9), order),
    st.tuples(st.just("shrink"), who, st.integers(0, 9)),
    st.tuples(st.just("leverage"), who, coin, st.booleans(), st.sampled_from([1, 3, 25])),
    st.tuples(st.just("margin"), who, coin, st.integers(-(10**8), 10**8)),
    st.tuples(st.just("transfer"), who, who, st.integers(0, 10**8)),
    st.tuples(st.just("send"), who, dex, who, dex, st.integers(0, 10**10)),
    st.tuples(st.just("abstraction"), who, st.booleans()),
    st.tuples(st.just("schedule"), who, st.sampled_from([None, 5_000, 5_555])),
    st.tuples(st.just("twap"), who, coin, st.booleans(), st.booleans(), st.integers(1, 20)),
    st.tuples(st.just("end_twap"), who),
    st.tuples(st.just("spot"), who, st.integers(0, 10**8), st.booleans()),
    st.tuples(st.just("withdraw"), who, st.integers(0, 10**8)),
    st.tuples(st.just("reserve"), who, st.integers(1, 10**5)),
    st.tuples(st.just("wait"), st.sampled_from([0, 40, 100, 600, 2_000, 7_000])),
    st.tuples(st.just("wait"), st.sampled_from([0, 40, 100, 600, 2_000, 31_000])),
)


class Tally:
    """An exchange under random actions, and independent books of everything it reports."""

    def __init__(self, rules: Rules, seed: int) -> None:
        sources = [SyntheticMarket(one, START_MS, seed) for one in MARKETS]
        self.exchange = Exchange(sources, rules)
        self.money = {
            address: self.exchange.accounts.open(address).usdc for address in [*ACCOUNTS, "nobody"]
        }
        self.start = sum(self.money[address] for address in ACCOUNTS)
        self.money["nobody"] = 0
        self.lots: dict[tuple[str, str], int] = defaultdict(int)
        self.limits: dict[int, OrderRequest] = {}
        self.filled: dict[int, int] = defaultdict(int)
        self.parts: dict[int, int] = defaultdict(int)
        self.arrivals = count()
        self.arrival: dict[int, int] = {}
        self.resting: dict[int, OrderEvent] = {}
        self.ended: set[int] = set()
        self.fees = self.funding = 0
        self.gone = 0
        """Return the money that left the perpetuals: to spot accounts, withdrawn, for requests."""
        self.last_tid: dict[str, int] = defaultdict(int)
        self.printed: dict[tuple[str, int, str], int] = defaultdict(int)
        self.told: dict[tuple[str, int, str], int] = defaultdict(int)
        self.liquidation: dict[str, int] = {}

    # Actions

    def act(self, name: str, *details: object) -> None:
        getattr(self, name)(*details)
        self.look()

    def request(self, wanted: tuple) -> OrderRequest:
        name, is_buy, offset, size, tif, reduce_only, trigger = wanted
        mark = self.exchange.books[name].mark
        tick = TICK_UNITS[name]
        price = max(tick, (mark // tick + offset) * tick)
        # `size` is roughly in multiples of the minimum value of ten dollars.
        lots = max(1, size * 11_000_000 // price)
        wake = Trigger(price, *trigger) if trigger else None
        return OrderRequest(name, is_buy, price, lots, reduce_only, tif, wake)

    def place(self, i: int, wanted: tuple) -> None:
        self.remember(self.exchange.place(ACCOUNTS[i], [self.request(wanted)])[0].order)

    def cancel(self, i: int, k: int) -> None:
        if (one := self.live(i, k)) is not None:
            assert self.exchange.cancel(ACCOUNTS[i], [(one.coin, one.oid)])[0].error is None
            assert self.exchange.cancel(ACCOUNTS[i], [(one.coin, one.oid)])[0].error is not None

    def modify(self, i: int, k: int, wanted: tuple) -> None:
        if (one := self.live(i, k)) is not None:
            outcome = self.exchange.modify(ACCOUNTS[i], [(one.oid, self.request(wanted))])[0]
            self.remember(outcome.order)

    def shrink(self, i: int, k: int) -> None:
        """Reduce an order's size, which keeps its queue position."""
        one = self.live(i, k)
        if one is None or not one.resting or one.remaining < 2:
            return
        was = one.request
        smaller = OrderRequest(
            was.coin, was.is_buy, was.price, one.remaining // 2, was.reduce_only, was.tif
        )
        outcome = self.exchange.modify(ACCOUNTS[i], [(one.oid, smaller)])[0]
        self.remember(outcome.order)
        if outcome.order is not None and outcome.order.resting and one.oid in self.arrival:
            self.arrival[outcome.order.oid] = self.arrival[one.oid]

    def leverage(self, i: int, name: str, is_cross: bool, value: int) -> None:
        self.exchange.update_leverage(ACCOUNTS[i], name, is_cross, value)

    def margin(self, i: int, name: str, micros: int) -> None:
        self.exchange.update_isolated_margin(ACCOUNTS[i], name, True, micros)

    def transfer(self, i: int, j: int, micros: int) -> None:
        if self.exchange.transfer(ACCOUNTS[i], ACCOUNTS[j], micros) is None:
            self.money[ACCOUNTS[i]] -= micros
            self.money[ACCOUNTS[j]] += micros

    def leave(self, i: int, micros: int, refusal: str | None) -> None:
        if refusal is None:
            self.money[ACCOUNTS[i]] -= micros
            self.gone += micros

    def spot(self, i: int, micros: int, to_perp: bool) -> None:
        refusal = self.exchange.change_class(ACCOUNTS[i], micros, to_perp)
        self.leave(i, -micros if to_perp else micros, refusal)

    def withdraw(self, i: int, micros: int) -> None:
        self.leave(i, micros, self.exchange.withdraw(ACCOUNTS[i], "0x" + "9" * 40, micros, 1))

    def reserve(self, i: int, requests: int) -> None:
        refusal = self.exchange.reserve_requests(ACCOUNTS[i], ACCOUNTS[i], requests)
        self.leave(i, 500 * requests, refusal)

    def twap(self, i: int, name: str, is_buy: bool, reduce_only: bool, size: int) -> None:
        lots = size * 100_000_000 // self.exchange.books[name].mark
        wanted = TwapRequest(name, is_buy, lots, 5, reduce_only, randomize=size % 2 == 0)
        self.exchange.place_twap(ACCOUNTS[i], wanted)

    def end_twap(self, i: int) -> None:
        for one in self.exchange.twaps.of(ACCOUNTS[i])[:1]:
            assert self.exchange.cancel_twap(ACCOUNTS[i], one.coin, one.twap_id) is None
            assert self.exchange.cancel_twap(ACCOUNTS[i], one.coin, one.twap_id) is not None

    def send(self, i: int, source: str, j: int, destination: str, micros: int) -> None:
        sent = (ACCOUNTS[i], source, ACCOUNTS[j], destination, micros)
        refusal = self.exchange.send_asset(*sent)
        if source != "spot":
            self.leave(i, micros, refusal)
        if destination != "spot":
            self.leave(j, -micros, refusal)

    def abstraction(self, i: int, enabled: bool) -> None:
        self.exchange.set_dex_abstraction(ACCOUNTS[i], enabled)

    def schedule(self, i: int, delay_ms: int | None) -> None:
        time_ms = None if delay_ms is None else self.exchange.now_ms + delay_ms
        self.exchange.schedule_cancel(ACCOUNTS[i], time_ms)

    def wait(self, ms: int) -> None:
        self.read(self.exchange.advance(self.exchange.now_ms + ms))

    def live(self, i: int, k: int):
        every = self.exchange.open_orders(ACCOUNTS[i])
        return every[k % len(every)] if every else None

    def remember(self, one) -> None:
        if one is not None:
            self.limits[one.oid] = one.request

    # Reports

    def look(self) -> None:
        self.read(self.exchange.advance(self.exchange.now_ms))
        for event in self.exchange.take_events():
            if isinstance(event, Fill):
                self.hear_fill(event)
            elif isinstance(event, OrderEvent):
                self.hear_order(event)
            elif isinstance(event, Liquidation):
                assert event.notional > 0
                self.liquidation[event.account] = event.lid
            elif isinstance(event, FundingPayment):
                self.hear_funding(event)
            elif isinstance(event, TwapEvent):
                executed = event.twap.executed_lots
                assert self.parts[event.twap.twap_id] == executed <= event.twap.request.lots
        self.compare()
        self.look_at_books()

    def read(self, updates: dict) -> None:
        """Book the published prints, the reference for who paid what to whom."""
        for name, blocks in updates.items():
            price_decimals, size_decimals = DECIMALS[name]
            assert all(a.time_ms <= b.time_ms for a, b in pairwise(blocks))
            for one in (one for block in blocks for one in block.prints):
                price = round(Decimal(repr(one.price)) * 10**price_decimals)
                lots = round(Decimal(repr(one.size)) * 10**size_decimals)
                assert lots > 0
                assert one.tid > self.last_tid[name]
                self.last_tid[name] = one.tid
                for address, sign in zip(one.users or ("", ""), (1, -1), strict=True):
                    owner = address if address in ACCOUNTS else "nobody"
                    self.money[owner] -= sign * price * lots
                    self.lots[owner, name] += sign * lots
                    if owner != "nobody":
                        self.printed[owner, one.tid, name] += sign * lots

    def hear_fill(self, fill: Fill) -> None:
        signed = fill.lots if fill.is_buy else -fill.lots
        self.told[fill.account, fill.tid, fill.coin] += signed
        exact = FEES[fill.crossed] * fill.price * fill.lots
        assert fill.fee == (exact + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        self.money[fill.account] -= fill.fee
        self.fees += fill.fee
        assert fill.oid not in self.ended
        if fill.twap_id is not None:
            self.parts[fill.twap_id] += fill.lots
            assert fill.hash == "0x" + "0" * 64
        self.filled[fill.oid] += fill.lots
        if fill.liquidation:  # it was told beforehand, with the number of the first order
            assert self.liquidation[fill.account] <= fill.oid
            return
        limit = self.limits.get(fill.oid)
        if limit is None:  # filled at once: its answer came with the events
            return
        assert fill.price <= limit.price if fill.is_buy else fill.price >= limit.price
        assert self.filled[fill.oid] <= limit.lots
        if limit.reduce_only:
            assert fill.start_lots * signed < 0
            assert abs(signed) <= abs(fill.start_lots)
        if not fill.crossed:
            self.check_priority(fill)

    def check_priority(self, fill: Fill) -> None:
        """Check that no order of ours with price-time priority was left unfilled."""
        for event in self.resting.values():
            other = event.order
            if (other.coin, other.request.is_buy) != (fill.coin, fill.is_buy):
                continue
            better = other.request.price - fill.price
            assert better <= 0 if fill.is_buy else better >= 0
            if better == 0:
                assert self.arrival[fill.oid] <= self.arrival[other.oid]

    def hear_order(self, event: OrderEvent) -> None:
        oid = event.order.oid
        self.limits.setdefault(oid, event.order.request)
        self.resting.pop(oid, None)
        if event.order.status.ended:
            self.ended.add(oid)
            full = event.order.status is OrderStatus.FILLED
            assert full == (event.order.remaining == 0)
        elif event.order.resting:
            self.resting[oid] = event
            self.arrival.setdefault(oid, next(self.arrivals))

    def hear_funding(self, payment: FundingPayment) -> None:
        assert payment.time_ms % HOUR_MS == 0
        assert payment.lots * payment.usdc <= 0
        self.money[payment.account] += payment.usdc
        self.funding += payment.usdc

    # Comparisons

    def compare(self) -> None:
        exchange = self.exchange
        assert self.printed == self.told
        owned = 0
        for address in ACCOUNTS:
            account = exchange.accounts.get(address)
            purses = account.usdc + sum(p.usdc for p in account.positions.values())
            purses += sum(account.dex_usdc.values())
            if account.dex_abstraction:
                assert not any(account.dex_usdc.values())
            assert all(p.isolated for p in account.positions.values() if ":" in p.coin)
            owned += purses
            if exchange.clearing.insurance == 0:
                assert purses == self.money[address]
            for name in COINS:
                held = account.positions.get(name)
                assert (held.lots if held else 0) == self.lots[address, name]
                assert held is None or held.lots != 0
            assert {one.oid for one in account.orders.values() if one.resting} == {
                oid for oid, event in self.resting.items() if event.order.account == address
            }
        assert exchange.clearing.fees == self.fees
        total = owned + self.money["nobody"] + self.fees - self.funding + self.gone
        assert total + exchange.clearing.insurance == self.start
        for name in COINS:
            assert sum(self.lots[owner, name] for owner in [*ACCOUNTS, "nobody"]) == 0

    def look_at_books(self) -> None:
        for name, market in self.exchange.venue.markets.items():
            price_decimals, size_decimals = DECIMALS[name]
            book = market.book(20)
            assert book.bids[0].price < book.asks[0].price
            touch = market.touch
            assert (touch.bid, touch.bid_size) == (book.bids[0].price, book.bids[0].size)
            assert (touch.ask, touch.ask_size) == (book.asks[0].price, book.asks[0].size)
            for side, is_buy in ((book.bids, True), (book.asks, False)):
                sign = 1 if is_buy else -1
                assert all(sign * a.price > sign * b.price for a, b in pairwise(side))
                ours: dict[int, int] = defaultdict(int)
                for event in self.resting.values():
                    one = event.order
                    if (one.coin, one.request.is_buy) == (name, is_buy):
                        ours[one.request.price] += one.remaining
                shown = {
                    round(one.price * 10**price_decimals): round(one.size * 10**size_decimals)
                    for one in side
                }
                last = min(shown) if is_buy else max(shown)
                for price, lots in ours.items():
                    if sign * price >= sign * last:
                        assert shown[price] >= lots


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    actions=st.lists(action, min_size=5, max_size=60),
    seed=st.integers(0, 50),
    position=st.sampled_from([0.0, 0.5, 1.0]),
    money=st.sampled_from([100, 10_000]),
)
def test_everything_balances_whatever_is_done(actions, seed, position, money):
    tally = Tally(
        Rules(queue_position=position, play_money=Decimal(money), print_run_overs=True), seed
    )
    for one in actions:
        tally.act(*one)
    tally.act("wait", 9_000)


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(action, max_size=40), seed=st.integers(0, 50), step=st.integers(17, 450))
def test_the_same_actions_at_the_same_times_give_the_same_fills(actions, seed, step):
    def fills(step_ms: int) -> list:
        tally = Tally(Rules(print_run_overs=True), seed)
        for one in actions:
            if one[0] == "wait":
                end_ms = tally.exchange.now_ms + one[1]
                while tally.exchange.now_ms < end_ms:
                    tally.exchange.advance(min(end_ms, tally.exchange.now_ms + step_ms))
            else:
                getattr(tally, one[0])(*one[1:])
        return [one for address in ACCOUNTS for one in tally.exchange.fills(address)]

    assert fills(10_000) == fills(step)
