"""Binance spot's messages as the maker's events, and its orders as Binance takes them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from advanced_mm.maker.exchange import (
    Fill,
    MarketRules,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RestingOrder,
    Side,
    Trade,
)

__all__ = [
    "balances",
    "fill",
    "levels",
    "market_rules",
    "order",
    "order_params",
    "own_trade",
    "rate_windows",
    "report",
    "status",
    "trade",
]

Json = Any
Levels = tuple[tuple[float, float], ...]

_SECONDS: Final = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86_400.0}
_OPEN: Final = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW"})


def levels(side: Iterable[Json]) -> Levels:
    """Read a side of a book."""
    return tuple((float(price), float(size)) for price, size, *_ in side)


def trade(symbol: str, data: Json) -> Trade:
    """Read a ``trade``."""
    side: Side = "sell" if data["m"] else "buy"
    return Trade(symbol, int(data["T"]), side, float(data["p"]), float(data["q"]))


def status(text: str) -> OrderStatus:
    """Read an order's status."""
    if text in _OPEN:
        return OrderStatus.OPEN
    if text == "FILLED":
        return OrderStatus.FILLED
    return OrderStatus.REFUSED if text == "REJECTED" else OrderStatus.CANCELLED


def order(symbol: str, data: Json) -> RestingOrder:
    """Read an order as ``openOrders`` and ``order.status`` tell it."""
    trigger = Decimal(data.get("stopPrice") or 0)
    return RestingOrder(
        order_id=str(data["orderId"]),
        client_id=data["clientOrderId"],
        symbol=symbol,
        side=_side(data["side"]),
        price=Decimal(data["price"]),
        size=Decimal(data["origQty"]),
        filled=Decimal(data["executedQty"]),
        trigger_price=trigger or None,
    )


def report(symbol: str, data: Json) -> OrderUpdate:
    """Read an ``executionReport``; a cancelled order's own client id is in ``C``."""
    trigger = Decimal(data.get("P") or 0)
    return OrderUpdate(
        RestingOrder(
            order_id=str(data["i"]),
            client_id=data["C"] if data["x"] == "CANCELED" and data.get("C") else data["c"],
            symbol=symbol,
            side=_side(data["S"]),
            price=Decimal(data["p"]),
            size=Decimal(data["q"]),
            filled=Decimal(data["z"]),
            trigger_price=trigger or None,
        ),
        status(data["X"]),
        int(data["T"]),
    )


def fill(symbol: str, data: Json) -> Fill:
    """Read the fill of an ``executionReport``."""
    return Fill(
        fill_id=str(data["t"]),
        order_id=str(data["i"]),
        client_id=data["c"],
        symbol=symbol,
        side=_side(data["S"]),
        price=Decimal(data["L"]),
        size=Decimal(data["l"]),
        fee=Decimal(data["n"] or 0),
        fee_currency=data["N"] or "",
        maker=bool(data["m"]),
        time_ms=int(data["T"]),
    )


def own_trade(symbol: str, data: Json) -> Fill:
    """Read one of ``myTrades``, which do not tell the client id."""
    return Fill(
        fill_id=str(data["id"]),
        order_id=str(data["orderId"]),
        client_id="",
        symbol=symbol,
        side="buy" if data["isBuyer"] else "sell",
        price=Decimal(data["price"]),
        size=Decimal(data["qty"]),
        fee=Decimal(data["commission"]),
        fee_currency=data["commissionAsset"],
        maker=bool(data["isMaker"]),
        time_ms=int(data["time"]),
    )


def balances(rows: Iterable[Json], keys: tuple[str, str, str]) -> dict[str, Decimal]:
    """Read balances, free and locked, from rows with ``keys`` for asset, free and locked."""
    asset, free, locked = keys
    return {one[asset]: Decimal(one[free]) + Decimal(one[locked]) for one in rows}


def _side(text: str) -> Side:
    return "buy" if text == "BUY" else "sell"


def market_rules(symbol: str, info: Json) -> MarketRules:
    """Read a symbol's filters of ``exchangeInfo``."""
    filters = {one["filterType"]: one for one in info["filters"]}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    lots = filters["LOT_SIZE"]
    most = filters.get("MAX_NUM_ORDERS", {})
    return MarketRules(
        symbol=symbol,
        spot=True,
        price_step=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
        size_step=Decimal(lots["stepSize"]).normalize(),
        min_size=Decimal(lots["minQty"]),
        min_value=Decimal(notional.get("minNotional", "0")),
        max_orders=int(most.get("maxNumOrders", 200)),
    )


def rate_windows(limits: Iterable[Json], kind: str) -> list[tuple[int, float]]:
    """Read the limits of a kind of ``exchangeInfo``: most, in so many seconds."""
    return [
        (int(one["limit"]), _SECONDS[one["interval"]] * int(one["intervalNum"]))
        for one in limits
        if one["rateLimitType"] == kind
    ]


def order_params(market_id: str, asked: OrderRequest, mid: float) -> dict[str, Any]:
    """Write an order."""
    params: dict[str, Any] = {
        "symbol": market_id,
        "side": asked.side.upper(),
        "quantity": format(asked.size, "f"),
        "newClientOrderId": asked.client_id,
    }
    if asked.trigger_price is not None:
        rising = float(asked.trigger_price) > mid
        stop = rising == (asked.side == "buy")
        params["type"] = "STOP_LOSS" if stop else "TAKE_PROFIT"
        params["stopPrice"] = format(asked.trigger_price, "f")
    elif asked.price is None:
        params |= {"type": "MARKET", "newOrderRespType": "RESULT"}
    elif asked.post_only:
        params |= {"type": "LIMIT_MAKER", "price": format(asked.price, "f")}
        params["newOrderRespType"] = "ACK"
    else:
        params |= {"type": "LIMIT", "timeInForce": "GTC", "price": format(asked.price, "f")}
        params["newOrderRespType"] = "RESULT"
    return params
