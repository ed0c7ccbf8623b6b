"""Tells the guards of a maker's perpetuals what funding costs."""

import asyncio
import logging
from typing import Final

from advanced_mm.errors import InputError
from advanced_mm.maker.exchange import TellsFundingRates
from advanced_mm.maker.running.shared import Shared

__all__ = ["heed_funding"]

logger = logging.getLogger(__name__)

_SECONDS: Final = 30.0
"""How often the rates are asked for, and how long that may take."""


async def heed_funding(shared: Shared, exchange: str) -> None:
    """Ask for an exchange's rates until cancelled; unknown rates forbid nothing."""
    asked = shared.exchanges[exchange]
    mine = [one for one in shared.keepers if one.setup.exchange == exchange and not one.rules.spot]
    if not (mine and isinstance(asked, TellsFundingRates)):
        return
    while True:
        rates: dict[str, float] = {}
        try:
            async with asyncio.timeout(_SECONDS):
                rates = await asked.funding_rates()
        except TimeoutError:
            logger.warning("%s: funding rates not told in time", exchange)
        except (ConnectionError, InputError, LookupError, TypeError, ValueError) as error:
            logger.warning("%s: funding rates not told: %s", exchange, str(error)[:200])
        for keeper in mine:
            keeper.guards.funding(keeper.rules.symbol, rates.get(keeper.rules.symbol))
        await asyncio.sleep(_SECONDS)
