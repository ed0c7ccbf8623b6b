"""The maker of a ladder: at each look it asks the policy and changes what rests.

A look first withdraws what is no longer wanted and awaits the replies, then sends what is missing,
for the market and the account as they are by then, and awaits the replies. What rests at the right
price stays. Orders, queues and time are hftbacktest's, which is driven from Python here: a policy
is a Python object, and a look has a few dozen calls.
"""

from ctypes import Structure, c_bool, c_double, c_int8, c_int64, c_uint8, c_uint64
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hftbacktest import binding as hft
from numpy.typing import NDArray

from advanced_mm.policies import EMPTY, Ladder, MarketState, Policy
from advanced_mm.replay.binding import ENDED, FEED, FILLED, LIMIT, POST_ONLY, RESPONSE
from advanced_mm.replay.conversion import NS_PER_MS, SIZE_UNITS
from advanced_mm.replay.ladders.orders import (
    Grid,
    Resting,
    Tolerances,
    budget,
    matched,
    wanted_orders,
)
from advanced_mm.replay.ladders.sight import MarketSight
from advanced_mm.replay.layout import FILL, LOOK, QUOTE, REFUSAL, Ended

__all__ = ["LESS", "LadderMaker", "Rules", "Told"]

LESS: Final = 0.25
"""As in `replay.maker`: orders are this much smaller than a whole number of units."""

_MINUTE: Final = 60_000 * NS_PER_MS
_LONGEST_REPLY: Final = 60_000 * NS_PER_MS
_FIELDS: Final = {"sent_ns": 0, "ended_ns": 1, "filled": 7, "refusal": 13, "ended": 16}


Sides = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class _Order(Structure):
    """hftbacktest's ``order_dtype``."""

    _fields_ = (
        *((name, c_double) for name in ("qty", "leaves_qty", "exec_qty")),
        *((name, c_int64) for name in ("exec_price_tick", "price_tick")),
        ("tick_size", c_double),
        *((name, c_int64) for name in ("exch_timestamp", "local_timestamp")),
        *((name, c_uint64) for name in ("order_id", "_q1", "_q2")),
        ("maker", c_bool),
        *((name, c_uint8) for name in ("order_type", "req", "status")),
        ("side", c_int8),
        ("time_in_force", c_uint8),
    )


@dataclass(frozen=True)
class Rules:
    """How the maker trades; times in ns, sizes in units, money in the quote currency.

    ``largest_value`` bounds a perpetual's position with all orders of a side; None: a spot account.
    """

    start: int
    end: int
    look: int
    grid: Grid
    tolerances: Tolerances
    fee_rate: float
    inventory: float
    cash: float
    largest_value: float | None


@dataclass(frozen=True)
class Told:
    """What happened: rows as in `layout`, and the policy's reasons by code, the first empty."""

    quotes: NDArray[Any]
    fills: NDArray[Any]
    looks: NDArray[Any]
    refusals: NDArray[Any]
    reasons: tuple[str, ...]
    ended: int


