"""A market's requests, and what their replies tell."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from advanced_mm.maker.diff import Plan
from advanced_mm.maker.exchange import (
    Change,
    OrderDoubtError,
    OrderGoneError,
    OrderRefusedError,
    OrderRequest,
    RestingOrder,
    WouldTakeError,
)
from advanced_mm.maker.grid import Grid
from advanced_mm.maker.running.allowance import Round, round_of
from advanced_mm.maker.running.market import Market
from advanced_mm.maker.running.restraint import Restraint
from advanced_mm.maker.running.sight import Sight
from advanced_mm.maker.wanted import WantedOrder

__all__ = ["Requests"]

logger = logging.getLogger(__name__)

_REFUSED_CANCEL_SECONDS: Final = 0.5
_TELL_MS: Final = 60_000


class Requests:
    """Sends rounds of requests, and takes in all replies.

    Parameters
    ----------
    market, sight
        What they are about.
    wake
        Called once an order is in doubt.

    Attributes
    ----------
    doubts
        Client ids of orders of which it is not known what became, and why.
    sent
        How many requests were sent.
    """

    def __init__(self, market: Market, sight: Sight, grid: Grid, wake: Callable[[], None]) -> None:
        self.doubts: dict[str, str] = {}
        self.sent = 0
        self._market, self._sight, self._grid, self._wake = market, sight, grid, wake
        self._restraint = Restraint(market.clock_ms)
        self._told_of_limit_ms = 0

    async def carry_out(self, todo: Plan) -> None:
        """Send what is allowed of a plan as one round, and take in all replies."""
        allowed = self._within_allowance(todo)
        if not allowed.requests:
            return
        self.sent += allowed.requests
        self._restraint.begin_round()
        replies = await asyncio.gather(
            self.cancel(allowed.cancels, "no longer wanted"),
            self._change(allowed.changes),
            self._place(allowed.places),
            return_exceptions=True,  # a failure must not leave other requests on their way
        )
        for one in replies:
            if isinstance(one, BaseException):
                raise one
        self._restraint.end_round()

    def _within_allowance(self, todo: Plan) -> Round:
        allowed = self._market.exchange.allowance()
        found, short = round_of(todo, allowed, nothing_new=self._restraint.holds)
        now = self._market.clock_ms()
        if short and now - self._told_of_limit_ms >= _TELL_MS:
            self._told_of_limit_ms = now
            logger.warning(
                "%s: the exchange allows %d more orders now; prices are followed less closely",
                self._market.symbol,
                allowed,
            )
        return found

    async def _place(self, orders: Sequence[WantedOrder]) -> None:
        if not orders:
            return
        market = self._market
        asked = [
            OrderRequest(market.symbol, one.side, one.size, market.ids.new(), one.price)
            for one in orders
        ]
        for one, reply in zip(asked, await self._asked(asked), strict=True):
            if isinstance(reply, RestingOrder):
                self.accepted(reply)
            elif isinstance(reply, OrderRefusedError):
                self._refused(reply)
            else:
                self._in_doubt(one.client_id, reply)

    async def _asked(self, orders: Sequence[OrderRequest]) -> Sequence[RestingOrder | Exception]:
        try:
            return await self._market.exchange.place(orders)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            return [error] * len(orders)

    async def _change(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        replies: Sequence[RestingOrder | Exception]
        try:
            replies = await self._market.exchange.edit(changes)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            replies = [error] * len(changes)
        left: list[RestingOrder] = []
        for one, reply in zip(changes, replies, strict=True):
            if isinstance(reply, RestingOrder):
                if reply.order_id != one.order.order_id:
                    self._market.ended(one.order, "moved")
                self.accepted(reply)
            elif isinstance(reply, OrderRefusedError):
                self._refused(reply)
                left.append(one.order)
            else:
                self._in_doubt(one.order.client_id, reply)
        # Whether the old order still rests differs from exchange to exchange: it goes.
        await self.cancel(left, "could not be moved")

    async def cancel(self, orders: Sequence[RestingOrder], why: str) -> None:
        """Cancel orders, and take in the replies."""
        if not orders:
            return
        replies: Sequence[Exception | None]
        try:
            replies = await self._market.exchange.cancel(orders)
        except (OrderRefusedError, OrderDoubtError, ConnectionError) as error:
            replies = [error] * len(orders)
        now = self._market.clock_ms()
        for one, reply in zip(orders, replies, strict=True):
            if reply is None:
                self._market.orders.ended(one, now)
                self._market.ended(one, why)
            else:
                self._in_doubt(one.client_id, reply)
        if any(isinstance(one, OrderRefusedError) for one in replies):
            # Too many requests, say: the orders still rest, and asking at once makes it worse.
            await asyncio.sleep(_REFUSED_CANCEL_SECONDS)

    def accepted(self, order: RestingOrder) -> None:
        """Take in that the exchange has an order of ours."""
        market, state = self._market, self._sight.state
        market.guards.errors.worked("order")
        if state is not None and not market.records.knows(order):
            position = state.inventory - market.setup.limits.target_inventory
            tick = self._grid.tick(float(order.price))
            market.records.sent(order, state, tick, position, float(order.size))
        if not market.orders.placed(order, market.clock_ms()):
            market.ended(order, "ended at once")

    def _refused(self, error: OrderRefusedError) -> None:
        market = self._market
        if isinstance(error, WouldTakeError | OrderGoneError):
            if isinstance(error, WouldTakeError):
                self._restraint.reached()
            market.guards.errors.worked("order")
            return
        self._restraint.refused()
        at = self._sight.at(market.clock_ms())
        market.guards.failed("order", market.symbol, str(error), at)
        logger.warning("%s: an order was refused: %s", market.symbol, str(error)[:200])

    def _in_doubt(self, client_id: str, error: Exception) -> None:
        if isinstance(error, OrderRefusedError):
            logger.warning("%s: a cancel was refused: %s", self._market.symbol, str(error)[:200])
        elif not isinstance(error, OrderDoubtError | ConnectionError):
            logger.error("%s: unexpected reply", self._market.symbol, exc_info=error)
        self.doubts[client_id] = str(error)[:200] or type(error).__name__
        self._wake()
