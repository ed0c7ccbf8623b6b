"""Orders whose fate is known, whatever becomes of the venue's reply.

A reply can be lost after the order was accepted. Who then believes that nothing was placed places
again: two orders rest, and the fills of one are nobody's. So every order carries a number of ours,
by which the venue can be asked. Where it knows nothing, its nonce is used up by an action that does
nothing: either that succeeds, and the order can never come into being, or it is refused because the
order has come. Each order also has a time after which the venue refuses it, so that "unknown" is
final once that has passed on the venue's own clock, should the venue know no such action.
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
"""Every order's number begins so ("mmad"): it tells our orders from a person's."""

LIFETIME_MS = 10_000
"""How long an order may be on its way; also how far the clocks may be apart."""

MARGIN_MS = 2_000
"""What is waited beyond: the clock asked and the one that refuses need not be the same."""

PATIENCE_SECONDS, CLOSING_PATIENCE_SECONDS = 20.0, 5.0
"""How long an order is asked for at once; while one that closes is, the stop must wait."""

LAST_PATIENCE_SECONDS = 15.0
"""How long orders in doubt hold up the end of the bot."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 2.0

CcxtOrder = dict[str, Any]


class OrderInDoubtError(ccxt.OperationFailed):  # type: ignore[misc]
    """An order may or may not exist. Freqtrade logs it and goes on; nothing is opened meanwhile."""


