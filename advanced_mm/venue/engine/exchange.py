"""The exchange: the single entry point to markets, orders and accounts; it advances time."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal, TypeVar

from advanced_mm.markets.coin_markets import Venue
from advanced_mm.markets.listing import MAIN_DEX
from advanced_mm.markets.market import MarketSource, MarketUpdate
from advanced_mm.venue.engine.accounts import Account, Accounts, Leverage
from advanced_mm.venue.engine.clearing import Clearing
from advanced_mm.venue.engine.margin import Margin, ceil_div
from advanced_mm.venue.engine.matching import STEP_MS, MatchedMarket
from advanced_mm.venue.engine.money_commands import MoneyCommands
from advanced_mm.venue.engine.order_manager import OrderManager
from advanced_mm.venue.engine.orders import (
    AccountEvent,
    Fill,
    FundingPayment,
    Order,
    OrderRequest,
    OrderStatus,
    Outcome,
)
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.treasury import SPOT, Treasury
from advanced_mm.venue.engine.twaps import Twaps
from advanced_mm.venue.engine.upkeep import Upkeep

__all__ = ["UNCHANGEABLE", "Exchange", "Grouping"]

Grouping = Literal["na", "normalTpsl", "positionTpsl"]

_T = TypeVar("_T")

GONE = "Order was never placed, already canceled, or filled."
UNCHANGEABLE = "Cannot modify canceled or filled order"


class Exchange(MoneyCommands):
    """The trading venue.

    Actions happen at ``now_ms``, after everything the markets did up to then. Their changes are
    published by the next `advance`, though ``venue`` shows them at once. Triggers, liquidations and
    funding are processed every 100 ms of market time, on whole multiples; in between, margins use
    the marks of the last multiple. Scheduled cancels happen at their exact time. The same seed,
    times and actions give the same fills, whatever the steps of `advance`.

    Parameters
    ----------
    sources
        The background of each coin's market; their order gives the asset numbers, see `Listing`.
    rules
        The venue's rules.
    """

    def __init__(self, sources: Sequence[MarketSource], rules: Rules) -> None:
        self.rules = rules
        self.now_ms = min(source.now_ms for source in sources)
        self.accounts = Accounts(rules, self.now_ms)
        self.order_manager = OrderManager(
            self.accounts, rules, first_oid=self.now_ms // 1000 * 1000
        )
        self.books = {
            source.spec.coin: MatchedMarket(source, rules, self.order_manager, asset=asset)
            for asset, source in enumerate(sources)
        }
        self.margin = Margin(self.books, rules)
        self.clearing = Clearing(self.margin, rules)
        self.order_manager.open(self.books, self.margin, self.clearing)
        self.venue = Venue(list(self.books.values()))
        self.treasury = Treasury(self.accounts, self.margin, self.order_manager.events)
        self.twaps = Twaps(
            self.order_manager, self.accounts, self.margin, self.books, self.order_manager.events
        )
        self._upkeep = Upkeep(
            self.order_manager, self.accounts, self.margin, self.clearing, self.books, rules
        )
        self._unpublished: dict[str, list[MarketUpdate]] = {}
        self._grid_marks: dict[str, int] = {}

    @property
    def post_only(self) -> bool:
        """Whether only post-only orders are accepted, as in maintenance."""
        return self.order_manager.post_only

    @post_only.setter
    def post_only(self, post_only: bool) -> None:
        self.order_manager.post_only = post_only

    @property
    def halted(self) -> set[str]:
        """The coins whose trading is halted."""
        return self.order_manager.halted

    # Time

    def advance(self, until_ms: int) -> dict[str, list[MarketUpdate]]:
        """Advance time; return new blocks by coin, first those of actions since the last call."""
        updates = {coin: self._unpublished.pop(coin, []) for coin in self.books}
        reached: list[str] = []
        while self.now_ms < until_ms:
            watched = self._watched()
            scheduled_ms = self._upkeep.next_scheduled_ms
            if not watched and scheduled_ms is None:
                break
            stop_ms = until_ms
            if watched:
                stop_ms = min(stop_ms, self.now_ms - self.now_ms % STEP_MS + STEP_MS)
            if scheduled_ms is not None:
                stop_ms = max(self.now_ms, min(stop_ms, scheduled_ms))
            reached = watched
            with self.margin.marks_held(self._grid_marks):
                for coin in watched:
                    updates[coin] += self.venue.markets[coin].advance(stop_ms)
            self._set_time(stop_ms)
            if scheduled_ms is not None and scheduled_ms <= stop_ms:
                self._upkeep.cancel_scheduled(stop_ms)
            if stop_ms % STEP_MS == 0:
                self._upkeep.step(stop_ms)
                self.twaps.step(stop_ms)
                self._grid_marks = {coin: self.books[coin].mark for coin in self._watched()}
        # Drop marks of coins without orders and positions: they would be stale when next used.
        watched = self._watched()
        self._grid_marks = {c: mark for c, mark in self._grid_marks.items() if c in watched}
        arrived = set(reached) if self.now_ms == until_ms else ()
        self._set_time(max(self.now_ms, until_ms))
        for coin, market in self.venue.markets.items():
            if coin not in arrived or self.books[coin].changed:
                updates[coin] += market.advance(self.now_ms)
        return updates

    # Actions

    def place(
        self, account: str, requests: Sequence[OrderRequest], grouping: Grouping = "na"
    ) -> list[Outcome]:
        """Place orders, one after the other.

        With "normalTpsl" the first is the parent: the others are triggers, which become active
        when it is filled and end when it is cancelled. They are siblings, as are all orders of
        "positionTpsl": the first to be filled cancels the others. Orders of "positionTpsl" with
        size 0 close the whole position when triggered.
        """
        owner = self.accounts.open(account)
        if grouping == "positionTpsl":
            requests = [self._of_whole_position(owner, one) for one in requests]
        if grouping == "normalTpsl" and len(requests) > 1:
            outcomes = self._place_with_children(owner, requests)
        else:
            outcomes = [self.order_manager.place(owner, request) for request in requests]
            if grouping == "positionTpsl":
                self.order_manager.join(self._live(owner, outcomes))
        owner.refused.update(one.error.split(",")[0] for one in outcomes if one.error is not None)
        self._settle(request.coin for request in requests)
        return outcomes

    def cancel(self, account: str, which: Sequence[tuple[str, int]]) -> list[Outcome]:
        """Cancel orders given by coin and number."""
        return self._cancel(account, which)

    def cancel_by_cloid(self, account: str, which: Sequence[tuple[str, str]]) -> list[Outcome]:
        """Cancel orders given by coin and client order id."""
        return self._cancel(account, which)

    def modify(
        self, account: str, which: Sequence[tuple[int | str, OrderRequest]]
    ) -> list[Outcome]:
        """Replace orders given by number or client order id; the new ones get new numbers."""
        owner = self.accounts.open(account)
        outcomes = []
        for oid_or_cloid, request in which:
            old = owner.find(oid_or_cloid)
            if old is None or old.status.ended or old.coin != request.coin:
                outcomes.append(Outcome(error=UNCHANGEABLE))
            else:
                outcomes.append(self.order_manager.modify(owner, old, request))
        self._settle(request.coin for _, request in which)
        return outcomes

    def update_leverage(self, account: str, coin: str, is_cross: bool, leverage: int) -> str | None:
        """Set a coin's leverage; return the venue's error message if it is refused."""
        owner = self.accounts.open(account)
        spec = self.books[coin].spec
        if not 1 <= leverage <= spec.max_leverage:
            return "Invalid leverage value"
        if is_cross and spec.only_isolated:
            return "Cross margin is not allowed for this asset."
        old, position = self.margin.leverage(owner, coin), owner.positions.get(coin)
        if position is not None and position.isolated == is_cross:
            return "Cannot switch leverage type with open position."
        purse = self.margin.purse(owner, coin)
        needed = self.margin.required(owner, purse=purse)
        owner.leverage[coin] = Leverage(leverage, is_cross)
        enough = self.margin.required(owner, purse=purse) <= max(
            needed, self.margin.equity(owner, purse)
        )
        if position is not None and position.isolated and leverage < old.value:
            worth = position.equity(self.margin.mark(coin))
            enough = enough and worth >= self.margin.of_position(owner, position)
        if not enough:
            owner.leverage[coin] = old
            kind, remedy = ("Cross", "deposit more collateral")
            if position is not None and position.isolated:
                kind, remedy = ("Isolated", "add margin to the position")
            return (
                f"{kind} position does not have sufficient margin available to decrease leverage. "
                f"To decrease leverage, {remedy}."
            )
        return None

    def update_isolated_margin(
        self, account: str, coin: str, is_buy: bool, micros: int
    ) -> str | None:
        """Add margin to an isolated position, or remove it if ``micros`` is negative.

        ``is_buy`` is sent by clients and has no effect, as on Hyperliquid.
        """
        owner = self.accounts.open(account)
        position = owner.positions.get(coin)
        if position is None:
            return "Cannot update margin for empty position."
        if not position.isolated:
            return "Position does not use isolated margin."
        if micros < 0 and self.books[coin].spec.margin_mode == "strictIsolated":
            return (
                "Cannot remove isolated margin for this asset. "
                "To remove margin, reduce the position."
            )
        purse = self.margin.purse(owner, coin)
        mark = self.margin.mark(coin)
        least = max(
            self.margin.of_position(owner, position), ceil_div(abs(position.lots) * mark, 10)
        )
        if micros > self.margin.withdrawable(owner, purse):
            return "Account does not have sufficient margin available for increase."
        if micros < 0 and position.equity(mark) + micros < least:
            return "Position does not have sufficient margin for reduction."
        owner.add_to_purse(purse, -micros)
        position.usdc += micros
        return None

    def schedule_cancel(self, account: str, time_ms: int | None) -> str | None:
        """Schedule the cancel of all of an account's orders; None clears the schedule."""
        return self._upkeep.schedule(self.accounts.open(account), self.now_ms, time_ms)

    def top_up_isolated_margin(self, account: str, coin: str, leverage: Decimal) -> str | None:
        """Add the margin an isolated position needs for a leverage; return any error message."""
        position = self.accounts.open(account).positions.get(coin)
        if leverage <= 0:
            return "Invalid leverage value"
        lacking = 0
        if position is not None:
            mark = self.margin.mark(coin)
            wanted = math.ceil(abs(position.value(mark)) / leverage)
            lacking = max(0, wanted - position.equity(mark))
        return Exchange.update_isolated_margin(self, account, coin, True, lacking)

    def send_asset(
        self, sender: str, source: str, receiver: str, destination: str, micros: int
    ) -> str | None:
        """Move money from an account's balance to another of the same or another account.

        A balance is named by its exchange (the main one by the empty string) or "spot".
        """
        for address, place in ((sender, source), (receiver, destination)):
            if place not in (*self.venue.listing.dexs, SPOT):
                return f"Invalid perp dex: {place}"
            if place not in (MAIN_DEX, SPOT) and self.accounts.open(address).dex_abstraction:
                return "Action disabled when DEX abstraction is active"
        return self.treasury.send_asset(sender, source, receiver, destination, micros)

    def set_dex_abstraction(self, account: str, enabled: bool) -> None:
        """Merge an account's balances into one, or give each exchange its own again.

        When they are separated, money held for orders at an exchange stays there.
        """
        owner = self.accounts.open(account)
        if owner.dex_abstraction and not enabled:
            held = {dex: self.margin.money_at(owner, dex) for dex in self.venue.listing.dexs if dex}
            for dex, micros in held.items():
                owner.add_to_purse(MAIN_DEX, -micros)
                owner.add_to_purse(dex, micros)
        elif enabled and not owner.dex_abstraction:
            owner.add_to_purse(MAIN_DEX, sum(owner.dex_usdc.values()))
            owner.dex_usdc.clear()
        owner.dex_abstraction = enabled

    def halt(self, coin: str, halted: bool) -> None:
        """Halt or resume trading in a coin."""
        (self.order_manager.halted.add if halted else self.order_manager.halted.discard)(coin)
        self.books[coin].halt(halted)
        self._settle([coin])

    # Queries

    def take_events(self) -> list[AccountEvent]:
        """Return and clear the account events since the last call, in order."""
        events = list(self.order_manager.events)
        self.order_manager.events.clear()
        return events

    def open_orders(self, account: str) -> list[Order]:
        """Return the live orders, resting or waiting for a trigger, oldest first."""
        return self._of(account, lambda owner: list(owner.orders.values()))

    def order(self, account: str, oid_or_cloid: int | str) -> Order | None:
        """Find an order by number or client order id: live, or among the last 2000 ended."""
        owner = self.accounts.existing(account)
        return owner.find(oid_or_cloid) if owner else None

    def history(self, account: str) -> Sequence[Order]:
        """Return the last 2000 orders, newest last."""
        return self._of(account, lambda owner: owner.history())

    def fills(self, account: str, since_ms: int = 0, until_ms: int | None = None) -> Sequence[Fill]:
        """Return the fills in [since_ms, until_ms], of the last 10 000, oldest first."""
        fills = self._of(account, lambda owner: list(owner.fills))
        return [one for one in fills if _within(one.time_ms, since_ms, until_ms)]

    def funding(
        self, account: str, since_ms: int = 0, until_ms: int | None = None
    ) -> Sequence[FundingPayment]:
        """Return funding in [since_ms, until_ms], of the last 10 000 payments, oldest first."""
        payments = self._of(account, lambda owner: list(owner.funding))
        return [one for one in payments if _within(one.time_ms, since_ms, until_ms)]

    # Details

    def _watched(self) -> list[str]:
        """Return the coins with orders, positions, triggers or TWAPs of our accounts."""
        held = {coin for owner in self.order_manager.holders.values() for coin in owner.positions}
        sleepers, held = self.order_manager.sleepers, held | self.twaps.coins
        return [
            coin for coin, book in self.books.items() if book.busy or coin in held or sleepers[coin]
        ]

    def _set_time(self, now_ms: int) -> None:
        self.now_ms = self.accounts.now_ms = now_ms

    def _settle(self, coins: Iterable[str]) -> None:
        """Show the venue the changes that actions made in these coins."""
        for coin in dict.fromkeys(coins):
            self._grid_marks.setdefault(coin, self.books[coin].mark)
            if self.books[coin].changed:
                market = self.venue.markets[coin]
                self._unpublished.setdefault(coin, []).extend(market.advance(self.now_ms))

    def _of_whole_position(self, owner: Account, request: OrderRequest) -> OrderRequest:
        if request.lots or request.trigger is None or not request.reduce_only:
            return request
        held = abs(self.margin.held(owner, request.coin))
        return replace(request, lots=held, whole_position=True)

    def _place_with_children(
        self, owner: Account, requests: Sequence[OrderRequest]
    ) -> list[Outcome]:
        first = self.order_manager.place(owner, requests[0])
        if first.order is None:
            return [first] + [Outcome(error=first.error) for _ in requests[1:]]
        parent = owner.find(first.order.oid)
        assert parent is not None
        children = [self.order_manager.place_child(owner, one, parent) for one in requests[1:]]
        if parent.status.ended:
            self.order_manager.arm(parent)
        return [first, *children]

    @staticmethod
    def _live(owner: Account, outcomes: list[Outcome]) -> list[Order]:
        oids = [one.order.oid for one in outcomes if one.order is not None]
        return [owner.orders[oid] for oid in oids if oid in owner.orders]

    def _cancel(
        self, account: str, which: Sequence[tuple[str, int]] | Sequence[tuple[str, str]]
    ) -> list[Outcome]:
        owner = self.accounts.open(account)
        outcomes = []
        for coin, oid_or_cloid in which:
            order = owner.find(oid_or_cloid)
            if order is None or order.status.ended or order.coin != coin:
                outcomes.append(Outcome(error=GONE))
            else:
                self.order_manager.end(order, OrderStatus.CANCELED)
                outcomes.append(Outcome(order=replace(order)))
        self._settle(coin for coin, _ in which)
        return outcomes

    def _of(self, account: str, what: Callable[[Account], list[_T]]) -> list[_T]:
        owner = self.accounts.existing(account)
        return what(owner) if owner else []


def _within(time_ms: int, since_ms: int, until_ms: int | None) -> bool:
    return since_ms <= time_ms and (until_ms is None or time_ms <= until_ms)
