"""Order placement that survives lost replies.

A reply can be lost after the order was accepted. A bot that assumes nothing was placed places the
order again: two orders rest, and the fills of one are not in its books. So every order carries a
client order id, by which the venue can be queried. If the venue does not know the order, its nonce
is consumed by a no-op action: if that succeeds, the order can never be placed; if it is refused,
the order has arrived. As a fallback for venues without that action, each order has an expiry:
"unknown" is final once it has passed on the venue's own clock.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ccxt

__all__ = ["CLOID_PREFIX", "OrderInDoubtError", "SureOrders"]

logger = logging.getLogger(__name__)

CLOID_PREFIX = "0x6d6d6164"
"""Prefix of every client order id ("mmad"); it distinguishes our orders from manual ones."""

LIFETIME_MS = 10_000
"""How long an order may be in transit; also the largest tolerated clock difference."""

MARGIN_MS = 2_000
"""Extra wait: the clock queried may differ from the one that rejects expired orders."""

PATIENCE_SECONDS, CLOSING_PATIENCE_SECONDS = 20.0, 5.0
"""How long to query for a lost order at once; shorter for a closing one, as the stop waits."""

LAST_PATIENCE_SECONDS = 15.0
"""How long orders in doubt may delay the shutdown of the bot."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 2.0

CcxtOrder = dict[str, Any]


class OrderInDoubtError(ccxt.OperationFailed):  # type: ignore[misc]
    """An order may or may not exist. Freqtrade logs it and continues; no position is opened."""


@dataclass
class _Doubt:
    """An order whose reply was lost; ``order`` is set once the venue confirms it.

    ``nonce`` is the nonce of its message, if one was built, signed for the account ``vault``.
    ``used_s`` is the time, by our clock, when the nonce was first known to be consumed.
    """

    cloid: str
    kind: tuple[str, str, str, bool]
    expires_ms: int
    fault: BaseException
    nonce: int | None = None
    vault: str | None = None
    used_s: float | None = None
    order: CcxtOrder | None = None

    @property
    def symbol(self) -> str:
        return self.kind[0]

    @property
    def is_entry(self) -> bool:
        return not self.kind[3]


