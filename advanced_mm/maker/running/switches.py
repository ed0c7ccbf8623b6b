"""The exchanges' dead man's switches."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from advanced_mm.maker.exchange import MakerExchange, OrderDoubtError
from advanced_mm.maker.setup import MarketSetup

__all__ = ["Switches"]

logger = logging.getLogger(__name__)

_ARM_AGAIN_SECONDS: Final = 6 * 3600.0
"""An account that may not use the switch asks again: it may have traded enough by then."""


class Switches:
    """Keeps armed what cancels all orders of an account when the maker no longer can."""

    def __init__(
        self, exchanges: Mapping[str, MakerExchange], markets: Sequence[MarketSetup]
    ) -> None:
        self._exchanges, self._markets = exchanges, markets
        self._arm_at_s: dict[str, float] = {}
        self._armed: set[str] = set()

    async def arm(self) -> None:
        """Renew the switches once half of their time is over."""
        clock = asyncio.get_running_loop().time()
        for name, exchange in self._exchanges.items():
            seconds = [
                one.limits.dead_mans_switch_seconds
                for one in self._markets
                if one.exchange == name and one.limits.dead_mans_switch_seconds is not None
            ]
            if not seconds or clock < self._arm_at_s.get(name, 0.0):
                continue
            try:
                armed = await exchange.arm(min(seconds))
            except (ConnectionError, OrderDoubtError) as error:
                logger.warning("%s: dead man's switch not set: %s", name, str(error)[:200])
                self._arm_at_s[name] = clock + 1.0
                continue
            if armed:
                self._armed.add(name)
                self._arm_at_s[name] = clock + min(seconds) / 2
            else:
                logger.info("%s has no dead man's switch for this account", name)
                self._arm_at_s[name] = clock + _ARM_AGAIN_SECONDS

    async def disarm(self) -> None:
        """Take the switches back, as nothing rests any more."""
        for name in self._armed:
            with contextlib.suppress(ConnectionError, OrderDoubtError):
                await self._exchanges[name].arm(None)
