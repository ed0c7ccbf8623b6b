"""Rate limits of Hyperliquid, as its documentation states them (page "Rate limits").

Per IP address, here the address a connection comes from:

- REST: 1200 of weight in any 60 s. An action of n orders weighs 1 + floor(n / 40). Of /info,
  l2Book, allMids, clearinghouseState, orderStatus, spotClearinghouseState and exchangeStatus weigh
  2, userRole 60, everything else 20. Lists weigh one more for every 20 items returned,
  candleSnapshot for every 60, charged once the answer is known. Beyond it: HTTP 429 and ``null``.
- Websocket: 10 connections and 30 new ones a minute, 1000 subscriptions, 10 users in user
  subscriptions, 2000 messages sent a minute, 100 posts under way.

Per address that trades (a sub-account is an address of its own): 10 000 requests, one more for each
USDC traded; an order or cancel of a batch is one. Beyond it one request in 10 s passes. Cancels may
go on to min(limit + 100 000, 2 limit). Seen on the venue's testnet: a refused request costs nothing
and does not begin the 10 s anew, and the limit in the sentence is one below ``nRequestsCap``.

Undocumented, and so assumed here: while an address is over its limit only an action of one request
passes; a websocket over a limit is answered on channel ``error``, in our words but for the users.
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
    """Which limits hold.

    Attributes
    ----------
    rest
        The REST weight of an IP address.
    websocket
        Connections, subscriptions and messages of an IP address.
    address
        The requests of an address that trades.
    """

    rest: bool = True
    websocket: bool = True
    address: bool = True


def base_weight(path: str, body: object) -> int:
    """The REST weight of a request, known before it is answered; 0 where none is documented."""
    fields = body if isinstance(body, dict) else {}
    if path == "/info":
        return INFO_WEIGHTS.get(str(fields.get("type")), DEFAULT_INFO_WEIGHT)
    if path == "/exchange":
        action = fields.get("action")
        return 1 + _batch_length(action if isinstance(action, dict) else {}) // ORDERS_A_WEIGHT
    return 0


def _batch_length(action: Mapping[str, object]) -> int:
    """The length of the action's array: its orders, cancels or modifies."""
    return max((len(value) for value in action.values() if isinstance(value, list)), default=0)


def extra_weight(info_type: str, answer: object) -> int:
    """What the length of an answer of /info adds to its weight."""
    per_weight = ITEMS_A_WEIGHT.get(info_type)
    return 0 if per_weight is None or not isinstance(answer, list) else len(answer) // per_weight


class SlidingMinute:
    """How much has happened in the last 60 s."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def used(self, now_s: float) -> int:
        """The sum of what was added in (now - 60 s, now]."""
        while self._entries and self._entries[0][0] <= now_s - MINUTE_S:
            self._sum -= self._entries.popleft()[1]
        return self._sum

    def add(self, now_s: float, amount: int) -> None:
        """Count ``amount``, whether or not it is too much."""
        if amount:
            self._entries.append((now_s, amount))
            self._sum += amount


@dataclass(slots=True)
class RestWeight:
    """The REST weight of one IP address; times are seconds of any clock that never goes back."""

    minute: SlidingMinute = field(default_factory=SlidingMinute)
    refused: int = 0

    def take(self, now_s: float, weight: int) -> bool:
        """Charge a request if it fits; one that is refused costs nothing."""
        if self.minute.used(now_s) + weight > REST_WEIGHT_A_MINUTE:
            self.refused += 1
            return False
        self.minute.add(now_s, weight)
        return True

    def charge(self, now_s: float, weight: int) -> None:
        """Charge what an answer weighed in addition, even beyond the limit."""
        self.minute.add(now_s, weight)


@dataclass(slots=True)
class _Connection:
    subscriptions: dict[str, str | None] = field(default_factory=dict)
    """The user (None for market data) by the subscription as it was sent."""
    posts: int = 0


class StreamCounter:
    """The websocket connections of one IP address and what they do."""

    def __init__(self) -> None:
        self._connections: dict[str, _Connection] = {}
        self._new = SlidingMinute()
        self._messages = SlidingMinute()
        self.refused = 0

    def connect(self, client: str, now_s: float) -> str | None:
        """Count a new connection; a sentence if there may be none."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return self._refusal(f"Cannot open more than {MAX_CONNECTIONS} connections.")
        if self._new.used(now_s) >= MAX_NEW_CONNECTIONS:
            return self._refusal(f"Cannot open more than {MAX_NEW_CONNECTIONS} a minute.")
        self._new.add(now_s, 1)
        self._connections[client] = _Connection()
        return None

    def disconnect(self, client: str) -> None:
        """Forget a connection with all its subscriptions."""
        self._connections.pop(client, None)

    def message(self, client: str, now_s: float) -> str | None:
        """Count a message of a client; a sentence if it is one too many."""
        if self._messages.used(now_s) >= MAX_MESSAGES:
            return self._refusal(f"Cannot send more than {MAX_MESSAGES} messages a minute.")
        self._messages.add(now_s, 1)
        return None

    def subscribe(self, client: str, subscription: str, user: str | None) -> str | None:
        """Count a subscription (its text identifies it); a sentence if it is one too many."""
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
        """Count a post until it is answered; a sentence if too many are under way."""
        if self.posts >= MAX_POSTS:
            return self._refusal(f"Cannot have more than {MAX_POSTS} posts under way.")
        self._connections[client].posts += 1
        return None

    def answered(self, client: str) -> None:
        """A post was answered; its connection may be gone by then."""
        connection = self._connections.get(client)
        if connection is not None and connection.posts > 0:
            connection.posts -= 1

    def _refusal(self, sentence: str) -> str:
        self.refused += 1
        return sentence

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    @property
    def subscriptions(self) -> int:
        """Subscriptions of all connections."""
        return sum(len(one.subscriptions) for one in self._connections.values())

    @property
    def users(self) -> set[str]:
        """Users in the user subscriptions of all connections."""
        found = (user for one in self._connections.values() for user in one.subscriptions.values())
        return {user for user in found if user is not None}

    @property
    def posts(self) -> int:
        """Posts under way."""
        return sum(one.posts for one in self._connections.values())

    def messages(self, now_s: float) -> int:
        """Messages of the last minute."""
        return self._messages.used(now_s)

    def new_connections(self, now_s: float) -> int:
        """Connections opened in the last minute."""
        return self._new.used(now_s)


class AddressBudget:
    """Which requests of an address that trades may pass.

    How many it has used and how much it has traded is kept with its account; here is only when an
    address over its limit was let through last, in market time.
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
        """None if an action of so many requests may pass, the venue's sentence if not."""
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
