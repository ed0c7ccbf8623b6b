"""Rate limits of Hyperliquid, as its documentation states them (page "Rate limits").

Per IP address, here the remote address of a connection:

- REST: a weight of 1200 in any 60 s. An action of n orders weighs 1 + floor(n / 40). On /info,
  l2Book, allMids, clearinghouseState, orderStatus, spotClearinghouseState and exchangeStatus weigh
  2, userRole 60, everything else 20. Lists weigh one more for every 20 items returned,
  candleSnapshot for every 60; this is charged after the request has been answered. Over the limit:
  HTTP 429 and ``null``.
- Websocket: 10 connections, 30 new connections a minute, 1000 subscriptions, 10 distinct users in
  user subscriptions, 2000 messages sent a minute, 100 posts in flight.

Per trading address (a sub-account is an address of its own): 10 000 requests, plus one for each
USDC traded; each order or cancel of a batch counts as one. Over the limit, one request passes every
10 s. Cancels are allowed up to min(limit + 100 000, 2 limit). Observed on the testnet: a refused
request costs nothing and does not restart the 10 s, and the limit in the error message is one below
``nRequestsCap``.

Undocumented, assumed here: while an address is over its limit, only actions of a single request
pass; a websocket over a limit gets a message on channel ``error``. Only the text of the user limit
is Hyperliquid's; the others are ours.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from advanced_mm.markets.units import MICROS_PER_USDC, dollars_text

__all__ = [
    "REST_WEIGHT_A_MINUTE",
    "AddressBudget",
    "LimitSwitches",
    "RestWeight",
    "SlidingMinute",
    "StreamCounter",
    "base_weight",
    "extra_weight",
]

REST_WEIGHT_A_MINUTE = 1200
ORDERS_A_WEIGHT = 40
DEFAULT_INFO_WEIGHT = 20
INFO_WEIGHTS: Mapping[str, int] = {
    "l2Book": 2,
    "allMids": 2,
    "clearinghouseState": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "exchangeStatus": 2,
    "userRole": 60,
}
ITEMS_A_WEIGHT: Mapping[str, int] = {
    "candleSnapshot": 60,
    **dict.fromkeys(
        (
            "recentTrades",
            "historicalOrders",
            "userFills",
            "userFillsByTime",
            "fundingHistory",
            "userFunding",
            "nonUserFundingUpdates",
            "twapHistory",
            "userTwapSliceFills",
            "userTwapSliceFillsByTime",
            "delegatorHistory",
            "delegatorRewards",
            "validatorStats",
        ),
        20,
    ),
}
MINUTE_S = 60.0

MAX_CONNECTIONS = 10
MAX_NEW_CONNECTIONS = 30
MAX_SUBSCRIPTIONS = 1000
MAX_USERS = 10
MAX_MESSAGES = 2000
MAX_POSTS = 100

FREE_REQUESTS = 10_000
MORE_CANCELS = 100_000
SLOW_PACE_MS = 10_000


@dataclass(frozen=True, slots=True)
class LimitSwitches:
    """Which limits are enforced.

    Attributes
    ----------
    rest
        REST weight per IP address.
    websocket
        Connections, subscriptions and messages per IP address.
    address
        Requests per trading address.
    """

    rest: bool = True
    websocket: bool = True
    address: bool = True


def base_weight(path: str, body: object) -> int:
    """Return a request's REST weight before it is answered; 0 if none is documented."""
    fields = body if isinstance(body, dict) else {}
    if path == "/info":
        return INFO_WEIGHTS.get(str(fields.get("type")), DEFAULT_INFO_WEIGHT)
    if path == "/exchange":
        action = fields.get("action")
        return 1 + _batch_length(action if isinstance(action, dict) else {}) // ORDERS_A_WEIGHT
    return 0


def _batch_length(action: Mapping[str, object]) -> int:
    """Return the length of the action's array: its orders, cancels or modifies."""
    return max((len(value) for value in action.values() if isinstance(value, list)), default=0)


def extra_weight(info_type: str, answer: object) -> int:
    """Return the weight added for the length of an /info answer."""
    per_weight = ITEMS_A_WEIGHT.get(info_type)
    return 0 if per_weight is None or not isinstance(answer, list) else len(answer) // per_weight


