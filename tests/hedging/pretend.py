"""A venue for one hedge, in memory: it can refuse, lose replies, tell twice and out of order."""

import random
from dataclasses import dataclass, field
from decimal import Decimal

from advanced_mm.hedging.market import HedgeMarket
from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Doubted,
    Ended,
    Filled,
    LookUp,
    NotFound,
    Observation,
    PlaceLimit,
    PlaceMarket,
    Reconnected,
    Refused,
)

D = Decimal
ALL = D(1)
HALF_SPREAD = D("0.1")
MARKET = HedgeMarket(D("0.01"), D("0.01"), D(10), price_step=D("0.1"))


def seen(time_ms=0, mid=100, inventory=10, quote=1000, inventory_ms=None, half=HALF_SPREAD):
    mid = D(mid)
    at = time_ms if inventory_ms is None else inventory_ms
    return Observation(time_ms, mid, mid - half, mid + half, D(inventory), D(quote), at)


@dataclass
class Order:
    client_id: str
    kind: str
    side: str
    size: Decimal
    price: Decimal
    filled: Decimal = Decimal(0)
    live: bool = True
    fills: list = field(default_factory=list)


@dataclass
class Venue:
    """``outcome`` is that of requests: done, refused, lost, or unheard: done, not told."""

    mid: Decimal = Decimal(100)
    now: int = 0
    outcome: str = "done"
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    shuffled: bool = False
    least_share: Decimal = Decimal(1)
    orders: dict = field(default_factory=dict)
    news: list = field(default_factory=list)
    placed: list = field(default_factory=list)
    _fills: int = 0

    @property
    def position(self):
        return sum((f.signed for one in self.orders.values() for f in one.fills), start=D(0))

    def live(self, kind=None):
        return [o for o in self.orders.values() if o.live and kind in (None, o.kind)]

    def carry_out(self, wishes):
        for wish in wishes:
            if isinstance(wish, Cancel):
                self._cancel(wish.client_id)
            elif isinstance(wish, LookUp):
                self._look_up(wish.client_id)
            else:
                self._place(wish)

    def _place(self, wish):
        assert wish.client_id not in {one.client_id for one in self.placed}
        self.placed.append(wish)
        if self.outcome == "refused":
            self.news.append(Refused(wish.client_id, self.now, "because"))
            return
        if self.outcome == "lost":
            self.news.append(Doubted(wish.client_id, self.now))
            return
        heard = self.outcome != "unheard"
        if isinstance(wish, PlaceLimit):
            order = Order(wish.client_id, "limit", wish.side, wish.size, wish.price)
        elif isinstance(wish, PlaceMarket):
            order = Order(wish.client_id, "market", wish.side, wish.size, self.mid)
        else:
            order = Order(wish.client_id, "trigger", wish.side, wish.size, wish.trigger_price)
        self.orders[wish.client_id] = order
        kind = Accepted if heard else Doubted
        self.news.append(kind(wish.client_id, self.now))
        if order.kind == "market":
            self.fill(order, self._some(order), told=heard)
            self.end(order, told=heard)

    def _some(self, order):
        share = D(str(round(self.rng.uniform(float(self.least_share), 1), 2)))
        return max(MARKET.size(order.size * share), MARKET.size_step)

    def _cancel(self, client_id):
        order = self.orders.get(client_id)
        if order is not None and order.live and self.outcome in ("done", "unheard"):
            self.end(order, told=self.outcome == "done")

    def _look_up(self, client_id):
        order = self.orders.get(client_id)
        if order is None:
            self.news.append(NotFound(client_id, self.now))
            return
        self.news += order.fills
        if order.live:
            self.news.append(Accepted(client_id, self.now))
        else:
            self.news.append(Ended(client_id, self.now, order.filled))

    def fill(self, order, size, told=True):
        size = min(size, order.size - order.filled)
        self._fills += 1
        price = order.price if order.kind == "limit" else self.mid
        fill = Filled(order.client_id, self.now, f"f{self._fills}", order.side, size, price)
        order.fills.append(fill)
        order.filled += size
        if told:
            self.news.append(fill)
        if order.filled == order.size:
            self.end(order, told)

    def end(self, order, told=True):
        if order.live:
            order.live = False
            if told:
                self.news.append(Ended(order.client_id, self.now, order.filled))

    def move(self, mid):
        """The price moves: triggers that it reaches are carried out at market."""
        self.mid = D(mid)
        for order in self.live("trigger"):
            if (self.mid >= order.price) if order.side == "buy" else (self.mid <= order.price):
                self.fill(order, self._some(order))
                self.end(order)

    def trade_with(self, share=ALL):
        """Somebody trades with what rests at a limit."""
        for order in self.live("limit"):
            self.fill(order, max(MARKET.size((order.size - order.filled) * share), D("0.01")))

    def told(self):
        """Take the news out, in order, or shuffled and with some of them twice."""
        news, self.news = self.news, []
        if self.shuffled:
            news += [one for one in news if self.rng.random() < 0.3]
            self.rng.shuffle(news)
        return news

    def reconnected(self):
        return Reconnected(self.now)
