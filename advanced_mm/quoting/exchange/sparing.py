"""Avoidance of redundant requests: Freqtrade repeats the same queries within one loop.

The venue allows a weight of 1200 per minute, and an address 10 000 actions plus one per USDC
traded. For every quote it replaces, Freqtrade sends an ``updateLeverage`` that changes nothing, two
identical account queries and, while a position is held, a funding query of weight 40; for every
fill, two identical fill queries of weight 20.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import ccxt

from advanced_mm.bad_rows import BadRows
from advanced_mm.quoting.exchange.sound_replies import sound_reply

__all__ = ["FundingMemory", "Sight", "SparingClient"]

SAME_MOMENT_SECONDS = 0.25
FEE_RATE_SECONDS = 3600.0
FEE_DECIMALS = 8  # as Freqtrade rounds fee rates

LEVERAGE_SECONDS = 3600.0
"""The leverage may be changed on the venue's page, so it is set again after this time."""

REPEATED = frozenset({"l2Book", "clearinghouseState"})

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 2.0
"""Pauses after a failure. Freqtrade retries five times immediately, then sleeps for 30 s while a
quote rests; spaced retries outlast most outages and use fewer requests."""

LATE_FUNDING = timedelta(minutes=3)
"""Maximum delay until an hour's funding payment appears in the venue's records."""
FUNDING_AGAIN = timedelta(seconds=30)
"""Interval between funding queries until then. One has weight 40, and Freqtrade wants one for each
exit quote, which may be replaced every second or two."""


class Sight(Protocol):
    """Who may know an answer without a request: the bot's own websocket."""

    def answer(self, request: Mapping[str, Any]) -> Any:
        """Return the reply to an ``/info`` request, or None if the venue must be asked."""

    def sending(self, action: Mapping[str, Any]) -> None:
        """Note an action before it is sent."""

    def told(self, request: Mapping[str, Any], reply: Any) -> None:
        """Note a reply of the venue."""


