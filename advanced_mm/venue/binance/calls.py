"""Requests answered: found by name, counted against the limits, checked and carried out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advanced_mm.venue.binance.account_requests import AccountRequests
from advanced_mm.venue.binance.market_requests import MarketRequests
from advanced_mm.venue.binance.params import Params
from advanced_mm.venue.binance.routing import Guard, OwnRoute, Route
from advanced_mm.venue.binance.signing import Signers
from advanced_mm.venue.binance.weights import (
    LIMITS,
    ORDERS_A_DAY,
    ORDERS_IN_10_S,
    OrderCount,
    RequestWeight,
)
from advanced_mm.venue.spot.orders import SpotRefusedError
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["Call", "Calls"]

UNKNOWN_METHOD = -1020


@dataclass(frozen=True, slots=True)
class Call:
    """A request: who asks (address, API key), the parameters, and the text that was signed."""

    address: str
    key: str | None
    params: Params
    text: str


class Calls:
    """Carries out requests.

    Parameters
    ----------
    market, account
        Answer requests for market data, and those of accounts.
    signers
        Finds the account of a request.
    clock
        Real time, seconds, by which limits count.
    limited
        Whether a request beyond a limit is refused; the counts are kept in any case.
    """

    def __init__(
        self,
        market: MarketRequests,
        account: AccountRequests,
        signers: Signers,
        clock: Callable[[], float],
        *,
        limited: bool = False,
    ) -> None:
        routes: list[Route | OwnRoute] = [*market.routes(), *account.routes()]
        self.by_rest: Mapping[str, Route | OwnRoute] = {one.rest: one for one in routes}
        self._by_method = {one.method: one for one in routes if one.method}
        self.signers = signers
        self.limited = limited
        self._clock = clock
        self.weights: dict[str, RequestWeight] = {}
        self.orders: dict[str, OrderCount] = {}

    def method(self, name: str) -> Route | OwnRoute:
        """Return the request with a name of the websocket API.

        Raises
        ------
        SpotRefusedError
            If there is none.
        """
        route = self._by_method.get(name)
        if route is None:
            raise SpotRefusedError(UNKNOWN_METHOD, "This operation is not supported.")
        return route

    def answer(self, route: Route | OwnRoute, call: Call) -> object:
        """Carry out a request.

        Raises
        ------
        SpotRefusedError
            If it is refused; it has then changed nothing.
        """
        weight = route.weight if isinstance(route.weight, int) else route.weight(call.params)
        self.charge(call.address, weight)
        if isinstance(route, Route):
            return route.answer(call.params)
        account = self.account(call, route.guard)
        if route.orders:
            count = self.orders.setdefault(account.key, OrderCount())
            count.take(self._clock(), limited=self.limited)
        return route.answer(account, call.params)

    def account(self, call: Call, guard: Guard = Guard.SIGNATURE) -> SpotAccount:
        """Return the account that a request comes from, or refuse the request."""
        if guard is Guard.KEY:
            return self.signers.keyed(call.key)
        return self.signers.signed(call.key, call.params, call.text)

    def charge(self, address: str, weight: int) -> None:
        """Count a request's weight, or refuse it."""
        used = self.weights.setdefault(address, RequestWeight())
        used.take(self._clock(), weight, limited=self.limited)

    def headers(self, call: Call, route: Route | OwnRoute) -> dict[str, str]:
        """Return the headers that tell a client what it has used."""
        used = self.weights.setdefault(call.address, RequestWeight()).used
        headers = {"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)}
        count = self.orders.get(call.key or "")
        if isinstance(route, OwnRoute) and route.orders and count is not None:
            lately, today = count.counts(self._clock())
            headers |= {"X-MBX-ORDER-COUNT-10S": str(lately), "X-MBX-ORDER-COUNT-1D": str(today)}
        return headers

    def limits(self, call: Call) -> list[dict[str, object]]:
        """Return the limits with what is used of them, as the websocket API tells them."""
        used = self.weights.setdefault(call.address, RequestWeight()).used
        count = self.orders.get(call.key or "")
        lately, today = (0, 0) if count is None else count.counts(self._clock())
        by_limit = {ORDERS_IN_10_S: lately, ORDERS_A_DAY: today}
        counts = (used, *by_limit.values())
        return [one | {"count": count} for one, count in zip(LIMITS, counts, strict=True)]
