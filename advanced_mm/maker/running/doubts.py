"""What is not known of a market's orders, and how it is found out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from advanced_mm.maker.exchange import OrderDoubtError, OrderStatus
from advanced_mm.maker.running.market import Market
from advanced_mm.maker.running.requests import Requests

__all__ = ["Doubts"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
"""Between tries to learn what became of orders in doubt."""


class Doubts:
    """Settles what is in doubt, an order or the whole market, before anything else is placed.

    Parameters
    ----------
    market, requests
        What is doubted.
    settle
        Has the account and its fills compared with what the exchange says.
    """

    def __init__(
        self, market: Market, requests: Requests, settle: Callable[[], Awaitable[None]]
    ) -> None:
        self._market, self._requests, self._settle = market, requests, settle
        self._unsure = "the maker has just started"
        self._pause_s = _FIRST_PAUSE_SECONDS

    @property
    def any(self) -> bool:
        """Whether something is in doubt."""
        return bool(self._requests.doubts or self._unsure)

    @property
    def why(self) -> str:
        """Why something is."""
        return self._unsure or next(iter(self._requests.doubts.values()), "")

    def doubt(self, why: str) -> None:
        """Doubt all that is known of the market's orders."""
        self._unsure = why

    async def settled(self, tell: Callable[[str], None]) -> bool:
        """Settle what is in doubt; False, after a pause, where that could not be done.

        ``tell`` is told the reason then, and what rests without a doubt is withdrawn.
        """
        if not self.any:
            return True
        doubts = self._requests.doubts
        try:
            if doubts:
                await self.look_up()
            if self._unsure:
                await self.reconcile()
        except (OrderDoubtError, ConnectionError) as error:
            tell(f"in doubt: {str(error)[:200] or type(error).__name__}")
            resting = self._market.orders.resting()
            await self._requests.cancel(
                [one for one in resting if one.client_id not in doubts],
                "the state is in doubt",
            )
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_SECONDS)
            return False
        self._pause_s = _FIRST_PAUSE_SECONDS
        return True

    async def look_up(self) -> None:
        """Ask what became of the orders in doubt."""
        market, doubts = self._market, self._requests.doubts
        asked = list(doubts)
        now = market.clock_ms()
        for client_id, found in zip(
            asked, await market.exchange.look_up(market.symbol, asked), strict=True
        ):
            del doubts[client_id]
            before = market.orders.get(client_id)
            if found is not None and found.status is OrderStatus.OPEN:
                if before is not None and before.order_id != found.order.order_id:
                    market.ended(before, "moved")
                if before is None or before.order_id != found.order.order_id:
                    self._requests.accepted(found.order)
                continue
            for one in (before, found.order if found is not None else None):
                if one is not None:
                    market.orders.ended(one, now)
                    market.ended(one, "found gone")

    async def reconcile(self) -> None:
        """Compare orders, fills and account with what the exchange says, and believe that."""
        market = self._market
        why, self._unsure = self._unsure, ""
        try:
            await self._settle()
            there = await market.exchange.open_orders(market.symbol)
        except BaseException:
            self._unsure = why or "reconciling failed"
            raise
        own = [one for one in there if market.ids.owns(one.client_id)]
        for one in market.orders.adopt(own, market.clock_ms()):
            market.ended(one, "gone when reconciled")
        logger.info("%s: reconciled (%s): %d orders rest", market.symbol, why, len(own))
