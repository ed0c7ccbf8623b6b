"""Request limits: weight a minute, orders in ten seconds and a day, and the ban that follows."""

import math
from collections import deque
from dataclasses import dataclass, field

from advanced_mm.venue.spot.orders import SpotRefusedError

__all__ = ["LIMITS", "BannedError", "LimitedError", "OrderCount", "RequestWeight"]

WEIGHT_A_MINUTE = 6_000
ORDERS_IN_10_S = 100
ORDERS_A_DAY = 200_000
REFUSALS_BEFORE_BAN = 10
BAN_S = 120.0
MINUTE_S, TEN_S, DAY_S = 60.0, 10.0, 86_400.0

LIMITS: tuple[dict[str, object], ...] = (
    {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": WEIGHT_A_MINUTE,
    },
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_IN_10_S},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_A_DAY},
)
"""As ``exchangeInfo`` lists them."""


class LimitedError(SpotRefusedError):
    """A limit is used up: HTTP status 429, to be tried again after ``retry_s``."""

    def __init__(self, code: int, message: str, retry_s: float) -> None:
        super().__init__(code, message)
        self.retry_s = max(1, math.ceil(retry_s))


class BannedError(LimitedError):
    """The client went on after 429: HTTP status 418."""


@dataclass(slots=True)
class RequestWeight:
    """The weight used by one client address in the present minute (real time, seconds)."""

    used: int = 0
    refused: int = 0
    _minute: float = -1.0
    _refusals: int = 0
    _banned_until_s: float = 0.0

    def take(self, now_s: float, weight: int, *, limited: bool) -> None:
        """Use some weight.

        Raises
        ------
        LimitedError
            If it is used up and ``limited``: status 429, and 418 for a client that goes on.
        """
        minute = now_s // MINUTE_S
        if minute != self._minute:
            self._minute, self.used, self._refusals = minute, 0, 0
        if limited and now_s < self._banned_until_s:
            self.refused += 1
            raise BannedError(
                -1003, "Way too much request weight used; IP banned.", self._banned_until_s - now_s
            )
        self.used += weight
        if not limited or self.used <= WEIGHT_A_MINUTE:
            return
        self.refused += 1
        self._refusals += 1
        if self._refusals > REFUSALS_BEFORE_BAN:
            self._banned_until_s = now_s + BAN_S
        raise LimitedError(
            -1003,
            f"Too much request weight used; current limit is {WEIGHT_A_MINUTE} request weight per "
            "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            (minute + 1) * MINUTE_S - now_s,
        )


@dataclass(slots=True)
class OrderCount:
    """The orders that one account has placed lately (real time, seconds)."""

    _placed: deque[float] = field(default_factory=deque)

    def counts(self, now_s: float) -> tuple[int, int]:
        """Return the orders of the last ten seconds and of the last day."""
        while self._placed and self._placed[0] <= now_s - DAY_S:
            self._placed.popleft()
        lately = 0
        for placed in reversed(self._placed):
            if placed <= now_s - TEN_S:
                break
            lately += 1
        return lately, len(self._placed)

    def take(self, now_s: float, *, limited: bool) -> None:
        """Count an order.

        Raises
        ------
        LimitedError
            If there are too many and ``limited``.
        """
        lately, today = self.counts(now_s)
        for used, most, span in (
            (lately, ORDERS_IN_10_S, "10 SECOND"), (today, ORDERS_A_DAY, "1 DAY")
        ):  # fmt: skip
            if limited and used >= most:
                raise LimitedError(
                    -1015, f"Too many new orders; current limit is {most} orders per {span}.", TEN_S
                )
        self._placed.append(now_s)