class SlidingMinute:
    """A sum over the last 60 s."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def used(self, now_s: float) -> int:
        """Return the sum of what was added in (now - 60 s, now]."""
        while self._entries and self._entries[0][0] <= now_s - MINUTE_S:
            self._sum -= self._entries.popleft()[1]
        return self._sum

    def add(self, now_s: float, amount: int) -> None:
        """Add ``amount``; no limit is checked."""
        if amount:
            self._entries.append((now_s, amount))
            self._sum += amount


@dataclass(slots=True)
class RestWeight:
    """The REST weight of one IP address; times are seconds of any monotonic clock."""

    minute: SlidingMinute = field(default_factory=SlidingMinute)
    refused: int = 0

    def take(self, now_s: float, weight: int) -> bool:
        """Charge a request if it fits and return whether it does; a refused one costs nothing."""
        if self.minute.used(now_s) + weight > REST_WEIGHT_A_MINUTE:
            self.refused += 1
            return False
        self.minute.add(now_s, weight)
        return True

    def charge(self, now_s: float, weight: int) -> None:
        """Charge the additional weight of an answer, even beyond the limit."""
        self.minute.add(now_s, weight)


@dataclass(slots=True)
class _Connection:
    subscriptions: dict[str, str | None] = field(default_factory=dict)
    """By subscription as sent: its user, None for market data."""
    posts: int = 0


class StreamCounter:
    """The websocket connections of one IP address and their usage."""

    def __init__(self) -> None:
        self._connections: dict[str, _Connection] = {}
        self._new = SlidingMinute()
        self._messages = SlidingMinute()
        self.refused = 0

    def connect(self, client: str, now_s: float) -> str | None:
        """Count a new connection; return an error message if it is refused."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return self._refusal(f"Cannot open more than {MAX_CONNECTIONS} connections.")
        if self._new.used(now_s) >= MAX_NEW_CONNECTIONS:
            return self._refusal(
                f"Cannot open more than {MAX_NEW_CONNECTIONS} connections a minute."
            )
        self._new.add(now_s, 1)
        self._connections[client] = _Connection()
        return None

    def disconnect(self, client: str) -> None:
        """Forget a connection with all its subscriptions."""
        self._connections.pop(client, None)

    def message(self, client: str, now_s: float) -> str | None:
        """Count a client's message; return an error message if it is refused."""
        if self._messages.used(now_s) >= MAX_MESSAGES:
            return self._refusal(f"Cannot send more than {MAX_MESSAGES} messages a minute.")
        self._messages.add(now_s, 1)
        return None

    def subscribe(self, client: str, subscription: str, user: str | None) -> str | None:
        """Count a subscription, identified by its text; return an error message if refused."""
        own = self._connections[client].subscriptions
        if subscription in own:
            return None
        if self.subscriptions >= MAX_SUBSCRIPTIONS:
            return self._refusal(f"Cannot track more than {MAX_SUBSCRIPTIONS} subscriptions.")
        if user is not None and user not in self.users and len(self.users) >= MAX_USERS:
            return self._refusal(f"Cannot track more than {MAX_USERS} total users.")
        own[subscription] = user
        return None

    def unsubscribe(self, client: str, subscription: str) -> None:
        """Forget a subscription."""
        self._connections[client].subscriptions.pop(subscription, None)

    def post(self, client: str) -> str | None:
        """Count a post until it is answered; return an error message if it is refused."""
        if self.posts >= MAX_POSTS:
            return self._refusal(f"Cannot have more than {MAX_POSTS} posts in flight.")
        self._connections[client].posts += 1
        return None

    def answered(self, client: str) -> None:
        """Stop counting a post that was answered; its connection may already be closed."""
        connection = self._connections.get(client)
        if connection is not None and connection.posts > 0:
            connection.posts -= 1

    def _refusal(self, sentence: str) -> str:
        self.refused += 1
        return sentence

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    @property
    def subscriptions(self) -> int:
        """Number of subscriptions over all connections."""
        return sum(len(one.subscriptions) for one in self._connections.values())

    @property
    def users(self) -> set[str]:
        """Distinct users in the user subscriptions of all connections."""
        found = (user for one in self._connections.values() for user in one.subscriptions.values())
        return {user for user in found if user is not None}

    @property
    def posts(self) -> int:
        """Posts in flight."""
        return sum(one.posts for one in self._connections.values())

    def messages(self, now_s: float) -> int:
        """Return the number of messages in the last minute."""
        return self._messages.used(now_s)

    def new_connections(self, now_s: float) -> int:
        """Return the number of connections opened in the last minute."""
        return self._new.used(now_s)


class AddressBudget:
    """Decides which requests of a trading address pass.

    Requests used and volume traded are kept with the account. This class only remembers when an
    address over its limit was last let through, in market time.
    """

    def __init__(self) -> None:
        self._passed_ms: dict[str, int] = {}
        self.refused = 0

    def refusal(
        self,
        address: str,
        requests: int,
        *,
        cancels: bool,
        used: int,
        traded_micros: int,
        now_ms: int,
    ) -> str | None:
        """Return None if an action of ``requests`` requests passes, else the venue's message."""
        limit = FREE_REQUESTS - 1 + traded_micros // MICROS_PER_USDC
        allowed = min(limit + MORE_CANCELS, 2 * limit) if cancels else limit
        if used + requests <= allowed:
            return None
        if requests == 1 and now_ms - self._passed_ms.get(address, -math.inf) >= SLOW_PACE_MS:
            self._passed_ms[address] = now_ms
            return None
        self.refused += 1
        return (
            f"Too many cumulative requests sent ({used + requests} > {allowed}) for cumulative "
            f"volume traded ${dollars_text(traded_micros)}. "
            "Place taker orders to free up 1 request per USDC traded."
        )