class LadderMaker:
    """Trades a policy's ladder on hftbacktest's venue.

    Parameters
    ----------
    backtest
        Address of hftbacktest's backtest, which the caller closes.
    sight
        What is seen when.
    policy
        What is wanted.
    rules
        How it is traded.
    """

    def __init__(self, backtest: int, sight: MarketSight, policy: Policy, rules: Rules) -> None:
        self._backtest, self._sight, self._policy, self._rules = backtest, sight, policy, rules
        self._resting: dict[int, Resting] = {}
        self._position, self._cash = rules.inventory, rules.cash
        self._quotes: list[list[Any]] = []
        self._fills: list[tuple[Any, ...]] = []
        self._looks: list[tuple[Any, ...]] = []
        self._changes: list[tuple[int, int]] = []
        self._codes: dict[str, int] = {"": 0}
        self._refusal = self._ended = 0
        self._next_minute = rules.start

    def run(self) -> Told:
        """Trade from the start to the end."""
        rules = self._rules
        hft.hashmapbt_wait_next_feed(self._backtest, True, 1)  # to the first event
        self._pass_time(rules.start)
        while not self._ended and self._now() < rules.end:
            looked = self._now()
            self._look()
            self._note(looked)
            self._pass_time(self._next_look(looked))
        for order in self._resting.values():
            order.why = Ended.REPLAY_ENDED
            hft.hashmapbt_cancel(self._backtest, 0, order.number, False)
        self._await_replies()
        for order in self._resting.values():  # the data ended before its reply
            self._close(order, max(self._now(), order.sent), Ended.REPLAY_ENDED)
        return Told(
            np.array([tuple(quote) for quote in self._quotes], QUOTE),
            np.array(self._fills, FILL),
            np.array(self._looks, LOOK),
            np.array(self._changes, REFUSAL),
            tuple(self._codes),
            self._ended,
        )

    # ---- a look

    def _look(self) -> None:
        now = self._now()
        state, ladder, refusal = self._wanted(now)
        if self._withdraw(now, state, ladder, refusal):
            self._await_replies()
            now = self._now()
            state, ladder, refusal = self._wanted(now)
        if state is not None and self._place(now, state, ladder):
            self._await_replies()
        quoted = bool(self._resting)
        if not quoted and not refusal:
            refusal = self._code(ladder.reason or "no order of the ladder is covered")
        self._changed(now, 0 if quoted else refusal)

    def _wanted(self, now: int) -> tuple[MarketState | None, Ladder, int]:
        """Return the state, the ladder and why there is none (a code), at a moment."""
        refusal = self._sight.refusal(now)
        if refusal:
            return None, EMPTY, refusal
        state = self._sight.state(now, self._position / SIZE_UNITS, self._cash)
        ladder = self._policy.ladder(state)
        empty = not ladder.bids and not ladder.asks
        return state, ladder, self._code(ladder.reason or "an empty ladder") if empty else 0

    def _orders(self, state: MarketState, ladder: Ladder) -> Sides:
        """Return the ladder on the grid, as far as the account covers it (bids, asks)."""
        grid = self._rules.grid
        wanted = wanted_orders(ladder, *self._touch(state), grid)
        bids, asks = (
            budget(wanted[side], self._funds(side, state.mid), grid, self._per_unit(side))
            for side in range(2)
        )
        return bids, asks

    def _touch(self, state: MarketState) -> tuple[int, int]:
        tick = self._rules.grid.tick
        return round(state.bid / tick), round(state.ask / tick)

    def _per_unit(self, side: int) -> bool:
        """Whether a side is covered by a size: asks, and all of a perpetual account."""
        return side == 1 or self._rules.largest_value is not None

    def _funds(self, side: int, mid: float) -> float:
        """Return what covers a side's orders, with those at rest: units, or quote currency."""
        rules = self._rules
        if rules.largest_value is not None:
            most = rules.largest_value / mid * SIZE_UNITS
            return most - (self._position if side == 0 else -self._position)
        return self._position if side == 1 else self._cash / (1 + max(rules.fee_rate, 0.0))

    def _withdraw(self, now: int, state: MarketState | None, ladder: Ladder, refusal: int) -> bool:
        """Cancel what is no longer wanted; return whether anything was."""
        if not self._resting:
            return False
        gone: list[tuple[Resting, Ended]] = []
        if state is None or refusal:
            gone = [(order, Ended.REFUSED) for order in self._resting.values()]
        else:
            wanted = self._orders(state, ladder)
            for side in range(2):
                gone += self._match(side, wanted[side], now)[1]
        for order, why in gone:
            if hft.hashmapbt_cancel(self._backtest, 0, order.number, False) == 0:
                order.why, order.refusal = why, refusal
        return bool(gone)

    def _match(
        self, side: int, wanted: list[tuple[int, int]], now: int
    ) -> tuple[list[tuple[int, int]], list[tuple[Resting, Ended]]]:
        mine = [order for order in self._resting.values() if order.side == side]
        rules = self._rules
        return matched(mine, wanted, now, rules.tolerances, rules.grid)

    def _place(self, now: int, state: MarketState, ladder: Ladder) -> bool:
        """Send what is wanted and neither rests nor lacks cover; return whether anything was."""
        wanted, touch, grid = self._orders(state, ladder), self._touch(state), self._rules.grid
        sent = False
        for side in range(2):
            missing, _ = self._match(side, wanted[side], now)
            mine = [order for order in self._resting.values() if order.side == side]
            per_unit = self._per_unit(side)
            price_of_one = grid.tick / SIZE_UNITS
            bound = sum(o.left * (1.0 if per_unit else o.price * price_of_one) for o in mine)
            free = self._funds(side, state.mid) - bound  # what is kept may be larger than wanted
            for price, size in budget(missing, free, grid, per_unit):
                sent = self._send(side, price, size, now, state, touch) or sent
        return sent

    def _send(
        self, side: int, price: int, size: int, now: int, state: MarketState, touch: tuple[int, int]
    ) -> bool:
        rules, number = self._rules, len(self._quotes) + 1
        submit = hft.hashmapbt_submit_sell_order if side else hft.hashmapbt_submit_buy_order
        money = price * rules.grid.tick
        if submit(self._backtest, 0, number, money, size - LESS, POST_ONLY, LIMIT, False) != 0:
            return False
        self._resting[number] = Resting(number, number - 1, side, price, float(size), now)
        depth = state.anchor - money if side == 0 else money - state.anchor
        step = rules.grid.step(0.5 * (touch[0] + touch[1]))
        self._quotes.append(
            [
                *(now, 0, price, step, *touch, float(size), 0.0, depth, state.anchor),
                *(self._position, 0, 0, 0, side, 0, int(Ended.RESTING)),
            ]
        )
        return True

    # ---- time and replies

    def _now(self) -> int:
        return int(hft.hashmapbt_current_timestamp(self._backtest))

    def _pass_time(self, until: int) -> None:
        while not self._ended and self._now() < until:
            if self._hear(until - self._now()) == 0:
                return

    def _await_replies(self) -> None:
        """Let time pass until no order or cancel of ours is on its way."""
        until = self._now() + _LONGEST_REPLY
        while not self._ended and self._now() < until:
            known = (self._known(number) for number in self._resting)
            if not any(order is not None and order.req for order in known):
                return
            if self._hear(until - self._now()) == 0:
                return

    def _hear(self, at_most: int) -> int:
        heard = int(hft.hashmapbt_wait_next_feed(self._backtest, True, at_most))
        if heard not in (0, FEED, RESPONSE):
            self._ended = heard
        self._collect()
        return heard

    def _known(self, number: int) -> _Order | None:
        """Return an order as we know it."""
        address = hft.orders_get(hft.hashmapbt_orders(self._backtest, 0), number)
        return _Order.from_address(address) if address else None

    def _collect(self) -> None:
        """Take in what the venue has answered: fills and ends of our orders."""
        ended = []
        for order in self._resting.values():
            known = self._known(order.number)
            if known is None:
                continue
            left = round(known.leaves_qty + LESS)
            if known.status != 0 and left < order.left:
                self._filled(order, order.left - left, known.exch_timestamp)
                order.left = left
            if known.status in ENDED:
                ended.append((order, known.status))
        for order, status in ended:
            why = order.why if order.why != Ended.RESTING else Ended.VENUE_REFUSED
            self._close(order, self._now(), Ended.FILLED if status == FILLED else Ended(why))
            del self._resting[order.number]
        if ended:  # only now, for it forgets all that have ended
            hft.hashmapbt_clear_inactive_orders(self._backtest, 0)

    def _filled(self, order: Resting, size: float, exchange_ns: int) -> None:
        self._fills.append((exchange_ns, self._now(), order.quote, order.price, size, order.side))
        self._quotes[order.quote][_FIELDS["filled"]] += size
        sign = 1 if order.side == 0 else -1
        value = order.price * self._rules.grid.tick * size / SIZE_UNITS
        self._position += sign * size
        self._cash -= sign * value + self._rules.fee_rate * value

    def _close(self, order: Resting, now: int, why: Ended) -> None:
        quote = self._quotes[order.quote]
        quote[_FIELDS["ended_ns"]], quote[_FIELDS["ended"]] = now, int(why)
        quote[_FIELDS["refusal"]] = order.refusal

    # ---- notes

    def _code(self, reason: str) -> int:
        return self._codes.setdefault(reason, len(self._codes))

    def _changed(self, now: int, refusal: int) -> None:
        if refusal != self._refusal:
            self._changes.append((now, refusal))
            self._refusal = refusal

    def _note(self, looked: int) -> None:
        """Note the state once a minute."""
        if looked < self._next_minute:
            return
        bid, ask = self._sight.touch(looked, self._rules.grid.tick)
        self._looks.append((looked, bid, ask, self._position))
        self._next_minute = looked - (looked - self._rules.start) % _MINUTE + _MINUTE

    def _next_look(self, looked: int) -> int:
        """Return when to look next: at once where the data end, not at all where there are none."""
        after = looked + self._rules.look
        ends = self._sight.stretch_end(looked)
        if ends is not None:
            return min(after, ends)
        if self._resting:
            return after
        begins = self._sight.next_start(looked)
        return max(after, self._rules.end if begins is None else begins)
