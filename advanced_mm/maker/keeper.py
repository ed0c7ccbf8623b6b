"""Keeps one market's ladder at rest."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from advanced_mm.errors import AdvancedMMError
from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.diff import Plan, Tolerance, plan
from advanced_mm.maker.exchange import (
    Book,
    Change,
    Event,
    Fill,
    MakerExchange,
    MarketRules,
    OrderDoubtError,
    OrderGoneError,
    OrderRefusedError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Reconnected,
    RestingOrder,
    Trade,
    WouldTakeError,
)
from advanced_mm.maker.exchange_time import ExchangeTime
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.guarded import guarded
from advanced_mm.maker.holdings import Holdings, currencies
from advanced_mm.maker.own_orders import OwnOrders
from advanced_mm.maker.profit import Profit
from advanced_mm.maker.records import Records
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.views import MarketView
from advanced_mm.maker.wanted import Wanted, WantedOrder, wanted
from advanced_mm.policies import EMPTY, Ladder, MarketState, VolatilityEstimator
from advanced_mm.quoting.guards import AccountMark, MarketOrder, RiskGuards

__all__ = ["Keeper"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
"""Between tries to learn what became of orders in doubt."""
_REFUSED_SECONDS: Final = 1.0
"""Nothing new is sent for so long after a refusal that was not the market's doing."""

_TOO_LATE_ROUNDS: Final = 3
"""After so many rounds in which a price was reached before the order, the next ones wait."""
_LONGEST_TOO_LATE_MS: Final = 2_000
_REFUSED_CANCEL_SECONDS: Final = 0.5

_ROUNDS: Final = 5
"""With less allowance than for so many whole ladders, orders are moved less often."""
_LEAST_LEVELS: Final = 2
_TELL_MS: Final = 60_000

_CANCEL_SECONDS: Final = 0.5
_OVERDUE_MS: Final = 1_000
"""A fill and the order's new state are told at once, in any order."""

_NOTHING: Final = Wanted()


