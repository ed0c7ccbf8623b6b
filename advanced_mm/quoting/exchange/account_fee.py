"""The maker fee of the account's own tier, as the venue tells it."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Final

import ccxt

__all__ = ["AccountFee"]

logger = logging.getLogger(__name__)

ASK_EVERY_SECONDS: Final = 86_400.0  # weight 20; tiers follow the volume of 14 days
ASK_AGAIN_SECONDS: Final = 600.0
GREATEST: Final = 0.01
"""A share of the price; a reply beyond it, as ``fee_rate``, cannot be a fee."""


class AccountFee:
    """Asks for the account's maker rate once a day.

    A referral's discount, which ends with a volume, is left out. Exchanges of builders have fees of
    their own, to which this does not apply.
    """

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._next = -math.inf
        self._rate: float | None = None

    @property
    def rate(self) -> float | None:
        """Share of the price, negative for a rebate; None while it is not known."""
        return self._rate

    def look(self, configured: float) -> None:
        """Ask if it is time to; if the venue does not answer, what was known stays in use.

        A fee other than ``configured`` is logged: depths are then solved by the bot.
        """
        if self._clock() < self._next:
            return
        self._next = self._clock() + ASK_AGAIN_SECONDS
        try:
            user, _ = self._client.handle_public_address("userFees", {})
            reply = self._client.publicPostInfo({"type": "userFees", "user": user})
            rate = float(reply["userAddRate"])
        except (ccxt.BaseError, TypeError, LookupError, ValueError) as error:
            logger.warning("the account's maker fee is not known: %s", repr(error)[:200])
            return
        if not abs(rate) <= GREATEST:
            logger.warning("the account's maker fee cannot be %r; it is left out", rate)
            return
        self._next = self._clock() + ASK_EVERY_SECONDS
        if rate != self._rate:
            told = logging.INFO if math.isclose(rate, configured, rel_tol=0.01) else logging.WARNING
            logger.log(
                told,
                "the account's maker fee is %.4f bp, market_making.fee_rate %.4f bp%s",
                1e4 * rate,
                1e4 * configured,
                ""
                if told == logging.INFO
                else ": set it to the account's, so that the calibration solves the same problem",
            )
        self._rate = rate
