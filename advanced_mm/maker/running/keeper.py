"""Keeps one market's ladder at rest."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

from advanced_mm.maker.client_ids import ClientIds
from advanced_mm.maker.diff import Plan, Tolerance, plan
from advanced_mm.maker.exchange import (
    Book,
    Event,
    Fill,
    MakerExchange,
    MarketRules,
    OrderDoubtError,
    OrderUpdate,
    Reconnected,
    Trade,
)
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.holdings import Holdings, currencies
from advanced_mm.maker.own_orders import OwnOrders
from advanced_mm.maker.profit import Profit
from advanced_mm.maker.records import Records
from advanced_mm.maker.running.aim import Aim
from advanced_mm.maker.running.allowance import sparing
from advanced_mm.maker.running.doubts import Doubts
from advanced_mm.maker.running.earnings import Earnings
from advanced_mm.maker.running.market import Market
from advanced_mm.maker.running.owed_fills import OwedFills
from advanced_mm.maker.running.requests import Requests
from advanced_mm.maker.running.sight import Sight
from advanced_mm.maker.setup import MarketSetup
from advanced_mm.maker.views import MarketView
from advanced_mm.maker.wanted import Wanted
from advanced_mm.policies import MarketState
from advanced_mm.quoting.guards import AccountMark, MarketOrder, RiskGuards

__all__ = ["Keeper"]

logger = logging.getLogger(__name__)

_CANCEL_SECONDS: Final = 0.5


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
        self.guards = RiskGuards(setup.limits, records.guard)
        self._holdings, self._clock_ms = holdings, clock_ms
        self._orders = OwnOrders()
        market = self._market = Market(
            setup, exchange, rules, holdings, ids, records, clock_ms, self.guards, self._orders
        )
        grid = Grid(rules)
        self._sight = Sight(market)
        self._aim = Aim(market, self._sight, grid)
        self._requests = Requests(market, self._sight, grid, self.wake)
        self._doubts = Doubts(market, self._requests, settle)
        self._owed = OwedFills(self._orders)
        self._earnings = Earnings(market, self._sight)
        limits = setup.limits
        self._tolerance = Tolerance(
            Decimal(repr(limits.price_tolerance_bp)) / 10_000, Decimal(repr(limits.size_tolerance))
        )
        self._wake = asyncio.Event()
        self._quoting = False
        self._sent_at_ms = 0
        self._fills = 0
        self._told_of_fee = False

    # ---- what is told

    def saw(self, event: Event) -> None:
        """Take in an event of this market or its account."""
        now = self._clock_ms()
        if isinstance(event, Book):
            self._sight.saw(event, now)
        elif isinstance(event, Trade):
            order = MarketOrder(event.time_ms, event.side == "buy", event.size)
            self.guards.traded(self.rules.symbol, [order])
            return
        elif isinstance(event, OrderUpdate):
            if not self.ids.owns(event.order.client_id):
                return
            self._owed.told(event.order, now)
            ended = self._orders.updated(event, now)
            if ended is not None:
                self._market.ended(ended, f"{event.status} by the exchange")
        elif isinstance(event, Fill):
            self._saw_fill(event, now)
        elif isinstance(event, Reconnected):
            self._sight.forget()
            self.doubt(event.why)
        self.wake()

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
                self._market.ended(ended, "filled")

    def doubt(self, why: str) -> None:
        """Reconcile with the exchange before anything else is placed."""
        self._doubts.doubt(why)
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
            if not await self._doubts.settled(self._aim.tell):
                self.wake()
                continue
            now = self._clock_ms()
            if self._owed.overdue(now):
                self.doubt("a fill was not told")
                continue
            least_ms = 1000 * self.setup.limits.min_quote_age_seconds
            if 0 <= now - self._sent_at_ms < least_ms:  # a clock that was set back freezes nothing
                continue
            todo = self.next_plan(now)
            if todo.requests:
                self._sent_at_ms = now
                await self._requests.carry_out(todo)

    def next_plan(self, now: int) -> Plan:
        """Return what should be sent at a time, epoch ms."""
        found = self.wanted(now)
        tolerance = sparing(found, self._tolerance, self.exchange.allowance())
        return plan(found, self._orders.resting(), tolerance)

    def wanted(self, now: int) -> Wanted:
        """Return what should rest at a time, epoch ms; nothing, and a reason, if it is unsafe."""
        return self._aim.wanted(now, self._unsafe(now))

    def _unsafe(self, now: int) -> str:
        if not self._quoting:
            return "stopped: the maker ends"
        if self._doubts.any:
            return f"in doubt: {self._doubts.why}"
        return self._sight.too_old(now)

    def look(self, now: int) -> MarketState | None:
        """See the market, and keep what is seen as its `state`."""
        return self._sight.look(now)

    def see(self, now: int) -> MarketState | None:
        """Return the market without our own orders; None while a side of it is empty."""
        return self._sight.see(now)

    async def reconcile(self) -> None:
        """Compare orders, fills and account with what the exchange says, and believe that."""
        await self._doubts.reconcile()

    # ---- the account's guards

    @property
    def mark_name(self) -> str:
        """Whose mark of the account the journal keeps."""
        return f"{self.records.bot}.{self.records.coin}"

    def resume(self, mark: AccountMark) -> None:
        """Go on with the guards of the account from an earlier run's mark."""
        self._earnings.resume(mark)

    def mark(self, now: int) -> None:
        """Tell the guards of the account what was earned; call it about once a second."""
        self._earnings.mark(now)

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
                await self._requests.cancel(self._orders.resting(), "the maker ends")
        try:
            there = await self.exchange.open_orders(self.rules.symbol)
            own = [one for one in there if self.ids.owns(one.client_id)]
            await self._requests.cancel(own, "the maker ends")
            if self._requests.doubts:
                await self._doubts.look_up()
        except (OrderDoubtError, ConnectionError) as error:
            logger.warning("%s: not withdrawn yet: %s", self.rules.symbol, str(error)[:200])
            return False
        return not (own or self._requests.doubts or self._orders.resting())

    # ---- what is shown

    @property
    def state(self) -> MarketState | None:
        """The market as it was last looked at."""
        return self._sight.state

    @property
    def profit(self) -> Profit:
        """Of the market's own fills."""
        return self._earnings.profit

    def show(self, state: MarketState) -> None:
        """Count profits by another state of the market than that of the last ladder."""
        self._sight.state = state

    def earned(self) -> float | None:
        """Return the profit since the start, its hedges' included; None before the first book."""
        return self._earnings.earned()

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
            reason=self._aim.reason,
            fills=self._fills,
            requests=self._requests.sent,
        )