class Keeper:
    """One market: from events to a state, a ladder, and the fewest requests that put it at rest.

    One round of requests is under way at a time, and each begins with the newest book, so no order
    ever has two requests in flight. While it is unknown what became of an order, nothing is placed
    and what rests is withdrawn.

    Parameters
    ----------
    setup
        The market.
    exchange, rules
        Where it is traded, opened.
    holdings
        The account's; counts each fill before the keeper is told of it.
    ids
        Makes and knows the market's client ids.
    records
        Takes what happens, for the journal.
    settle
        Has the account and its fills compared with what the exchange says.
    clock_ms
        Epoch milliseconds.
    """

    def __init__(
        self,
        setup: MarketSetup,
        exchange: MakerExchange,
        rules: MarketRules,
        holdings: Holdings,
        ids: ClientIds,
        records: Records,
        settle: Callable[[], Awaitable[None]],
        clock_ms: Callable[[], int],
    ) -> None:
        self.setup, self.exchange, self.rules, self.ids = setup, exchange, rules, ids
        self.records = records
        self.state: MarketState | None = None
        self.guards = RiskGuards(setup.limits, records.guard)
        self.profit = Profit(setup.limits.target_inventory)
        self._holdings, self._settle, self._clock_ms = holdings, settle, clock_ms
        self._grid = Grid(rules)
        self._orders = OwnOrders()
        self._volatility = VolatilityEstimator(setup.volatility)
        limits = setup.limits
        self._tolerance = Tolerance(
            Decimal(repr(limits.price_tolerance_bp)) / 10_000, Decimal(repr(limits.size_tolerance))
        )
        self._wake = asyncio.Event()
        self._book: Book | None = None
        self._book_at_ms = self._book_delay_ms = 0
        self._time = ExchangeTime()
        self._doubts: dict[str, str] = {}
        """Client ids of orders in doubt, and why."""
        self._owed: dict[str, tuple[Decimal, int]] = {}
        """By order id: what is filled of orders, and since when fills of it lack, epoch ms."""
        self._unsure = "the maker has just started"
        self._quoting = False
        self._pause_s = _FIRST_PAUSE_SECONDS
        self._sent_at_ms = 0
        self._paused: tuple[int, int] | None = None
        """Since when nothing new is sent, epoch ms, and for how long, ms."""
        self._too_late = 0
        self._reached = False
        self._reason = ""
        self._fills = self._requests = 0
        self._told_of_fee = False
        self._told_of_limit_ms = 0
        self._profit_before = 0.0
        self._capital: float | None = None

    # ---- what is told

    def saw(self, event: Event) -> None:
        """Take in an event of this market or its account."""
        now = self._clock_ms()
        if isinstance(event, Book):
            self._saw_book(event, now)
        elif isinstance(event, Trade):
            order = MarketOrder(event.time_ms, event.side == "buy", event.size)
            self.guards.traded(self.rules.symbol, [order])
            return
        elif isinstance(event, OrderUpdate):
            if not self.ids.owns(event.order.client_id):
                return
            self._look_for_fills(event.order, now)
            ended = self._orders.updated(event, now)
            if ended is not None:
                self._ended(ended, f"{event.status} by the exchange")
        elif isinstance(event, Fill):
            self._saw_fill(event, now)
        elif isinstance(event, Reconnected):
            self._book = None  # of before; and whatever its time was, the next one is newer
            self.doubt(event.why)
        self.wake()

    def _look_for_fills(self, order: RestingOrder, now: int) -> None:
        """Note an order of which more is filled than fills were told: one may have been lost."""
        if order.filled > self._orders.filled_size(order.order_id):
            self._owed.setdefault(order.order_id, (order.filled, now))

    def _lacks_fills(self, now: int) -> bool:
        """Return whether fills are overdue."""
        for order_id, (filled, since) in list(self._owed.items()):
            if self._orders.filled_size(order_id) >= filled:
                del self._owed[order_id]
            elif now - since > _OVERDUE_MS:
                self._owed.clear()
                return True
        return False

    def _saw_book(self, book: Book, now: int) -> None:
        if self._book is not None and book.time_ms < self._book.time_ms:
            return
        self._book, self._book_at_ms = book, now
        self._book_delay_ms = self._time.heard(book.time_ms, now)
        touch = _touch(book.bids, book.asks)
        if touch is not None:
            at = datetime.fromtimestamp(book.time_ms / 1000, UTC)
            self.guards.saw(self.rules.symbol, *touch, at)
            self._volatility.update(book.time_ms, sum(touch) / 2)

    def _saw_fill(self, fill: Fill, now: int) -> None:
        self._fills += 1
        self.profit.filled(fill)
        if fill.fee and fill.fee_currency not in currencies(fill.symbol) and not self._told_of_fee:
            self._told_of_fee = True
            logger.warning(
                "%s: fees are paid in %s, which the maker's profit leaves out",
                self.rules.symbol,
                fill.fee_currency,
            )
        inventory = float(self._holdings.inventory(self.rules.symbol))
        self.records.filled(fill, self.state, inventory)
        if self.ids.owns(fill.client_id) or not fill.client_id:
            ended = self._orders.filled(fill, now)
            if ended is not None:
                self._ended(ended, "filled")

    def _ended(self, order: RestingOrder, why: str) -> None:
        filled = max(order.filled, self._orders.filled_size(order.order_id))
        self.records.ended(order, filled, why)

    def doubt(self, why: str) -> None:
        """Reconcile with the exchange before anything else is placed."""
        self._unsure = why
        self.wake()

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    # ---- what is done

    async def run(self) -> None:
        """Keep the ladder until cancelled or `withdraw`."""
        self._quoting = True
        while self._quoting:
            await self._wake.wait()
            self._wake.clear()
            if not await self._is_sure():
                continue
            now = self._clock_ms()
            if self._lacks_fills(now):
                self.doubt("a fill was not told")
                continue
            least_ms = 1000 * self.setup.limits.min_quote_age_seconds
            if 0 <= now - self._sent_at_ms < least_ms:  # a clock that was set back freezes nothing
                continue
            todo = self.next_plan(now)
            if todo.requests:
                self._sent_at_ms = now
                await self._carry_out(todo)

    def next_plan(self, now: int) -> Plan:
        """Return what should be sent at a time, epoch ms."""
        found = self.wanted(now)
        return plan(found, self._orders.resting(), self._sparing(found))

    def _sparing(self, found: Wanted) -> Tolerance:
        """Return the tolerance; it grows to half a step of the ladder as the allowance runs out."""
        orders = len(found.bids) + len(found.asks)
        left = self.exchange.allowance() / max(_ROUNDS * orders, 1)
        side = found.bids if len(found.bids) >= len(found.asks) else found.asks
        if left >= 1 or len(side) < _LEAST_LEVELS:
            return self._tolerance
        steps = len(side) - 1
        step = abs(side[-1].price - side[0].price) / steps / side[0].price
        grown = step * Decimal(repr((1 - left) / 2))
        return replace(self._tolerance, price=max(self._tolerance.price, grown))

    def wanted(self, now: int) -> Wanted:
        """Return what should rest at a time, epoch ms; nothing, and a reason, if it is unsafe."""
        reason = self._unsafe(now)
        ladder = EMPTY
        if not reason:
            ladder, reason = self._ladder(now)
        found = _NOTHING
        state = self.state
        if state is not None and (ladder.bids or ladder.asks):
            found = wanted(
                ladder,
                self.rules,
                self._grid,
                (state.bid, state.ask),
                self.setup.limits.max_orders_a_side,
                self._funds(),
            )
            if not (found.bids or found.asks):
                reason = "too small: no level of the ladder is as large as the exchange asks"
            elif found.short:
                reason = f"balance: it does not suffice for {found.short} orders of the ladder"
        self._tell(reason)
        return found

    def _unsafe(self, now: int) -> str:
        if not self._quoting:
            return "stopped: the maker ends"
        if self._doubts or self._unsure:
            return f"in doubt: {self._unsure or next(iter(self._doubts.values()))}"
        if self._book is None:
            return "no book: the exchange has sent none yet"
        most = self.setup.limits.max_book_age_seconds
        age = (now - self._book_at_ms) / 1000
        if not 0 <= age <= most:
            return f"book too old: the newest came {age:.1f} s ago"
        delay = self._book_delay_ms / 1000
        if delay > most:
            return f"book too old: the newest came {delay:.1f} s later than is usual"
        return ""

    def _ladder(self, now: int) -> tuple[Ladder, str]:
        """Return the policy's ladder within the guards, and why there is less of it."""
        state = self.state = self.see(now)
        if state is None:
            return EMPTY, "no touch: nobody else quotes both sides, or they cross"
        state = self.setup.limits.within_capital(self._without_hedge(state))
        try:
            ladder = self.setup.policy.ladder(state)
        except (AdvancedMMError, ArithmeticError, ValueError) as error:
            return EMPTY, f"no ladder: the policy {self.setup.policy.name} fails: {error}"
        symbol, limits = self.rules.symbol, self.setup.limits
        at = self._at(now)
        position = state.inventory - limits.target_inventory
        usual = state.usual_volatility * state.mid
        usual_or_none = usual if usual > 0 else None
        held = abs(position) * state.mid
        bid = self.guards.rule(symbol, "bid", usual_or_none, held, at)
        ask = self.guards.rule(symbol, "ask", usual_or_none, held, at)
        allowed = guarded(ladder, state.mid, position, bid, ask, limits.max_position_value)
        return allowed, allowed.reason

    def see(self, now: int) -> MarketState | None:
        """Return the market without our own orders; None while a side of it is empty."""
        book = self._book
        if book is None:
            return None
        own = self._orders.sizes(now)
        bids, asks = _others(book.bids, own), _others(book.asks, own)
        touch = _touch(bids, asks)
        if touch is None:
            return None
        mid = sum(touch) / 2
        symbol, learnt = self.rules.symbol, self._volatility.current
        return MarketState(
            time_ms=book.time_ms,
            bids=bids,
            asks=asks,
            inventory=float(self._holdings.inventory(symbol)),
            quote_balance=self._holdings.quote_balance(symbol, mid),
            volatility=learnt.effective,
            usual_volatility=learnt.long,
            large_trade_ms=self.guards.last_large_ms(symbol),
        )

    def _without_hedge(self, state: MarketState) -> MarketState:
        """Return what the policy sees: it must not trade a hedge away that will be closed again."""
        held = float(self.setup.desk.set_aside) if self.setup.desk is not None else 0.0
        if not held:
            return state
        return replace(
            state,
            inventory=state.inventory - held,
            quote_balance=state.quote_balance + held * state.mid,
        )

    def _funds(self) -> tuple[Decimal, Decimal] | None:
        if not self.rules.spot:
            return None
        base, quote = currencies(self.rules.symbol)
        return self._holdings.balance(base), self._holdings.balance(quote)

    def _tell(self, reason: str) -> None:
        if reason.partition(":")[0] != self._reason.partition(":")[0]:
            log = logger.warning if reason else logger.info
            log("%s %s: %s", self.setup.exchange, self.rules.symbol, reason or "quoting again")
        self._reason = reason
        self.records.refused(reason)

    # ---- requests

    async def _carry_out(self, todo: Plan) -> None:
        """Send a round of requests and take in all replies."""
        cancels, changes, places = self._within_allowance(todo)
        sent = len(cancels) + len(changes) + len(places)
        if not sent:
            return
        self._requests += sent
        self._reached = False
        replies = await asyncio.gather(
            self._cancel(cancels, "no longer wanted"),
            self._change(changes),
            self._place(places),
            return_exceptions=True,  # a failure must not leave other requests on their way
        )
        for one in replies:
            if isinstance(one, BaseException):
                raise one
        self._too_late = self._too_late + 1 if self._reached else 0
        if self._too_late > _TOO_LATE_ROUNDS:
            wait = 100 * 2 ** (self._too_late - _TOO_LATE_ROUNDS)
            self._pause(min(wait, _LONGEST_TOO_LATE_MS))

    def _within_allowance(
        self, todo: Plan
    ) -> tuple[Sequence[RestingOrder], Sequence[Change], Sequence[WantedOrder]]:
        """Leave out what the exchange does not allow now; what is too good a price still goes."""
        places = () if self._is_paused() else todo.places
        allowed = self.exchange.allowance()
        if allowed >= len(todo.changes) + len(places):
            return todo.cancels, todo.changes, places
        changes = todo.changes[:allowed]
        retreats = [one.order for one in todo.changes[allowed:] if _retreats(one)]
        if self._clock_ms() - self._told_of_limit_ms >= _TELL_MS:
            self._told_of_limit_ms = self._clock_ms()
            logger.warning(
                "%s: the exchange allows %d more orders now; prices are followed less closely",
                self.rules.symbol,
                allowed,
            )
        return (*todo.cancels, *retreats), changes, places[: allowed - len(changes)]

    async def _place(self, orders: Sequence[WantedOrder]) -> None:
        if not orders:
            return
        asked = [
            OrderRequest(self.rules.symbol, one.side, one.size, self.ids.new(), one.price)
            for one in orders
        ]
        for one, reply in zip(asked, await self._asked(asked), strict=True):
            if isinstance(reply, RestingOrder):
                self._accepted(reply)
            elif isinstance(reply, OrderRefusedError):
                self._refused(reply)
            else:
                self._in_doubt(one.client_id, reply)

    async def _asked(self, orders: Sequence[OrderRequest]) -> Sequence[RestingOrder | Exception]:
        try:
            return await self.exchange.place(orders)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            return [error] * len(orders)

    async def _change(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        replies: Sequence[RestingOrder | Exception]
        try:
            replies = await self.exchange.edit(changes)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            replies = [error] * len(changes)
        left: list[RestingOrder] = []
        for one, reply in zip(changes, replies, strict=True):
            if isinstance(reply, RestingOrder):
                if reply.order_id != one.order.order_id:
                    self._ended(one.order, "moved")
                self._accepted(reply)
            elif isinstance(reply, OrderRefusedError):
                self._refused(reply)
                left.append(one.order)
            else:
                self._in_doubt(one.order.client_id, reply)
        # Whether the old order still rests differs from exchange to exchange: it goes.
        await self._cancel(left, "could not be moved")

    async def _cancel(self, orders: Sequence[RestingOrder], why: str) -> None:
        if not orders:
            return
        replies: Sequence[Exception | None]
        try:
            replies = await self.exchange.cancel(orders)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            replies = [error] * len(orders)
        now = self._clock_ms()
        for one, reply in zip(orders, replies, strict=True):
            if reply is None:
                self._orders.ended(one, now)
                self._ended(one, why)
            else:
                self._in_doubt(one.client_id, reply)
        if any(isinstance(one, OrderRefusedError) for one in replies):
            # Too many requests, say: the orders still rest, and asking at once makes it worse.
            await asyncio.sleep(_REFUSED_CANCEL_SECONDS)

    def _accepted(self, order: RestingOrder) -> None:
        self.guards.errors.worked("order")
        if self.state is not None and not self.records.knows(order):
            position = self.state.inventory - self.setup.limits.target_inventory
            tick = self._grid.tick(float(order.price))
            self.records.sent(order, self.state, tick, position, float(order.size))
        if not self._orders.placed(order, self._clock_ms()):
            filled = max(order.filled, self._orders.filled_size(order.order_id))
            self.records.ended(order, filled, "ended at once")

    def _refused(self, error: OrderRefusedError) -> None:
        if isinstance(error, WouldTakeError | OrderGoneError):
            self._reached = self._reached or isinstance(error, WouldTakeError)
            self.guards.errors.worked("order")
            return
        self._pause(round(1000 * _REFUSED_SECONDS))
        self.guards.failed("order", self.rules.symbol, str(error), self._at(self._clock_ms()))
        logger.warning("%s: an order was refused: %s", self.rules.symbol, str(error)[:200])

    def _at(self, now: int) -> datetime:
        """Return the exchange's time, by which the guards know what happened in the market."""
        return datetime.fromtimestamp(self._time.at(now) / 1000, UTC)

    def _pause(self, ms: int) -> None:
        """Send nothing new for so long, ms."""
        self._paused = (self._clock_ms(), ms)

    def _is_paused(self) -> bool:
        return self._paused is not None and (
            0 <= self._clock_ms() - self._paused[0] < self._paused[1]
        )

    def _in_doubt(self, client_id: str, error: Exception) -> None:
        if isinstance(error, OrderRefusedError):
            logger.warning("%s: a cancel was refused: %s", self.rules.symbol, str(error)[:200])
        elif not isinstance(error, OrderDoubtError | ConnectionError):
            logger.error("%s: unexpected reply", self.rules.symbol, exc_info=error)
        self._doubts[client_id] = str(error)[:200] or type(error).__name__
        self.wake()

    # ---- doubt

    async def _is_sure(self) -> bool:
        """Settle what is in doubt; False while that cannot be done."""
        if not (self._doubts or self._unsure):
            return True
        try:
            if self._doubts:
                await self._settle_doubts()
            if self._unsure:
                await self.reconcile()
        except (OrderDoubtError, ConnectionError) as error:
            self._tell(f"in doubt: {str(error)[:200] or type(error).__name__}")
            await self._cancel(
                [one for one in self._orders.resting() if one.client_id not in self._doubts],
                "the state is in doubt",
            )
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_SECONDS)
            self.wake()
            return False
        self._pause_s = _FIRST_PAUSE_SECONDS
        return True

    async def _settle_doubts(self) -> None:
        asked = list(self._doubts)
        now = self._clock_ms()
        for client_id, found in zip(
            asked, await self.exchange.look_up(self.rules.symbol, asked), strict=True
        ):
            del self._doubts[client_id]
            before = self._orders.get(client_id)
            if found is not None and found.status is OrderStatus.OPEN:
                if before is not None and before.order_id != found.order.order_id:
                    self._ended(before, "moved")
                if before is None or before.order_id != found.order.order_id:
                    self._accepted(found.order)
                continue
            for one in (before, found.order if found is not None else None):
                if one is not None:
                    self._orders.ended(one, now)
                    self._ended(one, "found gone")

    async def reconcile(self) -> None:
        """Compare orders, fills and account with what the exchange says, and believe that."""
        why, self._unsure = self._unsure, ""
        try:
            await self._settle()
            there = await self.exchange.open_orders(self.rules.symbol)
        except BaseException:
            self._unsure = why or "reconciling failed"
            raise
        own = [one for one in there if self.ids.owns(one.client_id)]
        for one in self._orders.adopt(own, self._clock_ms()):
            self._ended(one, "gone when reconciled")
        logger.info("%s: reconciled (%s): %d orders rest", self.rules.symbol, why, len(own))

    # ---- the account's guards

    @property
    def mark_name(self) -> str:
        """Whose mark of the account the journal keeps."""
        return f"{self.records.bot}.{self.records.coin}"

    def resume(self, mark: AccountMark) -> None:
        """Go on with the guards of the account from an earlier run's mark."""
        self._profit_before = mark.profit
        self.guards.account.resume(mark)

    def mark(self, now: int) -> None:
        """Tell the guards of the account what was earned; call it about once a second."""
        earned = self.earned()
        if earned is None or self.state is None:
            return
        if self._capital is None:
            self._capital = self.setup.limits.within_capital(self.state).equity
        before = self._profit_before
        self.guards.account.saw(before + earned, self._capital - before, self._at(now))

    def remember_mark(self) -> None:
        """Write the guards' mark of the account into the journal."""
        if self.guards.account.mark is not None:
            self.records.marked(self.guards.account.mark, self.mark_name)

    # ---- the end

    def end(self) -> None:
        """Send nothing more; what rests is left to `withdraw`."""
        self._quoting = False
        self.wake()

    async def withdraw(self) -> bool:
        """Take all quotes off the book, in doubt or not; True once the exchange confirms it."""
        self.end()
        with contextlib.suppress(TimeoutError):
            # What a silent socket does not answer is asked for, and cancelled again, below.
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._cancel(self._orders.resting(), "the maker ends")
        try:
            there = await self.exchange.open_orders(self.rules.symbol)
            own = [one for one in there if self.ids.owns(one.client_id)]
            await self._cancel(own, "the maker ends")
            if self._doubts:
                await self._settle_doubts()
        except (OrderDoubtError, ConnectionError) as error:
            logger.warning("%s: not withdrawn yet: %s", self.rules.symbol, str(error)[:200])
            return False
        return not (own or self._doubts or self._orders.resting())

    # ---- what is shown

    def earned(self) -> float | None:
        """Return the profit since the start, its hedges' included; None before the first book."""
        if self.state is None:
            return None
        hedged = self.setup.desk.profit(self.state.time_ms) if self.setup.desk is not None else 0.0
        return self.profit.at(self.state.mid) + hedged

    def view(self) -> MarketView:
        """Return what there is to see."""
        sides: dict[str, list[tuple[float, float]]] = {"buy": [], "sell": []}
        for one in self._orders.resting():
            sides[one.side].append((float(one.price), float(one.left)))
        state = self.state
        inventory = self._holdings.inventory(self.rules.symbol)
        return MarketView(
            exchange=self.setup.exchange,
            symbol=self.rules.symbol,
            policy=self.setup.policy.name,
            bids=tuple(sorted(sides["buy"], reverse=True)),
            asks=tuple(sorted(sides["sell"])),
            inventory=float(inventory),
            quote_balance=0.0 if state is None else state.quote_balance,
            mid=None if state is None else state.mid,
            profit=self.earned() or 0.0,
            reason=self._reason,
            fills=self._fills,
            requests=self._requests,
        )


def _touch(
    bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]
) -> tuple[float, float] | None:
    """Return best bid and best ask; None where a mid of them would be nobody's price."""
    if bids and asks and 0 < bids[0][0] < asks[0][0] < math.inf:
        return bids[0][0], asks[0][0]
    return None


def _others(
    levels: Sequence[tuple[float, float]], own: dict[float, float]
) -> tuple[tuple[float, float], ...]:
    """Return levels without our own sizes."""
    if not own:
        return tuple(levels)
    found = []
    for price, size in levels:
        ours = own.get(price)
        if ours is None:
            found.append((price, size))
        elif size > ours * (1 + 1e-9):
            found.append((price, size - ours))
    return tuple(found)


def _retreats(change: Change) -> bool:
    if change.order.side == "buy":
        return change.price < change.order.price
    return change.price > change.order.price
