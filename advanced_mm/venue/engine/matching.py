"""A market that includes our orders: the background's flow, our queues, and the matching.

The same rules apply to the synthetic market and to replays:

- The background's market orders go as far as they would have gone without us. A print at p by a
  buyer first fills our asks better than p completely, at their price, as extra prints of the same
  transaction. Our asks at p share the print by queue position: the background's lots ahead of them
  trade first, then ours, then the rest of the level; the printed size stays unchanged.
- A new touch whose bid is at or above one of our asks (the quote moved through it) fills that ask
  completely, at its price, in a separate transaction. It is printed only with ``print_run_overs``,
  since it is not a market order of the background. The same holds for bids. If the touch did not
  move but returned after we had taken it, the rest of the order that took it gets the size shown
  there and no more.
- An order joins its level behind ``queue_position`` times the background's size shown there: zero
  inside the spread, and the size of the last visible level beyond the visible depth. If the level
  later shows less than before minus the printed size, the difference counts as cancels, and
  ``cancels_ahead`` gives the share of them ahead of our order. There is never more ahead than the
  level shows. Size that is added joins behind.
- An order that crosses takes our orders and the background's in price-time priority, as deep as the
  source knows its book. What it takes from the background is missing until the source's next block.
- Depth behind the touch is read every 100 ms of market time, on whole multiples, so that results
  do not depend on the steps in which the market is advanced.
"""

import heapq
import math
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from advanced_mm.markets.market import (
    Book,
    CoinSpec,
    Level,
    MarketSource,
    MarketUpdate,
    Print,
    Quote,
)
from advanced_mm.markets.tape import Tape
from advanced_mm.markets.units import CoinUnits
from advanced_mm.venue.engine.background import VISIBLE_LEVELS, Background
from advanced_mm.venue.engine.ledger import Ledger
from advanced_mm.venue.engine.orders import Order, OrderRequest, TimeInForce
from advanced_mm.venue.engine.queue import OwnSide, at_or_better
from advanced_mm.venue.engine.rules import Rules
from advanced_mm.venue.engine.sweep import NOBODY, Party, Sweep

__all__ = ["NOBODY", "STEP_MS", "MatchedMarket"]

STEP_MS = 100
NO_TRANSACTION = "0x" + "0" * 64  # parts of a TWAP have no signed transaction


