"""Carries out a hedge: the machines of `advanced_mm.hedging` at an exchange, with their journal."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from advanced_mm import hedging
from advanced_mm.errors import InputError
from advanced_mm.hedging.messages import News, Observation, Reconnected
from advanced_mm.hedging.orders import HedgeOrder
from advanced_mm.maker.desk import DeskRoom, Place
from advanced_mm.maker.exchange import (
    Book,
    Event,
    Fill,
    FundingPayment,
    MarketRules,
    OrderDoubtError,
    OrderUpdate,
    TellsFunding,
)
from advanced_mm.maker.exchange import Reconnected as StreamsReconnected
from advanced_mm.maker.hedge_account import HedgeAccount, What
from advanced_mm.maker.hedge_orders import HedgeOrders, fill_news, update_news

__all__ = ["HedgeDesk"]

logger = logging.getLogger(__name__)

_BOOK_AGE_MS: Final = 10_000
"""Nothing is decided on older books."""
_LEARN_MS: Final = 60_000
"""After so long a fill that a look-up found counts as known to the maker."""
_DISAGREE_MS: Final = 15_000
"""How long the position may differ from the fills before it is believed."""
_MINUTE_MS: Final = 60_000
_FUNDING_MS: Final = 600_000
_PREFIX: Final = 26
_FIRST_PAUSE_SECONDS: Final = 0.05
_WITHDRAW_SECONDS: Final = 60.0
"""How long an exchange that does not answer is asked again."""


class HedgeDesk:
    """Hedges one market's inventory; an `advanced_mm.maker.desk.HedgeDesk`.

    Parameters
    ----------
    settings
        What to hedge, how, and where. The place may be the hedged market's own; any other place is
        a perpetual that nothing else trades on this account.
    """

    def __init__(self, settings: hedging.HedgeSettings) -> None:
        self.settings = settings
        self.place: Place = (settings.exchange, settings.symbol)
        self.state: hedging.HedgeState
        self._room: DeskRoom
        self._market: hedging.HedgeMarket
        self._orders: HedgeOrders
        self._account: HedgeAccount
        self._apart = True
        self._file: Path | None = None
        self._saved = b""
        self._books: dict[Place, Book] = {}
        self._new_books: set[Place] = set()
        self._book_ms: dict[Place, int] = {}
        self._early: list[tuple[str, Event]] = []
        self._is_open = self._ended = False
        self._waiting: deque[News] = deque()
        self._unheard: dict[str, int] = {}
        self._now = 0
        self._differs_since: int | None = None
        self._looked_ms: int | None = None
        self._funding_ms: int | None = None

    @property
    def needs(self) -> Sequence[Place]:
        """The place where the hedge trades."""
        return [self.place]

    @property
    def set_aside(self) -> Decimal:
        """What the passive hedge holds on the hedged market itself, signed, base currency."""
        if self._apart or not self._is_open:
            return Decimal(0)
        return self.state.passive.ledger.position

    # ---- the start

    async def open(self, room: DeskRoom) -> None:
        """Restore the saved state, look its orders up, cancel those of no state.

        Raises
        ------
        InputError
            The hedge's market cannot be hedged on, or the saved state is damaged.
        """
        self._room, self._apart = room, self.place != room.market
        exchange, rules = room.exchanges[self.place[0]], room.rules[self.place]
        if self._apart and rules.spot:
            raise InputError(
                f"hedge: {self.place[1]} on {self.place[0]} is a spot market, which cannot be sold "
                "short: name a perpetual, or the market itself."
            )
        self._market = _hedge_market(rules)
        self._orders = HedgeOrders(exchange, self.place[1], reduce_only=self._apart)
        self._account = HedgeAccount(room.records(self.place) if self._apart else None)
        self._file = room.state_file
        self.state = hedging.fit(self.settings, self._restored())
        self._waiting.append(Reconnected(self._now))
        await self._drain()
        known = self.state.orders
        ids = room.ids(self.place)
        there = await exchange.open_orders(self.place[1])
        await self._orders.cancel_strays(
            one for one in there if ids.owns(one.client_id) and one.client_id not in known
        )
        self._unheard.clear()  # the account that the maker began with includes them
        self.state = hedging.freshen(self.state)
        self._is_open = True
        for one, event in self._early:
            self.saw(one, event)
        self._early.clear()

    def _restored(self) -> hedging.HedgeState:
        if self._file is not None and self._file.exists():
            return hedging.restore_state(self._file.read_bytes(), str(self._file))
        return hedging.new_state(self._room.ids(self.place).new()[:_PREFIX])

    def _settle_in(self, mid: Decimal) -> None:
        """With the first price: take over what is held beside the fills, and begin to count."""
        if self._apart:
            self._believe(self._held(), mid)
        self._account.begin(self.state.position, mid)

    def _held(self) -> Decimal:
        return self._room.holdings[self.place[0]].position(self.place[1])

    def _believe(self, held: Decimal, mid: Decimal) -> None:
        if held != self.state.position:
            logger.warning(
                "%s: the hedge holds %s, %s by its fills: the exchange is believed",
                self.place[1],
                f"{held:f}",
                f"{self.state.position:f}",
            )
            self.state = hedging.take_over(self.settings, self.state, held, mid)

    # ---- events

    def saw(self, exchange: str, event: Event) -> None:
        """Take in an event; what it means is decided in `step`."""
        if isinstance(event, Book):
            if event.bids and event.asks:
                self._books[exchange, event.symbol] = event
                self._new_books.add((exchange, event.symbol))
        elif not self._is_open:
            self._early.append((exchange, event))
        elif exchange == self.place[0]:
            self._saw_of_hedge(event)

    def _saw_of_hedge(self, event: Event) -> None:
        if isinstance(event, StreamsReconnected):
            self._waiting.append(Reconnected(self._now))
        elif isinstance(event, Fill) and event.symbol == self.place[1]:
            self._unheard.pop(event.fill_id, None)
            if self._room.ids(self.place).owns(event.client_id):
                self._account.filled(event, self._books.get(self.place))
            if self.state.owns(event.client_id):
                self._waiting.append(fill_news(event))
        elif isinstance(event, OrderUpdate) and self.state.owns(event.order.client_id):
            self._orders.saw(event)
            self._waiting.append(update_news(event))

    # ---- what is done

    async def step(self, now_ms: int) -> None:
        """Do what is due."""
        self._now = now_ms
        for place in self._new_books:
            self._book_ms[place] = now_ms
        self._new_books.clear()
        await self._drain()
        seen = self._observation(now_ms)
        if seen is None:
            return
        if not self._account.begun:
            self._settle_in(seen.hedge_mid)
        await self._take(seen)
        await self._drain()
        if self._apart:
            self._compare(seen)
            await self._funding(now_ms)
            self._look(seen)

    async def _drain(self) -> None:
        while self._waiting:
            await self._take(self._waiting.popleft())

    async def _take(self, news: News) -> None:
        if isinstance(news, Observation):
            news = replace(news, inventory_ms=self._inventory_ms(news.time_ms))
        self.state, wishes = hedging.step(self.settings, self._market, self.state, news)
        self._save()  # before the request: a program that dies then finds the order in doubt
        if wishes:
            sent = self.state.sent_ms
            self._waiting += self._learnt(await self._orders.carry_out(wishes, sent, self._now))
            self._orders.forget(self.state.orders)

    def _learnt(self, news: list[News]) -> list[News]:
        """Note fills that a look-up found before the maker was told: the inventory lacks them."""
        for one in news:
            if isinstance(one, hedging.Filled) and not self.state.counted(one):
                self._unheard[one.fill_id] = self._now
        return news

    def _inventory_ms(self, now_ms: int) -> int:
        """As of when the inventory is known; its own market's hold only what the maker counted."""
        if self._apart:
            return max(now_ms, self.state.last_fill_ms)
        self._unheard = {
            one: since for one, since in self._unheard.items() if now_ms - since < _LEARN_MS
        }
        return 0 if self._unheard else max(now_ms, self.state.last_fill_ms)

    def _observation(self, now_ms: int) -> Observation | None:
        places = (self._room.market, self.place)
        if any(now_ms - self._book_ms.get(one, 0) > _BOOK_AGE_MS for one in places):
            return None
        own, hedge = (self._books[one] for one in places)
        mid = (_exact(own.bids[0][0]) + _exact(own.asks[0][0])) / 2
        quote = _exact(self._room.quote_balance(float(mid)))
        inventory = self._room.inventory()
        if not self._apart:
            inventory -= self.state.position
            quote += self.state.position * mid
        bid, ask = _exact(hedge.bids[0][0]), _exact(hedge.asks[0][0])
        return Observation(now_ms, mid, bid, ask, inventory, quote, now_ms)

    def _compare(self, seen: Observation) -> None:
        """Believe the exchange's position where it has differed for long: a liquidation, say."""
        if self._held() == self.state.position:
            self._differs_since = None
        elif self._differs_since is None:
            self._differs_since = seen.time_ms
        elif seen.time_ms - self._differs_since > _DISAGREE_MS:
            self._differs_since = None
            self._believe(self._held(), seen.hedge_mid)

    def _save(self) -> None:
        if self._file is None:
            return
        text = hedging.save_state(self.state)
        if text != self._saved:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            written = self._file.with_suffix(".part")
            written.write_bytes(text)
            written.replace(self._file)
            self._saved = text

    async def _funding(self, now_ms: int) -> None:
        exchange = self._room.exchanges[self.place[0]]
        if self._funding_ms is None:
            self._funding_ms = now_ms
        if now_ms - self._funding_ms < _FUNDING_MS or not isinstance(exchange, TellsFunding):
            return
        since, self._funding_ms = self._funding_ms, now_ms
        try:
            paid: list[FundingPayment] = await exchange.funding_since(self.place[1], since)
        except (ConnectionError, OrderDoubtError) as error:
            logger.warning("%s: funding not told: %s", self.place[1], str(error)[:200])
            self._funding_ms = since
            return
        self._account.funded([one for one in paid if one.time_ms < now_ms], self.state.position)

    def _look(self, seen: Observation) -> None:
        if self._looked_ms is None or seen.time_ms - self._looked_ms >= _MINUTE_MS:
            what: What = "start" if self._looked_ms is None else "minute"
            self._looked_ms = seen.time_ms
            self._account.look(what, seen, self.state.position)

    # ---- the end

    async def withdraw(self) -> bool:
        """Cancel what rests, as the maker ends; what the hedge holds stays and is saved."""
        deadline = asyncio.get_running_loop().time() + _WITHDRAW_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while not (gone := await self._withdrawn()):
            if asyncio.get_running_loop().time() > deadline:
                logger.error("%s: hedge orders may still rest: look there", self.place[1])
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        seen = self._observation(self._now)
        if seen is not None and self._apart:
            self._account.look("end", seen, self.state.position)
        self._ended = True
        if self.left_open:
            logger.warning("%s: %s", self.place[1], self.left_open)
        return gone

    @property
    def left_open(self) -> str:
        """After `withdraw`: what is held and what protects it, in words; empty if nothing is."""
        if not self._ended or not self.state.position:
            return ""
        held = (
            f"the hedge on {self.place[1]} of {self.place[0]} holds {_short(self.state.position)}"
        )
        stop = self._kept_stop
        if stop is None:
            return f"{held} without a stop until the maker runs again"
        bare = "" if stop.left == abs(self.state.position) else "; the rest is without one"
        what = f"{stop.side} {_short(stop.left)} at {_short(stop.price)}"
        return f"{held}; its stop to {what} rests{bare}"

    @property
    def _kept_stop(self) -> HedgeOrder | None:
        """The stop that outlives the maker.

        On the hedged market itself it is not reduce-only: it could open a position there once the
        maker's inventory has gone, so it goes.
        """
        return self.state.stop if self._apart else None

    def _kept(self) -> frozenset[str]:
        stop = self._kept_stop
        return frozenset() if stop is None else frozenset({stop.client_id})

    async def _withdrawn(self) -> bool:
        """Cancel what rests but the stop; True once nothing else does and nothing is in doubt."""
        exchange, ids = self._room.exchanges[self.place[0]], self._room.ids(self.place)
        await self._hear_only()
        try:
            there = await exchange.open_orders(self.place[1])
            kept = self._kept()
            mine = [one for one in there if ids.owns(one.client_id) and one.client_id not in kept]
            if mine:
                await exchange.cancel(mine)
                return False
            asked = list(self.state.orders)
            self._waiting += await self._orders.look_up(asked, self.state.sent_ms, self._now)
        except (ConnectionError, OrderDoubtError) as error:
            logger.warning("%s: hedge not withdrawn: %s", self.place[1], str(error)[:200])
            return False
        await self._hear_only()
        return not self.state.orders.keys() - self._kept()

    async def _hear_only(self) -> None:
        """Take in news without carrying out what they call for."""
        while self._waiting:
            news = self._waiting.popleft()
            self.state, _ = hedging.step(self.settings, self._market, self.state, news)
        self._save()

    def profit(self, time_ms: int) -> float:
        """Return what the hedge has earned since `open`, quote currency.

        0 where it trades on the hedged market itself: the maker counts that already.
        """
        book = self._books.get(self.place)
        if book is None or not self._apart or not self._account.begun:
            return 0.0
        mid = (_exact(book.bids[0][0]) + _exact(book.asks[0][0])) / 2
        return float(self._account.profit(mid))


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _hedge_market(rules: MarketRules) -> hedging.HedgeMarket:
    return hedging.HedgeMarket(
        rules.size_step, rules.min_size, rules.min_value, rules.price_step, rules.size_decimals
    )
