"""What the websocket has told, for the bot's thread: books, own orders and fills, the account.

Questions are answered in the form of the venue's REST replies, so that whoever asks need not know
where an answer comes from. Without a certain answer there is none, and the venue must be asked.
"""

import enum
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from advanced_mm.eyes.book_sight import BookSight
from advanced_mm.eyes.market_sight import MARKET_KINDS, MarketSight, Taken
from advanced_mm.eyes.own_orders import OwnOrders
from advanced_mm.instruments import dex_of
from advanced_mm.marketdata.feed.connection import Heard

__all__ = ["FRESH_SECONDS", "OLDEST_BOOK_SECONDS", "Eyes", "Health"]

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 1.75
"""Older data are no answer, so that REST has taken over two seconds after the last. Books come
every half second, half a second to one old: those of a thin coin are older about once a minute.
"""

OLDEST_BOOK_SECONDS: Final = 2.0
"""No quote is made from an older book, wherever it comes from, by a bot that sees more often."""

CONFIRM_SECONDS: Final = 5.0
"""A resting order that was not heard of for this long is asked for over REST."""

ACCOUNT_SECONDS: Final = 7.0
"""The venue sends an account's state every few seconds, and after each event."""

PATIENCE_SECONDS: Final = 0.2
"""How long a question about an order waits for what is to come: the outcome of a cancel, or the
second of the two messages about a fill.
"""

FILL_QUESTIONS: Final = ("userFills", "userFillsByTime")

MOST_ANSWERED: Final = 2_000
"""Fills in one reply of the venue."""

LEVELS: Final = 20
"""On each side of a book, as over REST."""

_BAD: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class Health(enum.Enum):
    """Whether the websocket can be believed, and if not, why."""

    HEALTHY = "healthy"
    RECONNECTING = "reconnecting"
    SILENT = "silent"
    DELAYED = "delayed"


