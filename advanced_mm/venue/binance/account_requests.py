"""Requests of accounts: orders, their history, balances; the same over REST and websocket API."""

import itertools
import secrets
from enum import StrEnum

from advanced_mm.venue.binance.market_requests import market_of
from advanced_mm.venue.binance.order_views import OrderViews
from advanced_mm.venue.binance.params import Params, missing
from advanced_mm.venue.binance.routing import Guard, OwnRoute
from advanced_mm.venue.spot.exchange import SpotExchange
from advanced_mm.venue.spot.orders import (
    OrderKind,
    SpotOrder,
    SpotRefusedError,
    SpotRequest,
    SpotTif,
)
from advanced_mm.venue.spot.wallets import SpotAccount

__all__ = ["AccountRequests", "ReplaceFailedError"]

_UNKNOWN = SpotRefusedError(-2013, "Order does not exist.")


class Side(StrEnum):
    """Sides of an order on the wire."""

    BUY = "BUY"
    SELL = "SELL"


class ReplaceMode(StrEnum):
    """What a cancel-replace does when the cancel fails."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


class Restriction(StrEnum):
    """Which orders a cancel may cancel."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


class ReplaceFailedError(SpotRefusedError):
    """A cancel-replace failed, wholly or in part; ``data`` says what became of its halves."""

    def __init__(self, data: dict[str, object], *, partly: bool) -> None:
        text = (
            "Order cancel-replace partially failed." if partly else "Order cancel-replace failed."
        )
        super().__init__(-2021 if partly else -2022, text)
        self.data = data
        self.partly = partly


