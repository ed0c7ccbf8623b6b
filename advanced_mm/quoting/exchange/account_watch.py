"""Periodic comparison of the venue's view of the account with the bot's books."""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ccxt

from advanced_mm.bad_rows import BadRows
from advanced_mm.instruments import code_of, coin_of_market, dex_of
from advanced_mm.quoting.exchange.sound_replies import POSITIONS
from advanced_mm.quoting.exchange.sure_orders import CLOID_PREFIX

__all__ = ["AccountWatch", "Books", "OpenOrder"]

logger = logging.getLogger(__name__)

POSITIONS_EVERY_SECONDS = 60.0  # weight 2
ORDERS_EVERY_SECONDS = 600.0  # weight 20
BUDGET_EVERY_SECONDS = 600.0  # weight 20
BUDGET_FIRST_SECONDS = 60.0  # startup itself uses many requests
RECHECK_SECONDS = 1.0

LOOKS, LASTING_SECONDS = 3, 5.0
"""A difference is confirmed when it was the same in this many checks over this time; fills between
two replies of the venue cause a different amount each time."""

YOUNG_ORDER_MS = 15_000
"""A younger order may not be in the books yet."""

RESERVED_REQUESTS = 300
"""Reserved for closing: without requests a position can be neither offered nor stopped."""


@dataclass(frozen=True)
class OpenOrder:
    """An order that is open in the bot's books, and its known fill (base currency)."""

    pair: str
    buys: bool
    filled: float


@dataclass(frozen=True)
class Books:
    """The bot's books: signed position (base currency) by pair, and its orders.

    ``orders`` has the ids of all orders of open positions, ``open_orders`` the open ones by id.
    """

    positions: Mapping[str, float]
    orders: Collection[str]
    open_orders: Mapping[str, OpenOrder] = field(default_factory=dict)


@dataclass
class _Difference:
    amount: float
    since: float
    looks: int = 1
    confirmed: bool = False


