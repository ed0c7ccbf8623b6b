"""Hyperliquid's messages as the maker's events, and its orders as Hyperliquid takes them."""

import math
from decimal import Decimal
from typing import Any, Final

from advanced_mm.maker.exchange import (
    Account,
    Book,
    Fill,
    FundingPayment,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    RestingOrder,
    Side,
    Trade,
)

__all__ = [
    "account",
    "book",
    "fill",
    "funding",
    "funding_rates",
    "number",
    "order",
    "order_wire",
    "trade",
    "update",
    "with_touch",
]

Json = Any

_SIDES: Final[dict[str, Side]] = {"B": "buy", "A": "sell"}


def book(symbol: str, data: Json) -> Book:
    """Read ``l2Book``."""
    bids, asks = (
        tuple((float(one["px"]), float(one["sz"])) for one in side) for side in data["levels"]
    )
    return Book(symbol, int(data["time"]), bids, asks)


def with_touch(last: Book, data: Json) -> Book | None:
    """Put a newer touch (``bbo``) on top of a book; None if it is older or empty on a side."""
    time_ms = int(data["time"])
    bid, ask = data["bbo"]
    if time_ms < last.time_ms or bid is None or ask is None:
        return None
    best_bid, best_ask = float(bid["px"]), float(ask["px"])
    bids = ((best_bid, float(bid["sz"])), *(one for one in last.bids if one[0] < best_bid))
    asks = ((best_ask, float(ask["sz"])), *(one for one in last.asks if one[0] > best_ask))
    return Book(last.symbol, time_ms, bids, asks)


def trade(symbol: str, data: Json) -> Trade:
    """Read one of ``trades``."""
    return Trade(
        symbol, int(data["time"]), _SIDES[data["side"]], float(data["px"]), float(data["sz"])
    )


def order(symbol: str, data: Json) -> RestingOrder:
    """Read an order as ``openOrders`` and ``orderUpdates`` tell it."""
    size, left = Decimal(data["origSz"]), Decimal(data["sz"])
    trigger = data.get("triggerPx")
    has_trigger = data.get("isTrigger", False) and trigger not in (None, "0.0", "0")
    return RestingOrder(
        order_id=str(data["oid"]),
        client_id=data.get("cloid") or "",
        symbol=symbol,
        side=_SIDES[data["side"]],
        price=Decimal(data["limitPx"]),
        size=size,
        filled=size - left,
        trigger_price=Decimal(trigger) if has_trigger else None,
    )


def update(symbol: str, data: Json) -> OrderUpdate:
    """Read one of ``orderUpdates``, or the answer of ``orderStatus``."""
    return OrderUpdate(
        order(symbol, data["order"]), _status(data["status"]), int(data["statusTimestamp"])
    )


def _status(text: str) -> OrderStatus:
    if text in ("open", "triggered"):
        return OrderStatus.OPEN
    if text == "filled":
        return OrderStatus.FILLED
    return OrderStatus.REFUSED if "reject" in text.lower() else OrderStatus.CANCELLED


def fill(symbol: str, data: Json) -> Fill:
    """Read one of ``userFills``."""
    return Fill(
        fill_id=str(data["tid"]),
        order_id=str(data["oid"]),
        client_id=data.get("cloid") or "",
        symbol=symbol,
        side=_SIDES[data["side"]],
        price=Decimal(data["px"]),
        size=Decimal(data["sz"]),
        fee=Decimal(data["fee"]),
        fee_currency=data.get("feeToken") or "USDC",
        maker=not data["crossed"],
        time_ms=int(data["time"]),
    )


def funding(symbol: str, data: Json) -> FundingPayment:
    """Read one of ``userFunding``."""
    return FundingPayment(symbol, int(data["time"]), Decimal(data["delta"]["usdc"]))


def funding_rates(meta: Json, contexts: Json, symbols: dict[str, str]) -> dict[str, float]:
    """Read ``metaAndAssetCtxs``: the hour's rates by symbol; what is no number is left out."""
    found: dict[str, float] = {}
    for market, context in zip(meta["universe"], contexts, strict=True):
        rate = float(context.get("funding") or "nan")
        if market["name"] in symbols and math.isfinite(rate):
            found[symbols[market["name"]]] = rate
    return found


def account(data: Json, symbols: dict[str, str]) -> Account:
    """Read ``clearinghouseState``; ``symbols`` by coin."""
    equity = Decimal(data["marginSummary"]["accountValue"])
    positions = {}
    for one in data["assetPositions"]:
        symbol = symbols.get(one["position"]["coin"])
        if symbol is not None:
            positions[symbol] = Decimal(one["position"]["szi"])
    return Account(int(data["time"]), {"USDC": equity}, positions, equity)


def number(value: Decimal) -> str:
    """Write a number as Hyperliquid signs it: without zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_wire(asset: int, asked: OrderRequest, price: Decimal, *, rising: bool) -> Json:
    """Write an order; ``price`` is its limit, ``rising`` whether its trigger is above the market.

    The keys must be in this order: they are hashed as they are written.
    """
    kind: Json = {"limit": {"tif": "Alo" if asked.post_only else "Gtc"}}
    if asked.trigger_price is not None:
        stop = rising == (asked.side == "buy")
        kind = {
            "trigger": {
                "isMarket": True,
                "triggerPx": number(asked.trigger_price),
                "tpsl": "sl" if stop else "tp",
            }
        }
    elif asked.price is None:
        kind = {"limit": {"tif": "Ioc"}}
    return {
        "a": asset,
        "b": asked.side == "buy",
        "p": number(price),
        "s": number(asked.size),
        "r": asked.reduce_only,
        "t": kind,
        "c": asked.client_id,
    }
