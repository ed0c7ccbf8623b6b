"""Orders, fills and funding in Hyperliquid's wire format, for /info and the websocket.

Numbers are strings, times exchange ms; "B" buys, "A" sells.
"""

from advanced_mm.markets.units import CoinUnits, micros_text
from advanced_mm.venue.engine.orders import (
    Fill,
    FundingPayment,
    Liquidation,
    Order,
    OrderEvent,
)
from advanced_mm.venue.protocol.messages.wire_views import Json

__all__ = [
    "NO_HASH",
    "fill_data",
    "full_order_data",
    "funding_data",
    "funding_entry",
    "liquidation_data",
    "order_data",
    "order_entry",
    "order_update",
]

NO_HASH = "0x" + "0" * 64
NO_ADDRESS = "0x" + "0" * 40


def order_data(order: Order, units: CoinUnits) -> dict[str, Json]:
    """Return an order as in ``openOrders`` and ``orderUpdates``; ``sz`` is the remaining size."""
    request = order.request
    data: dict[str, Json] = {
        "coin": order.coin,
        "side": "B" if request.is_buy else "A",
        "limitPx": units.price_text(request.price),
        "sz": units.size_text(order.remaining),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "origSz": units.size_text(request.lots),
    }
    if request.reduce_only:
        data["reduceOnly"] = True
    if request.cloid is not None:
        data["cloid"] = request.cloid
    return data


def full_order_data(order: Order, units: CoinUnits) -> dict[str, Json]:
    """Return an order with type and trigger, as in ``frontendOpenOrders`` and ``orderStatus``."""
    request, trigger = order.request, order.request.trigger
    data = order_data(order, units)
    data |= {
        "triggerCondition": "N/A",
        "isTrigger": trigger is not None,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": order.request.whole_position,
        "reduceOnly": request.reduce_only,
        "orderType": "Market" if request.is_market else "Limit",
        "tif": "FrontendMarket" if request.is_market else str(request.tif),
        "cloid": request.cloid,
    }
    if request.twap_id is not None:
        data["orderType"] = "Twap Slice"
    if trigger is not None:
        kind = "Take Profit" if trigger.take_profit else "Stop"
        price = units.price_text(trigger.price)
        rising = trigger.take_profit != request.is_buy
        data |= {
            "triggerCondition": f"Price {'above' if rising else 'below'} {price}",
            "triggerPx": price,
            "orderType": f"{kind} {'Market' if trigger.is_market else 'Limit'}",
            "tif": None,
        }
    return data


def order_entry(order: Order, units: CoinUnits) -> dict[str, Json]:
    """Return an order and its status, as in ``historicalOrders``."""
    return {
        "order": full_order_data(order, units),
        "status": str(order.status),
        "statusTimestamp": order.status_ms,
    }


def order_update(event: OrderEvent, units: CoinUnits) -> dict[str, Json]:
    """Return a change of an order, as in ``orderUpdates``."""
    return {
        "order": order_data(event.order, units),
        "status": str(event.order.status),
        "statusTimestamp": event.time_ms,
    }


def fill_data(fill: Fill, units: CoinUnits) -> dict[str, Json]:
    """Return a fill, as in ``userFills``."""
    data: dict[str, Json] = {
        "coin": fill.coin,
        "px": units.price_text(fill.price),
        "sz": units.size_text(fill.lots),
        "side": "B" if fill.is_buy else "A",
        "time": fill.time_ms,
        "startPosition": units.size_text(fill.start_lots),
        "dir": _direction(fill),
        "closedPnl": micros_text(fill.closed_pnl),
        "hash": fill.hash,
        "oid": fill.oid,
        "crossed": fill.crossed,
        "fee": micros_text(fill.fee),
        "tid": fill.tid,
        "feeToken": "USDC",
        "twapId": fill.twap_id,
    }
    if fill.cloid is not None:
        data["cloid"] = fill.cloid
    if fill.builder_fee:
        data["builderFee"] = micros_text(fill.builder_fee)
    if fill.liquidation:
        data["liquidation"] = {
            "liquidatedUser": fill.account,
            "markPx": data["px"],
            "method": "market",
        }
    return data


def funding_data(payment: FundingPayment, units: CoinUnits) -> dict[str, Json]:
    """Return an hour's funding, as in ``userFundings``."""
    return {
        "time": payment.time_ms,
        "coin": payment.coin,
        "usdc": micros_text(payment.usdc),
        "szi": units.size_text(payment.lots),
        "fundingRate": payment.rate,
        "nSamples": None,
    }


def funding_entry(payment: FundingPayment, units: CoinUnits) -> dict[str, Json]:
    """Return an hour's funding, as in the request ``userFunding``."""
    data = funding_data(payment, units)
    time_ms = data.pop("time")
    return {"time": time_ms, "hash": NO_HASH, "delta": {"type": "funding", **data}}


def liquidation_data(event: Liquidation) -> dict[str, Json]:
    """Return a liquidation, as in ``userEvents``; positions are closed in the book only."""
    return {
        "lid": event.lid,
        "liquidator": NO_ADDRESS,
        "liquidated_user": event.account,
        "liquidated_ntl_pos": micros_text(event.notional),
        "liquidated_account_value": micros_text(event.value),
    }


def _direction(fill: Fill) -> str:
    """Return the fill's effect on the position, as named on the venue's web page."""
    before = fill.start_lots
    after = before + (fill.lots if fill.is_buy else -fill.lots)
    if before > 0 > after:
        return "Long > Short"
    if before < 0 < after:
        return "Short > Long"
    if fill.is_buy:
        return "Close Short" if before < 0 else "Open Long"
    return "Close Long" if before > 0 else "Open Short"
