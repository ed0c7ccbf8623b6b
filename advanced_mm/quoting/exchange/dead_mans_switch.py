"""The venue's dead man's switch: it cancels the account's orders if nobody says otherwise in time.

Hyperliquid's ``scheduleCancel`` is for addresses that have traded a million USDC; the time must be
at least 5 s ahead, and it may strike ten times a day. It cancels exits, too: a bot that is gone
reprices neither, and what rests is as old as its last look.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import ccxt

__all__ = ["DeadMansSwitch"]

logger = logging.getLogger(__name__)

_REFUSED_SECONDS: Final = 6 * 3600.0
"""An account that may not use it asks again after this time: it may have traded enough by then."""
_RENEWED_AFTER: Final = 0.5
"""Share of the time after which it is set anew."""
_AGAIN_SECONDS: Final = 5.0


class DeadMansSwitch:
    """Sets the switch anew while the bot is well, and lifts it when the bot ends.

    Parameters
    ----------
    client
        A ccxt client of Hyperliquid.
    seconds
        From the last setting to the cancel; None: it is not used.
    clock
        Monotonic clock, seconds.
    """

    def __init__(
        self, client: Any, seconds: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._seconds = seconds
        self._clock = clock
        self._due = float("-inf")
        self._set = self._told = False

    def refresh(self, *, healthy: bool) -> None:
        """Set it anew if that is due; call it in every loop. An unhealthy bot lets it run down."""
        now = self._clock()
        if self._seconds is None or not healthy or now < self._due:
            return
        try:
            self._client.cancel_all_orders_after(round(self._seconds * 1000))
        except ccxt.OperationFailed as error:
            self._due = now + _AGAIN_SECONDS
            self._set = True  # the venue may have got it: only the answer is missing for certain
            logger.warning("dead man's switch: not set, tried again: %s", str(error)[:200])
        except ccxt.BaseError as error:
            self._due = now + _REFUSED_SECONDS
            self._set = self._told = False
            logger.info(
                "dead man's switch: the venue refused it (asked again in %.0f hours): %s",
                _REFUSED_SECONDS / 3600,
                str(error)[:200],
            )
        else:
            self._due = now + _RENEWED_AFTER * self._seconds
            if not self._told:
                logger.info(
                    "dead man's switch: the venue cancels all orders of the account %g s after "
                    "the bot's last word",
                    self._seconds,
                )
            self._set = self._told = True

    @property
    def is_set(self) -> bool:
        """Whether the venue may act if nothing is heard of the bot."""
        return self._set

    def lift(self) -> None:
        """Take it back, so that it does not strike after the bot has ended in good order.

        It stays set where the venue does not answer, and can be lifted again.
        """
        if not self._set:
            return
        self._due = float("-inf")  # if the bot goes on, it is set at once
        try:
            self._schedule_nothing()
        except ccxt.BaseError as error:
            self._set = isinstance(error, ccxt.OperationFailed)
            logger.warning("dead man's switch: not lifted, it will strike: %s", str(error)[:200])
        else:
            self._set = self._told = False

    def _schedule_nothing(self) -> None:
        """Send ``scheduleCancel`` without a time; ccxt can only send one with it."""
        nonce = self._client.incrementing_nonce()
        action = {"type": "scheduleCancel"}
        vault, _ = self._client.handle_option_string_and_params_2(
            {}, "cancelAllOrdersAfter", "vaultAddress", "subAccountAddress"
        )
        vault = self._client.format_vault_address(vault)
        request = {
            "action": action,
            "nonce": nonce,
            "signature": self._client.sign_l1_action(action, nonce, vault),
        }
        if vault is not None:
            request["vaultAddress"] = vault
        self._client.privatePostExchange(request)