class AccountWatch:
    """Compares an account with the bot's books; in doubt no position is opened.

    Orders of ours (by client order id) that are missing in the books are cancelled. Orders placed
    by hand are left alone and logged. A lasting difference in a position, or an address that has
    used almost all of its requests, refuses entries. Fills that are not yet in the books do not
    count as a difference: the venue is queried for them. Freqtrade itself finds the orders that
    closed a position in its books; a position it never had needs a person's decision.

    Parameters
    ----------
    client
        A ccxt client of Hyperliquid.
    clock
        Monotonic clock, seconds.
    bad_rows
        Counts the invalid rows skipped in the client's replies, positions among them.
    """

    def __init__(
        self,
        client: Any,
        clock: Callable[[], float] = time.monotonic,
        bad_rows: BadRows | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._bad_rows = BadRows() if bad_rows is None else bad_rows
        self._unreadable = False
        self._differences: dict[str, _Difference] = {}
        self._requests_left: int | None = None
        self._next_positions = self._next_orders = float("-inf")
        self._next_budget = clock() + BUDGET_FIRST_SECONDS
        self._told: set[str] = set()

    def look(self, pairs: Collection[str], books: Books) -> None:
        """Run the checks that are due; if the venue does not answer, retry at the next call."""
        now = self._clock()
        try:
            if now >= self._next_orders:
                self._look_at_orders(pairs, books)
                self._next_orders = now + ORDERS_EVERY_SECONDS
            if now >= self._next_positions:
                self._look_at_positions(pairs, books, now)
                doubt = self._differences or self._unreadable
                wait = RECHECK_SECONDS if doubt else POSITIONS_EVERY_SECONDS
                self._next_positions = now + wait
            if now >= self._next_budget:
                self._look_at_budget()
                self._next_budget = now + BUDGET_EVERY_SECONDS
        except ccxt.BaseError as error:
            logger.warning("the account check failed and is retried: %s", str(error)[:200])

    def refusal(self, pair: str) -> str | None:
        """Return why no position may be opened on this pair; None if opening is allowed."""
        if self._unreadable:
            return "a position of the account cannot be read: the venue's reply is invalid"
        difference = self._differences.get(pair)
        if difference is not None and difference.confirmed:
            return (
                f"position unknown to the bot: the venue's position differs from the bot's books "
                f"by {difference.amount:+.8g}; close the difference on the venue's page"
            )
        if self._requests_left is not None and self._requests_left < RESERVED_REQUESTS:
            return (
                f"requests spent: this address has {self._requests_left} left, reserved for "
                "closing; each USDC traded adds one"
            )
        return None

    def withdraw(self, pairs: Collection[str]) -> Iterator[str]:
        """Cancel every order of ours that rests at the venue, booked or not; yield their ids.

        Raises
        ------
        ccxt.BaseError
            The venue did not answer, or did not cancel one of them; the others were tried.
        """
        fault: ccxt.BaseError | None = None
        for order in list(self._of_each_exchange(self._client.fetch_open_orders, pairs)):
            if order["symbol"] in pairs and _is_ours(order):
                try:
                    self._cancel(str(order["id"]), order["symbol"])
                except ccxt.BaseError as error:
                    fault = error
                else:
                    yield str(order["id"])
        if fault is not None:
            raise fault

    def _look_at_orders(self, pairs: Collection[str], books: Books) -> None:
        oldest_ms = self._client.milliseconds() - YOUNG_ORDER_MS
        for order in self._of_each_exchange(self._client.fetch_open_orders, pairs):
            oid, pair = str(order["id"]), order["symbol"]
            if pair not in pairs or oid in books.orders:
                continue
            if not _is_ours(order):
                if oid not in self._told:
                    logger.warning("%s: order %s is not from this bot; left alone", pair, oid)
                    self._told.add(oid)
            elif (order.get("timestamp") or 0) <= oldest_ms:
                logger.warning("%s: cancelling order %s, which is not in the books", pair, oid)
                self._cancel(oid, pair)

    def _of_each_exchange(
        self, fetch: Callable[..., list[dict[str, Any]]], pairs: Collection[str]
    ) -> Iterator[dict[str, Any]]:
        """Fetch from the main exchange and from each builder-deployed one that lists a pair.

        The venue keeps them separate; a request without a name is for the main exchange.
        """
        yield from fetch()
        builders = [pair for pair in pairs if "-" in code_of(pair)]
        for dex in sorted({dex_of(coin_of_market(self._client.market(p))) for p in builders}):
            yield from fetch(params={"dex": dex})

    def _cancel(self, oid: str, pair: str) -> None:
        try:
            self._client.cancel_order(oid, pair)
        except ccxt.OrderNotFound:
            logger.info("%s: order %s was already closed", pair, oid)

    def _look_at_positions(self, pairs: Collection[str], books: Books, now: float) -> None:
        held = dict.fromkeys(pairs, 0.0)
        bad = self._bad_rows.count(POSITIONS)
        positions = list(self._of_each_exchange(self._client.fetch_positions, pairs))
        self._unreadable = self._bad_rows.count(POSITIONS) != bad
        if self._unreadable:  # its pair is unknown
            return
        for position in positions:
            if position["symbol"] in held:
                sign = -1.0 if position["side"] == "short" else 1.0
                held[position["symbol"]] = sign * float(position["contracts"] or 0.0)
        for pair, amount in held.items():
            difference, noise = amount - books.positions.get(pair, 0.0), 1e-9 * max(1, abs(amount))
            if abs(difference) > noise:
                difference -= self._unbooked_fills(pair, books)
            self._judge(pair, difference, noise, now)

    def _unbooked_fills(self, pair: str, books: Books) -> float:
        """Return the signed fills of the pair's open orders that are not in the books yet."""
        total = 0.0
        for oid, order in books.open_orders.items():
            if order.pair == pair:
                with contextlib.suppress(ccxt.OrderNotFound):  # it has no fills
                    filled = float(self._client.fetch_order(oid, pair)["filled"] or 0.0)
                    total += (filled - order.filled) * (1 if order.buys else -1)
        return total

    def _judge(self, pair: str, amount: float, noise: float, now: float) -> None:
        known = self._differences.get(pair)
        if abs(amount) <= noise:
            if known is not None and known.confirmed:
                logger.warning("%s: the books agree with the venue again", pair)
            self._differences.pop(pair, None)
        elif known is None or abs(known.amount - amount) > noise:
            # Once confirmed, it stays so until the books agree, even if the amount changes.
            confirmed = known is not None and known.confirmed
            self._differences[pair] = _Difference(amount, now, confirmed=confirmed)
        elif not known.confirmed:
            known.looks += 1
            known.confirmed = known.looks >= LOOKS and now - known.since >= LASTING_SECONDS
            if known.confirmed:
                logger.warning("%s: %s", pair, self.refusal(pair))
                self._next_orders = now  # an unknown order may be the cause

    def _look_at_budget(self) -> None:
        user, _ = self._client.handle_public_address("userRateLimit", {})
        limit = self._client.publicPostInfo({"type": "userRateLimit", "user": user})
        try:
            used, cap = int(limit["nRequestsUsed"]), int(limit["nRequestsCap"])
        except (TypeError, LookupError, ValueError):
            logger.warning("unexpected userRateLimit reply from the venue: %s", limit)
            return
        self._requests_left = cap - used
        logger.info("requests of this address: %d used, %d left", used, self._requests_left)


def _is_ours(order: Mapping[str, Any]) -> bool:
    return str(order.get("clientOrderId") or "").startswith(CLOID_PREFIX)
