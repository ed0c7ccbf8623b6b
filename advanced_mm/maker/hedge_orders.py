"""A hedge's wishes as requests to an exchange, and the exchange's replies as news."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from advanced_mm.hedging.messages import (
    Accepted,
    Cancel,
    Doubted,
    Ended,
    Filled,
    LookUp,
    News,
    NotFound,
    PlaceLimit,
    PlaceMarket,
    PlaceTrigger,
    Refused,
    Wish,
)
from advanced_mm.maker.exchange import (
    Fill,
    MakerExchange,
    OrderDoubtError,
    OrderRefusedError,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RestingOrder,
    WouldTakeError,
)

__all__ = ["HedgeOrders", "fill_news", "update_news"]

logger = logging.getLogger(__name__)

_EARLIER_MS: Final = 10_000
"""Fills are asked for from so long before the order was sent: clocks differ."""

_Place = PlaceLimit | PlaceMarket | PlaceTrigger


def fill_news(fill: Fill) -> Filled:
    """Return an exchange's fill as news."""
    return Filled(fill.client_id, fill.time_ms, fill.fill_id, fill.side, fill.size, fill.price)


def update_news(update: OrderUpdate) -> News:
    """Return an exchange's word on an order as news."""
    order, at = update.order, update.time_ms
    match update.status:
        case OrderStatus.OPEN:
            return Accepted(order.client_id, at)
        case OrderStatus.FILLED:
            return Ended(order.client_id, at, max(order.filled, order.size))
        case OrderStatus.REFUSED if order.filled == 0:
            return Refused(order.client_id, at, "refused by the exchange")
        case _:
            return Ended(order.client_id, at, order.filled)


class HedgeOrders:
    """Orders of one hedge on one market.

    Parameters
    ----------
    exchange, symbol
        Where the hedge trades.
    reduce_only
        Whether orders that close the hedge are sent as reduce-only: not where the maker's own
        inventory is in the same position.
    """

    def __init__(self, exchange: MakerExchange, symbol: str, *, reduce_only: bool) -> None:
        self._exchange, self._symbol, self._reduce_only = exchange, symbol, reduce_only
        self._known: dict[str, RestingOrder] = {}

    def forget(self, live: Iterable[str]) -> None:
        """Keep only the orders that are still of interest, by client id."""
        kept = set(live)
        self._known = {one: order for one, order in self._known.items() if one in kept}

    def saw(self, update: OrderUpdate) -> None:
        """Learn how the exchange names an order: cancels need it."""
        self._known[update.order.client_id] = update.order

    async def carry_out(
        self, wishes: Sequence[Wish], sent_ms: Mapping[str, int], now_ms: int
    ) -> list[News]:
        """Make the requests and return what came of them.

        Parameters
        ----------
        wishes
            Cancels are made first, then orders placed, then orders looked up.
        sent_ms
            When each order was sent, by client id.
        now_ms
            Now, ms.
        """
        news: list[News] = []
        asked = [one.client_id for one in wishes if isinstance(one, LookUp)]
        cancels = [one.client_id for one in wishes if isinstance(one, Cancel)]
        unknown = [one for one in cancels if one not in self._known]
        if unknown:  # how the exchange names it was not heard
            news += await self.look_up(unknown, sent_ms, now_ms)
        news += await self._cancel([one for one in cancels if one in self._known], now_ms)
        places = [one for one in wishes if isinstance(one, PlaceLimit | PlaceMarket | PlaceTrigger)]
        news += await self._place(places, now_ms)
        news += await self.look_up([one for one in asked if one not in unknown], sent_ms, now_ms)
        return news

    async def _place(self, wishes: Sequence[_Place], now_ms: int) -> list[News]:
        if not wishes:
            return []
        try:
            results = await self._exchange.place([self._request(one) for one in wishes])
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            results = [error] * len(wishes)
        news: list[News] = []
        for wish, result in zip(wishes, results, strict=True):
            news += self._placed(wish, result, now_ms)
        return news

    def _placed(self, wish: _Place, result: RestingOrder | Exception, now_ms: int) -> list[News]:
        one = wish.client_id
        if isinstance(result, RestingOrder):
            self._known[one] = result
            accepted: list[News] = [Accepted(one, now_ms)]
            return accepted if result.left > 0 else [*accepted, Ended(one, now_ms, result.filled)]
        if isinstance(result, OrderRefusedError):
            level = logging.INFO if isinstance(result, WouldTakeError) else logging.WARNING
            logger.log(level, "%s: hedge refused: %s", self._symbol, str(result)[:200])
            return [Refused(one, now_ms, str(result))]
        if not isinstance(result, OrderDoubtError | ConnectionError):
            raise result
        logger.warning("%s: a hedge order is in doubt: %s", self._symbol, str(result)[:200])
        return [Doubted(one, now_ms)]

    def _request(self, wish: _Place) -> OrderRequest:
        closing = not isinstance(wish, PlaceLimit) and wish.closing
        return OrderRequest(
            self._symbol,
            wish.side,
            wish.size,
            wish.client_id,
            price=wish.price if isinstance(wish, PlaceLimit) else None,
            post_only=isinstance(wish, PlaceLimit),
            trigger_price=wish.trigger_price if isinstance(wish, PlaceTrigger) else None,
            reduce_only=self._reduce_only and closing,
        )

    async def _cancel(self, client_ids: Sequence[str], now_ms: int) -> list[News]:
        if not client_ids:
            return []
        try:
            results = await self._exchange.cancel([self._known[one] for one in client_ids])
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            results = [error] * len(client_ids)
        for one, result in zip(client_ids, results, strict=True):
            if result is not None:
                logger.warning("%s: hedge %s not cancelled: %s", self._symbol, one, result)
        # How much was filled before is told by the stream, or by a look-up.
        failed = [one for one, result in zip(client_ids, results, strict=True) if result]
        return [Doubted(one, now_ms) for one in failed]

    async def look_up(
        self, client_ids: Sequence[str], sent_ms: Mapping[str, int], now_ms: int
    ) -> list[News]:
        """Ask what became of orders; without a reply there is no news of them."""
        if not client_ids:
            return []
        try:
            found = await self._exchange.look_up(self._symbol, client_ids)
            since = min((sent_ms.get(one, now_ms) for one in client_ids), default=now_ms)
            fills = await self._exchange.fills_since(self._symbol, since - _EARLIER_MS)
        except (OrderDoubtError, ConnectionError) as error:
            logger.warning("%s: hedges not looked up: %s", self._symbol, str(error)[:200])
            return []
        news: list[News] = [fill_news(one) for one in fills if one.client_id in client_ids]
        for client_id, update in zip(client_ids, found, strict=True):
            if update is None:
                news.append(NotFound(client_id, now_ms))
                continue
            self.saw(update)
            news.append(update_news(update))
        return news

    async def cancel_strays(self, mine: Iterable[RestingOrder]) -> None:
        """Cancel orders that no state knows; their fills count as a position found."""
        orders = list(mine)
        if orders:
            logger.warning(
                "%s: %d hedge orders of a lost state cancelled", self._symbol, len(orders)
            )
            await self._exchange.cancel(orders)