class SureOrders:
    """Wraps ccxt's ``create_order`` for Freqtrade.

    If the reply to an order is lost, the venue is queried until it answers. An order that exists is
    returned as usual; for one that can no longer be placed, the original error is raised. If the
    venue does not answer for ``patience_seconds``, the order is in doubt: ``OrderInDoubtError`` is
    raised, also for each later order except a market order that reduces the position, until the
    venue answers. An order found later is returned in place of the next one of its kind, so that
    Freqtrade books it and its fills.

    Parameters
    ----------
    client
        A ccxt client of Hyperliquid, patched by `install`.
    patience_seconds
        How long to query for one order, seconds; at most 5 s for a closing one.
    clock, sleep, new_id
        For tests: monotonic clock in seconds, sleep function, source of 24 hexadecimal digits.
    """

    def __init__(
        self,
        client: Any,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._client = client
        self._patience_seconds = patience_seconds
        self._clock, self._sleep, self._new_id = clock, sleep, new_id
        self._create = client.create_order
        self._build = client.create_orders_request
        self._doubts: dict[str, _Doubt] = {}
        self._message: tuple[int, str | None] | None = None  # nonce and account of the last order
        self._lock = threading.RLock()  # Freqtrade runs forced exits in another thread

    def install(self) -> None:
        """Replace the client's own methods."""
        self._client.create_order = self.create_order
        self._client.create_orders_request = self._request_with_expiry

    @property
    def doubt(self) -> str | None:
        """Why no position may be opened; None if the state of every order is known."""
        unsolved = [doubt for doubt in self._doubts.values() if doubt.order is None]
        if not unsolved:
            return None
        return f"an order is in doubt: {_short(unsolved[0].fault)}"

    def create_order(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: float,
        price: float | None = None,
        params: dict[str, Any] | None = None,
    ) -> CcxtOrder:
        """Place an order as ccxt does, or return a recovered one of the same kind.

        Raises
        ------
        OrderInDoubtError
            It is unknown whether this order, or a previous one, exists.
        ccxt.BaseError
            The order does not exist; the error is that of the venue or the connection.
        """
        params = params or {}
        kind = (symbol, type, side, bool(params.get("reduceOnly")))
        with self._lock:
            found = self._solve_old(kind)
            if found is not None:
                logger.warning("%s: recovered order %s, whose reply was lost", symbol, found["id"])
                return found
            cloid = CLOID_PREFIX + self._new_id()
            expires_ms = int(self._client.milliseconds()) + LIFETIME_MS
            numbered = {**params, "clientOrderId": cloid, "expiresAfter": expires_ms}
            self._message = None
            try:
                order = self._create(symbol, type, side, amount, price, numbered)
                if order and order.get("id"):
                    return dict(order)
                fault: BaseException = ccxt.BadResponse(f"no order in the venue's reply: {order}")
            except BaseException as error:  # any error: once sent, the order may exist
                if isinstance(error, Exception) and _is_the_venues_answer(error):
                    raise
                fault = error
            nonce, vault = self._message or (None, None)
            doubt = self._doubts[cloid] = _Doubt(cloid, kind, expires_ms, fault, nonce, vault)
            if not isinstance(fault, Exception):  # the bot is stopping: `close` resolves the order
                raise fault
            return self._wait_for(doubt)

    def tend(self) -> None:
        """Query for orders in doubt and cancel those found open; call it at every loop.

        An entry with fills is kept until it can be returned by `create_order`.
        """
        with self._lock:
            for doubt in list(self._doubts.values()):
                try:
                    if doubt.order is None and not self._ask(doubt):
                        continue
                    self._withdraw(doubt)
                except ccxt.BaseError as error:
                    logger.warning("%s: order %s: %s", doubt.symbol, doubt.cloid, _short(error))

    def close(self) -> None:
        """Resolve orders in doubt before the bot stops; log those that cannot be resolved."""
        deadline = self._clock() + LAST_PATIENCE_SECONDS
        while (unsolved := self.doubt) is not None and self._clock() < deadline:
            logger.warning("before shutdown: %s", unsolved)
            self.tend()
            if self.doubt is not None:
                self._sleep(FIRST_PAUSE_SECONDS)
        self.tend()
        for doubt in self._doubts.values():
            known = doubt.order or {}
            logger.error(
                "%s: order %s is not in the books (status %s, filled %s); check the venue's page",
                doubt.symbol,
                known.get("id", doubt.cloid),
                known.get("status", "unknown, may be open"),
                known.get("filled", "unknown"),
            )

    def filled_entry(self, symbol: str, side: str) -> CcxtOrder | None:
        """Return a lost order that opened a position; `create_order` of its kind recovers it."""
        for doubt in self._doubts.values():
            fits = doubt.is_entry and (doubt.symbol, doubt.kind[2]) == (symbol, side)
            if fits and doubt.order is not None and (doubt.order.get("filled") or 0) > 0:
                return doubt.order
        return None

    # ---- queries

    def _solve_old(self, kind: tuple[str, str, str, bool]) -> CcxtOrder | None:
        """Resolve orders in doubt; return one of this kind that turned out to exist."""
        for doubt in list(self._doubts.values()):
            try:
                if doubt.order is None and not self._ask(doubt):
                    continue
                if doubt.kind == kind:
                    order = self._fetch(doubt)
                    del self._doubts[doubt.cloid]
                    return order
                self._withdraw(doubt)
            except ccxt.BaseError as error:
                doubt.fault = error
        _, order_type, _, reduces = kind
        if self.doubt is not None and not (order_type == "market" and reduces):
            raise OrderInDoubtError(self.doubt)
        return None

    def _wait_for(self, doubt: _Doubt) -> CcxtOrder:
        """Query until the venue answers, with growing pauses."""
        logger.warning("%s: the reply to an order was lost (%s)", doubt.symbol, _short(doubt.fault))
        patience = self._patience_seconds
        if not doubt.is_entry:
            patience = min(patience, CLOSING_PATIENCE_SECONDS)
        deadline = self._clock() + patience
        pause = FIRST_PAUSE_SECONDS
        while self._clock() < deadline:
            try:
                if self._ask(doubt):
                    del self._doubts[doubt.cloid]
                    order = doubt.order
                    assert order is not None
                    logger.warning("%s: the venue has order %s", doubt.symbol, order["id"])
                    return order
            except ccxt.BaseError as error:
                logger.info("%s: query for order %s: %s", doubt.symbol, doubt.cloid, _short(error))
            if doubt.cloid not in self._doubts:
                logger.warning("%s: the venue does not have the order", doubt.symbol)
                raise _as_ccxt(doubt.fault)
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise OrderInDoubtError(self.doubt)

    def _ask(self, doubt: _Doubt) -> bool:
        """Return whether the venue has the order; drop the doubt if it cannot exist."""
        # The time must be read before the query, so that the reply is known to be later.
        over = self._can_no_longer_come(doubt)
        try:
            order = self._fetch(doubt)
        except ccxt.OrderNotFound:
            if over or self._blocked_by_noop(doubt):
                del self._doubts[doubt.cloid]
            return False
        if order.get("status") == "rejected":
            del self._doubts[doubt.cloid]
            doubt.fault = ccxt.InvalidOrder(f"the venue refused the order: {order.get('info')}")
            return False
        doubt.order = order
        return True

    def _can_no_longer_come(self, doubt: _Doubt) -> bool:
        """Return whether an order that the venue does not know from now on does not exist."""
        if doubt.used_s is not None:
            return self._clock() > doubt.used_s + MARGIN_MS / 1000
        expired = self._client.milliseconds() > doubt.expires_ms
        return expired and self._venue_ms() > doubt.expires_ms + MARGIN_MS

    def _blocked_by_noop(self, doubt: _Doubt) -> bool:
        """Consume the order's nonce with a no-op; True if the order can thus never be placed."""
        if doubt.nonce is None or doubt.used_s is not None:
            return False
        action = {"type": "noop"}
        signature = self._client.sign_l1_action(action, doubt.nonce, doubt.vault)
        request = {"action": action, "nonce": doubt.nonce, "signature": signature}
        if doubt.vault is not None:
            request["vaultAddress"] = doubt.vault
        try:
            answer = self._client.privatePostExchange(request)
        except ccxt.BaseError as error:
            if not _is_the_venues_answer(error, of_nonces=True):
                raise
            if "nonce" in str(error).lower():
                doubt.used_s = self._clock()  # used by the order or by an earlier no-op
            else:
                doubt.nonce = None  # no-ops are unsupported: rely on the expiry
            return False
        return bool(isinstance(answer, dict) and answer.get("status") == "ok")

    def _fetch(self, doubt: _Doubt) -> CcxtOrder:
        """Fetch the order from the venue; an invalid reply counts as a failure."""
        try:
            order = self._client.fetch_order(doubt.cloid, doubt.symbol)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise ccxt.BadResponse(f"invalid reply from the venue: {error!r}") from error
        if not (order and order.get("id")):
            raise ccxt.BadResponse(f"no order in the venue's reply: {order}")
        return dict(order)

    def _venue_ms(self) -> int:
        try:
            return int(self._client.fetch_time())
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise ccxt.BadResponse(f"no time in the venue's reply: {error!r}") from error

    def _withdraw(self, doubt: _Doubt) -> None:
        """Cancel a found order; drop it once it is closed, unless it is an entry with fills."""
        order = self._fetch(doubt)
        if order.get("status") == "open":
            try:
                self._client.cancel_order(order["id"], doubt.symbol)
            except ccxt.OrderNotFound:
                logger.info("%s: order %s was already closed", doubt.symbol, order["id"])
            order = self._fetch(doubt)
        doubt.order = order
        # Freqtrade finds the fills of an exit itself when the position is gone.
        keep = order.get("status") == "open" or (doubt.is_entry and (order.get("filled") or 0) > 0)
        if not keep:
            self._doubts.pop(doubt.cloid, None)

    def _request_with_expiry(
        self, orders: list[dict[str, Any]], params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Build ccxt's request, re-signed with ``expiresAfter``, which ccxt omits for orders."""
        request: dict[str, Any] = self._build(orders, params or {})
        self._message = (int(request["nonce"]), request.get("vaultAddress"))
        expires_ms = orders[0].get("params", {}).get("expiresAfter")
        if expires_ms is not None:
            request["expiresAfter"] = expires_ms
            request["signature"] = self._client.sign_l1_action(
                request["action"], request["nonce"], request.get("vaultAddress"), expires_ms
            )
        return request


def _is_the_venues_answer(error: Exception, *, of_nonces: bool = False) -> bool:
    """Return whether the venue itself rejected the request, so that there is no order.

    ccxt raises errors from replies directly and connection errors with a cause. A 429 is sent
    before the request is processed. With ``of_nonces``, a rejected nonce also counts as an answer,
    although ccxt classifies it as a network error.
    """
    if isinstance(error, ccxt.RateLimitExceeded):
        return not of_nonces
    if of_nonces and isinstance(error, ccxt.InvalidNonce):
        return True
    if isinstance(error, ccxt.OperationFailed):
        return False
    return isinstance(error, ccxt.BaseError) and error.__cause__ is None


def _as_ccxt(error: BaseException) -> Exception:
    """Convert an error to one of ccxt's, the only ones that Freqtrade catches."""
    known: Exception = (
        error if isinstance(error, ccxt.BaseError) else ccxt.NetworkError(_short(error))
    )
    return known


def _short(error: BaseException) -> str:
    return f"{type(error).__name__} {error}"[:200]