class MatchedMarket:
    """A `MarketSource` that adds our orders to another one.

    Parameters
    ----------
    source
        The background.
    rules
        The venue's rules, including the queue assumptions.
    ledger
        Called before and after each match.
    asset
        Asset number of the coin; makes trade ids unique across coins.
    """

    def __init__(
        self, source: MarketSource, rules: Rules, ledger: Ledger, *, asset: int = 0
    ) -> None:
        self._source = source
        self._rules = rules
        self.units = CoinUnits(source.spec.size_decimals)
        self._background = Background(source, self.units)
        self._bids, self._asks = OwnSide(True), OwnSide(False)
        self._now_ms = self._changed_ms = source.now_ms
        self.time_ms = source.now_ms
        self._tape = Tape(source.spec.coin, self.units, source.now_ms, asset)
        self._party = Party(self._tape, self._background, ledger, self.remove)
        self._published = self._background.quote
        self._stirred = False

    @property
    def spec(self) -> CoinSpec:
        """The coin."""
        return self._source.spec

    @property
    def now_ms(self) -> int:
        """Time of the last `advance`, exchange ms."""
        return self._now_ms

    @property
    def mid(self) -> float:
        """Middle of the published touch, or the mark if a side is empty."""
        quote = self._published
        if quote.bid is None or quote.ask is None:
            return self.units.price(self.mark)
        return (quote.bid + quote.ask) / 2

    @property
    def mark(self) -> int:
        """Middle of the background's touch without our orders, price units."""
        return self._background.mark

    @property
    def busy(self) -> bool:
        """Whether anything here differs from the source."""
        return bool(self._bids or self._asks or not self._background.untouched)

    @property
    def changed(self) -> bool:
        """Whether actions have changed what is published."""
        return self._stirred and (len(self._tape) > 0 or self._touch() != self._published)

    def best(self, bids: bool) -> tuple[int, int] | None:
        """Return the best published price of a side and the total lots there."""
        own, other = self._own(bids), self._own(not bids)
        if self._background.untouched:
            theirs = self._background.touch(bids)
            if theirs is not None and other.reaches(theirs[0]):
                theirs = None
        else:
            levels = self._background.levels(bids)
            theirs = next((level for level in levels if not other.reaches(level[0])), None)
        if not own:
            return theirs
        ours = next(own.levels())
        if theirs is None or own.reaches(theirs[0]):
            more = theirs[1] if theirs is not None and theirs[0] == ours.price else 0
            return ours.price, ours.lots + more
        return theirs

    def crosses(self, is_buy: bool, price: int, without: Order | None = None) -> bool:
        """Return whether an order would match at once; ``without`` is an order it replaces."""
        best = self.best(not is_buy)
        if best is None:
            return False
        if without is None or not without.resting or without.request.is_buy == is_buy:
            return price >= best[0] if is_buy else price <= best[0]
        for facing, theirs in self._facing(not is_buy, price):
            level = self._own(not is_buy).level(facing)
            if theirs or (level is not None and any(one is not without for one in level.orders)):
                return True
        return False

    def takes(self, request: OrderRequest, account: str) -> tuple[int, int]:
        """Return what an account's order would match at once: lots and value, micro-USDC."""
        bids, left, value = not request.is_buy, request.lots, 0
        for price, theirs in self._facing(bids, request.price):
            level = self._own(bids).level(price)
            others = level.orders if level is not None else ()
            there = theirs + sum(one.remaining for one in others if one.account != account)
            value += min(left, there) * price
            left -= min(left, there)
            if left == 0:
                break
        return request.lots - left, value

    def advance(self, until_ms: int) -> list[MarketUpdate]:
        """Return all new blocks with ``time_ms <= until_ms``, in time order."""
        updates = self._flush()
        until_ms = max(until_ms, self._now_ms)
        if self._background.frozen:
            self._source.advance(until_ms)
        elif self.busy:
            self._run_matched(until_ms, updates)
        else:
            updates += self._run_free(until_ms)
        self._background.passed()
        self._now_ms = self.time_ms = until_ms
        return updates

    def submit(self, order: Order) -> None:
        """Match an order; the remainder rests, unless it is immediate-or-cancel."""
        request = order.request
        self._stirred = True
        if self.crosses(request.is_buy, request.price):
            self._take(order)
        if order.remaining > 0 and request.tif is not TimeInForce.IOC:
            self._rest(order)

    def remove(self, order: Order) -> None:
        """Remove a resting order from the book."""
        self._stirred = True
        self._own(order.request.is_buy).remove(order)

    def amend(self, old: Order, new: Order) -> None:
        """Give a resting order's queue position to a new order at the same price."""
        self._stirred = True
        self._own(old.request.is_buy).replace(old, new)

    def halt(self, halted: bool) -> None:
        """Halt or resume the market.

        While halted, nothing is published or filled; it resumes at the source's current prices.
        """
        if halted == self._background.frozen:
            return
        self._background.freeze(halted)
        self._stirred = True
        if not halted:
            self._background.refill()
            self._meet_touch(self._source.book(1).touch, {})

    def book(self, levels: int) -> Book:
        """Return the book with our orders as of the last `advance`, up to ``levels`` a side."""
        if not self.busy:
            return self._background.book(levels)
        shown = self._background.book(levels + VISIBLE_LEVELS + self._background.taken_levels)
        return Book(
            max(shown.time_ms, self._changed_ms),
            self._merged(True, shown.bids, levels),
            self._merged(False, shown.asks, levels),
        )

    def _own(self, bids: bool) -> OwnSide:
        return self._bids if bids else self._asks

    # The background's flow

    def _run_free(self, until_ms: int) -> list[MarketUpdate]:
        """Advance without orders of ours: pass on the source's blocks with new trade ids."""
        updates = self._source.advance(until_ms)
        for update in updates:
            if update.quote is not None:
                self._background.show(update.quote)
                self._published = update.quote
        return self._tape.renumber(updates)

    def _run_matched(self, until_ms: int, updates: list[MarketUpdate]) -> None:
        while True:
            stop_ms = min(until_ms, self._now_ms - self._now_ms % STEP_MS + STEP_MS)
            blocks = self._source.advance(stop_ms)
            self._background.passed()
            for block in blocks:
                self._apply(block, updates)
            self._now_ms = self.time_ms = stop_ms
            if stop_ms % STEP_MS == 0:
                self._look_at_depth()
            if stop_ms >= until_ms:
                return

    def _apply(self, block: MarketUpdate, updates: list[MarketUpdate]) -> None:
        """Match one block of the background against our orders."""
        self._stirred = True
        self.time_ms = block.time_ms
        returned = self._background.refill()
        for one in block.prints:
            self._meet(one)
        if block.quote is not None:
            self._meet_touch(block.quote, returned)
        elif returned:  # the returning size meets orders of ours that rest at its price
            self._meet_touch(self._background.quote, returned)
        updates += self._flush(quoted=block.quote is not None)

    def _meet(self, one: Print) -> None:
        own = self._own(one.side < 0)
        if own:
            price = self.units.price_units(one.price)
            if own.reaches(price):
                self._share(one, own, price)
                return
        self._tape.copy(one)

    def _share(self, one: Print, own: OwnSide, price: int) -> None:
        """Match a print that reaches our orders."""
        users = one.users or (NOBODY, NOBODY)
        sweep = self._sweep(one.side, one.hash, users if one.side > 0 else users[::-1])
        for level in own.levels():
            if level.price == price:
                lots = self.units.lots(one.size)
                level.printed += lots
                sweep.go_to(price, one.tid)
                level.trade(lots, math.inf, sweep)
                return
            if not at_or_better(own.bids, level.price, price):
                break
            sweep.go_to(level.price)
            level.trade(level.lots, 0, sweep)
        self._tape.copy(one)

    def _meet_touch(self, quote: Quote, returned: Mapping[tuple[bool, int], int]) -> None:
        """Handle the background's new touch: fill what it runs over, update our queue positions.

        ``returned`` holds the lots that had been taken until now, by side and price.
        """
        self._background.show(quote)
        for own in (self._bids, self._asks):
            facing = self._background.touch(not own.bids)
            if facing is not None and own.reaches(facing[0]):
                price, lots = facing
                came_back = (not own.bids, price) in returned
                filled = self._run_over(own, price, lots if came_back else None)
                if came_back and filled:
                    self._background.take(not own.bids, price, filled)
            self._look_at_touch(own)

    def _run_over(self, own: OwnSide, price: int, most: int | None) -> int:
        """Fill our orders up to a price, at most ``most`` lots; return the lots filled."""
        sweep = self._sweep(-1 if own.bids else 1, printed=self._rules.print_run_overs)
        filled = 0
        for level in own.levels():
            if not at_or_better(own.bids, level.price, price) or filled == most:
                break
            sweep.go_to(level.price)
            lots = level.lots if most is None else min(level.lots, most - filled)
            filled += lots - level.trade(lots, 0, sweep)
        return filled

    def _look_at_touch(self, own: OwnSide) -> None:
        """Update our levels at the touch or inside the spread; deeper ones are read less often."""
        touch = self._background.touch(own.bids)
        for level in own.levels():
            if touch is not None and not at_or_better(own.bids, level.price, touch[0]):
                break
            lots = touch[1] if touch is not None and touch[0] == level.price else 0
            level.observe(lots, self._rules.cancels_ahead)

    def _look_at_depth(self) -> None:
        for own in (self._bids, self._asks):
            touch = self._background.touch(own.bids)
            for level in own.levels():
                if touch is None or at_or_better(own.bids, level.price, touch[0]):
                    continue  # updated with each quote
                shown = self._background.shown(own.bids, level.price)
                level.observe(shown, self._rules.cancels_ahead)

    # Our orders

    def _take(self, order: Order) -> None:
        bids = not order.request.is_buy
        own = self._own(bids)
        side = 1 if order.request.is_buy else -1
        transaction = NO_TRANSACTION if order.request.twap_id is not None else None
        sweep = self._sweep(side, transaction, (order.account, NOBODY), order)
        for price, theirs in self._facing(bids, order.request.price):
            if order.remaining == 0:
                break
            sweep.go_to(price)
            our_level = own.level(price)
            if our_level is not None:
                our_level.trade(order.remaining, theirs, sweep)
            else:
                sweep.background(min(theirs, order.remaining))

    def _facing(self, bids: bool, limit: int) -> Iterator[tuple[int, int]]:
        """Yield the levels of a side up to a price, best first: price and background lots."""
        ours = [(level.price, 0) for level in self._own(bids).levels()]
        outwards = -1 if bids else 1
        every = heapq.merge(
            self._background.levels(bids), ours, key=lambda level: outwards * level[0]
        )
        for price, there in groupby(every, key=itemgetter(0)):
            if not at_or_better(bids, price, limit):
                return
            yield price, sum(lots for _, lots in there)

    def _rest(self, order: Order) -> None:
        bids, price = order.request.is_buy, order.request.price
        own = self._own(bids)
        shown = self._background.shown(bids, price)
        level = own.open_level(price, shown)
        if level.orders:
            level.observe(shown, self._rules.cancels_ahead)
        standing = self._background.standing(bids, price)
        level.join(order, self._rules.queue_position * standing)

    def _sweep(
        self,
        side: int,
        transaction: str | None = None,
        users: tuple[str, ...] = (NOBODY, NOBODY),
        order: Order | None = None,
        printed: bool = True,
    ) -> Sweep:
        transaction = transaction or self._tape.new_hash(self.time_ms)
        return Sweep(self._party, self.time_ms, side, transaction, users, order, printed)

    # Publication

    def _flush(self, quoted: bool = False) -> list[MarketUpdate]:
        """Return the unpublished changes as a block.

        If the source quotes (``quoted``), the touch is included even if it is unchanged.
        """
        if not self._stirred:
            return []
        self._stirred = False
        touch = self._published
        if self.busy or self._tape or self._published is not self._background.quote:
            touch = self._touch()
        if not self._tape and not quoted and touch == self._published:
            if not self.busy:
                self._published = self._background.quote
            return []
        quote = touch if quoted or touch != self._published else None
        self._published = touch
        self._changed_ms = self.time_ms
        return [MarketUpdate(self.time_ms, quote, self._tape.take())]

    def _touch(self) -> Quote:
        sides: list[tuple[float | None, float]] = []
        for bids in (True, False):
            best = self.best(bids)
            if best is None:
                sides.append((None, 0.0))
            else:
                sides.append((self.units.price(best[0]), self.units.size(best[1])))
        return Quote(*sides[0], *sides[1])

    def _merged(self, bids: bool, shown: tuple[Level, ...], levels: int) -> tuple[Level, ...]:
        own, other = self._own(bids), self._own(not bids)
        lots: dict[int, tuple[int, int]] = {}
        for one in shown:
            price = self.units.price_units(one.price)
            size = self.units.lots(one.size) - self._background.taken(bids, price)
            if size > 0 and not other.reaches(price):
                lots[price] = (size, one.orders)
        for level in own.levels():
            size, orders = lots.get(level.price, (0, 0))
            lots[level.price] = (size + level.lots, orders + len(level.orders))
        prices = sorted(lots, reverse=bids)[:levels]
        return tuple(
            Level(self.units.price(price), self.units.size(lots[price][0]), lots[price][1])
            for price in prices
        )
