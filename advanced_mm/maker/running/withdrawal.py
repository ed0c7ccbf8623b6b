"""How a maker takes everything off the books."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from advanced_mm.maker.running.keeper import Keeper
from advanced_mm.maker.running.shared import Shared
from advanced_mm.maker.running.switches import Switches
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Withdrawal"]

logger = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 0.7
"""How long a round of requests that is under way may delay the withdrawal."""
_WITHDRAW_SECONDS: Final = 60.0
"""How long an exchange that does not answer is asked again to withdraw the quotes."""
_LAST_SETTLE_SECONDS: Final = 10.0
"""How long the accounts are compared for a last time, after all quotes are gone."""


class Withdrawal:
    """Takes quotes and hedges off the books at the end, whatever else fails.

    Attributes
    ----------
    left_behind
        Markets in which orders may still rest, as their exchange was silent.
    left_open
        What hedges hold, and which stops protect it, in words.
    """

    def __init__(self, shared: Shared, switches: Switches) -> None:
        self.left_behind: list[str] = []
        self.left_open: list[str] = []
        self._shared, self._switches = shared, switches

    async def withdraw(
        self, quoting: Sequence[asyncio.Task[None]], desks: Sequence[asyncio.Task[None]]
    ) -> None:
        """Take everything off the book; a round under way is waited for first, shortly."""
        shared = self._shared
        for keeper in shared.keepers:
            keeper.end()
        await asyncio.wait([*quoting, *desks], timeout=_ROUND_SECONDS)
        for task in desks:
            task.cancel()
        # An exchange that is down must not delay what the others can withdraw at once.
        withdrawn = await asyncio.gather(
            self._quotes(quoting, _WITHDRAW_SECONDS),
            *(self._desk(one) for one in shared.markets if one.desk is not None),
            return_exceptions=True,
        )
        for error in withdrawn:
            if isinstance(error, Exception):
                logger.error("%s: not all is withdrawn", shared.name, exc_info=error)
                self.left_behind.append(repr(error)[:200])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(*map(shared.settle, shared.accounts)), _LAST_SETTLE_SECONDS
            )
        shared.note("end")
        if self.left_behind:
            self._tell()
            return  # with the switches as they are: they are what is left to cancel those orders
        await self._switches.disarm()

    async def clear(self, *, patiently: bool) -> None:
        """Take off the books what an earlier run has left there: this one will not watch it."""
        await self._quotes((), _WITHDRAW_SECONDS if patiently else _LAST_SETTLE_SECONDS)
        self._tell()

    def _tell(self) -> None:
        if self.left_behind:
            where = ", ".join(self.left_behind)
            logger.error("%s: orders may still rest in %s: look there", self._shared.name, where)

    async def _quotes(self, quoting: Sequence[asyncio.Task[None]], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds

        async def until_gone(keeper: Keeper) -> None:
            pause = 0.05
            while True:
                # What a round that is still under way places is only seen once it is over.
                over = all(task.done() for task in quoting)
                try:
                    if await keeper.withdraw() and over:
                        return
                except Exception:  # whatever it is, the orders must go
                    logger.exception("%s: not withdrawn yet", keeper.rules.symbol)
                if asyncio.get_running_loop().time() > deadline:
                    self.left_behind.append(f"{keeper.rules.symbol} on {keeper.setup.exchange}")
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0)

        await asyncio.gather(*map(until_gone, self._shared.keepers))

    async def _desk(self, setup: MarketSetup) -> None:
        assert setup.desk is not None
        gone = await setup.desk.withdraw()
        if setup.desk.left_open:
            self.left_open.append(setup.desk.left_open)
        if not gone:
            places = ", ".join(f"{symbol} on {exchange}" for exchange, symbol in setup.desk.needs)
            self.left_behind.append(f"{places} (the hedge's)")
