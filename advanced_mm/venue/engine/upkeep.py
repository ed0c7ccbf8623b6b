"""The venue's scheduled work: funding, liquidations, triggers, scheduled cancels."""

from collections.abc import Mapping

from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.units import MICROS_PER_USDC, dollars_text
from advanced_mm.venue.engine.accounts import Account, Accounts
from advanced_mm.venue.engine.clearing import Clearing
from advanced_mm.venue.engine.margin import Margin
from advanced_mm.venue.engine.matching import MatchedMarket
from advanced_mm.venue.engine.order_manager import OrderManager
from advanced_mm.venue.engine.orders import FundingPayment, Liquidation, OrderStatus
from advanced_mm.venue.engine.rules import Rules

__all__ = ["Upkeep"]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SHORTEST_NOTICE_MS = 5_000
SCHEDULED_A_DAY = 10


class Upkeep:
    """Processes accounts with positions and due orders at given times.

    Parameters
    ----------
    order_manager, accounts, margin, clearing, markets, rules
        The components of the venue.
    """

    def __init__(
        self,
        order_manager: OrderManager,
        accounts: Accounts,
        margin: Margin,
        clearing: Clearing,
        markets: Mapping[str, MatchedMarket],
        rules: Rules,
    ) -> None:
        self._order_manager = order_manager
        self._accounts = accounts
        self._margin = margin
        self._clearing = clearing
        self._markets = markets
        self._rules = rules
        self._scheduled: dict[str, Account] = {}

    @property
    def next_scheduled_ms(self) -> int | None:
        """Market time at which the next dead man's switch fires, ms."""
        times = (one.scheduled_ms for one in self._scheduled.values())
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def step(self, now_ms: int) -> None:
        """Do the work that is due; called at whole multiples of the markets' step."""
        if now_ms % HOUR_MS == 0:
            self._pay_funding(now_ms)
            self._sample(now_ms)
        self._wake()
        for account in tuple(self._order_manager.holders.values()):
            self._check(account)

    def schedule(self, account: Account, now_ms: int, time_ms: int | None) -> str | None:
        """Set or clear an account's dead man's switch; return the error message if refused."""
        needed = self._rules.schedule_cancel_volume
        if account.volume < needed * MICROS_PER_USDC:
            return (
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${needed:f}. Traded: ${dollars_text(account.volume)}."
            )
        if time_ms is None:
            self._lift(account)
            return None
        if time_ms < now_ms + SHORTEST_NOTICE_MS:
            return "Scheduled cancel time too early, must be at least 5 seconds from now."
        if now_ms // DAY_MS != account.scheduled_day:
            account.scheduled_day, account.scheduled_used = now_ms // DAY_MS, 0
        if account.scheduled_used >= SCHEDULED_A_DAY:
            return "Too many scheduled cancels triggered today."
        account.scheduled_ms = time_ms
        self._scheduled[account.address] = account
        return None

    def cancel_scheduled(self, now_ms: int) -> None:
        """Fire the dead man's switches that are due."""
        for account in tuple(self._scheduled.values()):
            if account.scheduled_ms is None or account.scheduled_ms > now_ms:
                continue
            self._lift(account)
            if now_ms // DAY_MS != account.scheduled_day:
                account.scheduled_day, account.scheduled_used = now_ms // DAY_MS, 0
            account.scheduled_used += 1
            for order in tuple(account.orders.values()):
                self._order_manager.end(order, OrderStatus.SCHEDULED_CANCEL)

    def _lift(self, account: Account) -> None:
        self._scheduled.pop(account.address, None)
        account.scheduled_ms = None

    def _sample(self, now_ms: int) -> None:
        """Record the value of every account."""
        for account in self._accounts:
            account.samples.append(self._margin.sample(account, now_ms))

    def _pay_funding(self, now_ms: int) -> None:
        rate = self._rules.funding_rate
        for account in self._order_manager.holders.values():
            for position in account.positions.values():
                received = self._clearing.fund(account, position, rate)
                payment = FundingPayment(
                    now_ms, account.address, position.coin, received, position.lots, f"{rate:f}"
                )
                account.funding.append(payment)
                self._order_manager.events.append(payment)

    def _wake(self) -> None:
        for coin, sleepers in self._order_manager.sleepers.items():
            if not sleepers or coin in self._order_manager.halted:
                continue
            for order in sleepers.due(self._markets[coin].mark):
                if order.status is OrderStatus.OPEN:  # a sibling's fill may have ended it
                    self._order_manager.wake(order)

    def _check(self, account: Account) -> None:
        """Liquidate positions below their maintenance margin."""
        for position in tuple(account.positions.values()):
            if position.isolated:
                worth = position.equity(self._margin.mark(position.coin))
                if worth < self._margin.maintenance(position):
                    self._liquidate(account, [position.coin])
        if self._below(account):
            coins = sorted(
                (p for p in account.positions.values() if not p.isolated),
                key=lambda p: (-self._margin.maintenance(p), p.coin),
            )
            if coins:
                self._liquidate(account, [p.coin for p in coins])
            self._clearing.cover(account)
        elif any(micros < 0 for micros in account.dex_usdc.values()):
            self._clearing.cover(account)

    def _below(self, account: Account) -> bool:
        return self._margin.equity(account) < self._margin.cross_maintenance(account)

    def _liquidate(self, account: Account, coins: list[str]) -> None:
        """Cancel the coins' orders and close the positions; cross ones only as far as needed."""
        isolated = account.positions[coins[0]].isolated
        for order in tuple(account.orders.values()):
            if order.coin in coins or (
                not isolated and self._margin.purse(account, order.coin) == MAIN_DEX
            ):
                self._order_manager.end(order, OrderStatus.LIQUIDATED_CANCELED)
        reported = False
        for coin in coins:
            if coin in self._order_manager.halted or not (isolated or self._below(account)):
                continue
            if not reported:
                reported = True
                self._report(account, coins)
            self._order_manager.force(account, coin)

    def _report(self, account: Account, coins: list[str]) -> None:
        marks = {coin: self._margin.mark(coin) for coin in coins}
        event = Liquidation(
            time_ms=self._markets[coins[0]].time_ms,
            account=account.address,
            lid=self._order_manager.next_oid,
            notional=sum(abs(account.positions[coin].value(mark)) for coin, mark in marks.items()),
            value=self._margin.value(account),
        )
        self._order_manager.events.append(event)
