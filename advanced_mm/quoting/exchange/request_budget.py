"""The actions that an address may still send, and how sparingly they are spent.

An address has 10 000 actions and one for each USDC it trades; an order, a cancel and a replacement
count as one each. Cancels pass up to twice that, so that what rests can always be withdrawn, but
closing a position takes orders.

A fair price that moves like a Brownian motion leaves a band of width proportional to the root of
the tolerance, so the actions of a tolerance are inversely proportional to it: what is left of the
budget is spread over a day by widening the tolerance by the ratio of the pace it would have
otherwise to the pace that can be kept up. A band in which 5% of the value may be lost loses 0.8% on
average, one of 50% about 9%.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import ccxt

from advanced_mm.quoting.exchange.reserved_requests import RESERVED_REQUESTS

__all__ = ["RESERVED_REQUESTS", "RequestBudget"]

logger = logging.getLogger(__name__)

SPREAD_OVER_SECONDS: Final = 86_400.0
"""What is left is to last this long."""

PACE_SECONDS: Final = 600.0
"""The pace of actions is their mean over about this time."""

EARNED_SECONDS: Final = 3600.0
"""The pace of what trading earns is their mean over about this time."""

ASK_EVERY_SECONDS: Final = 600.0  # weight 20
ASK_FIRST_SECONDS: Final = 15.0
"""Startup itself weighs much. What trading earns is known from the second answer on: each
comes after twice the time of the one before, until they are ten minutes apart."""

MOST_PERCENT: Final = 60.0
"""Tolerance beyond which a quote is worth too little; the budget then runs down to its reserve."""


class RequestBudget:
    """Counts the actions a ccxt client sends, and asks the venue how many are left.

    Parameters
    ----------
    client
        A ccxt client of Hyperliquid, patched by `install`.
    clock
        Monotonic clock, seconds.
    """

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._act = client.privatePostExchange
        self._next = clock() + ASK_FIRST_SECONDS
        self._cap: tuple[float, int] | None = None  # when it was told, and what
        self._left: int | None = None
        self._earned = 0.0  # a second; its weights do not add up to one until an hour is over
        self._earned_since: float | None = None
        self._base_pace = 0.0  # actions a second at the configured tolerance
        self._paced_s = self._began_s = clock()
        self._widening = 1.0

    def install(self) -> None:
        """Replace the client's own method that sends actions."""
        self._client.privatePostExchange = self.act

    def act(self, request: dict[str, Any]) -> Any:
        """POST /exchange, and count it."""
        self.count(_actions_of(request.get("action") or {}))
        return self._act(request)

    def count(self, actions: int) -> None:
        """Count actions of now: of the budget, and of the pace."""
        if self._left is not None:
            self._left -= actions
        self._decay()
        self._base_pace += actions * self._widening / PACE_SECONDS

    def look(self) -> None:
        """Ask the venue if it is time to, and adapt the tolerance; for every loop.

        If the venue does not answer, it is asked again at the next call.
        """
        if self._clock() >= self._next:
            try:
                self._ask()
            except ccxt.BaseError as error:
                logger.warning("the request budget is not known: %s", str(error)[:200])
            else:
                running = self._clock() - self._began_s
                self._next = self._clock() + min(max(running, ASK_FIRST_SECONDS), ASK_EVERY_SECONDS)
        self._widening = self._wanted_widening()

    @property
    def left(self) -> int | None:
        """Actions left, as far as it is known."""
        return self._left

    def tolerance_percent(self, configured: float) -> float:
        """Return the share of its value that a quote may have lost, percent."""
        return max(configured, min(configured * self._widening, MOST_PERCENT))

    def refusal(self) -> str | None:
        """Return why no position may be opened; None if opening is allowed."""
        if self._left is None or self._left >= RESERVED_REQUESTS:
            return None
        return (
            f"requests spent: this address has {self._left} left, reserved for closing; each USDC "
            "traded adds one"
        )

    def _wanted_widening(self) -> float:
        if self._left is None:
            return 1.0
        self._decay()
        kept_up = max(self._left - RESERVED_REQUESTS, 0) / SPREAD_OVER_SECONDS + self._earning()
        # The mean over the first minutes is of these minutes alone.
        share = 1 - math.exp(-max(self._paced_s - self._began_s, 1.0) / PACE_SECONDS)
        pace = self._base_pace / share
        return 1.0 if pace <= kept_up else min(pace / kept_up, 1e3) if kept_up > 0 else 1e3

    def _earning(self) -> float:
        """Return the actions that trading earns, a second, by what is known."""
        if self._cap is None or self._earned_since is None or self._earned == 0:
            return 0.0
        return self._earned / (1 - math.exp(-(self._cap[0] - self._earned_since) / EARNED_SECONDS))

    def _decay(self) -> None:
        now = self._clock()
        self._base_pace *= math.exp(-(now - self._paced_s) / PACE_SECONDS)
        self._paced_s = now

    def _ask(self) -> None:
        user, _ = self._client.handle_public_address("userRateLimit", {})
        limit = self._client.publicPostInfo({"type": "userRateLimit", "user": user})
        try:
            used, cap = int(limit["nRequestsUsed"]), int(limit["nRequestsCap"])
        except (TypeError, LookupError, ValueError):
            logger.warning("unexpected userRateLimit reply from the venue: %s", limit)
            return
        now = self._clock()
        if self._cap is not None and now > self._cap[0]:
            seconds = now - self._cap[0]
            weight = math.exp(-seconds / EARNED_SECONDS)
            earned = max(cap - self._cap[1], 0) / seconds
            self._earned = weight * self._earned + (1 - weight) * earned
            if self._earned_since is None:
                self._earned_since = self._cap[0]
        self._cap, self._left = (now, cap), cap - used
        logger.info("requests of this address: %d used, %d left", used, self._left)


def _actions_of(action: Mapping[str, Any]) -> int:
    """Return as how many requests the venue counts an action."""
    return max([1, *(len(value) for value in action.values() if isinstance(value, list))])