@dataclass
class _Doubt:
    """An order whose reply was lost; ``order`` is set once the venue is known to have it.

    ``nonce`` is that of its message, where one was made, signed for the account ``vault``;
    ``used_s`` by our clock when the venue was first known to have used it up.
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
    """Stands between Freqtrade and ccxt's ``create_order``.

    When the reply to an order is lost, the venue is asked for it until it answers: an order that
    exists is returned as if nothing had happened, one that can no longer come into being raises the
    error that ate the reply. If the venue stays silent for ``patience_seconds``, the order is in
    doubt: ``OrderInDoubtError`` is raised, and again at each later order but a market order that
    reduces the position, until the venue has answered. An order found then is handed over in place
    of the next one of its kind, so that Freqtrade comes to know it and its fills.

    Parameters
    ----------
    client
        A ccxt client of Hyperliquid, changed by `install`.
    patience_seconds
        How long one order may be asked for, in seconds; one that closes, 5 s at most.
    clock, sleep, new_id
        For tests: seconds that only increase, how to wait, 24 hexadecimal digits.
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
        self._lock = threading.RLock()  # a forced exit comes from a thread of Freqtrade's own

    def install(self) -> None:
        """Take the place of the client's own methods."""
        self._client.create_order = self.create_order
        self._client.create_orders_request = self._request_with_expiry

    @property
    def doubt(self) -> str | None:
        """Why nothing may be opened, None if the fate of every order is known."""
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
        """Place an order as ccxt does, or hand over one of this kind that was thought lost.

        Raises
        ------
        OrderInDoubtError
            Whether this order, or one before it, exists cannot be found out now.
        ccxt.BaseError
            The order does not exist: what the venue or the connection said.
        """
        params = params or {}
        kind = (symbol, type, side, bool(params.get("reduceOnly")))
        with self._lock:
            found = self._solve_old(kind)
            if found is not None:
                logger.warning("%s: order %s, thought lost, is taken over", symbol, found["id"])
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
            except BaseException as error:  # whatever it was: once sent, the order may exist
                if isinstance(error, Exception) and _is_the_venues_answer(error):
                    raise
                fault = error
            nonce, vault = self._message or (None, None)
            doubt = self._doubts[cloid] = _Doubt(cloid, kind, expires_ms, fault, nonce, vault)
            if not isinstance(fault, Exception):  # the bot is told to end: `close` will ask
                raise fault
            return self._wait_for(doubt)

    def tend(self) -> None:
        """Ask for orders in doubt and cancel those found at rest; call it at every loop.

        What such an order had filled stays ours: the order waits to be handed over.
        """
        with self._lock:
            for doubt in list(self._doubts.values()):
                try:
                    if doubt.order is None and not self._ask(doubt):
                        continue
                    self._withdraw(doubt)
                except ccxt.BaseError as error:
                    logger.warning("order %s: %s", doubt.cloid, _short(error))

    def close(self) -> None:
        """Settle what is in doubt before the bot ends, and say what cannot be settled."""
        deadline = self._clock() + LAST_PATIENCE_SECONDS
        while (unsolved := self.doubt) is not None and self._clock() < deadline:
            logger.warning("before the end: %s", unsolved)
            self.tend()
            if self.doubt is not None:
                self._sleep(FIRST_PAUSE_SECONDS)
        self.tend()
        for doubt in self._doubts.values():
            known = doubt.order or {}
            logger.error(
                "order %s of %s is in nobody's books: %s, filled %s; look at the venue's page",
                known.get("id", doubt.cloid),
                doubt.symbol,
                known.get("status", "perhaps resting"),
                known.get("filled", "unknown"),
            )

    def filled_entry(self, symbol: str, side: str) -> CcxtOrder | None:
        """An order that opened a position unknown to Freqtrade: place its like to take it over."""
        for doubt in self._doubts.values():
            fits = doubt.is_entry and (doubt.symbol, doubt.kind[2]) == (symbol, side)
            if fits and doubt.order is not None and (doubt.order.get("filled") or 0) > 0:
                return doubt.order
        return None

    # ---- asking

    def _solve_old(self, kind: tuple[str, str, str, bool]) -> CcxtOrder | None:
        """Settle what is in doubt; returns an order of this kind that turned out to exist."""
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
        """Ask until the venue knows; the pauses grow."""
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
                    logger.warning("%s: the venue has the order: %s", doubt.symbol, order["id"])
                    return order
            except ccxt.BaseError as error:
                logger.info("asking for order %s: %s", doubt.cloid, _short(error))
            if doubt.cloid not in self._doubts:
                logger.warning("%s: the venue does not have the order", doubt.symbol)
                raise _as_ccxt(doubt.fault)
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        raise OrderInDoubtError(self.doubt)

    def _ask(self, doubt: _Doubt) -> bool:
        """Whether the venue has the order; forgets a doubt that is settled by its absence."""
        # Only a time read before the question tells that the answer came after it.
        over = self._can_no_longer_come(doubt)
        try:
            order = self._fetch(doubt)
        except ccxt.OrderNotFound:
            if over or self._forestalled(doubt):
                del self._doubts[doubt.cloid]
            return False
        if order.get("status") == "rejected":
            del self._doubts[doubt.cloid]
            doubt.fault = ccxt.InvalidOrder(f"the venue refused the order: {order.get('info')}")
            return False
        doubt.order = order
        return True

    def _can_no_longer_come(self, doubt: _Doubt) -> bool:
        """Whether an order unknown from now on is one that does not exist."""
        if doubt.used_s is not None:
            return self._clock() > doubt.used_s + MARGIN_MS / 1000
        expired = self._client.milliseconds() > doubt.expires_ms
        return expired and self._venue_ms() > doubt.expires_ms + MARGIN_MS

    def _forestalled(self, doubt: _Doubt) -> bool:
        """Use up the order's nonce: whether the order has not come, and so never will."""
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
                doubt.used_s = self._clock()  # the order has come, or an action of this kind before
            else:
                doubt.nonce = None  # the venue knows no such action: the expiry must do
            return False
        return bool(isinstance(answer, dict) and answer.get("status") == "ok")

    def _fetch(self, doubt: _Doubt) -> CcxtOrder:
        """The order as the venue has it; a reply that makes no sense is no answer."""
        try:
            order = self._client.fetch_order(doubt.cloid, doubt.symbol)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise ccxt.BadResponse(f"no sense in the venue's reply: {error!r}") from error
        if not (order and order.get("id")):
            raise ccxt.BadResponse(f"no order in the venue's reply: {order}")
        return dict(order)

    def _venue_ms(self) -> int:
        try:
            return int(self._client.fetch_time())
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise ccxt.BadResponse(f"the venue does not say its time: {error!r}") from error

    def _withdraw(self, doubt: _Doubt) -> None:
        """Cancel a found order; one that filled nothing is then forgotten."""
        order = self._fetch(doubt)
        if order.get("status") == "open":
            try:
                self._client.cancel_order(order["id"], doubt.symbol)
            except ccxt.OrderNotFound:
                logger.info("order %s has ended by itself", order["id"])
            order = self._fetch(doubt)
        doubt.order = order
        # Freqtrade finds the fills of an exit by itself, from the position that is missing.
        keep = order.get("status") == "open" or (doubt.is_entry and (order.get("filled") or 0) > 0)
        if not keep:
            self._doubts.pop(doubt.cloid, None)

    def _request_with_expiry(
        self, orders: list[dict[str, Any]], params: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """ccxt's request, signed anew with ``expiresAfter``, which it does not know for orders."""
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
    """Whether the venue itself said that there is no order.

    ccxt raises what it read in a reply directly, and what the connection said from its cause. A 429
    is answered before anything is looked at. What it says ``of_nonces`` is an answer, too, though
    ccxt counts it among the troubles of the connection.
    """
    if isinstance(error, ccxt.RateLimitExceeded):
        return not of_nonces
    if of_nonces and isinstance(error, ccxt.InvalidNonce):
        return True
    if isinstance(error, ccxt.OperationFailed):
        return False
    return isinstance(error, ccxt.BaseError) and error.__cause__ is None


def _as_ccxt(error: BaseException) -> Exception:
    """Freqtrade catches ccxt's errors only."""
    known: Exception = (
        error if isinstance(error, ccxt.BaseError) else ccxt.NetworkError(_short(error))
    )
    return known


def _short(error: BaseException) -> str:
    return f"{type(error).__name__} {error}"[:200]