class SparingClient:
    """Caches repeated queries of a ccxt client.

    Identical book or account queries within a quarter of a second are sent once, unless an action
    was sent in between; the leverage is not set to its current value again. A post-only order fills
    at its own price and pays the maker rate, so fills are queried only once an hour to determine
    that rate. After a connection failure the error is raised after a pause, which doubles with each
    consecutive failure. What ``sight`` can answer is not sent at all.
    """

    def __init__(
        self,
        client: Any,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        bad_rows: BadRows | None = None,
        sight: Sight | None = None,
    ) -> None:
        self._client = client
        self._sight = sight
        self.bad_rows = BadRows() if bad_rows is None else bad_rows
        self._clock, self._sleep = clock, sleep
        self._failures = 0
        self._info, self._act = client.publicPostInfo, client.privatePostExchange
        self._set_margin_mode = client.set_margin_mode
        self._fetch_order, self._fetch_my_trades = client.fetch_order, client.fetch_my_trades
        self._answers: dict[str, tuple[float, Any]] = {}
        self._leverages: dict[str, tuple[float, object, Any]] = {}
        self._maker_rates: dict[str, tuple[float, float, str]] = {}
        self._lock = threading.Lock()  # Freqtrade's REST API uses its own threads

    def install(self) -> None:
        """Replace the client's own methods."""
        self._client.publicPostInfo = self.ask
        self._client.privatePostExchange = self.act
        self._client.set_margin_mode = self.set_margin_mode
        self._client.fetch_order = self.fetch_order
        self._client.fetch_my_trades = self.fetch_my_trades

    def ask(self, request: dict[str, Any]) -> Any:
        """POST /info, or return the cached reply, or what is known without asking."""
        if self._sight is not None:
            seen = self._sight.answer(request)
            if seen is not None:
                # Of books, levels were judged when they came; it takes longer than all else here.
                book = request.get("type") == "l2Book"
                return seen if book else sound_reply(request, seen, self.bad_rows)
        if request.get("type") not in REPEATED:
            return self._look(request)
        key = json.dumps(request, sort_keys=True)
        with self._lock:
            at, answer = self._answers.get(key, (float("-inf"), None))
        asked = self._clock()
        if asked - at < SAME_MOMENT_SECONDS:
            return answer
        answer = self._look(request)
        with self._lock:
            self._answers[key] = (asked, answer)
        return answer

    def _look(self, request: dict[str, Any]) -> Any:
        reply = sound_reply(request, self._send(self._info, request), self.bad_rows)
        if self._sight is not None:
            self._sight.told(request, reply)
        return reply

    def act(self, request: dict[str, Any]) -> Any:
        """POST /exchange and clear the cache."""
        if self._sight is not None:
            self._sight.sending(request.get("action") or {})
        try:
            return self._send(self._act, request)
        finally:
            with self._lock:
                self._answers.clear()

    def _send(self, post: Callable[[dict[str, Any]], Any], request: dict[str, Any]) -> Any:
        try:
            answer = post(request)
        except ccxt.OperationFailed:
            pause = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
            self._failures += 1
            self._sleep(pause)
            raise
        self._failures = 0
        return answer

    def fetch_order(
        self, id: str, symbol: str | None = None, params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fetch an order; a filled post-only one is completed with price, fee and time."""
        order: dict[str, Any] = self._fetch_order(id, symbol, params or {})
        filled = order.get("status") == "closed" and order.get("average") is None
        if filled and order.get("timeInForce") == "ALO":
            order["average"] = order["price"]
            order["lastTradeTimestamp"] = order.get("lastUpdateTimestamp")
            at, rate, currency = self._maker_rates.get(str(symbol), (float("-inf"), 0.0, ""))
            if self._clock() - at < FEE_RATE_SECONDS:
                cost = float(order["price"]) * float(order["filled"])
                order["fee"] = {"cost": cost * rate, "currency": currency, "rate": rate}
        return order

    def fetch_my_trades(self, symbol: str | None = None, *arguments: Any, **named: Any) -> Any:
        """Fetch fills; the largest maker fill determines the maker rate for an hour."""
        trades = self._fetch_my_trades(symbol, *arguments, **named)
        makers = [one for one in trades if one.get("takerOrMaker") == "maker" and one.get("cost")]
        if makers:
            largest = max(makers, key=lambda one: float(one["cost"]))
            fee = largest.get("fee") or {}
            if fee.get("cost") is not None and fee.get("currency"):
                rate = round(float(fee["cost"]) / float(largest["cost"]), FEE_DECIMALS)
                self._maker_rates[str(symbol)] = (self._clock(), rate, str(fee["currency"]))
        return trades

    def set_margin_mode(
        self, mode: str, symbol: str | None = None, params: dict[str, Any] | None = None
    ) -> Any:
        """Set margin mode and leverage unless they are already set."""
        wanted, now = (mode, dict(params or {})), self._clock()
        at, known, answer = self._leverages.get(str(symbol), (float("-inf"), None, None))
        if known == wanted and now - at < LEVERAGE_SECONDS:
            return answer
        self._leverages.pop(str(symbol), None)
        answer = self._set_margin_mode(mode, symbol, params or {})
        self._leverages[str(symbol)] = (now, wanted, answer)
        return answer


class FundingMemory:
    """Cached version of Freqtrade's ``get_funding_fees``.

    Funding is paid at whole hours. A position that has not been held across one has paid none. For
    any other, the venue is queried once after each hour, repeatedly while that payment may not be
    recorded yet, and whenever the size of the position changes.
    """

    def __init__(
        self,
        ask: Callable[..., float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ask = ask
        self._now = now
        self._known: dict[str, tuple[object, float, datetime | None]] = {}
        """By pair: the query, the reply, and when to query again."""

    def __call__(self, pair: str, amount: float, is_short: bool, open_date: datetime) -> float:
        """Return the funding received (negative: paid) since ``open_date``, quote currency."""
        now = self._now()
        last_hour = now.replace(minute=0, second=0, microsecond=0)
        if open_date.replace(microsecond=0) > last_hour:
            return 0.0
        key = (amount, is_short, open_date, last_hour)
        known = self._known.get(pair)
        if known is not None and known[0] == key and (known[2] is None or now < known[2]):
            return known[1]
        fees = self._ask(pair=pair, amount=amount, is_short=is_short, open_date=open_date)
        # Freqtrade also returns 0 if the venue does not answer.
        settled = fees and now - last_hour >= LATE_FUNDING
        self._known[pair] = (key, fees, None if settled else now + FUNDING_AGAIN)
        return fees