class Eyes:
    """A `Listener` of the bot's connection, read by the bot's other threads.

    Parameters
    ----------
    coins
        Names as the venue spells them; `watch` changes them.
    user
        Address whose orders, fills and account are listened to; None in a dry run.
    clock
        Seconds since the epoch, for the age of what the venue published.
    """

    def __init__(
        self,
        coins: Collection[str],
        user: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._coins = tuple(dict.fromkeys(coins))
        self._subscribed: tuple[str, ...] = ()
        self._asked_s: dict[str, float] = {}
        self._user = None if user is None else user.lower()
        self._clock = clock
        self._changed = threading.Condition()
        self._books: dict[str, BookSight] = {}
        self._market = MarketSight()
        self._orders = OwnOrders()
        self._accounts: dict[str, tuple[float, int, Any]] = {}
        """By exchange, the main one's name being empty: when received, venue's ms, reply."""
        self._connected = False
        self._received_s: dict[str, float] = {}
        self._changes = 0
        self._own_changes = 0
        self._surprises: set[str] = set()

    # ---- the connection's listener, called by its thread

    def opened(self) -> Sequence[str]:
        """Note a new connection and return the subscriptions."""
        with self._changed:
            self._connected = True
            self._received_s.clear()
            self._asked_s.clear()
            self._subscribed = ()
            messages = self._subscriptions()
        if self._user is not None:
            kinds = ("orderUpdates", "userFills")
            messages += [
                _message("subscribe", {"type": kind, "user": self._user}) for kind in kinds
            ]
        return messages

    def closed(self, reason: str) -> None:
        """Note the end of the connection; nothing it told of resting orders holds any longer."""
        with self._changed:
            self._connected = False
            self._accounts.clear()
            self._orders.forget_open()
            self._tell()

    def look(self) -> Sequence[str]:
        """Return messages that begin and end subscriptions after `watch`."""
        with self._changed:
            return self._subscriptions()

    def _subscriptions(self) -> list[str]:
        """Return the messages that lead from what is subscribed to what is to be seen."""
        before, now = self._subscribed, self._clock()
        if before == self._coins:
            return []
        changes = {
            "subscribe": [coin for coin in self._coins if coin not in before],
            "unsubscribe": [coin for coin in before if coin not in self._coins],
        }
        kinds: list[dict[str, Any]] = [
            {"type": "bbo"},
            {"type": "l2Book", "fast": True},
            {"type": "l2Book"},
            *({"type": kind} for kind in MARKET_KINDS),
        ]
        messages = [
            _message(method, {**kind, "coin": coin})
            for method, coins in changes.items()
            for coin in coins
            for kind in kinds
        ]
        if self._user is not None:
            had, wanted = (
                {"", *map(dex_of, coins)} if coins else set() for coins in (before, self._coins)
            )
            for method, dexs in (("subscribe", wanted - had), ("unsubscribe", had - wanted)):
                state = {"type": "clearinghouseState", "user": self._user}
                messages += [
                    _message(method, {**state, "dex": dex} if dex else state)
                    for dex in sorted(dexs)
                ]
        for coin in changes["subscribe"]:
            self._books[coin], self._asked_s[coin] = BookSight(), now
        for coin in changes["unsubscribe"]:
            del self._books[coin]
            self._received_s.pop(coin, None)
        self._subscribed = self._coins
        return messages

    def received(self, text: bytes | str) -> Heard:
        """Take a message; one that cannot be read is logged once per channel and left out."""
        now = self._clock()
        try:
            message = json.loads(text)
            channel, data = message["channel"], message.get("data")
        except _BAD:
            self._surprise("(unreadable)", f"an unreadable message: {text[:80]!r}")
            return Heard.OTHER
        try:
            with self._changed:
                return self._take(str(channel), data, now)
        except _BAD as error:
            self._surprise(str(channel), f"a malformed {channel} message: {error!r}")
            return Heard.OTHER

    def _take(self, channel: str, data: Any, now: float) -> Heard:
        if channel == "pong":
            return Heard.PONG
        if channel in ("bbo", "l2Book"):
            coin = data["coin"]
            if coin not in self._books:  # sent before the venue heard that it is no longer wanted
                return Heard.OTHER
            book = self._books[coin]
            moved = book.touch(data) if channel == "bbo" else book.book(data)
            self._received_s[coin] = now
            if moved:
                self._tell()
            return Heard.DATA
        if channel in MARKET_KINDS:
            self._market.take(channel, data, now)
        else:
            self._take_own(channel, data, now)
        return Heard.OTHER

    def _take_own(self, channel: str, data: Any, now: float) -> None:
        if channel == "orderUpdates":
            ended = [self._orders.update(one, now) for one in data]
            if any(ended):
                self._own_changes += 1
            self._tell()
        elif channel == "userFills":
            if data.get("isSnapshot"):
                self._orders.snapshot(data["fills"], 1000 * now)
            elif any([self._orders.fill(one) for one in data["fills"]]):
                self._own_changes += 1
            self._tell()
        elif channel == "clearinghouseState":
            state = data["clearinghouseState"]
            self._accounts[str(data.get("dex") or "")] = (now, int(state["time"]), state)
            self._changed.notify_all()
        elif channel == "error":
            self._surprise("error", f"an error: {data}")

    def _tell(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _surprise(self, channel: str, what: str) -> None:
        level = logging.DEBUG if channel in self._surprises else logging.WARNING
        self._surprises.add(channel)
        logger.log(level, "the venue's websocket sent %s", what)

    # ---- the bot

    def watch(self, coins: Collection[str]) -> None:
        """See these coins from now on, and no others."""
        with self._changed:
            self._coins = tuple(dict.fromkeys(coins))

    def health(self, coin: str | None = None) -> Health:
        """Return whether a coin's data, or all if None, can be believed at this moment."""
        with self._changed:
            return self._health(self._coins if coin is None else (coin,))

    def _health(self, coins: Collection[str]) -> Health:
        if not self._connected:
            return Health.RECONNECTING
        now = self._clock()
        heard = False
        for coin in coins:
            received = self._received_s.get(coin)
            if received is None and len(coins) > 1 and self._is_new(coin, now):
                continue  # nothing can have come yet
            book = self._books.get(coin)
            if book is None or received is None or now - received > FRESH_SECONDS:
                return Health.SILENT
            if now - (book.time_ms or 0) / 1000 > FRESH_SECONDS:
                return Health.DELAYED
            heard = True
        # Of no coin nothing comes, whether the connection is silent or not.
        return Health.HEALTHY if heard else Health.SILENT

    def _is_new(self, coin: str, now: float) -> bool:
        asked = self._asked_s.get(coin)
        return asked is None or now - asked <= FRESH_SECONDS

    @property
    def healthy(self) -> bool:
        """Whether the data of all coins can be believed at this moment."""
        return self.health() is Health.HEALTHY

    @property
    def changes(self) -> int:
        """A number that grows with each change of a touch, an own order or the connection."""
        with self._changed:
            return self._changes

    @property
    def own_changes(self) -> int:
        """A number that grows with each fill, and each own order that has ended."""
        with self._changed:
            return self._own_changes

    def taken(self, coin: str) -> list[Taken]:
        """Return what market orders took of a coin since the last call."""
        with self._changed:
            return self._market.news(coin)

    def funding_rate(self, coin: str) -> float | None:
        """Return the hour's funding rate of a coin, positive where longs pay; None if unknown."""
        with self._changed:
            return self._market.funding_rate(coin, self._clock())

    def wait(self, changes: int, seconds: float) -> None:
        """Wait until `changes` differs from the number given, or for ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != changes, max(seconds, 0.0))

    def answer(self, request: Mapping[str, Any]) -> Any:
        """Return the reply to an ``/info`` request, or None if the venue must be asked.

        Answered are ``l2Book``, and of the own account ``orderStatus`` by number,
        ``clearinghouseState`` and, as far back as was told, ``userFillsByTime``. A question about
        an order of which more is to come waits a moment.
        """
        kind = request.get("type")
        with self._changed:
            if kind == "l2Book":
                return self._book(request)
            if self._user is None or str(request.get("user", "")).lower() != self._user:
                return None
            if self._health(self._coins) is not Health.HEALTHY:
                return None
            if kind == "orderStatus":
                return self._order(request)
            if kind == "clearinghouseState":
                return self._state(request)
            if kind == "userFillsByTime":
                return self._fills(request)
        return None

    def _book(self, request: Mapping[str, Any]) -> Any:
        coin = request.get("coin")
        if set(request) != {"type", "coin"} or coin not in self._books:
            return None
        if self._health((str(coin),)) is not Health.HEALTHY:
            return None
        book = self._books[str(coin)]
        levels = book.levels()
        if levels is None:
            return None
        return {"coin": coin, "time": book.time_ms, "levels": [side[:LEVELS] for side in levels]}

    def _order(self, request: Mapping[str, Any]) -> Any:
        oid = request.get("oid")
        if isinstance(oid, bool) or not isinstance(oid, int | float):
            return None
        number = int(oid)
        self._changed.wait_for(
            lambda: not self._orders.is_unsettled(number, self._clock()), PATIENCE_SECONDS
        )
        return self._orders.answer(number, self._clock(), CONFIRM_SECONDS)

    def _state(self, request: Mapping[str, Any]) -> Any:
        known = self._accounts.get(str(request.get("dex") or ""))
        if known is None:
            return None
        received, at_ms, state = known
        old = self._clock() - received > ACCOUNT_SECONDS
        # A copy, since whoever asked may change it.
        return None if old or at_ms < self._orders.newest_fill_ms else json.loads(json.dumps(state))

    def _fills(self, request: Mapping[str, Any]) -> Any:
        if not set(request) <= {"type", "user", "startTime", "endTime"}:
            return None
        last = request.get("endTime")
        fills = self._orders.fills(
            float(request["startTime"]), float("inf") if last is None else float(last)
        )
        # Of more, the venue tells only the oldest.
        return None if fills is None or len(fills) >= MOST_ANSWERED else fills

    def sending(self, action: Mapping[str, Any]) -> None:
        """Note an action of the bot before it is sent; a modify is a cancel and an order."""
        with self._changed:
            try:
                self._orders.sent(_as_cancels_and_orders(action), self._clock())
            except _BAD:
                logger.debug("an action that is not understood: %r", action)

    def told(self, request: Mapping[str, Any], reply: Any) -> None:
        """Note a reply of the venue to a question that was not answered here."""
        kind = request.get("type")
        if kind != "orderStatus" and (kind not in FILL_QUESTIONS or request.get("aggregateByTime")):
            return
        with self._changed:
            if not self._connected or str(request.get("user", "")).lower() != self._user:
                return
            try:
                if kind == "orderStatus":
                    self._orders.told_by_rest(reply["order"], self._clock())
                else:  # perhaps one of which the message was lost
                    for fill in reply:
                        self._orders.fill(fill)
            except _BAD:
                logger.debug("not understood: the reply to %r", request)


def _message(method: str, subscription: Mapping[str, Any]) -> str:
    return json.dumps({"method": method, "subscription": subscription})


def _as_cancels_and_orders(action: Mapping[str, Any]) -> Mapping[str, Any]:
    modifies = action.get("modifies")
    if not modifies:
        return action
    return {
        "orders": [one["order"] for one in modifies],
        "cancels": [{"o": one["oid"]} for one in modifies],
    }