class AccountRequests:
    """Answers requests of accounts.

    Parameters
    ----------
    exchange
        The engine.
    """

    def __init__(self, exchange: SpotExchange) -> None:
        self._exchange = exchange
        self.views = OrderViews(exchange)

    def routes(self) -> list[OwnRoute]:
        """Return the routes."""
        own = OwnRoute
        return [
            own("order.place", "POST /api/v3/order", self._place, 1, orders=True),
            own("order.test", "POST /api/v3/order/test", self._test, 1),
            own("order.cancel", "DELETE /api/v3/order", self._cancel, 1),
            own("order.status", "GET /api/v3/order", self._status, 4),
            own(
                "order.cancelReplace", "POST /api/v3/order/cancelReplace", self._replace, 1,
                orders=True,
            ),
            own(
                "order.amend.keepPriority", "PUT /api/v3/order/amend/keepPriority", self._amend, 4
            ),
            own("openOrders.status", "GET /api/v3/openOrders", self._open, _open_weight),
            own("openOrders.cancelAll", "DELETE /api/v3/openOrders", self._cancel_all, 1),
            own("allOrders", "GET /api/v3/allOrders", self._all, 20),
            own("myTrades", "GET /api/v3/myTrades", self._fills, _fills_weight),
            own("account.status", "GET /api/v3/account", self._account, 20),
            own("account.commission", "GET /api/v3/account/commission", self._commission, 20),
            own("", "GET /sapi/v1/asset/tradeFee", self._trade_fees, 1),
            own("", "GET /sapi/v1/capital/config/getall", self._coins, 10),
            own("", "GET /sapi/v1/margin/allPairs", lambda _, params: [], 1, Guard.KEY),
            own("", "GET /sapi/v1/margin/isolated/allPairs", lambda _, params: [], 1),
        ]  # fmt: skip

    # Orders

    def _place(self, account: SpotAccount, params: Params) -> object:
        request = self._request(params)
        return self.views.placed(self._exchange.place(account, request), _answer(params, request))

    def _test(self, account: SpotAccount, params: Params) -> object:
        self._exchange.desk.check(account, self._request(params))
        return {}

    def _cancel(self, account: SpotAccount, params: Params) -> object:
        market = market_of(self._exchange, params.required("symbol"))
        return self.views.cancelled(
            self._cancelled(account, market.symbol, params, "orderId", "origClientOrderId")
        )

    def _cancelled(
        self, account: SpotAccount, symbol: str, params: Params, oid_name: str, id_name: str
    ) -> SpotOrder:
        """Cancel the order that the parameters of these names name."""
        oid, client_id = _named(params, oid_name, id_name)
        restriction = params.choice(
            "cancelRestrictions", Restriction, -1145, "Invalid cancelRestrictions"
        )
        order = self._exchange.desk.find_open(account, symbol, oid, client_id)
        filled = order.core.filled > 0
        if restriction is not None and filled == (restriction is Restriction.ONLY_NEW):
            raise SpotRefusedError(-2011, "Order was not canceled due to cancel restrictions.")
        name = "cancelNewClientOrderId" if oid_name == "cancelOrderId" else "newClientOrderId"
        cancel_id = params.client_id(name) or secrets.token_hex(11)
        return self._exchange.cancel(account, symbol, order.oid, None, cancel_id)

    def _status(self, account: SpotAccount, params: Params) -> object:
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        oid, client_id = _named(params, "orderId", "origClientOrderId")
        order = account.find(oid, client_id)
        if order is None or order.symbol != symbol:
            raise _UNKNOWN
        return self.views.order(order)

    def _replace(self, account: SpotAccount, params: Params) -> object:
        """Cancel an order and place another; filters are looked at before either is done."""
        mode = params.choice("cancelReplaceMode", ReplaceMode, -1160, "Invalid cancelReplaceMode.")
        if mode is None:
            raise missing("cancelReplaceMode")
        request = self._request(params)
        _named(params, "cancelOrderId", "cancelOrigClientOrderId")
        try:
            self._exchange.desk.check(account, request)
        except SpotRefusedError as error:
            if error.code != -2010:  # what depends on the old order is looked at without it
                raise
        outcome: dict[str, object] = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": None,
            "newOrderResponse": None,
        }
        cancelled = placed = False
        try:
            old = self._cancelled(
                account, request.symbol, params, "cancelOrderId", "cancelOrigClientOrderId"
            )
            outcome["cancelResponse"], cancelled = self.views.cancelled(old), True
        except SpotRefusedError as error:
            outcome |= {"cancelResult": "FAILURE", "cancelResponse": _error(error)}
        if cancelled or mode is ReplaceMode.ALLOW_FAILURE:
            try:
                new = self._exchange.place(account, request)
                outcome["newOrderResponse"] = self.views.placed(new, _answer(params, request))
                outcome["newOrderResult"], placed = "SUCCESS", True
            except SpotRefusedError as error:
                outcome |= {"newOrderResult": "FAILURE", "newOrderResponse": _error(error)}
        if not (cancelled and placed):
            raise ReplaceFailedError(outcome, partly=cancelled or placed)
        return outcome

    def _amend(self, account: SpotAccount, params: Params) -> object:
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        oid, client_id = _named(params, "orderId", "origClientOrderId")
        quantity = params.decimal("newQty")
        if quantity is None:
            raise missing("newQty")
        order = self._exchange.reduce(account, symbol, oid, client_id, quantity)
        return {
            "transactTime": order.updated_ms,
            "executionId": order.oid,
            "amendedOrder": self.views.order(order),
        }

    def _cancel_all(self, account: SpotAccount, params: Params) -> object:
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        there = [one for one in account.orders.values() if one.symbol == symbol]
        if not there:
            raise SpotRefusedError(-2011, "Unknown order sent.")
        return [
            self.views.cancelled(
                self._exchange.cancel(account, symbol, one.oid, None, secrets.token_hex(11))
            )
            for one in there
        ]

    def _request(self, params: Params) -> SpotRequest:
        """Read an order."""
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        side = params.choice("side", Side, -1117, "Invalid side.")
        kind = params.choice("type", OrderKind, -1116, "Invalid orderType.")
        tif = params.choice("timeInForce", SpotTif, -1115, "Invalid timeInForce.")
        if side is None or kind is None:
            raise missing("side" if side is None else "type")
        timed = kind.priced and kind is not OrderKind.LIMIT_MAKER
        needed = {
            "timeInForce": timed,
            "price": kind.priced,
            "stopPrice": kind.stops,
            "quantity": kind is not OrderKind.MARKET or params.text("quoteOrderQty") is None,
        }
        for name, is_needed in needed.items():
            if is_needed and params.text(name) is None:
                raise missing(name)
            if not is_needed and params.text(name) is not None:
                raise SpotRefusedError(-1106, f"Parameter '{name}' sent when not required.")
        return SpotRequest(
            symbol,
            side is Side.BUY,
            kind,
            quantity=params.decimal("quantity"),
            price=params.decimal("price"),
            tif=tif or SpotTif.GTC,
            stop_price=params.decimal("stopPrice"),
            quote_quantity=params.decimal("quoteOrderQty"),
            client_id=params.client_id("newClientOrderId"),
        )

    # Queries

    def _open(self, account: SpotAccount, params: Params) -> object:
        symbol = params.text("symbol")
        if symbol is not None:
            market_of(self._exchange, symbol)
        return [
            self.views.order(one)
            for one in account.orders.values()
            if symbol is None or one.symbol == symbol
        ]

    def _all(self, account: SpotAccount, params: Params) -> object:
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        first, limit = params.whole("orderId"), params.limit(500, 1_000)
        since, until = params.whole("startTime"), params.whole("endTime")
        found = [
            one
            for one in account.history(symbol)
            if (first is None or one.oid >= first)
            and (since is None or one.created_ms >= since)
            and (until is None or one.created_ms <= until)
        ]
        asked = found[-limit:] if first is None and since is None else found[:limit]
        return [self.views.order(one) for one in asked]

    def _fills(self, account: SpotAccount, params: Params) -> object:
        symbol = market_of(self._exchange, params.required("symbol")).symbol
        first, oid = params.whole("fromId"), params.whole("orderId")
        since, until = params.whole("startTime"), params.whole("endTime")
        limit = params.limit(500, 1_000)
        found = [
            one
            for one in account.fills
            if one.symbol == symbol
            and (first is None or one.tid >= first)
            and (oid is None or one.oid == oid)
            and (since is None or one.time_ms >= since)
            and (until is None or one.time_ms <= until)
        ]
        asked = itertools.islice(found, limit)
        newest = first is None and since is None
        return [self.views.fill(one) for one in (found[-limit:] if newest else asked)]

    def _account(self, account: SpotAccount, params: Params) -> object:
        return self.views.account(account, omit_zero=params.flag("omitZeroBalances"))

    def _commission(self, account: SpotAccount, params: Params) -> object:
        return self.views.commission(market_of(self._exchange, params.required("symbol")).symbol)

    def _trade_fees(self, account: SpotAccount, params: Params) -> object:
        rules, symbol = self._exchange.rules, params.text("symbol")
        return [
            {
                "symbol": one,
                "makerCommission": str(rules.maker_fee),
                "takerCommission": str(rules.taker_fee),
            }
            for one in self._exchange.markets
            if symbol is None or one == symbol
        ]

    def _coins(self, account: SpotAccount, params: Params) -> object:
        """List the assets with what the account holds; nothing can be moved in or out."""
        bases = (market.base for market in self._exchange.markets.values())
        held = {str(one["asset"]): one for one in _dicts(self.views.account(account)["balances"])}
        return [
            {
                "coin": asset,
                "name": asset,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "trading": True,
                "isLegalMoney": False,
                "free": str(held.get(asset, {}).get("free", "0")),
                "locked": str(held.get(asset, {}).get("locked", "0")),
                "networkList": [],
            }
            for asset in (self._exchange.rules.quote_asset, *bases)
        ]


def _dicts(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


def _named(params: Params, oid_name: str, id_name: str) -> tuple[int | None, str | None]:
    """Return the number or client id by which an order is named."""
    oid, client_id = params.whole(oid_name), params.client_id(id_name)
    if oid is None and client_id is None:
        raise SpotRefusedError(
            -1102, f"Param '{id_name}' or '{oid_name}' must be sent, but both were empty/null!"
        )
    return oid, client_id


def _answer(params: Params, request: SpotRequest) -> str:
    """Return how a new order is answered."""
    full = request.kind in (OrderKind.MARKET, OrderKind.LIMIT)
    asked = params.text("newOrderRespType") or ("FULL" if full else "ACK")
    if asked not in ("ACK", "RESULT", "FULL"):
        raise SpotRefusedError(-1159, "Invalid newOrderRespType.")
    return asked


def _error(error: SpotRefusedError) -> dict[str, object]:
    return {"code": error.code, "msg": error.message}


def _open_weight(params: Params) -> int:
    return 6 if params.text("symbol") is not None else 80


def _fills_weight(params: Params) -> int:
    return 5 if params.text("orderId") is not None else 20
